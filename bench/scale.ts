// npm run bench:scale [-- --full] [-- --sizes 1000,10000]: what a check, a logout, the end of everyone and a purge cost beside ever more sessions.
import { randomInt } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SessionDatabaseOptions } from 'nestjs-oneid-logout';
import { format, resolveConfig } from 'prettier';
import { DataSource } from 'typeorm';
import { Clock } from '../libs/oneid-logout/src/clock.js';
import { Measures } from '../libs/oneid-logout/src/measures/measures.js';
import { Random } from '../libs/oneid-logout/src/random.js';
import { LogoutRecorder } from '../libs/oneid-logout/src/sessions/logout-recorder.js';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { LogoutBus } from '../libs/oneid-logout/src/sessions/logout-bus.js';
import { PURGE_BATCH } from '../libs/oneid-logout/src/store/session-purge.js';
import { PurgeProgress } from '../libs/oneid-logout/src/store/purge-progress.js';
import { OldRows } from '../libs/oneid-logout/src/store/old-rows.js';
import { UncertainLogouts } from '../libs/oneid-logout/src/sessions/uncertain-logouts.js';
import { SessionRepository } from '../libs/oneid-logout/src/store/session.repository.js';
import { readArguments, wholeNumber } from '../test/support/arguments.mjs';
import { TestPostgres } from '../test/support/postgres.mjs';
import { fill, idOf, sidOf } from './fill.js';
import { median, ratio } from './figures.js';

const values = readArguments({
  full: { type: 'boolean', default: false },
  sizes: { type: 'string' },
  rounds: { type: 'string', default: '15' },
  out: { type: 'string', default: 'docs/scale.md' },
});
const sizes = values.sizes?.split(',').map((size) => wholeNumber('sizes', size)) ?? [
  1_000,
  100_000,
  1_000_000,
  ...(values.full ? [10_000_000] : []),
];
const rounds = wholeNumber('rounds', values.rounds);
const issuer = 'https://oneid.example/';
const DAY = 24 * 60 * 60 * 1000;

/** How many expired sessions a measured purge deletes. */
const PURGED = 4 * PURGE_BATCH;

const work = ['check', 'record', 'everyone', 'purge'] as const;
type Work = (typeof work)[number];

/** One database of one size, and how long each kind of work took on it, round by round: microseconds. */
class Subject {
  readonly times: Record<Work, number[]> = { check: [], record: [], everyone: [], purge: [] };
  private readonly repository: SessionRepository;
  private readonly recorder: LogoutRecorder;
  private logouts = 0;

  constructor(
    readonly size: number,
    readonly database: SessionDatabase,
  ) {
    this.repository = new SessionRepository(database, { logoutRetention: 32 * DAY, storesTokens: true });
    const [clock, random] = [new Clock(), new Random()];
    const uncertain = new UncertainLogouts(this.repository, clock, random);
    this.recorder = new LogoutRecorder(this.repository, new LogoutBus(), uncertain, clock, random, Measures.off(clock));
  }

  async run(kind: Work): Promise<void> {
    const count = { check: 500, record: 50, everyone: 50, purge: 1 }[kind];
    if (kind === 'purge') await fill(this.database, this.size, this.size + PURGED, { expired: true });
    const start = performance.now();
    for (let n = 0; n < count; n++) await this[kind]();
    this.times[kind].push(((performance.now() - start) * 1000) / count);
    // the other kinds of work need sessions that are alive
    if (kind === 'everyone')
      await this.database.run(`DELETE FROM ${this.database.tables.logout} WHERE channel = 'admin'`);
  }

  private async check(): Promise<void> {
    const checked = await this.repository.check(idOf(randomInt(this.size)));
    if (checked === undefined) throw new Error('a session is missing');
  }

  private async record(): Promise<void> {
    const sid = sidOf(randomInt(this.size));
    const jti = String((this.logouts += 1));
    await this.recorder.recordBackchannel({ issuer, clientId: 'app', jti, iat: 1, sid, scope: 'session' });
  }

  private async everyone(): Promise<void> {
    await this.recorder.endEveryone(issuer);
  }

  /** As the job does it; a logout goes in the run after the one that took its sessions. */
  private async purge(): Promise<void> {
    const progress = new PurgeProgress();
    const oldRows = new OldRows(this.database);
    const now = await this.repository.findNow();
    let purged = 0;
    for (let run = 0; run < 2; run++) {
      do purged += await oldRows.purge(PURGE_BATCH, progress, now);
      while (progress.more);
    }
    // a session and its logout each; the tokens go with the session
    if (purged < 2 * PURGED) throw new Error(`only ${purged} rows were purged`);
  }
}

async function measure(name: string, options: (size: number) => Promise<SessionDatabaseOptions>): Promise<string[]> {
  const subjects: Subject[] = [];
  for (const size of sizes) {
    const database = await SessionDatabase.open(await options(size), true);
    const start = performance.now();
    const sqlite = database.dataSource.options.type === 'better-sqlite3';
    if (sqlite) await database.dataSource.query('PRAGMA synchronous = OFF');
    await fill(database, 0, size, {});
    if (sqlite) await database.dataSource.query('PRAGMA synchronous = FULL');
    // as the server does by itself, in its own time
    else await vacuum(database);
    console.log(`${name}: ${size} sessions in ${Math.round((performance.now() - start) / 1000)} s`);
    subjects.push(new Subject(size, database));
  }
  // one after the other in each round, so that what else the machine does meets all sizes alike; the first one warms up
  for (let round = 0; round <= rounds; round++) {
    for (const kind of work) for (const subject of subjects) await subject.run(kind);
    if (round === 0) for (const subject of subjects) for (const kind of work) subject.times[kind].length = 0;
  }
  for (const { database } of subjects) await database.close();
  const [first] = subjects;
  if (first === undefined) throw new Error('no sizes');
  return subjects.map((subject) => {
    const cells = work.map((kind) => ratio(subject.times[kind], first.times[kind]));
    const cost = work.map((kind) => Math.round(median(subject.times[kind])));
    console.log(`${name}: ${subject.size}: ${cells.join(', ')} (µs: ${cost.join(', ')})`);
    return `| ${name} | ${subject.size.toLocaleString('en')} | ${cells.join(' | ')} |`;
  });
}

const folder = await mkdtemp(join(tmpdir(), 'oneid-logout-bench-'));
const postgres = await TestPostgres.start({ durable: true });
try {
  const rows = [
    ...(await measure('SQLite', (size) =>
      Promise.resolve({ type: 'better-sqlite3', database: join(folder, `${size}.sqlite`) }),
    )),
    ...(await measure('PostgreSQL', async (size) => {
      const administrator = await new DataSource({ type: 'postgres', url: postgres.url }).initialize();
      await administrator.query(`CREATE DATABASE scale_${size}`);
      await administrator.destroy();
      return { type: 'postgres', url: postgres.url.replace(/\/postgres$/, `/scale_${size}`) };
    })),
  ];
  const given = process.argv.slice(2).join(' ');
  const command = `npm run bench:scale${given === '' ? '' : ` -- ${given}`}`;
  const text = `# What size costs

This page shows how the cost of the library grows with the number of sessions in the database. It is for readers with very many
sessions. \`${command}\` writes it.

Each cell is the cost at this size divided by the cost at the smallest size. It is the median over ${rounds} rounds, with the middle half
of the rounds in brackets. In a round, all sizes take turns. A tenth of the sessions is logged out.

- A *check* is the guard's query for a random session.
- A *record* is a back-channel logout of a random \`sid\`, committed to disk.
- *Everyone* is \`endEveryone()\`, which ends all these sessions, committed to disk. It writes one row for any number of
  sessions. At a million sessions it must cost at most 1.5 times as much as at a thousand.
- A *purge* deletes ${PURGED} expired sessions with their tokens and logouts, in batches of ${PURGE_BATCH}.

| database | sessions | check | record | everyone | purge |
| --- | --- | --- | --- | --- | --- |
${rows.join('\n')}

On SQLite, the cost of a purge grows with the file. Every key is a hash, so each row of a batch is on a page of its own, and a
checkpoint writes these pages back all over the file. The purge runs beside the requests, every ten minutes, for a few milliseconds
at a time.
`;
  await writeFile(values.out, await format(text, { ...(await resolveConfig(values.out)), parser: 'markdown' }));
} finally {
  await postgres.stop();
  await rm(folder, { recursive: true });
}

/** Takes longer than the library lets a statement take. */
async function vacuum({ dataSource }: SessionDatabase): Promise<void> {
  const runner = dataSource.createQueryRunner();
  await runner.query('SET statement_timeout = 0');
  await runner.query('VACUUM ANALYZE');
  await runner.query('RESET statement_timeout');
  await runner.release();
}
