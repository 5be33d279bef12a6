import { type Aim, judge } from './aims.js';
import { AT_ONCE, type BackchannelServer, TOKENS } from './back-channel.js';
import { ratios, show, type Spread, spreadOf } from './figures.js';
import { type GuardServer } from './guard.js';
import { type Chart } from './plot.js';
import { MAX_STALENESS, type Propagation } from './propagation.js';
import { type Series } from './rounds.js';

export interface Results {
  readonly pinned: boolean;
  readonly rounds: number;
  readonly guards: Readonly<Record<GuardServer, Series>>;
  readonly backchannels: Readonly<Record<BackchannelServer, Series>>;
  readonly propagation: Propagation;
  /** Bytes. */
  readonly memory: { readonly session: number; readonly logout: number };
}

const guardNames: Readonly<Record<GuardServer, string>> = {
  none: 'no guard',
  noneAgain: 'no guard, once more',
  empty: 'a guard that does nothing',
  bounded: '`SessionAliveGuard`, bounded',
  strictSqlite: '`SessionAliveGuard`, strict, SQLite',
  strictPostgres: '`SessionAliveGuard`, strict, PostgreSQL',
  express: 'Express alone',
  eocSession: 'express-openid-connect, its session alone',
  eocSqlite: 'express-openid-connect with its store, SQLite',
  eocPostgres: 'express-openid-connect with its store, PostgreSQL',
};

const backchannelNames: Readonly<Record<BackchannelServer, string>> = {
  verify: "jose's verification, nothing stored",
  sqlite: 'ours, SQLite',
  postgres: 'ours, PostgreSQL',
  sqliteTokens: 'ours, SQLite, looking for tokens to revoke',
  postgresTokens: 'ours, PostgreSQL, looking for tokens to revoke',
  eocMemory: 'express-openid-connect, in memory',
  eocSqlite: 'express-openid-connect, SQLite',
  eocPostgres: 'express-openid-connect, PostgreSQL',
};

const isExpress = (name: GuardServer) => name.startsWith('eoc') || name === 'express';

/** Of the same app unguarded, round by round; of Nest's that is the mean of both, so that neither's luck decides. */
function unguarded({ guards }: Results, name: GuardServer, of: keyof Series): number[] {
  if (isExpress(name)) return guards.express[of];
  return guards.none[of].map((value, round) => (value + (guards.noneAgain[of][round] ?? NaN)) / 2);
}
const table = (head: readonly string[], rows: readonly string[]) =>
  [`| ${head.join(' | ')} |`, `|${head.map(() => '---').join('|')}|`, ...rows].join('\n');

/** Microseconds of processor time that a server takes for a request more than another, round by round. */
function extra(results: Results, name: GuardServer, base = unguarded(results, name, 'cpu')): number[] {
  return results.guards[name].cpu.map((cpu, round) => cpu - (base[round] ?? NaN));
}

function rates(results: Results) {
  const { guards, backchannels } = results;
  return {
    guard: (name: GuardServer) => spreadOf(ratios(guards[name].rate, unguarded(results, name, 'rate'))),
    backchannel: (name: BackchannelServer, base: BackchannelServer = 'verify') =>
      spreadOf(ratios(backchannels[name].rate, backchannels[base].rate)),
  };
}

function aimsOf(results: Results): Aim[] {
  const { guard, backchannel } = rates(results);
  const { bare, nudged, polled } = results.propagation;
  const scaled = (values: readonly number[]): Spread => spreadOf(values.map((value) => value / spreadOf(bare).middle));
  const longest = spreadOf([Math.max(...nudged, ...polled)]);
  const beside = (name: GuardServer, theirs: GuardServer) =>
    spreadOf(ratios(extra(results, name), extra(results, theirs)));
  return [
    {
      ...{ what: 'bounded guard, of no guard', figure: guard('bounded'), atLeast: 0.97 },
      reason: 'most of it is what Nest takes to run any guard, see the one that does nothing; no I/O is left in ours',
    },
    {
      what: 'bounded guard, of a guard that does nothing',
      ...{ figure: spreadOf(ratios(results.guards.bounded.rate, results.guards.empty.rate)), atLeast: 0.97 },
    },
    {
      ...{ what: 'strict guard on SQLite, of no guard', figure: guard('strictSqlite'), atLeast: 0.8 },
      reason: "SQLite answers on the server's own core, and a third of what is added is its answer",
    },
    {
      ...{ what: 'strict guard on PostgreSQL, of no guard', figure: guard('strictPostgres'), atLeast: 0.65 },
      reason: "the database runs on the load generator's core and is waited for",
    },
    {
      what: "bounded guard's cost, of what express-openid-connect adds to Express, its store on PostgreSQL",
      ...{ figure: beside('bounded', 'eocPostgres'), atMost: 0.1 },
    },
    {
      what: "strict guard's cost, of the same, both on PostgreSQL",
      ...{ figure: beside('strictPostgres', 'eocPostgres'), atMost: 1 },
    },
    {
      what: "strict guard's cost, of the same, both on SQLite",
      ...{ figure: beside('strictSqlite', 'eocSqlite'), atMost: 1 },
    },
    {
      what: 'back-channel on PostgreSQL, of verification alone',
      ...{ figure: backchannel('postgres'), atLeast: 0.75 },
      reason:
        "the database runs on the load generator's core; a group of logouts is one insert and one look at the replicas",
    },
    {
      ...{ what: 'back-channel on SQLite, of verification alone', figure: backchannel('sqlite'), atLeast: 0.65 },
      reason: 'the server waits for the disk, once for each group of logouts',
    },
    {
      what: 'back-channel, of express-openid-connect, both on PostgreSQL',
      ...{ figure: backchannel('postgres', 'eocPostgres'), atLeast: 1 },
    },
    {
      what: 'back-channel, of express-openid-connect, both on SQLite',
      ...{ figure: backchannel('sqlite', 'eocSqlite'), atLeast: 1 },
    },
    {
      ...{ what: 'propagation with a nudge, of a bare notification', figure: scaled(nudged), atMost: 3 },
      reason: 'the notification is sent after the commit, and answered with a look at the table',
    },
    { what: 'the longest propagation of all, milliseconds', figure: longest, atMost: MAX_STALENESS },
  ];
}

export function chartsOf(results: Results): Chart[] {
  const { guard, backchannel } = rates(results);
  const plain = (name: string) => name.replaceAll('`', '');
  const guards = ['none', 'noneAgain', 'empty', 'bounded', 'strictSqlite', 'strictPostgres'] as const;
  const theirs = ['express', 'eocSession', 'eocSqlite', 'eocPostgres'] as const;
  const bar = (name: GuardServer) => {
    const ours = ['bounded', 'strictSqlite', 'strictPostgres'].includes(name);
    return { label: plain(guardNames[name]).replace('express-openid-connect', 'e-o-c'), spread: guard(name), ours };
  };
  return [
    { title: 'Requests per second, of the same app without a guard (Nest on Express)', bars: guards.map(bar) },
    { title: 'Requests per second, of the same app without it (Express)', bars: theirs.map(bar) },
    {
      title: 'Logouts per second over the back-channel, of verifying them alone',
      bars: (Object.keys(backchannelNames) as BackchannelServer[]).map((name) => ({
        label: backchannelNames[name].replace('express-openid-connect', 'e-o-c').replace(', looking for', ', +'),
        spread: backchannel(name),
        ours: /^(sqlite|postgres)/.test(name),
      })),
    },
  ];
}

export function report(results: Results): string {
  const { guards, backchannels, propagation, memory, rounds } = results;
  const { guard, backchannel } = rates(results);
  const guardRows = (Object.keys(guardNames) as GuardServer[]).map((name) => {
    const { rate, cpu, p99 } = guards[name];
    const more = spreadOf(extra(results, name));
    const cells = [show(guard(name)), show(spreadOf(rate), 0), show(spreadOf(p99), 0), show(spreadOf(cpu), 0)];
    return `| ${guardNames[name]} | ${cells.join(' | ')} | ${show(more, 0)} |`;
  });
  const check = (name: GuardServer) => show(spreadOf(extra(results, name, guards.eocSession.cpu)), 0);
  const backchannelRows = (Object.keys(backchannelNames) as BackchannelServer[]).map((name) => {
    const { rate, cpu, p99 } = backchannels[name];
    const cells = [show(backchannel(name)), show(spreadOf(rate), 0), show(spreadOf(p99), 0), show(spreadOf(cpu), 0)];
    return `| ${backchannelNames[name]} | ${cells.join(' | ')} |`;
  });
  const propagationRows = [
    ['a bare notification', propagation.bare] as const,
    ['a logout, with `nudge`', propagation.nudged] as const,
    ['a logout, without', propagation.polled] as const,
  ].map(
    ([what, times]) => `| ${what} | ${times.length} | ${show(spreadOf(times))} | ${Math.max(...times).toFixed(1)} |`,
  );
  return `# What it costs

Written by \`npm run bench\`, the numbers and the verdicts. Everything was measured in one run of ${rounds} rounds
(the back-channel in ${backchannels.verify.rate.length}), in which all servers took turns, started anew three times; each figure is the median
over the rounds, with their middle half in brackets, and ratios are taken round by round. ${
    results.pinned
      ? 'Servers had one processor core, the load generator and PostgreSQL another one.'
      : 'Servers and load generator shared all processor cores.'
  } PostgreSQL and SQLite commit to disk. _No guard, once more_ is the same program a second time, and unguarded is
the mean of the two: as far as they are from 1.00, no other figure says anything.

![requests and logouts per second, beside what they are compared with](images/performance.svg)

## The aims

${table(['', 'aim', 'measured', ''], aimsOf(results).map(judge))}

## A guarded page

32 connections, requests of 200 sessions in turns; at the end one of them was logged out, and was refused. Bounded is
\`maxStaleness: ${MAX_STALENESS}\` on PostgreSQL. Processor time is that of the server process, in microseconds per request.

${table(['', 'requests/s, of unguarded', 'requests/s', 'p99, ms', 'CPU, µs', 'more than unguarded, µs'], guardRows)}

express-openid-connect decrypts the session from its cookie, and encrypts it again into the answer; our guard finds the
session by its id in the cookie. What its back-channel check alone adds to that: ${check('eocSqlite')} µs with its store on
SQLite, ${check('eocPostgres')} µs on PostgreSQL (two look-ups, as its sessions have a \`sid\` and a \`sub\`). Its stores here are
the least that could do: one prepared statement per call.

## Logouts over the back-channel

${TOKENS} distinct logout tokens a round, ${AT_ONCE} at once, the same for all. The base only verifies signature and claims with
jose in the same Nest and Express route. Ours answers when the row is committed; at the end all answered logouts were on
record. All replicas are strict, so nobody waits for others.

${table(['', 'logouts/s, of verification alone', 'logouts/s', 'p99, ms', 'CPU, µs'], backchannelRows)}

Looking for tokens to revoke (the option \`secrets\`) is done beside the answers, and competes with them for SQLite's one
writer.

## From one replica to the others

From the commit to the first refusal in another process, which had the session in memory, with
\`{ maxStaleness: ${MAX_STALENESS} }\`; and from a \`NOTIFY\` on the same PostgreSQL to its arrival in the same process. Milliseconds.

${table(['', 'times', 'time', 'longest'], propagationRows)}

## Memory

| | bytes each, of 100,000 |
| --- | --- |
| a session that is remembered | ${memory.session.toFixed(0)} |
| a logout of the last minutes | ${memory.logout.toFixed(0)} |
`;
}
