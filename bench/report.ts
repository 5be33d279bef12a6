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
      ...{ what: 'bounded guard, compared with no guard', figure: guard('bounded'), atLeast: 0.97 },
      reason: 'most of the extra time is that of Nest itself, see the guard that does nothing; our guard does no I/O',
    },
    {
      what: 'bounded guard, compared with a guard that does nothing',
      ...{ figure: spreadOf(ratios(results.guards.bounded.rate, results.guards.empty.rate)), atLeast: 0.97 },
    },
    {
      ...{ what: 'strict guard on SQLite, compared with no guard', figure: guard('strictSqlite'), atLeast: 0.8 },
      reason: "SQLite runs on the server's own core, and its answers take a third of the extra time",
    },
    {
      ...{ what: 'strict guard on PostgreSQL, compared with no guard', figure: guard('strictPostgres'), atLeast: 0.65 },
      reason: 'the database shares a core with the load generator, and the guard waits for its answer',
    },
    {
      what: "bounded guard's extra time, compared with express-openid-connect's, with its store on PostgreSQL",
      ...{ figure: beside('bounded', 'eocPostgres'), atMost: 0.1 },
    },
    {
      what: "strict guard's extra time, compared with express-openid-connect's, both on PostgreSQL",
      ...{ figure: beside('strictPostgres', 'eocPostgres'), atMost: 1 },
    },
    {
      what: "strict guard's extra time, compared with express-openid-connect's, both on SQLite",
      ...{ figure: beside('strictSqlite', 'eocSqlite'), atMost: 1 },
    },
    {
      what: 'back-channel on PostgreSQL, compared with verification alone',
      ...{ figure: backchannel('postgres'), atLeast: 0.75 },
      reason:
        'the database shares a core with the load generator; a group of logouts is one insert and one query for the replicas',
    },
    {
      ...{
        what: 'back-channel on SQLite, compared with verification alone',
        figure: backchannel('sqlite'),
        atLeast: 0.65,
      },
      reason: 'the server waits for the disk once for each group of logouts',
    },
    {
      what: 'back-channel, compared with express-openid-connect, both on PostgreSQL',
      ...{ figure: backchannel('postgres', 'eocPostgres'), atLeast: 1 },
    },
    {
      what: 'back-channel, compared with express-openid-connect, both on SQLite',
      ...{ figure: backchannel('sqlite', 'eocSqlite'), atLeast: 1 },
    },
    {
      ...{ what: 'propagation with a nudge, compared with a bare notification', figure: scaled(nudged), atMost: 3 },
      reason: 'the replica sends the notification after the commit, and the other replica then queries the table',
    },
    { what: 'the longest of all propagations, milliseconds', figure: longest, atMost: MAX_STALENESS },
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
    ['a logout, without `nudge`', propagation.polled] as const,
  ].map(
    ([what, times]) => `| ${what} | ${times.length} | ${show(spreadOf(times))} | ${Math.max(...times).toFixed(1)} |`,
  );
  return `# What it costs

This page shows what the guard and a logout cost, beside other software. It is for readers who want to know whether the library is
fast enough for them. \`npm run bench\` writes it, the numbers and the verdicts.

All measurements come from one run of ${rounds} rounds (the back-channel: ${backchannels.verify.rate.length} rounds). In a round, all servers take turns. The run
starts each server three times. Each figure is the median over the rounds, with the middle half of the rounds in brackets. Ratios
are computed for each round. ${
    results.pinned
      ? 'The servers had one processor core, the load generator and PostgreSQL another one.'
      : 'The servers and the load generator shared all processor cores.'
  } PostgreSQL and SQLite commit to disk.

_No guard, once more_ is the same program as _no guard_, measured a second time. "Unguarded" is the mean of the two. Their
distance from 1.00 shows the error of the measurement: smaller differences of other figures mean nothing.

![requests and logouts per second, beside what they are compared with](images/performance.svg)

## The aims

The extra time of a guard is the processor time that it adds to the same app without it.

${table(['', 'aim', 'measured', ''], aimsOf(results).map(judge))}

## A guarded page

32 connections request the page with 200 sessions in turns. At the end, one session was logged out, and the guard refused it.
"Bounded" is \`maxStalenessMs: ${MAX_STALENESS}\` on PostgreSQL. Processor time is the time of the server process, in microseconds per request.

${table(['', 'requests/s, compared with unguarded', 'requests/s', 'p99, ms', 'CPU, µs', 'CPU more than unguarded, µs'], guardRows)}

express-openid-connect decrypts the session from its cookie, and encrypts it again into the answer. Our guard finds the session by
the hash of the cookie's value. The back-channel check of express-openid-connect adds ${check('eocSqlite')} µs with its store on SQLite, and
${check('eocPostgres')} µs on PostgreSQL (two look-ups, because its sessions have a \`sid\` and a \`sub\`). We wrote its stores for this
test, as small as possible: one prepared statement per call.

## Logouts over the back-channel

A round sends ${TOKENS} distinct logout tokens, ${AT_ONCE} at once, and every server gets the same tokens. The base only verifies
signature and claims with jose, in the same Nest and Express route. Our server answers after the row is committed. At the end, every
answered logout was on record. All replicas are strict, so no answer waits for other replicas.

${table(['', 'logouts/s, compared with verification alone', 'logouts/s', 'p99, ms', 'CPU, µs'], backchannelRows)}

With the option \`secrets\`, the library looks for tokens to revoke. It does so beside the answers. On SQLite this work competes with the
answers, because SQLite has only one writer.

## From one replica to the others

A logout is measured from its commit to the first refusal in another process. This process had the session in memory, with
\`{ maxStalenessMs: ${MAX_STALENESS} }\`. A bare notification is measured from a \`NOTIFY\` on the same PostgreSQL to its arrival in the same
process. All times are milliseconds.

${table(['', 'measurements', 'time', 'longest'], propagationRows)}

## Memory

| | bytes each, measured with 100,000 |
| --- | --- |
| a remembered session | ${memory.session.toFixed(0)} |
| a logout of the last minutes | ${memory.logout.toFixed(0)} |
`;
}
