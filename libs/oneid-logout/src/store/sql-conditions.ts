import { sessionBoundSql } from './rule-sql.js';
import { type TargetKind } from '../rule/targets.js';

/**
 * How long the tokens of a session stay after a front-channel logout, milliseconds. The front-channel is unsigned, so
 * it cannot justify a revocation. OneID's signed back-channel logout may still come.
 */
export const FRONTCHANNEL_TOKEN_RETENTION = 60 * 60 * 1000;

/**
 * Condition: logout `l` still has refresh tokens to revoke. COALESCE rules out the index on `revocation_due_at`,
 * because other conditions of the query find the logouts faster.
 */
export const REVOKING = `COALESCE(l.revocation_due_at, 0) > 0 AND l.channel <> 'frontchannel'`;

/** A list of parameters for `IN (…)`. */
export const placeholders = (values: readonly unknown[]): string => values.map(() => '?').join(', ');

/** The columns that hold the targets of a session. */
export const TARGET_COLUMNS = {
  session: 'target_session',
  sid: 'target_sid',
  sub: 'target_sub',
} as const satisfies Record<TargetKind, string>;

/**
 * Condition: `others` has no row where logout `l` ends session `s`. It tests one target column at a time, because MySQL
 * does not use its indexes if the columns are in one condition.
 */
export const noneOf = (others: string, condition = ''): string =>
  Object.values(TARGET_COLUMNS)
    .map(
      (column) =>
        `NOT EXISTS (SELECT 1 FROM ${others} WHERE l.target = s.${column} AND ${sessionBoundSql} ${condition})`,
    )
    .join(' AND ');

/** The value of a condition: some drivers return a boolean, others a number. */
export const isTrue = (value: unknown): boolean => value === true || Number(value) === 1;
