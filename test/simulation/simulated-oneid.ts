import { ProviderUnavailableError } from '../../libs/oneid-logout/src/oneid-logout.errors.js';
import { type VerifiedIdToken } from '../../libs/oneid-logout/src/provider/id-token.js';
import { type VerifiedLogoutToken } from '../../libs/oneid-logout/src/provider/logout-token.js';
import { digest } from '../../libs/oneid-logout/src/rule/targets.js';
import { type FaultTimes } from './fault-times.js';
import { type Prng } from './prng.js';
import { EPOCH } from './virtual-clock.js';
import { type Actor, type World } from './world.js';

export const ISSUER = 'https://oneid.example/';
export const CLIENT_ID = 'app';
export const REVOCATION_ENDPOINT = `${ISSUER}oauth2/revoke`;

/** How long an answer of OneID takes, milliseconds. */
const ANSWER = [5, 60] as const;

/** An answer of OneID to a revocation request. */
export interface RevocationAnswer {
  readonly at: number;
  readonly status: number;
}

export interface RefreshToken {
  readonly text: string;
  readonly session: number;
  isActive: boolean;
  readonly answers: RevocationAnswer[];
}

/** The judge hears from OneID by these calls. */
export interface OneIdWatch {
  /** It has made a refresh token. */
  made(token: RefreshToken): void;
  /** A replica asks it to revoke one. */
  asked(token: RefreshToken): void;
}

/** OneID: it makes tokens, verifies nothing, and revokes refresh tokens. Its tokens are not signed: signing takes time. */
export class SimulatedOneId {
  private readonly refreshTokens = new Map<string, RefreshToken>();
  private tokens = 0;

  constructor(
    private readonly world: World,
    private readonly faults: FaultTimes,
    private readonly prng: Prng,
    private readonly logoutScope: 'session' | 'user',
    private readonly watch: OneIdWatch,
  ) {}

  /** OneID's clock, seconds. */
  get seconds(): number {
    return Math.floor((EPOCH + this.world.now) / 1000);
  }

  idToken(sid: string, sub: string): string {
    this.tokens += 1;
    return compact({ n: this.tokens, iss: ISSUER, aud: CLIENT_ID, sid, sub, iat: this.seconds });
  }

  logoutToken(of: { readonly sid: string } | { readonly sub: string }): string {
    this.tokens += 1;
    return compact({ iss: ISSUER, aud: CLIENT_ID, iat: this.seconds, jti: `jti-${this.tokens}`, ...of });
  }

  /** Another refresh token of a session; the one before is rotated out. */
  refreshToken(session: number): RefreshToken {
    for (const token of this.refreshTokens.values()) if (token.session === session) token.isActive = false;
    this.tokens += 1;
    const token = { text: `refresh-${this.tokens}`, session, isActive: true, answers: [] };
    this.refreshTokens.set(token.text, token);
    this.watch.made(token);
    return token;
  }

  /** In place of `IdTokenVerifier`. */
  readonly idTokens = {
    // eslint-disable-next-line @typescript-eslint/require-await -- a fault must reject, not throw
    verify: async (token: string): Promise<VerifiedIdToken> => {
      this.requireKeys();
      const { iss, aud, sid, sub, iat } = claimsOf(token);
      return {
        ...{ issuer: String(iss), clientId: String(aud), sid: String(sid), sub: String(sub), iat: Number(iat) },
        ...{ idTokenHash: digest([token]), logoutScope: this.logoutScope },
      };
    },
  };

  /** In place of `LogoutTokenVerifier`. */
  readonly logoutTokens = {
    // eslint-disable-next-line @typescript-eslint/require-await -- a fault must reject, not throw
    verify: async (token: string): Promise<VerifiedLogoutToken> => {
      this.requireKeys();
      const { iss, aud, jti, iat, sid, sub } = claimsOf(token);
      return {
        ...{ issuer: String(iss), clientId: String(aud), jti: String(jti), iat: Number(iat), scope: this.logoutScope },
        ...(typeof sid === 'string' && { sid }),
        ...(typeof sub === 'string' && { sub }),
      };
    },
    refreshKeys: () => Promise.resolve(),
  };

  /** In place of the global `fetch`, for a process of a replica. */
  fetchFor(actor: Actor): (url: string, init?: RequestInit) => Promise<Response> {
    return (url, init) =>
      new Promise((resolve, reject) => {
        if (url !== REVOCATION_ENDPOINT) {
          reject(new Error(`The simulated OneID has no ${url}`));
          return;
        }
        const text = new URLSearchParams(init?.body as URLSearchParams).get('token') ?? '';
        this.world.after(this.prng.between(...ANSWER), () => {
          const response = this.revoke(text);
          if (response === undefined) return;
          this.world.after(this.prng.between(...ANSWER), () => resolve(response), actor);
        });
      });
  }

  private revoke(text: string): Response | undefined {
    const token = this.refreshTokens.get(text);
    if (token === undefined) throw new Error('A replica has asked to revoke a refresh token that OneID never made');
    const fault = this.faults.at('revocation', this.world.now)?.answer;
    this.watch.asked(token);
    if (fault === 'silent') return undefined;
    const status = fault === 'unavailable' ? 503 : fault === 'invalidClient' ? 401 : 200;
    if (fault === undefined) token.isActive = false;
    token.answers.push({ at: this.world.now, status });
    const body = fault === 'invalidClient' ? JSON.stringify({ error: 'invalid_client' }) : null;
    return new Response(body, { status });
  }

  private requireKeys(): void {
    if (this.faults.at('keysGone', this.world.now) !== undefined)
      throw new ProviderUnavailableError("The provider's keys are not available, try again");
  }
}

/** The form of a JWT, because the code reads the `iat` of a token before its verification. */
function compact(claims: object): string {
  return `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`;
}

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
}
