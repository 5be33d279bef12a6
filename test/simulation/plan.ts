import { Prng } from './prng.js';

/** How one replica of a run is set up: the options that decide how fresh its answers are. */
export interface ReplicaPlan {
  /** Undefined: strict liveness. */
  readonly bounded?: {
    readonly maxStalenessMs: number;
    readonly allowDuringOutageMs: number;
    readonly nudges: boolean;
  };
}

/** What the users, the administrators and OneID do. Replicas, sessions, logins and users are numbers. */
export type Action =
  | {
      readonly do: 'signIn';
      readonly at: number;
      readonly session: number;
      readonly login: number;
      readonly user: number;
      readonly replica: number;
      /** The session that the browser had before. */
      readonly replaces?: number;
    }
  | { readonly do: 'request' | 'refresh'; readonly at: number; readonly session: number; readonly replica: number }
  | { readonly do: 'logOut' | 'endSession'; readonly at: number; readonly session: number; readonly replica: number }
  /** OneID tells of the end of a login, over the back-channel: a replica for each attempt. */
  | { readonly do: 'backchannel'; readonly at: number; readonly login: number; readonly replicas: readonly number[] }
  /** The same, with a token that names only the user. */
  | {
      readonly do: 'backchannelOfUser';
      readonly at: number;
      readonly user: number;
      readonly replicas: readonly number[];
    }
  | { readonly do: 'frontchannel'; readonly at: number; readonly login: number; readonly replica: number }
  | { readonly do: 'endUser'; readonly at: number; readonly user: number; readonly replica: number }
  | { readonly do: 'endEveryone'; readonly at: number; readonly replica: number };

interface During {
  readonly from: number;
  readonly to: number;
}

/** What goes wrong. All times are milliseconds of the run. */
export type Fault =
  /**
   * A replica does not reach the database: nothing answers, or every connection is reset. With `answersArrive`, only its
   * statements get lost, and the answers to earlier ones still come.
   */
  | ({
      readonly kind: 'cut';
      readonly replica: number;
      readonly silent: boolean;
      readonly answersArrive?: true;
    } & During)
  /** The database does not run: nothing answers, or every connection is refused. */
  | ({ readonly kind: 'databaseDown'; readonly silent: boolean } & During)
  /** Statements take up to this much longer. */
  | ({ readonly kind: 'slow'; readonly upToMs: number } & During)
  /** Some writes are committed up to this much later than the time that they read. */
  | ({ readonly kind: 'lateCommits'; readonly chance: number; readonly upToMs: number } & During)
  /** Some reads see the tables up to this much earlier than the clock that they read. */
  | ({ readonly kind: 'earlySnapshots'; readonly chance: number; readonly upToMs: number } & During)
  /** Some answers never come. */
  | ({ readonly kind: 'lostAnswers'; readonly chance: number } & During)
  /**
   * The primary is demoted and another server promoted. New connections lead to the old one for `addressLagMs`. The old
   * one closes its connections, or lets them go on.
   */
  | {
      readonly kind: 'failover';
      readonly at: number;
      readonly gapMs: number;
      readonly addressLagMs: number;
      readonly closes: boolean;
    }
  | { readonly kind: 'databaseClock'; readonly at: number; readonly byMs: number }
  /** The event loop of a replica stands still. */
  | ({ readonly kind: 'stall'; readonly replica: number; readonly timersFirst: boolean } & During)
  /** The machine of a replica stands still: its monotonic clock, too. */
  | ({ readonly kind: 'suspend'; readonly replica: number; readonly timersFirst: boolean } & During)
  | { readonly kind: 'wallClock'; readonly replica: number; readonly at: number; readonly byMs: number }
  | {
      readonly kind: 'restart';
      readonly replica: number;
      readonly at: number;
      readonly downMs: number;
      /** SIGKILL; otherwise the app stops in order. */
      readonly killed: boolean;
    }
  | ({ readonly kind: 'lostNudges'; readonly chance: number } & During)
  /** OneID's keys can't be had. */
  | ({ readonly kind: 'keysGone' } & During)
  /** Some of OneID's notifications, or the answers to them, are lost on the way. */
  | ({ readonly kind: 'lostNotifications'; readonly chance: number } & During)
  /** How OneID's revocation endpoint answers: `hollow` is a 200 without effect. */
  | ({ readonly kind: 'revocation'; readonly answer: 'hollow' | 'unavailable' | 'invalidClient' | 'silent' } & During);

export type FaultKind = Fault['kind'];

/** A whole run as data: from it, all else follows. */
export interface Plan {
  readonly seed: string;
  /** `liveness`: many requests, seconds. `tokens`: refresh tokens, an hour. `load`: a database at half of its capacity. */
  readonly profile: 'liveness' | 'tokens' | 'load';
  readonly replicas: readonly ReplicaPlan[];
  readonly poolSize: number;
  /** How long a statement runs on the database at least, and how many run at the same time. */
  readonly statementMs: number;
  readonly cores: number;
  readonly logoutScope: 'session' | 'user';
  /** The database, or its driver, gives text back in another normal form than it got. */
  readonly normalizesText: boolean;
  readonly actions: readonly Action[];
  readonly faults: readonly Fault[];
  /** When the run ends: the faults end long before. */
  readonly end: number;
}

/** When a fault ends, milliseconds of the run. */
export function endOfFault(fault: Fault): number {
  switch (fault.kind) {
    case 'failover':
      return fault.at + fault.gapMs + fault.addressLagMs;
    case 'restart':
      return fault.at + fault.downMs;
    case 'databaseClock':
    case 'wallClock':
      return fault.at;
    default:
      return fault.to;
  }
}

export function beginOfFault(fault: Fault): number {
  return 'at' in fault ? fault.at : fault.from;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Makes the plan of a run. The same seed makes the same plan. */
export function planOf(seed: string): Plan {
  const prng = new Prng(`${seed}/plan`);
  const lot = prng.fraction();
  if (lot < 0.8) return livenessPlan(seed, prng);
  return lot < 0.95 ? tokensPlan(seed, prng) : loadPlan(seed, prng);
}

function livenessPlan(seed: string, prng: Prng): Plan {
  const replicas = Array.from({ length: prng.whole(3, prng.chance(0.1) ? 10 : 5) }, () => replicaPlan(prng));
  const [from, to] = [2 * SECOND, prng.whole(15, 30) * SECOND];
  const faults = faultsBetween(prng, from, to, replicas.length, prng.whole(0, 6));
  const healed = Math.max(to, ...faults.map(endOfFault));
  return {
    ...{ seed, profile: 'liveness', replicas, faults },
    poolSize: prng.pick([2, 4, 10]),
    statementMs: 0.5,
    cores: 4,
    logoutScope: prng.chance(0.3) ? 'user' : 'session',
    normalizesText: prng.chance(0.15),
    actions: actionsBetween(prng, 100, healed + 15 * SECOND, replicas.length, prng.between(5, 12)),
    end: healed + 25 * SECOND,
  };
}

function tokensPlan(seed: string, prng: Prng): Plan {
  const replicas: ReplicaPlan[] = Array.from({ length: prng.whole(3, 4) }, () => ({}));
  const to = prng.whole(5, 20) * MINUTE;
  const faults = faultsBetween(prng, 10 * SECOND, to, replicas.length, prng.whole(1, 6), true);
  const healed = Math.max(to, ...faults.map(endOfFault));
  return {
    ...{ seed, profile: 'tokens', replicas, faults },
    poolSize: 4,
    statementMs: 0.5,
    cores: 4,
    logoutScope: 'session',
    normalizesText: false,
    // some replicas get no request for minutes, so only their jobs and OneID's logouts use the database
    actions: actionsBetween(prng, 100, to, replicas.length, prng.pick([0.15, 0.02])),
    end: healed + 70 * MINUTE,
  };
}

/** The offered load stays the same: after a pause of the database, all requests must be answered again. */
function loadPlan(seed: string, prng: Prng): Plan {
  const replicas: ReplicaPlan[] = Array.from({ length: 3 }, () => ({}));
  const pause = { from: 4 * SECOND, to: prng.whole(5, 11) * SECOND };
  const kind = prng.pick(['databaseDown', 'slow', 'failover'] as const);
  const faults: Fault[] = [
    kind === 'databaseDown'
      ? { kind, silent: true, ...pause }
      : kind === 'slow'
        ? { kind, upToMs: 4_000, ...pause }
        : { kind, at: pause.from, gapMs: pause.to - pause.from, addressLagMs: 500, closes: prng.chance(0.5) },
  ];
  return {
    ...{ seed, profile: 'load', replicas, faults },
    poolSize: 10,
    // as statements of their own, the checks would need more than the cores have
    statementMs: 45,
    cores: 4,
    logoutScope: 'session',
    normalizesText: false,
    actions: actionsBetween(prng, 100, 24 * SECOND, replicas.length, 100),
    end: 30 * SECOND,
  };
}

function replicaPlan(prng: Prng): ReplicaPlan {
  if (prng.chance(0.25)) return {};
  const maxStalenessMs = prng.pick([250, 500, 1_000, 2_000]);
  const allowDuringOutageMs = prng.chance(0.2) ? prng.pick([500, 2_000]) : 0;
  return { bounded: { maxStalenessMs, allowDuringOutageMs, nudges: prng.chance(0.5) } };
}

const LIVENESS_FAULTS = [
  ...(['cut', 'databaseDown', 'slow', 'lateCommits', 'lateCommits', 'earlySnapshots', 'lostAnswers'] as const),
  ...(['failover', 'failover', 'databaseClock', 'stall', 'suspend', 'wallClock', 'restart', 'lostNudges'] as const),
  ...(['keysGone', 'lostNotifications'] as const),
];

const TOKEN_FAULTS = [
  ...(['revocation', 'revocation', 'revocation', 'cut', 'databaseDown', 'failover', 'restart', 'restart'] as const),
  ...(['lostAnswers', 'suspend', 'databaseClock', 'lateCommits'] as const),
];

function faultsBetween(
  prng: Prng,
  begin: number,
  end: number,
  replicas: number,
  count: number,
  areLong = false,
): Fault[] {
  const faults: Fault[] = [];
  let failovers = 0;
  for (let n = 0; n < count; n++) {
    const from = prng.whole(begin, end);
    const during = { from, to: from + prng.whole(500, areLong ? 5 * MINUTE : 9_000) };
    const replica = prng.whole(0, replicas - 1);
    const timersFirst = prng.chance(0.5);
    const kind = prng.pick<FaultKind>(areLong ? TOKEN_FAULTS : LIVENESS_FAULTS);
    switch (kind) {
      case 'cut':
        faults.push({ kind, replica, silent: prng.chance(0.5), ...during });
        break;
      case 'databaseDown':
        faults.push({ kind, silent: prng.chance(0.5), ...during });
        break;
      case 'slow':
        faults.push({ kind, upToMs: prng.pick([300, 1_500, 6_000]), ...during });
        // a network that fades: the last answers come late, and no further statement arrives
        if (prng.chance(0.4)) {
          const cutFrom = prng.whole(during.from, during.to);
          const to = cutFrom + prng.whole(500, 9_000);
          faults.push({ kind: 'cut', replica, silent: true, answersArrive: true, from: cutFrom, to });
        }
        break;
      case 'lateCommits':
        faults.push({ kind, chance: prng.pick([0.3, 1]), upToMs: prng.pick([900, 5_000, 9_000]), ...during });
        break;
      case 'earlySnapshots':
        faults.push({ kind, chance: prng.pick([0.3, 1]), upToMs: prng.pick([400, 1_500]), ...during });
        break;
      case 'lostAnswers':
        faults.push({ kind, chance: prng.pick([0.05, 0.3]), ...during });
        break;
      case 'failover':
        failovers += 1;
        if (failovers > 1) break;
        faults.push({
          ...{ kind, at: from, gapMs: prng.whole(0, 4_000), addressLagMs: prng.pick([0, 2_000, 6_000]) },
          closes: prng.chance(0.4),
        });
        break;
      case 'databaseClock':
        faults.push({ kind, at: from, byMs: prng.pick([-600_000, -5_000, -1_500, 1_500, 5_000, 600_000]) });
        break;
      case 'stall':
      case 'suspend':
        faults.push({ kind, replica, timersFirst, ...during });
        break;
      case 'wallClock':
        faults.push({ kind, replica, at: from, byMs: prng.pick([-3_600_000, -3_000, 3_000, 3_600_000]) });
        break;
      case 'restart':
        faults.push({ kind, replica, at: from, downMs: prng.whole(100, 5_000), killed: prng.chance(0.6) });
        break;
      case 'lostNudges':
        faults.push({ kind, chance: prng.pick([0.5, 1]), ...during });
        break;
      case 'keysGone':
        faults.push({ kind, ...during });
        break;
      case 'lostNotifications':
        faults.push({ kind, chance: prng.pick([0.3, 0.8]), ...during });
        break;
      case 'revocation':
        faults.push({
          ...{ kind, answer: prng.pick(['hollow', 'unavailable', 'invalidClient', 'silent'] as const), ...during },
        });
    }
  }
  return faults;
}

/** @param requestsPerSecond of all users together */
function actionsBetween(prng: Prng, begin: number, end: number, replicas: number, requestsPerSecond: number): Action[] {
  const actions: Action[] = [];
  const anyReplica = () => prng.whole(0, replicas - 1);
  const seconds = (end - begin) / SECOND;
  const sessions = Math.round(Math.min(40, Math.max(6, (seconds * requestsPerSecond) / 20)));
  const users = Math.max(2, Math.round(sessions / 3));
  const logins = Math.max(3, Math.round(sessions / 1.5));
  const userOfLogin = Array.from({ length: logins }, () => prng.whole(0, users - 1));
  const signedInAt: number[] = [];
  for (let session = 0; session < sessions; session++) {
    const login = prng.whole(0, logins - 1);
    const at = prng.whole(begin, session < sessions / 2 ? begin + (end - begin) / 10 : end - (end - begin) / 4);
    signedInAt.push(at);
    const replaces = session > 0 && prng.chance(0.1) ? prng.whole(0, session - 1) : undefined;
    actions.push({
      ...{ do: 'signIn', at, session, login, user: userOfLogin[login] ?? 0, replica: anyReplica() },
      ...(replaces !== undefined && { replaces }),
    });
  }
  for (let n = 0; n < seconds * requestsPerSecond; n++) {
    const session = prng.whole(0, sessions - 1);
    const at = prng.whole(Math.min(end - 1, (signedInAt[session] ?? 0) + 50), end);
    actions.push({ do: prng.chance(0.02) ? 'refresh' : 'request', at, session, replica: anyReplica() });
  }
  const logouts = Math.max(3, Math.round(sessions / 2));
  for (let n = 0; n < logouts; n++) {
    const at = prng.whole(begin + (end - begin) / 20, end);
    const [login, user] = [prng.whole(0, logins - 1), prng.whole(0, users - 1)];
    const [session, replica] = [prng.whole(0, sessions - 1), anyReplica()];
    const around = watchers(prng, actions, at, requestsPerSecond, anyReplica);
    const lot = prng.fraction();
    if (lot < 0.55) {
      actions.push({ do: 'backchannel', at, login, replicas: [anyReplica(), anyReplica(), anyReplica()] });
      around((one) => one.login === login);
    } else if (lot < 0.65) {
      actions.push({ do: 'backchannelOfUser', at, user, replicas: [anyReplica(), anyReplica(), anyReplica()] });
      around((one) => one.user === user);
    } else if (lot < 0.75) {
      actions.push({ do: 'frontchannel', at, login, replica });
      around((one) => one.login === login);
    } else if (lot < 0.85) {
      actions.push({ do: 'logOut', at, session, replica });
    } else if (lot < 0.92) {
      actions.push({ do: 'endSession', at, session, replica });
    } else if (lot < 0.98) {
      actions.push({ do: 'endUser', at, user, replica });
    } else {
      actions.push({ do: 'endEveryone', at, replica });
    }
  }
  return actions.sort((one, other) => one.at - other.at);
}

type SignIn = Extract<Action, { readonly do: 'signIn' }>;

/** Adds requests of the sessions that a logout ends, in the seconds around it: there the promise is decided. */
function watchers(
  prng: Prng,
  actions: Action[],
  at: number,
  requestsPerSecond: number,
  anyReplica: () => number,
): (isEnded: (one: SignIn) => boolean) => void {
  return (isEnded) => {
    const ended = actions.filter((one): one is SignIn => one.do === 'signIn' && isEnded(one));
    for (const { session } of ended.slice(0, 3)) {
      for (let n = 0; n < Math.min(20, 2 * requestsPerSecond); n++) {
        actions.push({ do: 'request', at: at + prng.whole(-1_000, 6_000), session, replica: anyReplica() });
      }
    }
  };
}
