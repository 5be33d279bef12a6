import { type BackchannelServer } from './back-channel.js';
import { type Comparisons } from './comparisons.js';
import { show, type Spread, spreadOf } from './figures.js';
import { type GuardServer } from './guard.js';
import { MAX_STALENESS } from './propagation.js';
import { type Results } from './report.js';

/** An aim: a figure must be at least, or at most, this much. */
export interface Aim {
  readonly what: string;
  readonly figure: Spread;
  readonly atLeast?: number;
  readonly atMost?: number;
  /** Why the aim is missed. Only a measured reason belongs here. */
  readonly reason?: string;
}

/** Makes one row of the table of aims. */
export function judge({ what, figure, atLeast, atMost, reason = '' }: Aim): string {
  const met = figure.middle >= (atLeast ?? -Infinity) && figure.middle <= (atMost ?? Infinity);
  const aim = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
  return `| ${what} | ${aim} | ${show(figure)} | ${met ? 'met' : `**missed**${reason && `: ${reason}`}`} |`;
}

export function aimsOf(results: Results, compared: Comparisons): Aim[] {
  const { guards, propagation } = results;
  const strict = [
    { name: 'strictPostgres', backchannel: 'postgres', database: 'PostgreSQL' },
    ...(results.mariadb === 'missing'
      ? []
      : [{ name: 'strictMariadb', backchannel: 'mariadb', database: 'MariaDB' } as const]),
  ] as const;
  const cpu = (name: GuardServer, what: string, atMost: number): Aim => ({
    what: `${what}: processor time, compared with a guard that does nothing`,
    ...{ figure: compared.cpuOfEmpty(name), atMost },
  });
  const recorded = (name: BackchannelServer, database: string, base: BackchannelServer, atLeast: number): Aim[] => {
    const beside = base === 'verify' ? 'verification alone' : 'express-openid-connect';
    return [
      {
        what: `back-channel on ${database}: logouts per second of processor time, compared with ${beside}`,
        ...{ figure: compared.logoutsPerCpu(name, base), atLeast },
      },
      {
        what: `back-channel on ${database}: logouts per second, compared with ${beside}`,
        ...{ figure: compared.logoutRate(name, base), atLeast },
      },
    ];
  };
  const { bare, nudged, polled } = propagation;
  const bareMedian = spreadOf(bare).middle;
  return [
    cpu('bounded', 'bounded guard', 1.05),
    ...strict.map(({ name, database }) => cpu(name, `strict guard on ${database}`, 1.1)),
    cpu('strictSqlite', 'strict guard on SQLite', 1.4),
    ...strict.map(({ name, database }) => ({
      what: `strict guard on ${database}: statements per request`,
      ...{ figure: spreadOf(guards.of(name, 'some').statements), atMost: 0.1 },
    })),
    {
      what: 'strict guard on PostgreSQL: median latency of a lone request, compared with one statement for each check',
      ...{ figure: compared.loneLatency('strictPostgres', 'singlePostgres'), atMost: 1.05 },
    },
    {
      what: "bounded guard's extra time, compared with express-openid-connect's, with its store on PostgreSQL",
      ...{ figure: compared.extraBeside('bounded', 'eocPostgres'), atMost: 0.1 },
    },
    {
      what: "strict guard's extra time, compared with express-openid-connect's, both on PostgreSQL",
      ...{ figure: compared.extraBeside('strictPostgres', 'eocPostgres'), atMost: 1 },
    },
    {
      what: "strict guard's extra time, compared with express-openid-connect's, both on SQLite",
      ...{ figure: compared.extraBeside('strictSqlite', 'eocSqlite'), atMost: 1 },
    },
    ...strict.flatMap(({ backchannel, database }) => recorded(backchannel, database, 'verify', 0.8)),
    ...recorded('sqlite', 'SQLite', 'verify', 0.8),
    ...recorded('postgres', 'PostgreSQL', 'eocPostgres', 1.2),
    ...recorded('sqlite', 'SQLite', 'eocSqlite', 1.2),
    {
      what: 'propagation with a nudge, compared with a bare notification',
      ...{ figure: spreadOf(nudged.map((time) => time / bareMedian)), atMost: 2.5 },
    },
    {
      what: 'the longest of all propagations, milliseconds',
      ...{ figure: spreadOf([Math.max(...nudged, ...polled)]), atMost: MAX_STALENESS },
    },
  ];
}
