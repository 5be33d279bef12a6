import { type Aim, judge } from './aims.js';
import { AT_ONCE, type BackchannelServer, TOKENS } from './back-channel.js';
import { ratios, show, type Spread, spreadOf } from './figures.js';
import { type Compared, type Guards, type GuardServer, guardServers } from './guard.js';
import { type Chart } from './plot.js';
import { MAX_STALENESS, type Propagation } from './propagation.js';
import { type Series } from './rounds.js';

export interface Results {
  readonly pinned: boolean;
  readonly rounds: number;
  readonly guards: Guards;
  /** The page with other numbers of connections than 32. */
  readonly connections: readonly { readonly connections: number; readonly guards: Compared }[];
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
  strictMariadb: '`SessionAliveGuard`, strict, MariaDB',
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

/** The servers that were measured. */
const measured = ({ guards }: Results) => guardServers.filter((name) => guards[name] !== undefined);

function seriesOf({ guards }: Results, name: GuardServer): Series {
  const series = guards[name];
  if (series === undefined) throw new Error(`${name} was not measured`);
  return series;
}

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
  return seriesOf(results, name).cpu.map((cpu, round) => cpu - (base[round] ?? NaN));
}

function rates(results: Results) {
  const { backchannels } = results;
  return {
    guard: (name: GuardServer) => spreadOf(ratios(seriesOf(results, name).rate, unguarded(results, name, 'rate'))),
    backchannel: (name: BackchannelServer, base: BackchannelServer = 'verify') =>
      spreadOf(ratios(backchannels[name].rate, backchannels[base].rate)),
  };
}

function aimsOf(results: Results): Aim[] {
  const { backchannel } = rates(results);
  const { bare, nudged, polled } = results.propagation;
  const scaled = (values: readonly number[]): Spread => spreadOf(values.map((value) => value / spreadOf(bare).middle));
  const longest = spreadOf([Math.max(...nudged, ...polled)]);
  const beside = (name: GuardServer, theirs: GuardServer) =>
    spreadOf(ratios(extra(results, name), extra(results, theirs)));
  const cpuBesideEmpty = (name: GuardServer) => spreadOf(ratios(seriesOf(results, name).cpu, results.guards.empty.cpu));
  const strict = (name: GuardServer, atMost: number): Aim[] =>
    results.guards[name] === undefined
      ? []
      : [{ what: `${plain(guardNames[name])}: CPU per request`, figure: cpuBesideEmpty(name), atMost }];
  const statements = (name: GuardServer): Aim[] =>
    results.guards[name] === undefined
      ? []
      : [
          {
            what: `${plain(guardNames[name])}: statements per request`,
            ...{ figure: spreadOf(seriesOf(results, name).statements), atMost: 0.1 },
          },
        ];
  return [
    ...strict('bounded', 1.05),
    ...strict('strictPostgres', 1.1),
    ...strict('strictMariadb', 1.1),
    ...strict('strictSqlite', 1.4),
    ...statements('strictPostgres'),
    ...statements('strictMariadb'),
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
      ...{ figure: backchannel('postgres'), atLeast: 0.8 },
      reason:
        'the database shares a core with the load generator; a group of logouts is one insert and one query for the replicas',
    },
    {
      ...{
        what: 'back-channel on SQLite, compared with verification alone',
        figure: backchannel('sqlite'),
        atLeast: 0.8,
      },
      reason: 'the server waits for the disk once for each group of logouts',
    },
    {
      what: 'back-channel, compared with express-openid-connect, both on PostgreSQL',
      ...{ figure: backchannel('postgres', 'eocPostgres'), atLeast: 1.2 },
    },
    {
      what: 'back-channel, compared with express-openid-connect, both on SQLite',
      ...{ figure: backchannel('sqlite', 'eocSqlite'), atLeast: 1.2 },
    },
    {
      ...{ what: 'propagation with a nudge, compared with a bare notification', figure: scaled(nudged), atMost: 2.5 },
      reason: 'the replica sends the notification after the commit, and the other replica then queries the table',
    },
    { what: 'the longest of all propagations, milliseconds', figure: longest, atMost: MAX_STALENESS },
  ];
}

const plain = (name: string) => name.replaceAll('`', '');

export function chartsOf(results: Results): Chart[] {
  const { guard, backchannel } = rates(results);
  const guards = measured(results).filter((name) => !isExpress(name));
  const theirs = measured(results).filter(isExpress);
  const bar = (name: GuardServer) => {
    const ours = /^(bounded|strict)/.test(name);
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
  const guardRows = measured(results).map((name) => {
    const { rate, cpu, p99, statements } = seriesOf(results, name);
    const more = spreadOf(extra(results, name));
    const cells = [show(guard(name)), show(spreadOf(rate), 0), show(spreadOf(p99), 0), show(spreadOf(cpu), 0)];
    return `| ${guardNames[name]} | ${cells.join(' | ')} | ${show(more, 0)} | ${show(spreadOf(statements))} |`;
  });
  const connectionRows = results.connections.flatMap(({ connections, guards: few }) =>
    Object.entries(few).map(([name, { rate, p99, cpu, statements }]) => {
      const ratio = show(spreadOf(ratios(cpu, few.empty?.cpu ?? [])));
      const cells = [show(spreadOf(rate), 0), show(spreadOf(p99), 0), show(spreadOf(cpu), 0), ratio];
      return `| ${guardNames[name as GuardServer]} | ${connections} | ${cells.join(' | ')} | ${show(spreadOf(statements))} |`;
    }),
  );
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

CPU per request is the processor time of the server, compared with the same app with a guard that does nothing. The extra time of
a guard is the processor time that it adds to the same app without it.

${table(['', 'aim', 'measured', ''], aimsOf(results).map(judge))}

## A guarded page

32 connections request the page with 200 sessions in turns. At the end, one session was logged out, and the guard refused it.
"Bounded" is \`maxStalenessMs: ${MAX_STALENESS}\` on PostgreSQL. Processor time is the time of the server process, in microseconds per request.

${table(['', 'requests/s, compared with unguarded', 'requests/s', 'p99, ms', 'CPU, µs', 'CPU more than unguarded, µs', 'statements per request'], guardRows)}

Checks that arrive at the same time share one statement on PostgreSQL and MariaDB. The same page with one connection and with 128:

${table(['', 'connections', 'requests/s', 'p99, ms', 'CPU, µs', 'CPU, compared with a guard that does nothing', 'statements per request'], connectionRows)}

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
