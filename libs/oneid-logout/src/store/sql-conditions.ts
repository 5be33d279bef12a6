import { type SqlDialect } from '../database/sql-dialect.js';
import { notEndedWithEveryoneSql, type RuleTables, sessionBoundSql } from './rule-sql.js';
import { ALL_TARGET_COLUMNS } from './target-columns.js';

/**
 * How long the tokens of a session stay after a front-channel logout, milliseconds. The front-channel is unsigned, so
 * it cannot justify a revocation. OneID's signed back-channel logout may still come.
 */
export const FRONTCHANNEL_TOKEN_RETENTION = 60 * 60 * 1000;

/**
 * The time from the logout after an outage until the revoking of its tokens begins, milliseconds. A token is kept while its
 * user is back, and users with an open page come back first.
 */
export const UNCONFIRMED_TOKEN_RETENTION = 10 * 60 * 1000;

/**
 * Condition: logout `l` still has refresh tokens to revoke. COALESCE rules out the index on `revocation_due_at`,
 * because other conditions of the query find the logouts faster.
 */
export const REVOKING = `COALESCE(l.revocation_due_at, 0) > 0 AND l.channel <> 'frontchannel'`;

/** A list of parameters for `IN (…)`. */
export const placeholders = (values: readonly unknown[]): string => values.map(() => '?').join(', ');

/**
 * Condition: no logout `l` ends session `s`.
 *
 * @param condition on logout `l`
 */
export const notEnded = (tables: RuleTables, condition = ''): string =>
  `${noneOf(`${tables.logout} l`, condition)} AND ${notEndedWithEveryoneSql(tables, condition)}`;

/**
 * Condition: `others` has no row where logout `l` of one user ends session `s`. It tests one target column at a time, because MySQL
 * does not use its indexes if the columns are in one condition.
 */
export const noneOf = (others: string, condition = ''): string =>
  ALL_TARGET_COLUMNS.map(
    (column) => `NOT EXISTS (SELECT 1 FROM ${others} WHERE l.target = s.${column} AND ${sessionBoundSql} ${condition})`,
  ).join(' AND ');

/**
 * Condition: a sign-in is remembered that a logout of this target may end. Each part reads one entry of an index: for
 * EXISTS, PostgreSQL may read the whole table.
 *
 * @param target SQL that occurs twice in the condition
 */
export const hasSignInSql = (loginUser: string, target: string): string =>
  `((SELECT MAX(u.target_sub) FROM ${loginUser} u WHERE u.target_sid = ${target}) IS NOT NULL
    OR (SELECT MAX(u.keep_until) FROM ${loginUser} u WHERE u.target_sub = ${target}) IS NOT NULL)`;

/**
 * Condition: `s` is a sibling of session `e`, another session of the same client and the same browser login. Sessions
 * without `sid` have no siblings: they have one target in place of the `sid`, but may be of different logins.
 */
export const IS_SIBLING =
  's.target_sid = e.target_sid AND s.sid IS NOT NULL AND s.client_id = e.client_id AND s.id <> e.id';

/** The value of a condition: some drivers return a boolean, others a number. */
export const isTrue = (value: unknown): boolean => value === true || Number(value) === 1;

/** The end of a statement's condition: the server accepts writes. It is empty where the database itself refuses them. */
export function andWritable({ isWritable }: Pick<SqlDialect, 'isWritable'>): string {
  return isWritable === undefined ? '' : `AND ${isWritable}`;
}
