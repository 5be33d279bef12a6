import { aimsOf, judge } from './aims.js';
import { AT_ONCE, type BackchannelServer, isOurs, LOAD, TOKENS } from './back-channel.js';
import { Comparisons } from './comparisons.js';
import { show, spreadOf } from './figures.js';
import {
  differenceOfEquals,
  expressServers,
  farServers,
  type GuardServer,
  type Load,
  MOST_DIFFERENCE,
  nestServers,
} from './guard.js';
import { type Chart } from './plot.js';
import { MAX_STALENESS, type Propagation } from './propagation.js';
import { type Measured } from './rounds.js';
import { DISTANCE_MS } from './surroundings.js';

export interface Results {
  readonly pinned: boolean;
  /** How many rounds were planned. There are more if the figures were not steady. */
  readonly rounds: number;
  /** `foreign`: the server of `TEST_MARIADB_URL`. */
  readonly mariadb: 'own' | 'foreign' | 'missing';
  readonly guards: Measured<GuardServer>;
  readonly backchannels: Measured<BackchannelServer>;
  readonly propagation: Propagation;
  /** Bytes. */
  readonly memory: { readonly session: number; readonly logout: number };
}

const STRICT_POSTGRES = '`SessionAliveGuard`, strict, PostgreSQL';
const STRICT_MARIADB = '`SessionAliveGuard`, strict, MariaDB';
const SINGLE = 'one statement for each check, PostgreSQL';

const guardNames: Readonly<Record<GuardServer, string>> = {
  none: 'no guard',
  noneAgain: 'no guard, once more',
  empty: 'a guard that does nothing',
  bounded: '`SessionAliveGuard`, bounded',
  strictSqlite: '`SessionAliveGuard`, strict, SQLite',
  strictPostgres: STRICT_POSTGRES,
  strictMariadb: STRICT_MARIADB,
  singlePostgres: SINGLE,
  farPostgres: STRICT_POSTGRES,
  farMariadb: STRICT_MARIADB,
  farSingle: SINGLE,
  express: 'Express alone',
  eocSession: 'express-openid-connect, its session alone',
  eocSqlite: 'express-openid-connect with its store, SQLite',
  eocPostgres: 'express-openid-connect with its store, PostgreSQL',
  boundedMeasured: '`SessionAliveGuard`, bounded, with metrics',
  strictPostgresMeasured: `${STRICT_POSTGRES}, with metrics`,
};

const backchannelNames: Readonly<Record<BackchannelServer, string>> = {
  verify: "jose's verification, nothing stored",
  sqlite: 'ours, SQLite',
  postgres: 'ours, PostgreSQL',
  mariadb: 'ours, MariaDB',
  sqliteTokens: 'ours, SQLite, looking for tokens to revoke',
  postgresTokens: 'ours, PostgreSQL, looking for tokens to revoke',
  eocMemory: 'express-openid-connect, in memory',
  eocSqlite: 'express-openid-connect, SQLite',
  eocPostgres: 'express-openid-connect, PostgreSQL',
};

const comparisonsOf = ({ guards, backchannels }: Results) => new Comparisons(guards, backchannels);

/** The back-channel servers that were measured. */
const backchannelsOf = ({ backchannels }: Results) =>
  (Object.keys(backchannelNames) as BackchannelServer[]).filter((name) => backchannels.has(name, LOAD));

const table = (head: readonly string[], rows: readonly string[]) =>
  [`| ${head.join(' | ')} |`, `|${head.map(() => '---').join('|')}|`, ...rows].join('\n');

export function chartsOf(results: Results): Chart[] {
  const compared = comparisonsOf(results);
  const plain = (name: string) => name.replaceAll('`', '').replace('express-openid-connect', 'e-o-c');
  return [
    {
      title: 'Processor time per request, compared with a guard that does nothing (Nest on Express)',
      bars: nestServers
        .filter((name) => results.guards.has(name, 'some'))
        .map((name) => ({
          label: plain(guardNames[name]),
          spread: compared.cpuOfEmpty(name),
          ours: /^(bounded|strict)/.test(name),
        })),
    },
    {
      title: 'Requests per second, compared with Express alone',
      bars: expressServers.map((name) => ({
        label: plain(guardNames[name]),
        spread: compared.rateOfUnguarded(name),
        ours: false,
      })),
    },
    {
      title: 'Logouts per second over the back-channel, compared with verification alone',
      bars: backchannelsOf(results).map((name) => ({
        label: plain(backchannelNames[name]).replace(', looking for', ', +'),
        spread: compared.logoutRate(name),
        ours: isOurs(name),
      })),
    },
  ];
}

const FIGURES = ['requests/s', 'p50, ms', 'p99, ms', 'CPU, µs'];

function figuresOf({ guards }: Results, name: GuardServer, load: Load): string[] {
  const { rate, p50, p99, cpu } = guards.of(name, load);
  return [show(spreadOf(rate), 0), show(spreadOf(p50)), show(spreadOf(p99), 1), show(spreadOf(cpu), 0)];
}

function statementsOf({ guards }: Results, name: GuardServer, load: Load): string {
  return show(spreadOf(guards.of(name, load).statements), 3);
}

function guardTable(results: Results, load: Load): string {
  const compared = comparisonsOf(results);
  const rows = nestServers
    .filter((name) => results.guards.has(name, load))
    .map((name) => {
      const cells = [show(compared.cpuOfEmpty(name, load)), statementsOf(results, name, load)];
      return `| ${[guardNames[name], ...figuresOf(results, name, load), ...cells].join(' | ')} |`;
    });
  return table(['', ...FIGURES, 'CPU, compared', 'statements per request'], rows);
}

function farTable(results: Results, load: Load): string {
  const rows = farServers
    .filter((name) => results.guards.has(name, load))
    .map((name) => {
      const cells = [...figuresOf(results, name, load), statementsOf(results, name, load)];
      return `| ${[guardNames[name], ...cells].join(' | ')} |`;
    });
  return table(['', ...FIGURES, 'statements per request'], rows);
}

function expressTable(results: Results): string {
  const compared = comparisonsOf(results);
  const rows = expressServers.map((name) => {
    const cells = [show(compared.rateOfUnguarded(name)), show(spreadOf(compared.extra(name)), 0)];
    return `| ${[guardNames[name], ...figuresOf(results, name, 'some'), ...cells].join(' | ')} |`;
  });
  return table(['', ...FIGURES, 'requests/s, compared', 'more CPU than Express alone, µs'], rows);
}

function backchannelTable(results: Results): string {
  const compared = comparisonsOf(results);
  const rows = backchannelsOf(results).map((name) => {
    const { rate, cpu, p99, statements } = results.backchannels.of(name, LOAD);
    const cells = [
      ...[show(spreadOf(rate), 0), show(compared.logoutRate(name)), show(spreadOf(p99), 0), show(spreadOf(cpu), 0)],
      ...[show(compared.logoutsPerCpu(name)), isOurs(name) ? show(spreadOf(statements), 3) : ''],
    ];
    return `| ${[backchannelNames[name], ...cells].join(' | ')} |`;
  });
  const head = ['', 'logouts/s', 'logouts/s, compared', 'p99, ms', 'CPU, µs'];
  return table([...head, 'logouts per second of CPU, compared', 'statements per logout'], rows);
}

function machineOf({ pinned, mariadb }: Results): string {
  const cores = pinned
    ? 'The servers had one processor core, the load generator and the databases another one.'
    : 'The servers, the load generator and the databases shared all processor cores.';
  const commits = 'All databases commit to disk.';
  switch (mariadb) {
    case 'own':
      return `${cores} ${commits}`;
    case 'foreign':
      return `${cores} MariaDB ran with its own settings, and on any core. PostgreSQL and SQLite commit to disk.`;
    case 'missing':
      return `${cores} ${commits} **The run found no MariaDB, so its rows and its aims are left out.** Set \`TEST_MARIADB_URL\`, or install the package \`mariadb-server\`.`;
  }
}

function roundsOf({ guards, backchannels, rounds }: Results): string {
  const all = guards.of('none', 'some').rate.length;
  const difference = `${(differenceOfEquals(guards) * 100).toFixed(1)} %`;
  const most = `${MOST_DIFFERENCE * 100} %`;
  const more =
    all > rounds
      ? `The processor times of the two servers without a guard then still differed by more than ${most}. So the run measured the closed loop with 32 connections in ${all - rounds} more rounds. After all ${all} rounds, they differed by ${difference}.`
      : `The processor times of the two servers without a guard then differed by ${difference}. The run adds rounds if they differ by more than ${most}.`;
  return `All measurements come from one run of ${rounds} rounds (the back-channel: ${backchannels.of('verify', LOAD).rate.length} rounds). ${more}`;
}

/** The pages by file name. */
export function report(results: Results): ReadonlyMap<string, string> {
  return new Map([
    ['performance.md', aimsPage(results)],
    ['performance-guard.md', guardPage(results)],
    ['performance-load.md', loadPage(results)],
    ['performance-logouts.md', logoutsPage(results)],
  ]);
}

function aimsPage(results: Results): string {
  const { memory } = results;
  return `# What it costs

This page shows what the guard and a logout cost, beside other software. It is for readers who want to know whether the library is
fast enough for them. \`npm run bench\`, in the library's repository, writes it, the numbers and the verdicts. The tables behind the verdicts are in
[a guarded page](performance-guard.md), [the guard under load](performance-load.md) and [logouts](performance-logouts.md).

${roundsOf(results)} In a round, all servers take turns. The run starts each server several times. Each figure is the median over the
rounds, with the middle half of the rounds in brackets. Ratios are computed for each round. ${machineOf(results)}

_No guard, once more_ is the same program as _no guard_, measured a second time. The distance between the two shows the error of the
measurement: smaller differences of other figures mean nothing.

![processor time per request, and logouts per second, beside what they are compared with](images/performance.svg)

## The aims

Processor time is the time of the server process for a request, in the closed loop with 32 connections. The extra time of a guard is
the processor time that it adds to the same app without it.

${table(['', 'aim', 'measured', ''], aimsOf(results, comparisonsOf(results)).map(judge))}

### Why an aim is missed

\`npm run bench -- --profile NAME\`, in the library's repository, shows in which functions a server spends its processor time. It showed:

- **The bounded guard** hashes the session token, parses the cookie, asks Nest's \`Reflector\` for the route's decorators, and passes
  some promises. No single part stands out. A strict guard on PostgreSQL does the same work and can cost less: one answer of the
  database continues many requests at once, which saves the engine work.
- **A lone request** of the strict guard pays for what a single statement has not: the proof that the server is a primary, the search
  for further session tokens, and the wait until the end of the turn, so that other requests can join.
- **The back-channel** beside a server that only verifies: the library reads the token twice. The first reading is cheap and needs no
  key, so that a forged token can't cause a fetch. The second is the verification. Then comes the statement, which the other server
  does not have. Logouts that come at the same time share one.
- **Propagation** beside a bare notification: the notification carries no content, so a replica must ask the database. The question and
  its answer are one round trip more.

## Memory

| | bytes each, measured with 100,000 |
| --- | --- |
| a remembered session | ${memory.session.toFixed(0)} |
| a logout of the last minutes | ${memory.logout.toFixed(0)} |
`;
}

function guardPage(results: Results): string {
  const compared = comparisonsOf(results);
  const check = (name: GuardServer) => show(spreadOf(compared.extra(name, 'eocSession')), 0);
  return `# What a guarded page costs

This page shows the cost of a guarded page. \`npm run bench\`, in the library's repository, writes it, and [what it costs](performance.md) says how it measures.

The connections request the page with 200 sessions in turns. At the end, one session was logged out, and each \`SessionAliveGuard\`
refused it. "Bounded" is \`maxStalenessMs: ${MAX_STALENESS}\` on PostgreSQL. "CPU" is the processor time of the server process for a
request, in microseconds, and "compared" divides it by that of the guard that does nothing. The statements are all statements that
the server's driver sends, also those of timers in the background.

"One statement for each check" is the same \`SessionAliveGuard\`, but pg's pool sends one prepared statement for each check, as the
library did before it grouped checks. It has no queue, no time limit, and no proof that the server is a primary.

## Many connections

A closed loop with 32 connections: each sends its next request when it has the answer to the last one.

${guardTable(results, 'some')}

## A lone request

A closed loop with 1 connection:

${guardTable(results, 'one')}

## Beside express-openid-connect

A closed loop with 32 connections, compared with Express alone:

${expressTable(results)}

express-openid-connect decrypts the session from its cookie, and encrypts it again into the answer. Our guard finds the session by
the hash of the cookie's value. The back-channel check of express-openid-connect adds ${check('eocSqlite')} µs with its store on SQLite, and
${check('eocPostgres')} µs on PostgreSQL (two look-ups, because its sessions have a \`sid\` and a \`sub\`). We wrote its stores for this
test, as small as possible: one prepared statement per call.
`;
}

function loadPage(results: Results): string {
  return `# What a guarded page costs under load

This page shows the cost of a guarded page with 128 connections, at a fixed rate, and with a distant database. \`npm run bench\`, in the library's repository, writes
it, and [what it costs](performance.md) says how it measures. The columns are those of [a guarded page](performance-guard.md).

## 128 connections

${guardTable(results, 'many')}

## A fixed rate

A fixed rate over 32 connections, half of the rate that the closed loop without a guard reached in the same round. The latency counts
from the time when a request was due, which is exact to about a millisecond:

${guardTable(results, 'rate')}

## A distant database

The same guards with the database ${DISTANCE_MS} ms away: a proxy delays all data by ${DISTANCE_MS} ms each way. A closed loop with 32 connections:

${farTable(results, 'some')}

A closed loop with 128 connections:

${farTable(results, 'many')}
`;
}

function logoutsPage(results: Results): string {
  const { propagation } = results;
  const propagationRows = [
    ['a bare notification', propagation.bare] as const,
    ['a logout, with `nudge`', propagation.nudged] as const,
    ['a logout, without `nudge`', propagation.polled] as const,
  ].map(
    ([what, times]) => `| ${what} | ${times.length} | ${show(spreadOf(times))} | ${Math.max(...times).toFixed(1)} |`,
  );
  return `# What a logout costs

This page shows the cost of a logout, and how fast it reaches other replicas. \`npm run bench\`, in the library's repository, writes it, and
[what it costs](performance.md) says how it measures.

## Logouts over the back-channel

A round sends ${TOKENS} distinct logout tokens, ${AT_ONCE} at once, and every server gets the same tokens. The base only verifies
signature and claims with jose, in the same Nest and Express route, and all comparisons are with it. Our server answers after the row
is committed. At the end, every answered logout was on record. All replicas are strict, so no answer waits for other replicas.

${backchannelTable(results)}

With the option \`secrets\`, the library looks for tokens to revoke. It does so beside the answers. On SQLite this work competes with the
answers, because SQLite has only one writer.

## From one replica to the others

A logout is measured from its commit to the first refusal in another process. This process had the session in memory, with
\`{ maxStalenessMs: ${MAX_STALENESS} }\`. A bare notification is measured from a \`NOTIFY\` on the same PostgreSQL to its arrival in the same
process. All times are milliseconds.

${table(['', 'measurements', 'time', 'longest'], propagationRows)}
`;
}
