/** The rule of `rule/rule.ts` as SQL conditions. A property test checks that both agree. */

/** The bound check of `ends` as a condition on logout `l`. The arguments are the SQL to compare with its bounds. */
export function boundSql(iat: string, registeredAt: string): string {
  return `(
    (l.issued_until IS NULL AND l.registered_until IS NULL)
    OR ${iat} <= l.issued_until
    OR ${registeredAt} <= l.registered_until
  )`;
}

/** The bound check of `ends` for logout `l` and session `s`. */
export const sessionBoundSql = boundSql('s.issued_at', 's.registered_at');

/** `ends` for logout `l` and session `s`, without parameters. It finds the logouts of a session by their index. */
export const endedSql = `l.target IN (s.target_session, s.target_sid, s.target_sub) AND ${sessionBoundSql}`;

/** The same condition in a form that finds the sessions of a logout by their indexes. */
export const endsSql = `(s.target_session = l.target OR s.target_sid = l.target OR s.target_sub = l.target)
  AND ${sessionBoundSql}`;
