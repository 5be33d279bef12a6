import { byId, type CreatedLogout, LogoutInserts } from './logout-inserts.js';
import { type NewLogout } from '../rule/logout.js';
import { type Turn } from '../database/statement-queue.js';
import { isEveryoneKind, TARGET_COLUMNS } from './target-columns.js';

/**
 * How long a group waits for a row that another transaction has locked, milliseconds. PostgreSQL does not notice when
 * the caller gives up on a statement: without this limit, the statement would keep the group's other rows locked.
 */
const LOCK_PATIENCE_MS = 2_000;

/** Sends a group as one parameter: groups of all sizes share a prepared statement, at half the cost of `VALUES`. */
export class PostgresLogoutInserts extends LogoutInserts {
  override async insertGroup(logouts: readonly NewLogout[], turn: Turn): Promise<ReadonlyMap<string, CreatedLogout>> {
    const { rows } = await this.database.run(
      this.groupSql,
      [this.settings.logoutRetention, JSON.stringify(logouts.map((logout) => this.record(logout)))],
      { prepared: true, turn },
    );
    return byId(rows);
  }

  private record(logout: NewLogout): Record<string, unknown> {
    const { id, kind, target, channel, bound = {}, author, iat } = logout;
    return {
      ...{ id, target, channel, issued_at: iat, author: author?.by, reason: author?.reason },
      ...('issuedUntil' in bound && { issued_until: bound.issuedUntil }),
      ...('registeredUntil' in bound && { registered_until: bound.registeredUntil }),
      ...('registeredUntil' in bound && !isEveryoneKind(kind) && { registered: kind }),
      ...('authenticatedUntil' in bound && { authenticated_until: bound.authenticatedUntil }),
      ...(this.settings.storesTokens && { due_in: this.revocationDueIn(logout) }),
    };
  }

  /** `set_config` is valid for this statement only, so a pooler cannot pass the setting to another client. */
  private get groupSql(): string {
    const { dialect, tables } = this.database;
    const { now } = dialect;
    const newest = Object.entries(TARGET_COLUMNS).map(
      ([kind, column]) =>
        `WHEN '${kind}' THEN (SELECT MAX(s.registered_at) FROM ${tables.session} s WHERE s.${column} = g.target)`,
    );
    return `INSERT INTO ${tables.logout} (id, target, channel, issued_until, registered_until, authenticated_until,
        author, reason, issued_at, recorded_at, changed_at, keep_until, revocation_due_at)
      SELECT g.id, g.target, g.channel, g.issued_until,
        CASE WHEN g.registered IS NOT NULL
          THEN GREATEST(${now}, g.registered_until, CASE g.registered ${newest.join(' ')} END) ELSE g.registered_until END,
        g.authenticated_until, g.author, g.reason, g.issued_at, ${now}, ${now}, ${now} + ?::bigint, ${now} + g.due_in
      FROM (SELECT set_config('lock_timeout', '${LOCK_PATIENCE_MS}', true)) patience,
        json_to_recordset(?::json) AS g(id varchar, target varchar, channel varchar, issued_until bigint,
          registered varchar, registered_until bigint, authenticated_until bigint, author varchar, reason varchar,
          issued_at bigint, due_in bigint)
      ON CONFLICT DO NOTHING RETURNING ${this.returned}`;
  }
}
