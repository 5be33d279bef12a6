import { type Sabotage } from './sabotage.js';

const source = 'libs/oneid-logout/src';
const connectionsSource = `${source}/connections/open-connections.ts`;
const sockets = 'test/sockets.e2e-spec.ts';
const file = 'test/open-connections.e2e-spec.ts';
const suite = 'the open connections of a session, on SQLite';

/** Sockets and streams that are open when their session ends. */
export const connections: readonly Sabotage[] = [
  {
    promise: 'sockets',
    breaks: 'A socket stays open when its session ends.',
    file: connectionsSource,
    search: `this.bus.allLogouts.subscribe((logout) => {
      this.closeEndedBy(logout);
    });`,
    replace: ``,
    test: { file, name: `${suite} closes at once when this replica ends the session, and other connections stay open` },
  },
  {
    promise: 'sockets',
    breaks: 'A logout between the check of the guard and the opening leaves the socket open.',
    file: connectionsSource,
    search: `void this.checkOnce(connection);`,
    replace: `void this.follower.open();`,
    test: { file, name: `${suite} closes when the session was ended between the guard and the opening` },
  },
  {
    promise: 'sockets',
    breaks: 'A replica that can no longer see the logouts of others keeps its sockets open.',
    file: connectionsSource,
    search: `return (this.follower.stalenessMs ?? 0) > this.maxConnectionStalenessMs;`,
    replace: `return false;`,
    test: { file, name: `${suite} closes when looks have failed for \`maxStalenessMs\`, and not before` },
  },
  {
    promise: 'sockets',
    breaks: 'A socket stays open when its session expires.',
    file: connectionsSource,
    search: `else if (connection.sessions.some(({ facts: { expiresAt = Infinity } }) => now >= expiresAt))`,
    replace: `else if (now < 0)`,
    test: { file, name: `${suite} closes when the session expires` },
  },
  {
    promise: 'sockets',
    breaks: 'A message reaches the app before the session is checked.',
    file: `${source}/connections/session-connections.ts`,
    search: `socket.hold(finding.then((found) => typeof found !== 'string'));`,
    replace: ``,
    test: { file: sockets, name: 'sockets of ws let no message through before the session is checked' },
  },
  {
    promise: 'S19',
    breaks: 'A socket that is not accepted yet may fill the memory.',
    file: `${source}/connections/held-packets.ts`,
    search: `if (size === undefined || !this.memory.take(size)) return false;`,
    replace: `if (size === undefined) return true;`,
    test: {
      file: `${source}/connections/held-packets.spec.ts`,
      name: 'HeldPackets S19: holds at most 1 MiB for a socket',
    },
  },
  {
    promise: 'P18',
    breaks: 'socket.io gives a client that comes back the events of after its logout.',
    file: `${source}/connections/socket-recovery.ts`,
    search: `if (sessions === undefined || !(await this.areAlive(sessions))) return null;`,
    replace: `if (sessions === undefined) return null;`,
    test: {
      file: sockets,
      name: 'socket.io clients that come back with connectionStateRecovery P18: a recovered socket receives no event that the server emitted after the logout of its session',
    },
  },
  {
    promise: 'sockets',
    breaks: 'A logout that a look misses during the first check leaves the socket open.',
    file: connectionsSource,
    search: `      this.checkedGeneration ??= this.follower.generation;
      await this.check(connection);`,
    replace: `      await this.check(connection);
      this.checkedGeneration ??= this.follower.generation;`,
    test: { file, name: `${suite} is checked again when a look may have missed a logout during the first check` },
  },
  {
    promise: 'sockets',
    breaks: 'A logout that a look misses while the sockets are checked again leaves a socket open.',
    file: connectionsSource,
    search: `this.checkedGeneration = generation;`,
    replace: `this.checkedGeneration = this.follower.generation;`,
    test: {
      file,
      name: `${suite} is checked again when a look may have missed a logout during the check after another such look`,
    },
  },
  {
    promise: 'P14',
    breaks: 'Of many streams of tokens without sub, only the first 256 close by a logout of their user.',
    file: connectionsSource,
    search: `n < all.length && !this.closed; n += MOST_SIDS`,
    replace: `n < 1 && !this.closed; n += MOST_SIDS`,
    test: {
      file,
      name: `${suite} P14: of one of many tokens without sub closes by a logout of the user who has signed in since`,
    },
  },
  {
    promise: 'P14',
    breaks: 'The stream of a token without sub stays open when the second user of its sid logs out.',
    file: connectionsSource,
    search: `sidOfToken: isToken ? targetsByKind(facts).sid : undefined`,
    replace: `sidOfToken: isToken && usersOf(facts).length === 0 ? targetsByKind(facts).sid : undefined`,
    test: {
      file,
      name: `${suite} P14: of a token without sub whose sid several users have P14: closes after a logout of a user who has signed in since, after the sweep finds the user`,
    },
  },
  {
    promise: 'P14',
    breaks: 'Of several users of one sid, only the logout of one ends a token without sub.',
    file: `${source}/rule/session.ts`,
    search: `users: [...users].sort() });`,
    replace: `users: [...users].sort().slice(0, 1) });`,
    test: {
      file: 'test/bounded-liveness.e2e-spec.ts',
      name: 'bounded liveness, on SQLite P14: a bearer token without sub P14: has the logouts of all users of its sid',
    },
  },
];
