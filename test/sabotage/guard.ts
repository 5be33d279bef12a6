import { type Sabotage } from './sabotage.js';

const source = 'libs/oneid-logout/src';
const judge = `${source}/guard/session-judge.ts`;
const guardSource = `${source}/guard/session-alive.guard.ts`;
const guardFile = 'test/session-alive-guard.e2e-spec.ts';
const suite = 'SessionAliveGuard, on SQLite with express';
const several = 'test/several-sessions.e2e-spec.ts';
const severalSuite = 'a request with several sessions, strict';
const idle = 'test/idle.e2e-spec.ts';
const idleEnds = 'test/idle-ends.e2e-spec.ts';
const watch = `${source}/sessions/outage-watch.ts`;
const outages = 'test/outages.e2e-spec.ts';
const outageSuite = 'an outage in which no replica can record logouts, on SQLite';

/** The guard, unused sessions, and outages. */
export const guard: readonly Sabotage[] = [
  {
    promise: 'guard',
    breaks: 'A session that a logout has ended passes.',
    file: judge,
    search: `if (checked.endedBy !== undefined) return { reason: reasonOfEnd(checked.endedBy) };`,
    replace: ``,
    test: {
      file: guardFile,
      name: `${suite} rejects a session with the reason logged_out after a logout on each channel, also when the session has expired`,
    },
  },
  {
    promise: 'guard',
    breaks: 'A session passes after its absolute end.',
    file: `${source}/rule/session.ts`,
    search: `if (expired) return 'expired';`,
    replace: ``,
    test: { file: guardFile, name: `${suite} rejects a session with the reason expired, by the database's clock` },
  },
  {
    promise: 'guard',
    breaks: 'A session of a client that is no longer configured passes.',
    file: judge,
    search: `if (checked === undefined || !ours) return { reason: 'unknown' };`,
    replace: `if (checked === undefined) return { reason: 'unknown' };`,
    test: {
      file: guardFile,
      name: `${suite} rejects a session with the reason unknown when its client is no longer configured`,
    },
  },
  {
    promise: 'guard',
    breaks: 'A request passes when the store fails.',
    file: guardSource,
    search: `throw error instanceof OneIdLogoutError ? await errorFor(context, error) : error;`,
    replace: `if (error instanceof StoreUnavailableError) return true;
      throw error instanceof OneIdLogoutError ? await errorFor(context, error) : error;`,
    test: {
      file: guardFile,
      name: `${suite} answers 503 when the store fails, on every guarded route, and gives no details`,
    },
  },
  {
    promise: 'guard',
    breaks: 'An anonymous route lets an ended session pass as if there was none.',
    file: guardSource,
    search: `if (anonymous !== undefined && (carried === undefined || anonymous.deadSession === 'anonymous')) {`,
    replace: `if (anonymous !== undefined) {`,
    test: {
      file: guardFile,
      name: `${suite} anonymous routes: a request without session passes; an ended session is rejected, or passes as anonymous`,
    },
  },
  {
    promise: 'guard: bearer tokens',
    breaks: 'A token that is older than all recorded logouts passes.',
    file: judge,
    search: `if (lastMoment <= this.clock.now()) return { reason: 'expired' };`,
    replace: ``,
    test: {
      file: guardFile,
      name: 'session resolvers sessionFromClaims refuses a token that is older than all remembered logouts',
    },
  },
  {
    promise: 'P14',
    breaks: 'A token without sub escapes the logout of its user.',
    file: judge,
    search: `if (token.sub !== undefined || sid === undefined) return token;`,
    replace: `if (sid !== '') return token;`,
    test: {
      file: 'test/what-a-logout-ends.e2e-spec.ts',
      name: 'which sessions a logout ends, on SQLite with the default options P14: a bearer token with sid and without sub P14: counts as the token of the user who has signed in with its sid',
    },
  },
  {
    promise: 'P11',
    breaks: 'A request may hide the session of another user behind many dead ones.',
    file: judge,
    search: `if (askable.some((values) => values.length > MOST_VALUES)) return { reason: 'ambiguous' };`,
    replace: ``,
    test: {
      file: several,
      name: `${severalSuite} two cookies of one name P11: the guard asks about four values, and refuses more without asking`,
    },
  },
  {
    promise: 'P20',
    breaks: 'A live token makes up for a dead cookie.',
    file: judge,
    search: `if (first !== undefined && 'reason' in first && aliveIn(others).length === 0) return first;`,
    replace: ``,
    test: {
      file: several,
      name: `${severalSuite} several resolvers P20: a live token does not make up for a dead cookie`,
    },
  },
  {
    promise: 'P20',
    breaks: 'A request with the live sessions of two users passes.',
    file: judge,
    search: `if (!alive.every((other) => isSameUser(session, other))) return { reason: 'ambiguous' };`,
    replace: ``,
    test: {
      file: several,
      name: `${severalSuite} several resolvers P20: live sessions of different users are refused`,
    },
  },
  {
    promise: 'BC-13: the inbox',
    breaks: 'The replica does not obey a logout that it could not record.',
    file: `${source}/replicas/inbox-lookup.ts`,
    search: `return endedBy === undefined ? checked : { ...checked, endedBy };`,
    replace: `return checked;`,
    test: {
      file: 'test/logout-inbox.e2e-spec.ts',
      name: 'a logout that the store cannot record, on SQLite BC-13: is obeyed at once by this replica, also by strict checks and for tokens of an API',
    },
  },
  {
    promise: 'idle',
    breaks: 'An unused session lives a second too long.',
    file: `${source}/rule/idle-limit.ts`,
    search: `return unusedMs >= this.maxIdleMs;`,
    replace: `return unusedMs >= this.maxIdleMs + 1_000;`,
    test: {
      file: idle,
      name: 'maxIdleSeconds, on SQLite a session that was never used is over to the millisecond, counted from its sign-in',
    },
  },
  {
    promise: 'idle',
    breaks: 'A late batch revives a session that a check has called idle.',
    file: `${source}/store/activity.repository.ts`,
    search: '${recorded} > ${this.database.dialect.now} - ${maxIdleMs - margin} AND ${recorded} <= ?',
    replace: '${recorded} > ${margin - maxIdleMs} AND ${recorded} <= ?',
    test: { file: idle, name: 'maxIdleSeconds, on SQLite a late batch never revives what was idle' },
  },
  {
    promise: 'idle',
    breaks: 'A request that is refused keeps its other sessions alive.',
    file: judge,
    search: `if (!alive.every((other) => isSameUser(session, other))) return { reason: 'ambiguous' };`,
    replace: `if (countsAsUse) await this.noteUses(alive);
    if (!alive.every((other) => isSameUser(session, other))) return { reason: 'ambiguous' };`,
    test: {
      file: idle,
      name: 'maxIdleSeconds, on SQLite a request that is refused is no use of the sessions that it carries',
    },
  },
  {
    promise: 'idle',
    breaks: 'A replica that answers from memory lets idle sessions in.',
    file: `${source}/replicas/cached-session-lookup.ts`,
    search: `return this.settings.idleLimit?.isNearEnd(this.unusedMs(known)) ?? false;`,
    replace: `return false;`,
    test: {
      file: idle,
      name: 'maxIdleSeconds, on SQLite and bounded liveness a session that is used only here lives beyond the limit, and then ends to the millisecond',
    },
  },
  {
    promise: 'idle',
    breaks: 'An idle session ends for good while a use of it may still be on its way.',
    file: `${source}/sessions/idle-ends.ts`,
    search: `const until = now - this.limit.maxIdleMs - IDLE_GRACE;`,
    replace: `const until = now - this.limit.maxIdleMs;`,
    test: {
      file: idleEnds,
      name: 'idle sessions end for good, on SQLite with a logout of the one session, once it has been unused for the grace longer; a higher option brings none back',
    },
  },
  {
    promise: 'idle',
    breaks: 'An app ends the sessions of another app that shares the database.',
    file: `${source}/sessions/idle-ends.ts`,
    search: `const ours = sessions.filter(({ issuer, clientId }) => this.isConfiguredClient(issuer, clientId));`,
    replace: `const ours = sessions;`,
    test: {
      file: idleEnds,
      name: 'idle sessions end for good, on SQLite leaves the sessions of another app that shares the database alone, where maxIdleSeconds is off',
    },
  },
  {
    promise: 'idle',
    breaks: 'A jump of the clock ends sessions for good that are in use.',
    file: `${source}/sessions/idle-ends.ts`,
    search: `if (Math.abs(now - this.clock.now()) > MAX_CLOCK_DIFFERENCE) return;`,
    replace: ``,
    test: {
      file: idleEnds,
      name: 'idle sessions end for good, on SQLite ends nothing while the clocks differ by more than a minute, and nothing by a clock that jumps during its run',
    },
  },
  {
    promise: 'outage',
    breaks: 'The sessions of before an outage live on.',
    file: watch,
    search: `await this.recorder.endUnconfirmed(issuer, clientId, recordableUntil);`,
    replace: ``,
    test: {
      file: outages,
      name: `${outageSuite} one longer than the option ends all sessions of the client with one row, before the next request is answered`,
    },
  },
  {
    promise: 'outage',
    breaks: "A jump of the database's clock ends all sessions.",
    file: watch,
    search: `if (this.clockWasSet(now)) {`,
    replace: `if (now < 0) {`,
    test: { file: outages, name: `${outageSuite} a jump of the database's clock by 86400 s is none` },
  },
  {
    promise: 'outage',
    breaks: 'A request passes whose answer was read before the outage was found.',
    file: `${source}/replicas/outage-lookup.ts`,
    search: `if (before !== undefined && before === this.outages.sureGeneration) return true;`,
    replace: `if (this.outages.sureGeneration !== undefined) return true;`,
    test: {
      file: outages,
      name: `${outageSuite} lets no request pass whose answer was read before the row, and comes after it`,
    },
  },
  {
    promise: 'outage',
    breaks: 'A replica that starts hides an outage of before.',
    file: `${source}/store/recording-time.repository.ts`,
    search: 'AND recordable_until >= ${this.now} - ? ${this.andWritable}`',
    replace: 'AND recordable_until >= ${this.now} - 1000 * ? ${this.andWritable}`',
    test: { file: outages, name: `${outageSuite} a replica that starts finds it` },
  },
  {
    promise: 'idle',
    breaks:
      'A failure of the store at the end of an idle session leaves this session without an end, and its token unrevoked.',
    file: `${source}/sessions/idle-ends.ts`,
    search: `const alive = ours.filter(({ isAlive }) => isAlive);`,
    replace: `const alive = ours.filter(({ isAlive }) => isAlive);
      if (find === 'findLongUnused' && ours.length > 0) await this.sessions.forgetUses(ours.map(({ id }) => id), until);`,
    test: {
      file: 'test/idle-ends.e2e-spec.ts',
      name: 'idle sessions end for good, on SQLite a failure of the store at the end of a session leaves its use, so the next run ends it',
    },
  },
  {
    promise: 'outage',
    breaks: 'An outage of one client ends no session while the logouts of another client can be recorded.',
    file: watch,
    search: `if (written === this.targets.length || (!this.isOn && written > 0)) return true;`,
    replace: `if (written > 0) return true;`,
    test: {
      file: outages,
      name: `${outageSuite} of one of two clients ends the sessions of this client, while the times of the other one go on`,
    },
  },
];
