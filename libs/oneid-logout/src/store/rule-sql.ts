import { type SessionTables } from '../database/session-tables.js';
import { EVERYONE_ID } from '../rule/logout.js';
import { ALL_TARGET_COLUMNS } from './target-columns.js';

/** The rule of `rule/rule.ts` as SQL conditions. A property test checks that both agree. */

/** `auth_time` of session `s`: 0 if the session has none. */
const AUTH_TIME = 'COALESCE(s.auth_time, 0)';

/**
 * The bound check of `ends` as a condition on logout `l`. The arguments are the SQL to compare with its bounds.
 *
 * @param authTime is 0 for a session without it
 */
export function boundSql(iat: string, registeredAt: string, authTime: string): string {
  return `(
    (l.issued_until IS NULL AND l.registered_until IS NULL AND l.authenticated_until IS NULL)
    OR ${iat} <= l.issued_until
    OR ${registeredAt} <= l.registered_until
    OR ${authTime} <= l.authenticated_until
  )`;
}

/** The bound check of `ends` for logout `l` and session `s`. */
export const sessionBoundSql = boundSql('s.issued_at', 's.registered_at', AUTH_TIME);

/** The least text that is greater than the ids of all logouts of everyone: their last letter is the next one. */
const AFTER_EVERYONE_ID = EVERYONE_ID.replace(/e$/, 'f');

/** The tables that hold the logouts, and the targets of everyone. */
export type RuleTables = Pick<SessionTables, 'logout' | 'clientTarget'>;

/**
 * SQL expression: the channel of a logout that ends session `s`, or NULL. It compares one target column at a time,
 * because MySQL does not use its index for `IN` with several columns.
 */
export function endedBySql(tables: RuleTables): string {
  // the session's own target last: it may have a logout `idle` or `unconfirmed`, which a real logout outranks
  const channels = ALL_TARGET_COLUMNS.toReversed().map(
    // no LIMIT 1: with it, PostgreSQL may read the whole table if the table was empty when it made its statistics
    (column) => `(SELECT MIN(l.channel) FROM ${tables.logout} l WHERE l.target = s.${column} AND ${sessionBoundSql})`,
  );
  return `COALESCE(${channels.join(', ')}, ${endedWithEveryoneSql(tables)})`;
}

/** Condition: logout `l` is one of everyone. The primary key finds them: there are few. */
export const isOfEveryoneSql = `l.id >= '${EVERYONE_ID}' AND l.id < '${AFTER_EVERYONE_ID}'`;

/**
 * The bound check of `ends` for logout `l` of everyone and session `s`. These logouts have no other bound, and an index
 * finds those that end the session: none, for a session that is alive.
 */
const everyoneBoundSql = 's.registered_at <= l.registered_until';

/**
 * SQL expression: the channel of a logout of everyone that ends session `s`, or NULL. A session that is newer than all
 * logouts of everyone costs one comparison: the database reads their latest bound once in a statement. For the others,
 * the inner query reads one target's logouts by index. A join of both tables would let PostgreSQL read all logouts, if
 * their table was empty when it made its statistics.
 *
 * @param condition on logout `l`
 */
export function endedWithEveryoneSql(tables: RuleTables, condition = ''): string {
  return `(CASE WHEN s.registered_at <= ${latestOfEveryone(tables)} THEN ${channelOfEveryone(tables, condition)} END)`;
}

/**
 * Condition: no logout of everyone ends session `s`. The primary key finds these logouts, which are few.
 *
 * @param condition on logout `l`
 */
export function notEndedWithEveryoneSql(tables: RuleTables, condition = ''): string {
  const { logout, clientTarget } = tables;
  return `NOT EXISTS (SELECT 1 FROM ${logout} l JOIN ${clientTarget} c ON c.target = l.target
    WHERE ${isOfEveryoneSql} AND c.issuer = s.issuer AND c.client_id = s.client_id AND ${everyoneBoundSql} ${condition})`;
}

const latestOfEveryone = ({ logout }: RuleTables): string =>
  `(SELECT MAX(l.registered_until) FROM ${logout} l WHERE ${isOfEveryoneSql})`;

function channelOfEveryone({ logout, clientTarget }: RuleTables, condition: string): string {
  const channel = `SELECT MIN(l.channel) FROM ${logout} l WHERE l.target = c.target AND ${everyoneBoundSql} ${condition}`;
  return `(SELECT MIN((${channel})) FROM ${clientTarget} c WHERE c.issuer = s.issuer AND c.client_id = s.client_id)`;
}

/** `ends` for logout `l` of everyone and session `s`. No index finds the sessions of such a logout. */
export function endsWithEveryoneSql({ clientTarget }: Pick<RuleTables, 'clientTarget'>): string {
  return `l.target IN (SELECT c.target FROM ${clientTarget} c WHERE c.issuer = s.issuer AND c.client_id = s.client_id)
    AND ${everyoneBoundSql}`;
}

/**
 * `ends` for logout `l` of one user and session `s`, as a condition that finds the sessions of a logout by their indexes.
 */
export const endsSql = `(${ALL_TARGET_COLUMNS.map((column) => `s.${column} = l.target`).join(' OR ')})
  AND ${sessionBoundSql}`;

/**
 * Condition: no logout of this target ends session `s`. Each part reads one entry of the index on target
 * and bounds, however many logouts the target has. The latest bounds are enough, because a
 * logout has at most one bound. On MySQL and MariaDB only a target that is a parameter costs so little.
 *
 * @param logouts the table of logouts
 * @param target SQL that occurs four times in the condition
 */
export function notEndedSql(logouts: string, target: string): string {
  const all = `FROM ${logouts} l WHERE l.target = ${target}`;
  // in the order of the index: without it, PostgreSQL may read the whole table for a condition with IS NULL
  const last = 'ORDER BY l.registered_until DESC, l.issued_until DESC, l.authenticated_until DESC LIMIT 1';
  const issued = `${all} AND l.registered_until IS NULL AND l.issued_until IS NOT NULL ${last}`;
  const neither = `${all} AND l.registered_until IS NULL AND l.issued_until IS NULL`;
  const authenticated = `${neither} AND l.authenticated_until IS NOT NULL ${last}`;
  const forGood = `${neither} AND l.authenticated_until IS NULL ${last}`;
  return `s.registered_at > COALESCE((SELECT MAX(l.registered_until) ${all}), -1)
    AND s.issued_at > COALESCE((SELECT l.issued_until ${issued}), -1)
    AND ${AUTH_TIME} > COALESCE((SELECT l.authenticated_until ${authenticated}), -1)
    AND (SELECT 1 ${forGood}) IS NULL`;
}
