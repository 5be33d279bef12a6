/** The rule of `rule/rule.ts` as SQL conditions. A property test holds the two together. */

/** The bound of `ends`: a condition on logout `l`, given what to compare its bounds with. */
export function boundSql(issuedAt: string, registeredAt: string): string {
  return `(
    (l.issued_until IS NULL AND l.registered_until IS NULL)
    OR ${issuedAt} <= l.issued_until
    OR ${registeredAt} <= l.registered_until
  )`;
}

/** The bound of `ends`: is the bound of logout `l` not passed by session `s`? */
export const sessionBoundSql = boundSql('s.issued_at', 's.registered_at');

/** `ends`: does logout `l` end session `s`? Finds logouts of a session by their index; no parameters. */
export const endedSql = `l.target IN (s.target_session, s.target_sid, s.target_sub) AND ${sessionBoundSql}`;

/** The same, finding sessions of a logout by their indexes. */
export const endsSql = `(s.target_session = l.target OR s.target_sid = l.target OR s.target_sub = l.target)
  AND ${sessionBoundSql}`;
