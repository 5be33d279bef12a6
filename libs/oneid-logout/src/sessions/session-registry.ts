import { Injectable } from '@nestjs/common';
import { Logger } from '../logger.js';
import { Clock } from '../clock.js';
import { Random } from '../random.js';
import {
  InvalidIdTokenError,
  InvalidLogoutRequestError,
  SessionEndedError,
  SessionRejectedError,
} from '../oneid-logout.errors.js';
import { IdTokenVerifier, type VerifiedIdToken } from '../provider/id-token.js';
import { OneIdClients } from '../provider/oneid-clients.js';
import { type LogoutAuthor, reasonOfEnd } from '../rule/logout.js';
import { checkedAuthor } from './logout-author.js';
import { LogoutRecorder } from './logout-recorder.js';
import {
  type CheckedSession,
  type ListedSession,
  type RegisteredSession,
  type Session,
  type SessionFacts,
  targetsByKind,
  timedOutBy,
  withStoredTargets,
} from '../rule/session.js';
import { isSessionToken, tokenHashOf } from '../rule/session-token.js';
import { OutageWatch } from './outage-watch.js';
import { LogoutBus } from './logout-bus.js';
import { storedLabel } from './session-label.js';
import { type AliveFilter, SessionRepository } from '../store/session.repository.js';
import { SessionSettings } from './session-settings.js';
import { targetOf } from '../rule/targets.js';
import { RevocationQueue } from '../store/revocation-queue.js';
import { UserData } from '../store/user-data.js';
import { TokenVault } from '../tokens/token-vault.js';

/**
 * A sign-in to record, for {@link SessionRegistry.register}.
 *
 * @category Sessions
 */
export interface RegisterSessionOptions {
  /** The ID token of the sign-in that the user has just completed, exactly as OneID sent it. */
  readonly idToken: string;
  /** The `nonce` of the authorization request. When given, the ID token must carry it (OpenID Connect Core 1.0 §3.1.3.7). */
  readonly nonce?: string | undefined;
  /**
   * Stored encrypted with the option `secrets`, otherwise not stored. The library revokes it at OneID when a logout
   * ends the session, except with `keepOfflineTokens`, or when only the front-channel has ended the session.
   */
  readonly refreshToken?: string | undefined;
  /**
   * Absolute end of the session. Default and upper limits: the module's `maxSessionLifetimeSeconds` from now, and the
   * claim `session_expiry` of the ID token, if it has one.
   */
  readonly expiresAt?: Date | undefined;
  /**
   * The session token that this browser had before, from its cookie; `register` ends that session. A list, if the browser
   * sent several cookies of that name. A session id has no effect here: an attacker who knows the id of another person's
   * session could put it into a cookie.
   */
  readonly replaces?: string | readonly string[] | undefined;
  /**
   * Your own text for {@link SessionRegistry.listAlive}, for example the device: `Firefox on Linux`. It is stored
   * unencrypted, and cut to 255 characters.
   */
  readonly label?: string | undefined;
}

/** How many sessions of a user the registry ends with one statement. */
const PAGE = 256;

/** Default `limit` of {@link SessionRegistry.listAlive}. */
const LISTED = 100;

/**
 * Refreshed tokens of a session, for {@link SessionRegistry.refresh}.
 *
 * @category Sessions
 */
export interface RefreshSessionOptions {
  /** A refreshed ID token of the same issuer, client, `sub` and, if it has one, `sid`. */
  readonly idToken?: string | undefined;
  /** The rotated refresh token. */
  readonly refreshToken?: string | undefined;
}

/**
 * Registers sign-ins, stores refreshed tokens, lists a user's sessions, and ends sessions.
 *
 * @category Sessions
 * @hideconstructor
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { SessionRegistry } from 'nestjs-oneid-logout';
 *
 * @Injectable()
 * export class SignIn {
 *   constructor(private readonly sessions: SessionRegistry) {}
 *
 *   // `oldToken` is the session token that the browser's cookie held before
 *   async complete(idToken: string, nonce: string, oldToken?: string): Promise<string> {
 *     const { sessionToken } = await this.sessions.register({ idToken, nonce, replaces: oldToken });
 *     return `__Host-session=${sessionToken}; Path=/; Secure; HttpOnly; SameSite=Lax`;
 *   }
 * }
 * ```
 */
@Injectable()
export class SessionRegistry {
  private readonly logger = new Logger('OneIdLogout');
  /** The clients for which the log has the warning of an ID token without `sid`. */
  private readonly clientsWithoutSid = new Set<string>();

  constructor(
    private readonly clients: OneIdClients,
    private readonly verifier: IdTokenVerifier,
    private readonly repository: SessionRepository,
    private readonly revocations: RevocationQueue,
    private readonly vault: TokenVault,
    private readonly recorder: LogoutRecorder,
    private readonly outages: OutageWatch,
    private readonly bus: LogoutBus,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly settings: SessionSettings,
    private readonly userData: UserData,
  ) {}

  /**
   * Records a sign-in and returns our session; put its `sessionToken` where your session resolver finds it.
   *
   * For sign-ins only: the ID token must be at most five minutes old. The same ID token again, for example after a lost
   * answer, returns the same session with one more `sessionToken`; the earlier ones stay valid. The session keeps its
   * first `label`. A session has at most 16 tokens.
   *
   * With `maxSessionsPerUser`, it ends the oldest sessions beyond this number before it returns. When several sign-ins of
   * one user have all returned, at most so many sessions are alive: the newest. Of more sign-ins than that at the same
   * time, the older ones return a session that has already ended, or throw a {@link SessionEndedError}.
   *
   * @returns the session, with a session token that the library returns only here
   * @throws {InvalidIdTokenError} 401 `id_token_invalid`, no session is stored and no session token is added
   * @throws {SessionEndedError} 401 `session_ended`: OneID has already ended this login, perhaps during the sign-in (Hydra
   *   v1.11 then sends an ID token with an empty `sid`). Send the browser to OneID again with `prompt=login`. Also after a
   *   logout of the user by `sub`, if the ID token's `iat` is in the same second or earlier
   * @throws {SessionRejectedError} 401 `session_expired`: `expiresAt` or `session_expiry` is past, or the session of this
   *   ID token has expired. 401 `session_idle`: it is idle (`maxIdleSeconds`). With `secrets`, the refresh token is
   *   revoked at OneID. 401 `session_unconfirmed`: the session of this ID token was registered before an outage (option
   *   `reconfirmAfterOutageSeconds`); start the sign-in again
   * @throws {RangeError} `expiresAt` is not a valid date
   * @throws {ProviderUnavailableError} 503, OneID's keys cannot be loaded
   * @throws {ProviderMisconfiguredError} 500, OneID's configuration does not fit the options
   * @throws {StoreUnavailableError} 503, the user is not signed in; the app may repeat the same call. The session may be
   *   stored: until the user's next sign-in, the user may then have one session more than `maxSessionsPerUser`
   */
  async register(options: RegisterSessionOptions): Promise<RegisteredSession> {
    const { idToken, refreshToken } = options;
    const verified = await this.verifier.verify(idToken, { nonce: options.nonce });
    if (verified.loginEnded === true) return this.refuseEndedLogin(verified, refreshToken);
    const lifetime = this.lifetime(options.expiresAt, verified.sessionExpiry);
    // the logout that follows an outage must not end this session
    await this.outages.confirm();
    await this.refuseEnded(verified, refreshToken);
    if (verified.sid === undefined) this.warnOfMissingSid(verified);

    const sessionToken = this.random.id();
    const tokenHash = tokenHashOf(sessionToken);
    const id = await this.insert(tokenHash, verified, lifetime, storedLabel(options.label));
    await this.vault.store(id, { idToken, refreshToken });
    const session = await this.requireAlive(id, verified).catch(async (error: unknown) => {
      if (id === tokenHash && error instanceof SessionEndedError) await this.eraseRefused(id);
      throw error;
    });
    if (id !== tokenHash && !(await this.repository.insertAlias(tokenHash, id))) {
      throw new InvalidIdTokenError('The ID token has been registered too often');
    }
    for (const replaced of [options.replaces ?? []].flat()) await this.replace(replaced, id);
    await this.endOldest(verified);
    // a copy, because other callers may have the same object: they must not get the token
    return withStoredTargets({ ...session, sessionToken }, targetsByKind(session));
  }

  /**
   * Stores refreshed tokens for an alive session. The session keeps the facts of its sign-in: a refresh does not extend
   * a session, and does not bring an ended session back. It does not count as a use of the session (`maxIdleSeconds`),
   * because an app may refresh tokens without its user. It does not shorten a session either: a `session_expiry` of the
   * refreshed ID token has no effect.
   *
   * @param sessionId the `id` of the session, for example from `@CurrentSession()`
   * @returns the session, with the facts of its sign-in
   * @throws {InvalidIdTokenError} 401 `id_token_invalid`: the ID token is invalid or belongs to another session
   * @throws {SessionEndedError} 401 `session_ended`: a logout has ended the session; with `secrets`, the new refresh token
   *   is revoked at OneID
   * @throws {SessionRejectedError} 401 `session_unknown`, `session_expired`, `session_idle` or
   *   `session_unconfirmed`
   * @throws {ProviderUnavailableError} 503, OneID's keys cannot be loaded
   * @throws {ProviderMisconfiguredError} 500, OneID's configuration does not fit the options
   * @throws {StoreUnavailableError} 503: the app may repeat the same call
   * @example
   * ```ts
   * import { type Session, SessionRegistry } from 'nestjs-oneid-logout';
   *
   * export async function refreshed(
   *   sessions: SessionRegistry,
   *   { id }: Session,
   *   tokens: { id_token?: string; refresh_token?: string },
   * ): Promise<void> {
   *   await sessions.refresh(id, { idToken: tokens.id_token, refreshToken: tokens.refresh_token });
   * }
   * ```
   */
  async refresh(sessionId: string, options: RefreshSessionOptions): Promise<Session> {
    await this.outages.confirm();
    const checked = await this.repository.check(sessionId);
    if (checked === undefined) throw new SessionRejectedError('unknown');
    const timedOut = timedOutBy(checked);
    if (timedOut !== undefined && checked.endedBy === undefined) throw new SessionRejectedError(timedOut);
    const { session } = checked;
    if (options.idToken !== undefined) {
      refuseOtherLogin(session, await this.verifier.verify(options.idToken, {}));
    }
    await this.vault.replace(session.id, options);
    return this.requireAlive(session.id);
  }

  /**
   * Lists the alive sessions of a user, the newest first. The list covers all clients that share the database;
   * `clientId` says which client.
   *
   * An `id` opens no session: your page may show it, and send it back for {@link end}. Let users end only their own
   * sessions.
   *
   * @param user the user's issuer and `sub`, or any session that has a `sub`
   * @param limit largest number of sessions to return
   * @throws {TypeError} the user has no `sub`
   * @throws {RangeError} `limit` is not a whole number above 0
   * @throws {StoreUnavailableError} 503
   * @example
   * ```ts
   * import { Controller, Get, UseGuards } from '@nestjs/common';
   * import { CurrentSession, type Session, SessionAliveGuard, SessionRegistry } from 'nestjs-oneid-logout';
   *
   * @Controller('sessions')
   * @UseGuards(SessionAliveGuard)
   * export class SessionsController {
   *   constructor(private readonly sessions: SessionRegistry) {}
   *
   *   @Get()
   *   async list(@CurrentSession() current: Session) {
   *     const sessions = await this.sessions.listAlive(current);
   *     return sessions.map(({ id, label = 'Another device' }) => ({ id, label, current: id === current.id }));
   *   }
   * }
   * ```
   */
  async listAlive(user: Pick<Session, 'issuer' | 'sub'>, limit = LISTED): Promise<ListedSession[]> {
    const { sub } = unchecked(user);
    if (typeof sub !== 'string') throw new TypeError('The user has no sub');
    if (!Number.isSafeInteger(limit) || limit < 1) throw new RangeError('limit must be a whole number above 0');
    return this.repository.findAlive('sub', targetOf('sub', user.issuer, sub), limit);
  }

  /**
   * Ends one session for good, for an administrator. Other sessions of the same browser login stay alive.
   *
   * @param sessionId the `id` of a session, for example from {@link listAlive}
   * @param author who ends it, and why. If the session was ended so before, the first author stays
   * @returns false when no session has this id
   * @throws {InvalidLogoutRequestError} 400 `author_invalid`: no session has ended
   * @throws {TypeError} `sessionId` is a session token: no session has ended
   * @throws {StoreUnavailableError} 503: the session may still be alive
   * @example
   * ```ts
   * import { type Session, SessionRegistry } from 'nestjs-oneid-logout';
   *
   * // `id` comes from the user's page: search only the user's own sessions
   * export async function endOwn(sessions: SessionRegistry, current: Session, id: string): Promise<boolean> {
   *   const own = (await sessions.listAlive(current)).find((session) => session.id === id);
   *   return own !== undefined && (await sessions.end(own.id));
   * }
   * ```
   */
  async end(sessionId: string, author?: LogoutAuthor): Promise<boolean> {
    const checkedBy = checkedAuthor(author);
    const checked = await this.repository.check(sessionId);
    if (checked === undefined) {
      // an app that mixes up the two must not believe that the session has ended
      if ((await this.checkToken(sessionId)) === undefined) return false;
      throw new TypeError('This is a session token. Pass the id of the session');
    }
    await this.recorder.endSession(checked.session, 'admin', checkedBy);
    return true;
  }

  /**
   * Ends every session that a user has now, for an administrator. Sessions of a later sign-in stay alive. One logout is
   * recorded for any number of sessions.
   *
   * @param user the user's `sub`, and `issuer`, which is optional if all clients have the same issuer
   * @param author who ends them, and why
   * @throws {InvalidLogoutRequestError} 400: no session has ended. `client_ambiguous`, `client_unknown`,
   *   `user_invalid`, `author_invalid`
   * @throws {StoreUnavailableError} 503: the sessions may still be alive
   * @example
   * ```ts
   * import { Injectable } from '@nestjs/common';
   * import { SessionRegistry } from 'nestjs-oneid-logout';
   *
   * @Injectable()
   * export class Accounts {
   *   constructor(private readonly sessions: SessionRegistry) {}
   *
   *   async block(sub: string, administrator: string): Promise<void> {
   *     // first refuse new sign-ins of this user in your own tables
   *     await this.sessions.endAll({ sub }, { by: administrator, reason: 'blocked' });
   *   }
   * }
   * ```
   */
  async endAll(user: { readonly sub: string; readonly issuer?: string }, author?: LogoutAuthor): Promise<void> {
    const checkedBy = checkedAuthor(author);
    await this.recorder.endUser(this.issuerOf(user), user.sub, checkedBy);
  }

  /**
   * Erases the data of a user, for example because the user asks for it: docs/erase-user.md says what the law wants, what
   * stays, and for how long. It first ends the user's sessions, as {@link endAll} does. Then it erases what they hold of
   * the user: `sub`, `sid`, the `label`, the stored ID tokens, and the authors of their logouts. Hashes stay that still
   * have to end something.
   *
   * A refresh token must be revoked at OneID before it is erased. This goes on in the background, also after a restart and
   * while OneID is down. Until then the token stays, encrypted.
   *
   * Refuse new sign-ins of this user first: a later sign-in is a new session, which this call does not erase. You may call
   * it again at any time.
   *
   * @param user the user's `sub`, and `issuer`, which is optional if all clients have the same issuer
   * @returns `pendingTokens`: how many refresh tokens are still to be revoked and erased. Call again later to see 0
   * @throws {InvalidLogoutRequestError} 400: nothing is erased. `client_ambiguous`, `client_unknown`, `user_invalid`
   * @throws {StoreUnavailableError} 503: some of the data may be erased. Call again to erase the rest
   * @example
   * ```ts
   * import { Injectable } from '@nestjs/common';
   * import { SessionRegistry } from 'nestjs-oneid-logout';
   *
   * @Injectable()
   * export class Accounts {
   *   constructor(private readonly sessions: SessionRegistry) {}
   *
   *   async erase(sub: string): Promise<'erased' | 'in progress'> {
   *     // first refuse new sign-ins of this user in your own tables
   *     const { pendingTokens } = await this.sessions.eraseUser({ sub });
   *     return pendingTokens === 0 ? 'erased' : 'in progress';
   *   }
   * }
   * ```
   */
  async eraseUser(user: { readonly sub: string; readonly issuer?: string }): Promise<{
    /** How many refresh tokens are still to be revoked and erased. */
    readonly pendingTokens: number;
  }> {
    const issuer = this.issuerOf(user);
    await this.recorder.endUser(issuer, user.sub);
    return { pendingTokens: await this.userData.erase(targetOf('sub', issuer, user.sub)) };
  }

  /**
   * Ends every session that everyone has now, for an administrator: after a leak, for example. Sessions of a later sign-in
   * stay alive. One logout is recorded for any number of sessions.
   *
   * It also ends bearer tokens whose `iat` is not later than the time of the database's clock; with `clientId`, only those
   * of this client. A token belongs to the first client that it names in `client_id`, `azp` or `aud` and that is among the
   * `clients` of the API. The refresh tokens of all these sessions are revoked one by one,
   * in the background.
   *
   * @param everyone the issuer, and `clientId` to end only the sessions of this client. Without it, the sessions of all
   *   clients that share the database end
   * @param author who ends them, and why
   * @throws {InvalidLogoutRequestError} 400 `client_unknown`: no configured client has this issuer or `clientId`, or one of
   *   them is given as undefined. `author_invalid`. No session has ended
   * @throws {ClocksDifferError} 503 `clocks_differ`: the clocks of the database and of this host differ by more than a
   *   minute. No session has ended
   * @throws {StoreUnavailableError} 503: the sessions may still be alive
   * @example
   * ```ts
   * import { Controller, HttpCode, Post } from '@nestjs/common';
   * import { SessionRegistry } from 'nestjs-oneid-logout';
   *
   * // put your own guard for administrators here
   * @Controller('admin')
   * export class EmergencyController {
   *   constructor(private readonly sessions: SessionRegistry) {}
   *
   *   @Post('end-everyone')
   *   @HttpCode(204)
   *   async endEveryone(): Promise<void> {
   *     await this.sessions.endEveryone({ issuer: 'https://oneid.example/' });
   *   }
   * }
   * ```
   */
  async endEveryone(
    everyone: { readonly issuer: string; readonly clientId?: string },
    author?: LogoutAuthor,
  ): Promise<void> {
    const checkedBy = checkedAuthor(author);
    const { issuer: atIssuer, clientId: ofClient } = unchecked(everyone);
    // undefined is no client: without its client, the call would end too many sessions
    const isGiven = typeof atIssuer === 'string' && 'clientId' in everyone === (ofClient !== undefined);
    const clients = isGiven ? this.clients.at(atIssuer) : [];
    if (!clients.some((client) => ofClient === undefined || client.clientId === ofClient)) {
      throw new InvalidLogoutRequestError('client_unknown', 'No configured client has this issuer and clientId');
    }
    const { issuer, clientId } = everyone;
    // a database that was restored since this process wrote them may lack the clients
    for (const client of clients) await this.repository.rememberClient(issuer, client.clientId);
    await this.recorder.endEveryone(issuer, clientId, checkedBy);
  }

  /**
   * Signs the user out everywhere else: ends for good, as {@link end} does, all other sessions that this session's user
   * has now. This includes the sessions of all clients that share the database, also in the same browser. It does not
   * include bearer tokens that were never registered.
   *
   * @param session for example from `@CurrentSession()`; it stays alive
   * @param author who ends them, and why
   * @returns how many sessions this call has ended
   * @throws {InvalidLogoutRequestError} 400 `session_not_registered`: a session that is known only by a bearer token
   *   has no `id`, so the library can't tell it from the user's other sessions. `author_invalid`. No session has ended
   * @throws {StoreUnavailableError} 503: some sessions may have ended, the newest first; call again to end the others
   * @example
   * ```ts
   * import { Controller, Post, UseGuards } from '@nestjs/common';
   * import { CurrentSession, SessionAliveGuard, type SessionFacts, SessionRegistry } from 'nestjs-oneid-logout';
   *
   * @Controller('sessions')
   * @UseGuards(SessionAliveGuard)
   * export class SessionsController {
   *   constructor(private readonly sessions: SessionRegistry) {}
   *
   *   @Post('end-others')
   *   async endOthers(@CurrentSession() current: SessionFacts): Promise<{ ended: number }> {
   *     return { ended: await this.sessions.endOthers(current) };
   *   }
   * }
   * ```
   */
  async endOthers(session: SessionFacts, author?: LogoutAuthor): Promise<number> {
    const checkedBy = checkedAuthor(author);
    const { id, sub } = unchecked(session);
    if (typeof id !== 'string' || typeof sub !== 'string') {
      throw new InvalidLogoutRequestError(
        'session_not_registered',
        'This session is not registered, so the library cannot tell it from the other sessions of its user',
      );
    }
    let count = 0;
    for await (const page of this.pagesOfAlive({ issuer: session.issuer, sub }, { orIdle: true })) {
      count += await this.recorder.endSessions(
        page.filter((other) => other.id !== id),
        'admin',
        checkedBy,
      );
    }
    return count;
  }

  /**
   * For a health page or a gauge: counts the logouts whose refresh tokens the library must still revoke at OneID, or
   * must still look for. It retries a failed revocation for as long as the token may live; the log gives the reason.
   * It leaves out the tokens that wait until another session of their client and `sid` has ended.
   *
   * @returns the number of these logouts in the database, of all replicas
   * @throws {StoreUnavailableError} 503
   */
  async countPendingRevocations(): Promise<number> {
    return this.revocations.countDue();
  }

  /**
   * Refuses a sign-in whose ID token says that OneID has ended its login. No logout names such a sign-in. With `secrets`,
   * its refresh token is stored to be revoked, with a session that a logout has ended before it is stored.
   */
  private async refuseEndedLogin(verified: VerifiedIdToken, refreshToken: string | undefined): Promise<never> {
    if (refreshToken !== undefined && this.vault.storesTokens) {
      const id = tokenHashOf(this.random.id());
      await this.recorder.endSession({ issuer: verified.issuer, id }, 'replaced');
      const stored = await this.insert(id, verified, this.lifetime(undefined), undefined);
      await this.vault.store(stored, { refreshToken });
      await this.requireAlive(stored).finally(() => this.eraseRefused(stored));
    }
    throw new SessionEndedError();
  }

  /**
   * Erases the user's data of a sign-in that is refused after it was stored: no caller has its session. The logout may be
   * the beginning of {@link eraseUser}, which may have looked for the user's sessions before this one was committed. If it
   * fails, the sign-in is refused all the same, and the next `eraseUser` erases the data.
   */
  private async eraseRefused(id: string): Promise<void> {
    await this.userData.eraseSession(id).catch(() => undefined);
  }

  /**
   * Refuses a sign-in whose login has already ended, before anything is stored. With a refresh token and `secrets` the
   * sign-in goes on: the token must be stored to be revoked, and `requireAlive` refuses the sign-in afterwards.
   */
  private async refuseEnded(verified: VerifiedIdToken, refreshToken: string | undefined): Promise<void> {
    const { issuer, sid, sub, iat, authTime } = verified;
    // `registeredAt` later than any logout, so that only logouts count that would also end a new session
    const endedBy = await this.repository.endedBy({
      issuer,
      sub,
      iat,
      registeredAt: Number.MAX_SAFE_INTEGER,
      ...(sid !== undefined && { sid }),
      ...(authTime !== undefined && { authTime }),
    });
    if (endedBy === undefined) return;
    await this.endUserInScopeUser(verified);
    if (refreshToken !== undefined && this.vault.storesTokens) return;
    throw new SessionEndedError();
  }

  /** In the scope "user", OneID may have named only the `sid` before we knew its `sub`: ends the user's sessions. */
  private async endUserInScopeUser({ issuer, sid, sub, logoutScope }: VerifiedIdToken): Promise<void> {
    if (logoutScope === 'user' && sid !== undefined) await this.recorder.endUserOfEndedSid(issuer, sid, sub);
  }

  /** @returns the id of the session of this ID token, which may be stored already */
  private async insert(
    id: string,
    verified: VerifiedIdToken,
    lifetime: number,
    label: string | undefined,
  ): Promise<string> {
    const { issuer, clientId, sid, sub, iat, authTime, idTokenHash } = verified;
    const registeredAfter = await this.registeredBefore(verified);
    // before the session: without it, a later logout could miss the user's other sessions
    await this.repository.rememberUser({ issuer, sid, sub });
    const isNew = await this.repository.insertSession({
      ...{ id, issuer, clientId, sid, sub, iat, authTime, idTokenHash, lifetime, label, registeredAfter },
    });
    if (isNew) return id;
    const known = await this.repository.checkByIdToken(idTokenHash);
    if (known === undefined) throw new SessionRejectedError('expired');
    return known.session.id;
  }

  /** The last check, after all writes: a logout that it misses is recorded later, so its recorder sees our rows. */
  private async requireAlive(id: string, signIn?: VerifiedIdToken): Promise<Session> {
    const checked = await this.repository.check(id);
    if (checked === undefined) throw new SessionRejectedError('unknown');
    const { session, endedBy } = checked;
    if (endedBy !== undefined) {
      if (signIn !== undefined) await this.endUserInScopeUser(signIn);
      if (this.vault.storesTokens) {
        await this.revocations.makeDue(session);
        this.bus.publishTokensDue();
      }
      const reason = reasonOfEnd(endedBy);
      throw reason === 'logged_out' ? new SessionEndedError() : new SessionRejectedError(reason);
    }
    const timedOut = timedOutBy(checked);
    if (timedOut !== undefined) {
      // without this logout, the refresh token of the refused sign-in would never be revoked
      const channel = timedOut === 'idle' ? 'idle' : 'replaced';
      if (signIn !== undefined && this.vault.storesTokens) await this.recorder.endSession(session, channel);
      throw new SessionRejectedError(timedOut);
    }
    return session;
  }

  /**
   * With `maxSessionsPerUser`, when the user's newest session was registered: the database's clock, milliseconds. A session
   * that is registered after this read is newer. Otherwise, after the database's clock has stepped back, the new session
   * could be the oldest one, which {@link endOldest} ends.
   */
  private async registeredBefore({ issuer, sub }: VerifiedIdToken): Promise<number | undefined> {
    if (this.settings.maxSessionsPerUser === undefined) return undefined;
    const [newest] = await this.repository.findNewest('sub', targetOf('sub', issuer, sub), 1);
    return newest?.registeredAt;
  }

  /**
   * Ends the oldest sessions beyond `maxSessionsPerUser`. Idle sessions do not count: they are over. Each sign-in does so
   * after its own session is committed: of several at the same time, the last one to commit sees the sessions of all. All
   * of them keep the same sessions, because the order is the same for all. Also when the ID token comes again: the call
   * before may have failed in between.
   */
  private async endOldest({ issuer, clientId, sub }: VerifiedIdToken): Promise<void> {
    const { maxSessionsPerUser: skip } = this.settings;
    if (skip === undefined) return;
    for await (const page of this.pagesOfAlive({ issuer, sub }, { clientId, skip })) {
      await this.recorder.endSessions(page, 'replaced');
    }
  }

  /** Pages of a user's alive sessions, the newest first. */
  private async *pagesOfAlive(
    { issuer, sub }: { readonly issuer: string; readonly sub: string },
    filter: AliveFilter = {},
  ): AsyncGenerator<ListedSession[]> {
    const target = targetOf('sub', issuer, sub);
    let page = await this.repository.findAlive('sub', target, PAGE, filter);
    yield page;
    while (page.length === PAGE) {
      page = await this.repository.findAlive('sub', target, PAGE, { ...filter, skip: 0, before: page.at(-1) });
      yield page;
    }
  }

  /** @throws {InvalidLogoutRequestError} the issuer of this user is not clear, or the `sub` is missing */
  private issuerOf(user: { readonly sub: string; readonly issuer?: string }): string {
    const { issuer: named, sub } = unchecked(user);
    const issuers = new Set(this.clients.all.map((client) => client.provider));
    const [provider] = issuers;
    const issuer = named ?? (issuers.size === 1 ? provider?.issuer : undefined);
    if (issuer === undefined)
      throw new InvalidLogoutRequestError('client_ambiguous', 'Several issuers are configured: name one of them');
    if (typeof issuer !== 'string' || this.clients.at(issuer).length === 0) {
      throw new InvalidLogoutRequestError('client_unknown', 'The issuer has no configured client');
    }
    if (typeof sub !== 'string' || sub === '') {
      throw new InvalidLogoutRequestError('user_invalid', 'The sub is missing or empty');
    }
    return issuer;
  }

  private warnOfMissingSid({ issuer, clientId }: VerifiedIdToken): void {
    const client = JSON.stringify([issuer, clientId]);
    if (this.clientsWithoutSid.has(client)) return;
    this.clientsWithoutSid.add(client);
    this.logger.warn(
      `An ID token for ${clientId} of ${issuer} has no sid. Its session ends only by logout tokens that name the sub. ` +
        'Make the provider put the sid into ID tokens: with most providers, register ' +
        'backchannel_logout_session_required as true.',
    );
  }

  private async replace(sessionToken: string, by: string): Promise<void> {
    const replaced = await this.checkToken(sessionToken);
    // an idle session is over for good already: the usual one, when its user comes back
    if (replaced === undefined || replaced.session.id === by || replaced.endedBy === 'idle') return;
    await this.recorder.endSession(replaced.session, 'replaced');
  }

  private async checkToken(sessionToken: string): Promise<CheckedSession | undefined> {
    if (!isSessionToken(sessionToken)) return undefined;
    return this.repository.check(tokenHashOf(sessionToken));
  }

  /**
   * @param sessionExpiry the provider's limit, seconds; like `expiresAt`, it is compared with this host's clock
   * @returns milliseconds from now to the session's absolute end
   */
  private lifetime(expiresAt: Date | undefined, sessionExpiry = Infinity): number {
    const ends = expiresAt?.getTime() ?? Infinity;
    if (Number.isNaN(ends)) throw new RangeError('expiresAt is not a valid date');
    const maxLifetimeMs = this.settings.maxSessionLifetimeSeconds * 1000;
    return Math.max(0, Math.min(maxLifetimeMs, Math.min(ends, sessionExpiry * 1000) - this.clock.now()));
  }
}

/** The properties of an argument, as a JavaScript caller may pass it: undefined, or with unchecked values of a request. */
function unchecked(argument: object): Readonly<Record<string, unknown>> {
  return (argument as Readonly<Record<string, unknown>> | null | undefined) ?? {};
}

function refuseOtherLogin(session: Session, token: VerifiedIdToken): void {
  // compared as targets, which ignore the issuer's trailing slash, and which stay when the user is erased
  const { sid, sub } = targetsByKind(session);
  const same =
    targetOf('sub', token.issuer, token.sub) === sub &&
    token.clientId === session.clientId &&
    token.loginEnded !== true &&
    (token.sid === undefined || targetOf('sid', token.issuer, token.sid) === sid);
  if (!same) throw new InvalidIdTokenError('The ID token belongs to another session');
}
