import { type Sabotage } from './sabotage.js';

const source = 'libs/oneid-logout/src';
const file = 'test/backchannel-logout.e2e-spec.ts';
const keysFile = `${source}/provider/provider-keys.e2e-spec.ts`;
const fetchFile = `${source}/provider/provider-fetch.e2e-spec.ts`;

/** Providers as they are, and the attacks that use them. */
export const provider: readonly Sabotage[] = [
  {
    promise: 'attack 2',
    breaks: 'Each token with an unknown key makes the library fetch the keys.',
    file: `${source}/provider/provider-keys.ts`,
    search: `if (this.keys.endedAttempts > attempts || !(await this.keys.refresh())) {`,
    replace: `if (this.keys.endedAttempts > attempts || !(await this.keys.refreshAnyway().then(() => true))) {`,
    test: {
      file,
      name: 'back-channel logout, on SQLite attacks attack 2: many tokens with unknown keys cause three fetches at once, then one per cool-down',
    },
  },
  {
    promise: 'attack 3',
    breaks: 'The library follows a redirect of the provider.',
    file: `${source}/provider/provider-fetch.ts`,
    search: `if (redirects || response.redirected) {`,
    replace: `if (redirects && response.redirected) {`,
    test: { file: fetchFile, name: 'providerFetch does not follow a 302' },
  },
  {
    promise: 'attack 4',
    breaks: 'An answer of the provider may fill the memory.',
    file: `${source}/provider/provider-fetch.ts`,
    search: `const MAX_SIZE = 512 * 1024;`,
    replace: `const MAX_SIZE = 512 * 1024 * 1024;`,
    test: { file: fetchFile, name: 'providerFetch accepts 512 KiB and refuses more, compressed or not' },
  },
  {
    promise: 'attack 7',
    breaks: 'The log shows the token that it refuses.',
    file: `${source}/sessions/undecided-tokens.ts`,
    search: 'this.logger.warn(`Refused a logout token: ${error.code}: ${error.message}`);',
    replace: 'this.logger.warn(`Refused a logout token: ${error.code}: ${error.message} ${token}`);',
    test: {
      file,
      name: 'back-channel logout and the log attack 7: no log entry and no answer shows a token, a sid, a sub or a secret',
    },
  },
  {
    promise: 'P1',
    breaks: "A client trusts the further audiences of another client's tokens.",
    file: `${source}/provider/oneid-clients.ts`,
    search: `includes(trustedAudiences, one)),`,
    replace: `ours.some((client) => includes(client.trustedAudiences, one)) || includes(trustedAudiences, one)),`,
    test: {
      file: `${source}/provider/logout-token.e2e-spec.ts`,
      name: 'LogoutTokenVerifier P1: one client does not trust the audiences of another',
    },
  },
  {
    promise: 'P13',
    breaks: 'A key set that a cache has kept counts as new.',
    file: `${source}/provider/freshness.ts`,
    search: `return Math.min(startedAt.wall - ageMs, dateMs) >= issuedAtMs;`,
    replace: `return startedAt.wall >= issuedAtMs;`,
    test: {
      file: keysFile,
      name: 'ProviderKeys P13: the clock of this machine is ahead: the Date of the answer shows that the keys may be older than the token',
    },
  },
  {
    promise: 'P29',
    breaks: 'A token that could not be decided is forgotten.',
    file: `${source}/sessions/undecided-tokens.ts`,
    search: `if (isUndecided(error)) this.keep(token, receivedAt);`,
    replace: ``,
    test: {
      file: 'test/undecided-logouts.e2e-spec.ts',
      name: 'a logout token that cannot be decided when it arrives P29: a new key within the cool-down: the logout is kept and recorded, although it never comes again',
    },
  },
  {
    promise: 'P29',
    breaks: 'Strangers may fill the memory with undecided tokens.',
    file: `${source}/sessions/undecided-tokens.ts`,
    search: `if (this.kept.size >= MOST_UNDECIDED || this.bytes + text.length > MOST_UNDECIDED_BYTES) {`,
    replace: `if (this.kept.size >= MOST_UNDECIDED) {`,
    test: {
      file: 'test/undecided-logouts.e2e-spec.ts',
      name: 'the budget for undecided tokens P29: is bounded in bytes, not in characters',
    },
  },
];
