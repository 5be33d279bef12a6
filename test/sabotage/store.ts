import { type Sabotage } from './sabotage.js';

const source = 'libs/oneid-logout/src';
const file = 'test/store.e2e-spec.ts';
const queue = `${source}/database/statement-queue.ts`;
const queueFile = `${source}/database/statement-queue.spec.ts`;
const hostClock = 'test/host-clock.e2e-spec.ts';

/** What the library promises of its tables and of a database in trouble. */
export const store: readonly Sabotage[] = [
  {
    promise: 'S3',
    breaks: 'Checks come before logouts when connections are few.',
    file: queue,
    search: `for (const lane of LANE_NAMES) {
      for (const entry of this.waiting[lane]) {
        if (`,
    replace: `for (const lane of LANE_NAMES.toReversed()) {
      for (const entry of this.waiting[lane]) {
        if (`,
    test: {
      file: queueFile,
      name: 'StatementQueue S3: gives a free connection to logouts first, then looks, sign-ins and checks',
    },
  },
  {
    promise: 'S9',
    breaks: 'A look reads one page of the logouts that it has missed.',
    file: `${source}/store/session.repository.ts`,
    search: `more: found.length === CHANGES_PAGE,`,
    replace: `more: found.length > CHANGES_PAGE,`,
    test: {
      file,
      name: 'the store in trouble, on SQLite S9: a replica that was away while many logouts were recorded keeps them all in memory while its memory may answer',
    },
  },
  {
    promise: 'S12',
    breaks: "The purge trusts a database's clock that is weeks ahead, and deletes logouts that still end sessions.",
    file: `${source}/store/session-purge.ts`,
    search: `if (!this.clocksAgree(now)) return;`,
    replace: ``,
    test: {
      file,
      name: "the store in trouble, on SQLite S12: while the database's clock is 3456000000 ms ahead, nothing is purged, and logouts are recorded",
    },
  },
  {
    promise: 'S12',
    breaks: 'The purge deletes a logout that still ends a stored session.',
    file: `${source}/store/old-rows.ts`,
    search: `NOT (\${REVOKING}) AND \${endsNone} AS deletable`,
    replace: `NOT (\${REVOKING}) AS deletable`,
    test: {
      file: 'test/session-repository.e2e-spec.ts',
      name: 'SessionRepository, on SQLite purge keeps a logout until its last ended session is deleted, also when the clock steps',
    },
  },
  {
    promise: 'S13',
    breaks: 'A write on a connection that was lost is sent again.',
    file: `${source}/database/pooled-statements.ts`,
    search: `if (!dropped || isNew || !(isReadOnly || statement.proved)) throw error;`,
    replace: `if (!dropped || isNew) throw error;`,
    test: {
      file: `${source}/database/pooled-statements.spec.ts`,
      name: 'PooledStatements S13: a write is not sent again: it may have changed something',
    },
  },
  {
    promise: 'S1',
    breaks: 'A connection stays after the old primary has refused a write.',
    file: `${source}/database/pooled-statements.ts`,
    search: `isReadOnly || error instanceof UnprovedAnswerError`,
    replace: `error instanceof UnprovedAnswerError`,
    test: {
      file: `${source}/database/pooled-statements.spec.ts`,
      name: 'PooledStatements S1: a write that a standby refuses is sent once more, on a new connection, because it has changed nothing',
    },
  },
  {
    promise: 'S14',
    breaks: 'A front-channel request looks at eight sessions, and stores a logout although all have ended.',
    file: `${source}/sessions/logout-recorder.ts`,
    search: `const MOST_SESSIONS_LOOKED_AT = 32;`,
    replace: `const MOST_SESSIONS_LOOKED_AT = 8;`,
    test: {
      file: 'test/frontchannel-cost.e2e-spec.ts',
      name: 'the sessions that a front-channel request looks at, on SQLite S14: FC-2: up to 32 sessions that have all ended store nothing',
    },
  },
  {
    promise: 'S17',
    breaks: 'A logout that a purge deletes while it comes again is lost.',
    file: `${source}/sessions/logout-recorder.ts`,
    search: `const complete = touched === ids.length || (await this.recordPurged(logouts)) === 0;`,
    replace: `const complete = touched <= ids.length;`,
    test: {
      file,
      name: 'the store in trouble, on SQLite S17: a logout that is purged between its insert and its touch is recorded again',
    },
  },
  {
    promise: 'S18',
    breaks: "A token that is right by the database's clock is refused because this host's clock is wrong.",
    file: `${source}/provider/token-times.ts`,
    search: `if (fault === undefined) this.warn(earliest - this.clock.now());`,
    replace: `if (fault === undefined) return 'too_old';`,
    test: {
      file: hostClock,
      name: "a logout token on a host whose clock is wrong S18: an hour ahead: a fresh token is right by the database's clock",
    },
  },
  {
    promise: 'S18',
    breaks: 'Forged tokens with wrong times ask the database.',
    file: `${source}/provider/logout-token.ts`,
    search: `const signature = await client.keys.verify(jws, alg, latestIssueMs, receivedAt);`,
    replace: `await this.times.findFault({ iat: logout.iat, exp }, 0, receivedAt);
    const signature = await client.keys.verify(jws, alg, latestIssueMs, receivedAt);`,
    test: {
      file: hostClock,
      name: 'a logout token on a host whose clock is wrong S18: forged tokens with wrong times cause no query, and signed ones one query at a time',
    },
  },
  {
    promise: 'BC-13',
    breaks: 'A logout that the database refuses takes the logouts of its group along.',
    file: `${source}/store/group-commit.ts`,
    search: `if (!this.inserts.isRowRefused(error)) throw error;`,
    replace: `if (error !== undefined) throw error;`,
    test: {
      file: 'test/logout-groups.e2e-spec.ts',
      name: 'logouts that are recorded at the same time, on SQLite BC-13: a logout that the database refuses fails alone',
    },
  },
  {
    promise: 'endEveryone',
    breaks: "Everyone's sessions end by a clock that is an hour ahead, so later sign-ins are refused.",
    file: `${source}/sessions/logout-recorder.ts`,
    search: `if (Math.abs(difference) > MAX_CLOCK_DIFFERENCE) throw new ClocksDifferError(difference);`,
    replace: ``,
    test: {
      file: 'test/end-everyone.e2e-spec.ts',
      name: "the end of everyone, on SQLite fails while the database's clock is 61000 ms ahead of this host's, and stores nothing",
    },
  },
  {
    promise: 'endEveryone',
    breaks: 'The end of one client ends the sessions of all clients.',
    file: `${source}/rule/targets.ts`,
    search: `if (clientId === undefined) return { kind: 'issuer', target: targetOf('issuer', issuer, '') };`,
    replace: `return { kind: 'issuer', target: targetOf('issuer', issuer, '') };`,
    test: {
      file: 'test/end-everyone.e2e-spec.ts',
      name: 'the end of everyone, on SQLite ends the sessions of one client only',
    },
  },
  {
    promise: 'endEveryone',
    breaks: "Sessions that were registered while the database's clock was days ahead live on.",
    file: `${source}/sessions/logout-recorder.ts`,
    search: `if (hasAhead) await this.endRegisteredAfter(now + MAX_CLOCK_DIFFERENCE, fact, issuer, clientId);`,
    replace: ``,
    test: {
      file: 'test/end-everyone.e2e-spec.ts',
      name: 'the end of everyone, on SQLite ends the sessions of a clock that was days ahead one by one, and refuses no bearer token until then',
    },
  },
  {
    promise: 'eraseUser',
    breaks: 'The sub of an erased user stays in the database.',
    file: `${source}/store/user-data.ts`,
    search: `SET sub = '', sid = CASE WHEN sid IS NOT NULL THEN '' END, label = NULL WHERE id IN (IDS)`,
    replace: `SET sid = CASE WHEN sid IS NOT NULL THEN '' END, label = NULL WHERE id IN (IDS)`,
    test: {
      file: 'test/erase-user.e2e-spec.ts',
      name: 'eraseUser(), on SQLite ends the sessions, revokes the tokens, and leaves nothing of the user in clear; other users keep all',
    },
  },
  {
    promise: 'eraseUser',
    breaks: 'The refresh token of an erased user is deleted before OneID has revoked it.',
    file: `${source}/store/user-data.ts`,
    search: `const useless = this.settings.storesTokens ? 'AND refresh_token IS NULL' : '';`,
    replace: `const useless = '';`,
    test: {
      file: 'test/erase-user.e2e-spec.ts',
      name: 'eraseUser(), on SQLite while OneID is down: all is erased at once but the encrypted refresh token, which goes when OneID is back',
    },
  },
  {
    promise: 'eraseUser',
    breaks: 'The name of the administrator who ended a session of an erased user stays.',
    file: `${source}/store/user-data.ts`,
    search: `await this.eraseAuthors(rows.map((row) => String(row['target_session'])));`,
    replace: ``,
    test: {
      file: 'test/erase-user.e2e-spec.ts',
      name: 'eraseUser(), on SQLite ends the sessions, revokes the tokens, and leaves nothing of the user in clear; other users keep all',
    },
  },
];
