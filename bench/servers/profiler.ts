import { Session } from 'node:inspector/promises';
import { findSourceMap } from 'node:module';

/** The time that one function used itself, without the functions that it called. */
export interface ProfiledFunction {
  readonly name: string;
  /** The file of the source, with the line; empty for work of the engine, such as the garbage collector. */
  readonly place: string;
  /** Microseconds. */
  readonly selfTime: number;
}

/** V8's name for the time without work. */
const IDLE = '(idle)';

/** How often the profiler notes the running function, microseconds. */
const INTERVAL = 250;

let session: Session | undefined;

/** Starts the profiler that `node --cpu-prof` starts, but after the boot and the warm-up. */
export async function startProfile(): Promise<void> {
  session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: INTERVAL });
  await session.post('Profiler.start');
}

/** @returns the functions that ran since {@link startProfile}, the most expensive first */
export async function stopProfile(): Promise<ProfiledFunction[]> {
  if (session === undefined) throw new Error('No profile has been started');
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const functions = new Map<string, ProfiledFunction>();
  profile.samples?.forEach((id, sample) => {
    const frame = nodes.get(id)?.callFrame;
    if (frame === undefined || frame.functionName === IDLE) return;
    const name = frame.functionName || '(anonymous)';
    const place = placeOf(frame);
    const key = `${name} ${place}`;
    // a sample counts for the time until the next one
    const selfTime = (functions.get(key)?.selfTime ?? 0) + (profile.timeDeltas?.[sample + 1] ?? 0);
    functions.set(key, { name, place, selfTime });
  });
  return [...functions.values()].sort((a, b) => b.selfTime - a.selfTime);
}

interface Frame {
  readonly url: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
}

/** The place in the source: the bench compiles TypeScript when it loads it. */
function placeOf({ url, lineNumber, columnNumber }: Frame): string {
  if (url === '') return '';
  const entry = findSourceMap(url)?.findEntry(lineNumber, columnNumber);
  const line = entry !== undefined && 'originalLine' in entry ? entry.originalLine : lineNumber;
  return `${url.replace(/^file:\/\//, '').replace(`${process.cwd()}/`, '')}:${line + 1}`;
}
