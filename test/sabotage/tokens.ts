import { type Sabotage } from './sabotage.js';

const source = 'libs/oneid-logout/src';
const revoker = `${source}/tokens/refresh-token-revoker.ts`;
const file = 'test/token-revocation.e2e-spec.ts';
const suite = 'BC-15: refresh tokens of ended sessions, on SQLite';

/** The revoking of refresh tokens, and tokens at rest. */
export const tokens: readonly Sabotage[] = [
  {
    promise: 'BC-15',
    breaks: 'The refresh token of an ended session is erased and not revoked.',
    file: revoker,
    search: `if (client.keepOfflineTokens) return 'settled';`,
    replace: `return 'settled';`,
    test: {
      file,
      name: `${suite} BC-15: a session ended by OneID over the back-channel: its refresh token is revoked, a minute later again, then erased`,
    },
  },
  {
    promise: 'BC-15',
    breaks: 'A refresh token that is stored after the logout stays.',
    file: `${source}/sessions/session-registry.ts`,
    search: `await this.revocations.makeDue(session);`,
    replace: ``,
    test: { file, name: `${suite} BC-15: a refresh token that is stored after the logout is revoked, too` },
  },
  {
    promise: 'BC-15',
    breaks: 'Two replicas take the same lease.',
    file: `${source}/store/revocation-queue.ts`,
    search: `WHERE id IN (\${placeholders(ids)}) AND \${claimable(now)} AND ? > \${now}\`,`,
    replace: `WHERE id IN (\${placeholders(ids)}) AND ? > \${now}\`,`,
    test: {
      file: 'test/session-repository.e2e-spec.ts',
      name: 'SessionRepository, on SQLite TokenRepository a due logout is claimed by one replica when several claim it at once',
    },
  },
  {
    promise: 'P24',
    breaks: 'The first 200 of OneID counts as a proof that the token is revoked.',
    file: revoker,
    search: `if (saidSoBefore) return 'settled';`,
    replace: `return 'settled';`,
    test: {
      file,
      name: `${suite} P24: a 200 that has revoked nothing: asked once more a minute later, also after a restart of the app`,
    },
  },
  {
    promise: 'P27',
    breaks: 'The refresh token of a replaced session is revoked while the session that replaced it lives.',
    file: `${source}/store/token.repository.ts`,
    search: `return rows.length > 0;`,
    replace: `return rows.length > 1_000;`,
    test: {
      file,
      name: `${suite} P27: another session of the same login P27: is the one that stays after endOthers: the tokens of the others are kept until it ends`,
    },
  },
  {
    promise: 'tokens at rest',
    breaks: 'The database stores the session token itself.',
    file: `${source}/sessions/session-registry.ts`,
    search: `const tokenHash = tokenHashOf(sessionToken);`,
    replace: `const tokenHash = sessionToken;`,
    test: {
      file: 'test/session-tokens.e2e-spec.ts',
      name: 'session tokens, on SQLite no hash in the database opens a session as a cookie',
    },
  },
  {
    promise: 'tokens at rest',
    breaks: "OneID's tokens are stored in clear.",
    file: `${source}/tokens/token-vault.ts`,
    search: `return this.fits(kind, sealed.length) ? sealed : null;`,
    replace: `return this.fits(kind, sealed.length) ? token : null;`,
    test: {
      file: 'test/session-registry.e2e-spec.ts',
      name: 'SessionRegistry, on SQLite attack 7: no row holds a token in clear',
    },
  },
  {
    promise: 'tokens at rest',
    breaks: 'The encrypted token of one session can be used in the row of another session.',
    file: `${source}/tokens/token-vault.ts`,
    search: `return sealed.session === sessionId ? sealed.token : undefined;`,
    replace: `return sealed.token;`,
    test: {
      file: `${source}/tokens/token-vault.spec.ts`,
      name: 'TokenVault decrypts its own token, for the same session, with a secret that it still has',
    },
  },
  {
    promise: 'BC-15',
    breaks:
      'A logout of everyone that an older version has closed stays closed, and its refresh tokens are not revoked.',
    file: revoker,
    search: `await this.revocations.reopen();`,
    replace: `await Promise.resolve();`,
    test: {
      file: 'test/older-version.e2e-spec.ts',
      name: 'rows of a version without endEveryone(), on SQLite BC-15: the older version finds no tokens of a logout of everyone, and closes it: they are revoked all the same',
    },
  },
  {
    promise: 'endEveryone',
    breaks:
      'A replica does not remember its clients at boot, so sessions that an older version has registered stay alive.',
    file: `${source}/oneid-logout.module.ts`,
    search: `of this.clients.all) await this.repository.rememberClient(issuer, clientId);`,
    replace: `of this.clients.all) void this.repository;`,
    test: {
      file: 'test/older-version.e2e-spec.ts',
      name: 'rows of a version without endEveryone(), on SQLite a client whose sessions only the older version has registered: this version ends them from its boot on',
    },
  },
  {
    promise: 'P24',
    breaks: 'The answer for an old refresh token counts for the one that has replaced it meanwhile.',
    file: `${source}/store/token.repository.ts`,
    search: `WHERE session_id = ? AND refresh_token = ?\`,
      [revokedAt, sessionId, refreshToken],`,
    replace: `WHERE session_id = ?\`,
      [revokedAt, sessionId],`,
    test: {
      file,
      name: `${suite} P24: a newer refresh token is stored during the first request: the answer does not count for it`,
    },
  },
  {
    promise: 'P27',
    breaks: 'The library gives up the refresh token of a user who is back for longer than the logout is kept.',
    file: revoker,
    search: `        leased.someKept = pass.someKept;
        // only`,
    replace: `        // only`,
    test: {
      file,
      name: `${suite} after an outage P27: the user is back for longer than the retention of the logout: the token is revoked in the end`,
    },
  },
];
