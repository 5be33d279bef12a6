import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Clock } from '../clock.js';
import { InvalidIdTokenError, SessionEndedError, SessionRejectedError } from '../oneid-logout.errors.js';
import { IdTokenVerifier, type VerifiedIdToken } from '../provider/id-token.js';
import { LogoutRecorder } from './logout-recorder.js';
import { type ListedSession, type Session } from '../rule/session.js';
import { SessionEvents } from './session-events.js';
import { storedLabel } from './session-label.js';
import { SessionRepository } from '../store/session.repository.js';
import { SessionSettings } from './session-settings.js';
import { targetOf } from '../rule/targets.js';
import { TokenRepository } from '../store/token.repository.js';
import { TokenVault } from '../tokens/token-vault.js';

export interface RegisterSessionOptions {
  /** The ID token of the sign-in that has just been completed, as OneID sent it. */
  readonly idToken: string;
  /** When given, the ID token must carry this `nonce`. */
  readonly nonce?: string | undefined;
  /** Kept encrypted when the module has `secrets`, and revoked at OneID when the session is ended. */
  readonly refreshToken?: string | undefined;
  /** Absolute end of the session; never later than the module's `maxSessionLifetime` from now, which is the default. */
  readonly expiresAt?: Date | undefined;
  /** Id of the session that this browser had before: it is ended. */
  readonly replaces?: string | undefined;
  /**
   * What you want to see again in {@link SessionRegistry.listAlive}: the device, say, as in `Firefox on Linux`. Stored in
   * clear, and cut to 255 characters.
   */
  readonly label?: string | undefined;
}

/** How many sessions to list unless told otherwise. */
const LISTED = 100;

export interface RefreshSessionOptions {
  /** A refreshed ID token: of the same issuer, client, `sub` and `sid`. */
  readonly idToken?: string | undefined;
  /** The rotated refresh token. */
  readonly refreshToken?: string | undefined;
}

/** Registers sign-ins, and takes new tokens for sessions that live. */
@Injectable()
export class SessionRegistry {
  constructor(
    private readonly verifier: IdTokenVerifier,
    private readonly repository: SessionRepository,
    private readonly tokens: TokenRepository,
    private readonly vault: TokenVault,
    private readonly recorder: LogoutRecorder,
    private readonly events: SessionEvents,
    private readonly clock: Clock,
    private readonly settings: SessionSettings,
  ) {}

  /**
   * Records a sign-in and returns our session; put its `id` where your session resolver finds it.
   *
   * For sign-ins only: the ID token must be fresh (five minutes). The same ID token again returns the same session, which
   * keeps its first `label`.
   *
   * @throws {InvalidIdTokenError} 401 `id_token_invalid`, nothing stored
   * @throws {SessionEndedError} 401 `session_ended`: OneID has ended this `sid` already, perhaps while the sign-in was
   *   on its way. Send the browser to OneID again with `prompt=login`
   * @throws {ProviderUnavailableError} 503, OneID's keys can't be had
   * @throws {StoreUnavailableError} 503, nothing is signed in; the same call may be made again
   */
  async register(options: RegisterSessionOptions): Promise<Session> {
    const { idToken, refreshToken } = options;
    const verified = await this.verifier.verify(idToken, { nonce: options.nonce });
    const lifetime = this.lifetime(options.expiresAt);
    await this.refuseEnded(verified, refreshToken);

    const id = await this.insert(verified, lifetime, storedLabel(options.label));
    await this.vault.store(id, { idToken, refreshToken });
    const session = await this.requireAlive(id, verified);
    if (options.replaces !== undefined && options.replaces !== id) await this.replace(options.replaces);
    return session;
  }

  /**
   * Takes refreshed tokens for a session that lives. Its facts stay what they were at the sign-in: a refresh neither
   * renews a session nor brings an ended one back.
   *
   * @throws {InvalidIdTokenError} 401, the ID token is not of this session
   * @throws {SessionEndedError} 401, the session has been ended; the new refresh token is revoked at OneID
   * @throws {SessionRejectedError} 401 `unknown` or `expired`
   * @throws {StoreUnavailableError} 503
   */
  async refresh(sessionId: string, options: RefreshSessionOptions): Promise<Session> {
    const checked = await this.repository.check(sessionId);
    if (checked === undefined) throw new SessionRejectedError('unknown');
    if (checked.expired && checked.endedBy === undefined) throw new SessionRejectedError('expired');
    if (options.idToken !== undefined) {
      refuseOtherLogin(checked.session, await this.verifier.verify(options.idToken, {}));
    }
    await this.vault.replace(sessionId, options);
    return this.requireAlive(sessionId);
  }

  /**
   * The sessions that a user has now, the newest first, of all clients that share the database (`clientId` tells which).
   *
   * Each `id` is the secret of another browser: never send one to a page. Give pages a hash or an index instead.
   *
   * @param user a session will do; what is known by a bearer token may lack `sub`, and names no user then
   * @param limit at most so many
   * @throws {StoreUnavailableError} 503
   */
  async listAlive(user: Pick<Session, 'issuer' | 'sub'>, limit = LISTED): Promise<ListedSession[]> {
    // programs without types give what a request had
    if (typeof (user.sub as unknown) !== 'string') throw new TypeError('A user has a sub');
    if (!Number.isSafeInteger(limit) || limit < 1) throw new RangeError('limit is not a whole number above 0');
    return this.repository.findAlive('sub', targetOf('sub', user.issuer, user.sub), limit);
  }

  /** A sign-in whose login is over is refused before anything is stored, but for a refresh token to be revoked. */
  private async refuseEnded(verified: VerifiedIdToken, refreshToken: string | undefined): Promise<void> {
    const { issuer, sid, sub, issuedAt } = verified;
    // registered later than any logout, so that only those count that end a new session too
    const endedBy = await this.repository.findLogout({
      issuer,
      sub,
      issuedAt,
      registeredAt: Number.MAX_SAFE_INTEGER,
      ...(sid !== undefined && { sid }),
    });
    if (endedBy === undefined) return;
    await this.endUser(verified);
    if (refreshToken !== undefined && this.vault.storesTokens) return;
    throw new SessionEndedError();
  }

  /** A logout of all of the user's sessions may have named the `sid` alone, before anybody knew whose it is. */
  private async endUser({ issuer, sid, sub, logoutScope }: VerifiedIdToken): Promise<void> {
    if (logoutScope === 'user' && sid !== undefined) await this.recorder.endUserOfEndedSid(issuer, sid, sub);
  }

  private async insert(verified: VerifiedIdToken, lifetime: number, label: string | undefined): Promise<string> {
    const id = randomBytes(32).toString('hex');
    const { issuer, clientId, sid, sub, issuedAt, idTokenHash } = verified;
    const isNew = await this.repository.insertSession({
      ...{ id, issuer, clientId, sid, sub, issuedAt, idTokenHash, lifetime, label },
    });
    if (isNew) return id;
    const known = await this.repository.checkByIdToken(idTokenHash);
    if (known === undefined) throw new SessionRejectedError('expired');
    return known.session.id;
  }

  /** The last look, after everything is written: whoever writes a logout later sees what has been written here. */
  private async requireAlive(id: string, signIn?: VerifiedIdToken): Promise<Session> {
    const checked = await this.repository.check(id);
    if (checked === undefined) throw new SessionRejectedError('unknown');
    const { session, endedBy, expired } = checked;
    if (endedBy !== undefined) {
      if (signIn !== undefined) await this.endUser(signIn);
      if (this.vault.storesTokens) {
        await this.tokens.makeDue(session);
        this.events.publishTokensDue();
      }
      throw new SessionEndedError();
    }
    if (expired) throw new SessionRejectedError('expired');
    return session;
  }

  private async replace(sessionId: string): Promise<void> {
    const replaced = await this.repository.check(sessionId);
    if (replaced !== undefined) await this.recorder.endSession(replaced.session, 'replaced');
  }

  private lifetime(expiresAt: Date | undefined): number {
    const maxSessionLifetime = this.settings.maxSessionLifetime * 1000;
    if (expiresAt === undefined) return maxSessionLifetime;
    if (Number.isNaN(expiresAt.getTime())) throw new RangeError('expiresAt is not a valid date');
    return Math.max(0, Math.min(maxSessionLifetime, expiresAt.getTime() - this.clock.now()));
  }
}

function refuseOtherLogin(session: Session, token: VerifiedIdToken): void {
  const same =
    // as one string, in which the issuer's trailing slash does not matter
    targetOf('sub', token.issuer, token.sub) === targetOf('sub', session.issuer, session.sub) &&
    token.clientId === session.clientId &&
    (token.sid === undefined || token.sid === session.sid);
  if (!same) throw new InvalidIdTokenError('The ID token belongs to another session');
}
