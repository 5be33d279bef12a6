import { type Provider } from '@nestjs/common';
import { Clock } from '../clock.js';
import { SessionDatabase } from '../database/session-database.js';
import { GuardSettings } from '../guard/guard-settings.js';
import { SESSION_LOOKUP, type SessionLookup } from '../guard/session-lookup.js';
import { Random } from '../random.js';
import { LogoutInbox } from '../sessions/logout-inbox.js';
import { IDLE_LIMIT, type IdleLimit } from '../rule/idle-limit.js';
import { SessionActivity } from '../sessions/session-activity.js';
import { ActivityLookup } from './activity-lookup.js';
import { InboxLookup } from './inbox-lookup.js';
import { LogoutBus } from '../sessions/logout-bus.js';
import { LogoutRecorder } from '../sessions/logout-recorder.js';
import { OUTAGE_SETTINGS, type OutageSettings, OutageWatch } from '../sessions/outage-watch.js';
import { OneIdClients } from '../provider/oneid-clients.js';
import { OutageLookup } from './outage-lookup.js';
import { RecordingTimeRepository } from '../store/recording-time.repository.js';
import { ReplicaRepository } from '../store/replica.repository.js';
import { SessionRepository } from '../store/session.repository.js';
import { CachedSessionLookup, SESSION_RETENTION } from './cached-session-lookup.js';
import { answersAtOnce, type Liveness, LIVENESS, stalenessBoundMs } from './liveness-options.js';
import { LogoutFollower } from './logout-follower.js';
import { type LogoutNudges } from './logout-nudges.js';
import { PostgresNudges } from './postgres-nudges.js';
import { RedisNudges } from './redis-nudges.js';
import { ReplicaBarrier } from './replica-barrier.js';

/** Provides the {@link LogoutNudges} of a registration; undefined without nudges. */
export const LOGOUT_NUDGES = Symbol('oneid-logout nudges');

/**
 * With strict liveness the database answers every check. This replica then follows the other replicas' logouts only for
 * open connections and `SessionEvents`. Milliseconds.
 */
const STRICT_FOLLOWING = { maxStalenessMs: 2_000, allowDuringOutageMs: 0 };

/** What the option `liveness` decides: who answers a check, how the replica learns of logouts, how long a 200 waits. */
export const replicaProviders: Provider[] = [
  {
    provide: ReplicaRepository,
    inject: [SessionDatabase],
    useFactory: (database: SessionDatabase) => new ReplicaRepository(database),
  },
  {
    provide: RecordingTimeRepository,
    inject: [SessionDatabase],
    useFactory: (database: SessionDatabase) => new RecordingTimeRepository(database),
  },
  {
    provide: ReplicaBarrier,
    inject: [ReplicaRepository, Clock, LIVENESS],
    useFactory: (replicas: ReplicaRepository, clock: Clock, liveness: Liveness) =>
      new ReplicaBarrier(replicas, clock, stalenessBoundMs(liveness), answersAtOnce(liveness)),
  },
  { provide: LOGOUT_NUDGES, inject: [SessionDatabase, Clock, Random, LIVENESS], useFactory: nudgesOf },
  {
    provide: LogoutFollower,
    inject: [
      ...[SessionRepository, ReplicaRepository, LogoutBus, Clock, Random, LIVENESS],
      { token: LOGOUT_NUDGES, optional: true },
    ],
    useFactory: followerOf,
  },
  {
    provide: SESSION_LOOKUP,
    inject: [
      SessionRepository,
      LogoutFollower,
      LogoutInbox,
      OutageWatch,
      SessionActivity,
      IDLE_LIMIT,
      GuardSettings,
      Clock,
      LIVENESS,
    ],
    useFactory: lookupOf,
  },
  {
    provide: OutageWatch,
    inject: [RecordingTimeRepository, LogoutRecorder, OneIdClients, OUTAGE_SETTINGS, LogoutFollower, Clock, Random],
    useFactory: outageWatchOf,
  },
];

function nudgesOf(
  database: SessionDatabase,
  clock: Clock,
  random: Random,
  liveness: Liveness,
): Promise<LogoutNudges> | LogoutNudges | undefined {
  if (liveness === 'strict' || liveness.nudge === undefined) return undefined;
  if (liveness.nudge === 'postgres') return new PostgresNudges(database, clock, random);
  const { redis, channel = 'oneid-logout' } = liveness.nudge;
  return RedisNudges.create(redis, channel, clock, random);
}

function followerOf(
  repository: SessionRepository,
  replicas: ReplicaRepository,
  bus: LogoutBus,
  clock: Clock,
  random: Random,
  liveness: Liveness,
  nudges: LogoutNudges | undefined,
): LogoutFollower {
  const answers = liveness !== 'strict';
  const { maxStalenessMs, allowDuringOutageMs } = answers ? liveness : STRICT_FOLLOWING;
  const retention = SESSION_RETENTION + allowDuringOutageMs;
  const settings = { answers, maxStalenessMs, allowDuringOutageMs, retention };
  return new LogoutFollower(repository, replicas, bus, clock, random, settings, nudges);
}

function lookupOf(
  repository: SessionRepository,
  follower: LogoutFollower,
  inbox: LogoutInbox,
  outages: OutageWatch,
  activity: SessionActivity | undefined,
  idleLimit: IdleLimit | undefined,
  { isConfiguredClient }: GuardSettings,
  clock: Clock,
  liveness: Liveness,
): SessionLookup {
  const known =
    liveness === 'strict'
      ? repository
      : new CachedSessionLookup(repository, follower, clock, { ...liveness, idleLimit, outages });
  const lookup = outages.isOn ? new OutageLookup(known, outages, follower) : known;
  const noting = activity === undefined ? lookup : new ActivityLookup(lookup, activity, isConfiguredClient);
  return new InboxLookup(noting, inbox);
}

function outageWatchOf(
  times: RecordingTimeRepository,
  recorder: LogoutRecorder,
  { all }: OneIdClients,
  settings: OutageSettings,
  follower: LogoutFollower,
  clock: Clock,
  random: Random,
): OutageWatch {
  // a follower that has not begun knows nothing, so it can have missed nothing
  const catchUp = () => (follower.stalenessMs === undefined ? Promise.resolve() : follower.wake());
  return new OutageWatch(times, recorder, all, settings, catchUp, clock, random);
}
