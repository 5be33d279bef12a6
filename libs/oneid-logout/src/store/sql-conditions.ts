import { sessionBoundSql } from './rule-sql.js';
import { type TargetKind } from '../rule/targets.js';

/**
 * How long the tokens of a session stay that only the front-channel has ended, milliseconds: it says nothing that could
 * justify revoking them, and OneID's signed word for it may still come.
 */
export const FRONTCHANNEL_TOKEN_RETENTION = 60 * 60 * 1000;

/** Does logout `l` still have refresh tokens to revoke? Not by an index: it is asked of logouts that others find better. */
export const REVOKING = `COALESCE(l.tokens_due_at, 0) > 0 AND l.channel <> 'frontchannel'`;

/** The columns of a session by which logouts find it. */
export const TARGET_COLUMNS = {
  session: 'target_session',
  sid: 'target_sid',
  sub: 'target_sub',
} as const satisfies Record<TargetKind, string>;

/** No row of the other table meets; one target at a time, as MySQL has no use for its indexes where they are joined. */
export const noneOf = (others: string, condition = ''): string =>
  Object.values(TARGET_COLUMNS)
    .map(
      (column) =>
        `NOT EXISTS (SELECT 1 FROM ${others} WHERE l.target = s.${column} AND ${sessionBoundSql} ${condition})`,
    )
    .join(' AND ');
