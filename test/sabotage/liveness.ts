import { type Sabotage } from './sabotage.js';

const source = 'libs/oneid-logout/src';
const follower = `${source}/replicas/logout-follower.ts`;
const lookup = `${source}/replicas/cached-session-lookup.ts`;
const recorder = `${source}/sessions/logout-recorder.ts`;
const checks = `${source}/database/database-checks.spec.ts`;
const checksSuite = 'the settings without which a database cannot keep the promise';
const file = 'test/bounded-liveness.e2e-spec.ts';
const suite = 'bounded liveness, on SQLite';

/** The promise that every replica refuses a request after OneID's 200, and each assumption of it that the code checks. */
export const liveness: readonly Sabotage[] = [
  {
    promise: 'strict: the question is asked after the request',
    breaks: 'A check joins a statement that is under way.',
    file: `${source}/store/gatherer.ts`,
    search: `      await this.database.inTurn(this.settings.lane, async (turn) => {
        close();`,
    replace: `      await this.database.inTurn(this.settings.lane, async (turn) => {`,
    test: {
      file: `${source}/store/gatherer.spec.ts`,
      name: 'Gatherer closes a group when it is sent: a later request never joins a statement that has begun',
    },
  },
  {
    promise: 'assumption: one primary',
    breaks: 'A read-only standby is accepted at boot.',
    file: `${source}/database/answer-proof.ts`,
    search: `if (standby !== '0') return STANDBY;`,
    replace: `if (standby === undefined) return STANDBY;`,
    test: { file: checks, name: `${checksSuite} S16: a PostgreSQL primary passes; a standby is refused at boot` },
  },
  {
    promise: 'assumption: one primary',
    breaks: 'An answer of a server that has become a standby counts.',
    file: `${source}/database/pooled-statements.ts`,
    search: `if (statement.proved) this.requireProof(result);`,
    replace: ``,
    test: {
      file: `${source}/database/pooled-statements.spec.ts`,
      name: 'PooledStatements S1: an answer of a standby does not count: the read is sent once more, on a new connection',
    },
  },
  {
    promise: 'assumption: a Galera node knows what the others have committed',
    breaks: 'A Galera cluster whose reads do not wait is accepted.',
    file: `${source}/database/database-checks.ts`,
    search: `const GALERA_WAITS = 7;`,
    replace: `const GALERA_WAITS = 6;`,
    test: { file: checks, name: `${checksSuite} a Galera cluster is refused when a statement does not wait: 6` },
  },
  {
    promise: 'assumption: a statement ends in time',
    breaks: 'A statement without an answer waits for ever.',
    file: `${source}/database/time-limit.ts`,
    search: `          reject(reason);
          cut();`,
    replace: `          cut();`,
    test: {
      file: `${source}/database/time-limit.spec.ts`,
      name: 'TimeLimit stops the running part of the work when the time is over',
    },
  },
  {
    promise: 'assumption: a statement ends in time',
    breaks: 'A statement that has taken too long is sent once more.',
    file: `${source}/database/pooled-statements.ts`,
    search: `if (limit.isOver) throw error;`,
    replace: ``,
    test: {
      file: `${source}/database/pooled-statements.spec.ts`,
      name: 'PooledStatements S3: a statement is not sent again after its time limit',
    },
  },
  {
    promise: 'assumption: a commit is in time',
    breaks: 'A logout with a late commit keeps its time, and a look of another replica misses it.',
    file: recorder,
    search: `return this.clock.ageOf(sent) <= MAX_COMMIT_LATENESS;`,
    replace: `return this.clock.ageOf(sent) <= 60 * MAX_COMMIT_LATENESS;`,
    test: {
      file,
      name: `${suite} a logout that a look may miss a logout with a slower commit gets a new time before OneID gets its 200`,
    },
  },
  {
    promise: 'assumption: a commit is in time',
    breaks: 'OneID gets 200 although each commit is late.',
    file: recorder,
    search: `        if (attempt > ATTEMPTS)`,
    replace: `        if (attempt > ATTEMPTS) return;
        if (attempt > ATTEMPTS)`,
    test: {
      file,
      name: `${suite} a logout that a look may miss OneID gets no 200 while every commit is late, and gets it after a commit in time`,
    },
  },
  {
    promise: 'assumption: a commit is in time',
    breaks: 'A logout with a late commit keeps its time, when the read after its insert fails.',
    file: recorder,
    search: `await this.rememberIfFailed(logouts, () => this.findReused(logouts))`,
    replace: `await this.findReused(logouts)`,
    test: {
      file,
      name: `${suite} a logout whose insert has failed, but may still be committed BC-8: is found, when the library could not read the logout whose jti the token reuses`,
    },
  },
  {
    promise: 'assumption: a commit is in time',
    breaks: 'The database commits a logout after its writer has given up, and no look finds it.',
    file: `${source}/sessions/uncertain-logouts.ts`,
    search: `for (const id of ids) this.searches.set(id, { since: now, last: now, pause: 0 });`,
    replace: ``,
    test: {
      file,
      name: `${suite} a logout whose insert has failed, but may still be committed is found and gets a new time: the statement was cut`,
    },
  },
  {
    promise: 'assumption: a commit is in time',
    breaks: 'A look reads only the logouts of the last three seconds again.',
    file: follower,
    search: `const OVERLAP = MAX_COMMIT_LATENESS + MAX_LOOK_DURATION + (MAX_CLOCK_STEP + MAX_LOOK_DURATION);`,
    replace: `const OVERLAP = MAX_COMMIT_LATENESS + MAX_LOOK_DURATION + MAX_CLOCK_STEP;`,
    test: {
      file,
      name: `${suite} a logout that a look may miss the next look finds a logout that was committed 3.5 seconds after its time`,
    },
  },
  {
    promise: 'assumption: a look is quick',
    breaks: 'After a slow look, the replica trusts its memory.',
    file: follower,
    search: `if (expected === undefined || took > MAX_LOOK_DURATION) return true;`,
    replace: `if (expected === undefined) return true;`,
    test: {
      file,
      name: `${suite} a logout that a look may miss a look that took too long forgets all remembered sessions, because the clock may have stepped`,
    },
  },
  {
    promise: "assumption: the database's clock runs at the same rate",
    breaks: "After a step of the database's clock, the replica trusts its memory.",
    file: follower,
    search: `return Math.abs(now - expected) > MAX_CLOCK_STEP + took;`,
    replace: `return Math.abs(now - expected) > 1e9 + took;`,
    test: {
      file,
      name: `${suite} a logout that a look may miss forgets all remembered sessions when the database's clock steps by -3600000 ms`,
    },
  },
  {
    promise: 'assumption: the database answers',
    breaks: 'After a look that failed, the replica trusts what it remembered before.',
    file: follower,
    search: `const anew = steppedOrSlow || declarationLost || awayForLong || this.state.mode !== 'following';`,
    replace: `const anew = steppedOrSlow || declarationLost || awayForLong;`,
    test: { file, name: `${suite} a logout that a look may miss forgets all remembered sessions after a look failed` },
  },
  {
    promise: 'assumption: the database answers',
    breaks: 'A replica whose looks fail answers from memory.',
    file: follower,
    search: `return staleness > this.settings.maxStalenessMs ? undefined : this.currentGeneration;`,
    replace: `return this.currentGeneration;`,
    test: { file, name: `${suite} refuses an ended session when the bound is over, also without a look` },
  },
  {
    promise: 'assumption: the declarations',
    breaks: "OneID's 200 does not wait for the replica with the largest staleness.",
    file: `${source}/store/replica.repository.ts`,
    search: `SELECT MAX(max_staleness) AS max_staleness`,
    replace: `SELECT MIN(max_staleness) AS max_staleness`,
    test: {
      file,
      name: `${suite} the replica barrier before OneID gets its 200 is as long as the largest staleness that a replica declares`,
    },
  },
  {
    promise: 'assumption: the declarations',
    breaks: 'A killed replica no longer counts after a minute.',
    file: `${source}/store/replica.repository.ts`,
    search: `const REPLICA_RETENTION = 60 * 60 * 1000;`,
    replace: `const REPLICA_RETENTION = 60 * 1000;`,
    test: {
      file,
      name: `${suite} the replica barrier before OneID gets its 200 counts a silent replica for an hour, and a replica that declares itself again for longer`,
    },
  },
  {
    promise: 'assumption: the declarations',
    breaks: 'A replica whose declaration is gone answers from memory.',
    file: follower,
    search: `const declarationLost = this.settings.answers && !knowsReplica;`,
    replace: `const declarationLost = false;`,
    test: {
      file,
      name: `${suite} a replica whose declaration is gone forgets all remembered sessions and declares itself again`,
    },
  },
  {
    promise: 'assumption: the declarations',
    breaks: 'Without declarations, OneID gets its 200 at once.',
    file: `${source}/replicas/replica-barrier.ts`,
    search: `const longest = Math.max(this.least, await this.findLongest());`,
    replace: `const longest = await this.findLongest();`,
    test: {
      file,
      name: `${suite} the replica barrier before OneID gets its 200 is never shorter than the staleness of this replica, even without declarations`,
    },
  },
  {
    promise: 'assumption: the declarations',
    breaks: 'OneID gets 200 although the declarations could not be read.',
    file: `${source}/replicas/replica-barrier.ts`,
    search: `return this.replicas.findMaxStaleness();`,
    replace: `return this.replicas.findMaxStaleness().catch(() => 0);`,
    test: {
      file: `${source}/replicas/replica-barrier.spec.ts`,
      name: 'ReplicaBarrier BC-13: fails for all callers when the replicas cannot be read',
    },
  },
  {
    promise: 'assumption: the declarations',
    breaks: 'A replica that is no longer declared lets a check share a query of before.',
    file: lookup,
    search: `if (isOfNow && isShared) return pending.answer as Promise<T>;`,
    replace: `if (isOfNow) return pending.answer as Promise<T>;`,
    test: { file, name: `${suite} a replica that is no longer declared does not share queries` },
  },
  {
    promise: 'assumption: one of two clocks goes on',
    breaks: 'The age of a look counts by the monotonic clock alone, which stands still in a suspended machine.',
    file: `${source}/clock.ts`,
    search: `return Math.max(this.monotonicNow() - moment.monotonic, this.now() - moment.wall);`,
    replace: `return this.monotonicNow() - moment.monotonic;`,
    test: {
      file,
      name: `${suite} computes how stale its memory is when the machine was suspended and only the clock of the host went on`,
    },
  },
  {
    promise: 'assumption: one of two clocks goes on',
    breaks: 'The age of a look counts by the wall clock alone, which may be set back.',
    file: `${source}/clock.ts`,
    search: `return Math.max(this.monotonicNow() - moment.monotonic, this.now() - moment.wall);`,
    replace: `return this.now() - moment.wall;`,
    test: { file, name: `${suite} computes how stale its memory is when only the monotonic clock goes on` },
  },
  {
    promise: 'bounded: what a replica remembers',
    breaks: 'A replica remembers a session that has ended.',
    file: lookup,
    search: `if (checked !== undefined && checked.endedBy === undefined && timedOutBy(checked) === undefined) {`,
    replace: `if (checked !== undefined && timedOutBy(checked) === undefined) {`,
    test: { file, name: `${suite} never remembers an unknown or ended session` },
  },
  {
    promise: 'bounded: what a replica remembers',
    breaks: 'A check joins a query that is older than the bound.',
    file: lookup,
    search: `this.clock.ageOf(pending.asked) <= this.settings.maxStalenessMs;`,
    replace: `this.clock.ageOf(pending.asked) <= 1e9;`,
    test: { file, name: `${suite} requests for one session share one query, but not a query older than the bound` },
  },
  {
    promise: 'outage: allowDuringOutageMs',
    breaks: "OneID's 200 does not count the time in which memory may answer during an outage.",
    file: follower,
    search: `random.id(), maxStalenessMs + allowDuringOutageMs);`,
    replace: `random.id(), maxStalenessMs);`,
    test: { file, name: `${suite} while the store does not answer makes OneID wait longer by \`allowDuringOutageMs\`` },
  },
  {
    promise: 'bounded: what a replica remembers',
    breaks: 'Memory answers for the token of one client what holds for another client, so a logout may not reach it.',
    file: lookup,
    search: `JSON.stringify([issuer, clientId, sid,`,
    replace: `JSON.stringify([issuer, sid,`,
    test: { file, name: `${suite} claims of an API of two clients are told apart, although all else is equal` },
  },
  {
    promise: 'assumption: the declarations',
    breaks:
      "After a step of the database's clock, a replica answers from memory although its declaration looks too old.",
    file: follower,
    search: `if (declarationLost || (steppedOrSlow && this.lastLook !== undefined)) this.declaration.lose();`,
    replace: `if (declarationLost) this.declaration.lose();`,
    test: {
      file,
      name: `${suite} the replica barrier before OneID gets its 200 counts each replica that answers from memory, also after the database's clock has stepped two hours ahead`,
    },
  },
  {
    promise: 'outage: allowDuringOutageMs',
    breaks:
      "Without declarations, OneID's 200 does not count the time in which this replica may answer during an outage.",
    file: `${source}/replicas/replica-providers.ts`,
    search: `stalenessBoundMs(liveness), answersAtOnce`,
    replace: `liveness === 'strict' ? 0 : liveness.maxStalenessMs, answersAtOnce`,
    test: {
      file,
      name: `${suite} the replica barrier before OneID gets its 200 counts \`allowDuringOutageMs\` of this replica, even without declarations`,
    },
  },
  {
    promise: 'P14',
    breaks:
      'A replica learns only after ten minutes of another user who has signed in with the sid of a token without sub.',
    file: lookup,
    search: `if (this.isUsable(known, this.follower.usableGeneration, maxStalenessMs)) return Promise.resolve(known.users);`,
    replace: `if (this.isUsable(known, this.follower.usableGeneration)) return Promise.resolve(known.users);`,
    test: {
      file,
      name: `${suite} P14: a bearer token without sub P14: is refused after the logout of a user who has signed in with its sid since, the first one or a later one`,
    },
  },
  {
    promise: 'P14',
    breaks:
      'During an outage, memory answers who has signed in with a sid for longer than a user can log out unnoticed.',
    file: lookup,
    search: `return this.requireUsableInOutage(remembered, error, maxStalenessMs + allowDuringOutageMs).users;`,
    replace: `return this.requireUsableInOutage(remembered, error).users;`,
    test: {
      file,
      name: `${suite} P14: a bearer token without sub P14: is not let in during an outage when its users were last read long before`,
    },
  },
];
