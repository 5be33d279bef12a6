// npm run bench [-- --rounds 3] [-- --out FOLDER]: measures what the guard, a logout and its propagation cost, and writes
// docs/performance.md and the pages that it links.
// npm run bench -- --profile NAME: shows in which functions one server spends its processor time.
// npm run bench -- --compare metrics [--rounds 24]: what metrics add to the processor time of a request.
// npm run bench -- --compare idle [--rounds 24]: what maxIdleSeconds adds to it, at 10,000 busy sessions.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { measureBackchannels } from './back-channel.js';
import { measureGuards } from './guard.js';
import { compareIdleness } from './idle.js';
import { compareMetrics } from './metrics.js';
import { plot } from './plot.js';
import { profile } from './profile.js';
import { measurePropagation } from './propagation.js';
import { chartsOf, report, type Results } from './report.js';
import { Surroundings } from './surroundings.js';
import { readArguments, refuse, wholeNumber } from '../test/support/arguments.mjs';

const values = readArguments({
  rounds: { type: 'string', default: '8' },
  out: { type: 'string', default: 'docs' },
  profile: { type: 'string' },
  compare: { type: 'string' },
});
const rounds = wholeNumber('rounds', values.rounds);
const comparisons = new Map([
  ['metrics', compareMetrics],
  ['idle', compareIdleness],
]);
const compare = values.compare === undefined ? undefined : comparisons.get(values.compare);
if (values.compare !== undefined && compare === undefined) {
  refuse(`--compare takes ${[...comparisons.keys()].join(' or ')}, not "${values.compare}"`);
}
const REMEMBERED = 100_000;
/** How many propagations to measure for each round, and at most. */
const PROPAGATIONS = 20;
const MOST_PROPAGATIONS = 150;

const started = performance.now();
const say = (what: string) => console.log(`${Math.round((performance.now() - started) / 1000)} s: ${what}`);

async function measureAll(around: Surroundings): Promise<void> {
  say('memory');
  const server = await around.start('memory.ts', {});
  const memory = {
    session: await server.ask<number>('sessions', REMEMBERED),
    logout: await server.ask<number>('logouts', REMEMBERED),
  };
  await server.stop();
  say('propagation');
  const propagation = await measurePropagation(around, Math.min(PROPAGATIONS * rounds, MOST_PROPAGATIONS));
  say('back-channel');
  const backchannels = await measureBackchannels(around, Math.ceil((rounds * 2) / 3));
  say('guards');
  const guards = await measureGuards(around, rounds);
  const { pinned } = around.cores;
  const mariadb = around.mariadb === undefined ? 'missing' : around.mariadb.isForeign ? 'foreign' : 'own';
  const results: Results = { pinned, rounds, mariadb, guards, backchannels, propagation, memory };
  const images = join(values.out, 'images');
  await mkdir(images, { recursive: true });
  await writeFile(join(images, 'performance.svg'), plot(chartsOf(results)));
  for (const [name, page] of report(results)) {
    const path = join(values.out, name);
    const text = await format(page, { ...(await resolveConfig(path)), parser: 'markdown' });
    await writeFile(path, text);
    console.log(text);
  }
  say('done');
}

const around = await Surroundings.open();
try {
  if (compare !== undefined) console.log(await compare(around, rounds));
  else if (values.profile === undefined) await measureAll(around);
  else console.log(await profile(around, values.profile));
} finally {
  await around.close();
}
