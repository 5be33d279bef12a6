import { type VerifiedLogoutToken } from '../provider/logout-token.js';
import { type Bound, type NewLogout } from '../rule/logout.js';
import { digest, targetOf, type TargetKind } from '../rule/targets.js';

/**
 * What a logout token ends, as hashes: a replica may keep it for an hour, and must not keep the `sid` and the `sub` of an
 * erased user.
 */
export interface TokenLogouts {
  /** Identifies the token: a hash of all its facts, because a provider may give two tokens the same `jti`. */
  readonly key: string;
  readonly issuer: string;
  /**
   * The logouts that the token names: of its login, of its user, or of both. A token with both ends the user's sessions
   * without `sid`, too: no logout of a `sid` could ever end them.
   */
  readonly named: readonly NewLogout[];
  /**
   * In the scope "user", for a token that names only the `sid`: the logout of its user, but for the target, which the
   * database may know.
   */
  readonly ofUser?: { readonly sidTarget: string; readonly logout: Omit<NewLogout, 'target'> };
}

export function logoutsOfToken(token: VerifiedLogoutToken): TokenLogouts {
  const { issuer, clientId, jti, iat, sid, sub, scope, authenticatedUntil } = token;
  const named: NewLogout[] = [];
  if (sid !== undefined) {
    const bound = authenticatedUntil === undefined ? undefined : { authenticatedUntil };
    named.push({ ...fromToken(token, 'sid', bound), target: targetOf('sid', issuer, sid) });
  }
  if (sub !== undefined) {
    const kind = sid === undefined || scope === 'user' ? 'sub' : 'sidless';
    named.push({ ...fromToken(token, kind, { issuedUntil: iat }), target: targetOf(kind, issuer, sub) });
  }
  const isOfUser = scope === 'user' && sid !== undefined && sub === undefined;
  return {
    key: digest([issuer, clientId, jti, iat, sid ?? null, sub ?? null, scope]),
    issuer,
    named,
    ...(isOfUser && {
      ofUser: { sidTarget: targetOf('sid', issuer, sid), logout: fromToken(token, 'sub', { issuedUntil: iat }) },
    }),
  };
}

function fromToken(token: VerifiedLogoutToken, kind: TargetKind, bound: Bound | undefined): Omit<NewLogout, 'target'> {
  const { issuer, clientId, jti, iat } = token;
  return { id: digest(['backchannel', issuer, clientId, jti, kind]), kind, channel: 'backchannel', bound, iat };
}
