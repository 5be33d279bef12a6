// npm run bench [-- --rounds 3] [-- --out FILE]: what the guard, a logout and its propagation cost; writes docs/performance.md.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { measureBackchannels } from './back-channel.js';
import { measureConnections, measureGuards } from './guard.js';
import { plot } from './plot.js';
import { measurePropagation } from './propagation.js';
import { chartsOf, report, type Results } from './report.js';
import { Surroundings } from './surroundings.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '18' },
    out: { type: 'string', default: 'docs/performance.md' },
  },
});
const rounds = Number(values.rounds);
/** Of one server in one round, seconds: short, so that its neighbours meet the same machine. */
const DURATION = 0.7;
const REMEMBERED = 100_000;

const started = performance.now();
const say = (what: string) => console.log(`${Math.round((performance.now() - started) / 1000)} s: ${what}`);
const around = await Surroundings.open();
try {
  say('memory');
  const server = await around.start('memory.ts', {});
  const memory = {
    session: await server.ask<number>('sessions', REMEMBERED),
    logout: await server.ask<number>('logouts', REMEMBERED),
  };
  await server.stop();
  say('propagation');
  const propagation = await measurePropagation(around, Math.min(20 * rounds, 200));
  say('back-channel');
  const backchannels = await measureBackchannels(around, Math.ceil(rounds / 2));
  say('guards');
  const guards = await measureGuards(around, rounds, DURATION);
  say('guards, one connection and many');
  const few = Math.max(3, Math.ceil(rounds / 3));
  const connections = [
    { connections: 1, guards: await measureConnections(around, few, DURATION, 1) },
    { connections: 128, guards: await measureConnections(around, few, DURATION, 128) },
  ];
  const results: Results = {
    connections,
    pinned: around.cores.pinned,
    rounds,
    guards,
    backchannels,
    propagation,
    memory,
  };
  const text = await format(report(results), { ...(await resolveConfig(values.out)), parser: 'markdown' });
  const images = join(dirname(values.out), 'images');
  await mkdir(images, { recursive: true });
  await writeFile(values.out, text);
  await writeFile(join(images, 'performance.svg'), plot(chartsOf(results)));
  say('done');
  console.log(text);
} finally {
  await around.close();
}
