import { type SqlParameter } from '../database/sql.js';
import { type GroupedInserts } from './group-commit.js';
import { type SessionDatabase } from '../database/session-database.js';
import { type NewLogout } from '../rule/logout.js';
import { FRONTCHANNEL_TOKEN_RETENTION, TARGET_COLUMNS } from './sql-conditions.js';

export interface RetentionSettings {
  /** How long a logout is kept, milliseconds. */
  readonly logoutRetention: number;
  /** Whether tokens are stored. Only then can a logout have tokens to revoke. */
  readonly storesTokens: boolean;
}

/** The statements that record one or many logouts. */
export class LogoutInserts implements GroupedInserts<NewLogout> {
  constructor(
    protected readonly database: SessionDatabase,
    protected readonly settings: RetentionSettings,
  ) {}

  async insertOwn(logouts: readonly NewLogout[]): Promise<number> {
    const { sql, parameters } = this.insert(logouts);
    const [first] = logouts;
    // true for nearly every logout of OneID; the bound `registered` reads a table, and a prepared plan may become slow
    const prepared = logouts.length === 1 && first?.bound !== 'registered';
    const { affected } = await this.database.run(this.database.dialect.insertOrIgnore(sql), parameters, { prepared });
    return affected;
  }

  async insertGroup(logouts: readonly NewLogout[]): Promise<ReadonlySet<string>> {
    const { sql, parameters } = this.insert(logouts);
    const { dialect } = this.database;
    const { rows } = await this.database.run(dialect.insertGroup(sql), parameters);
    return new Set(dialect.groupReturnsNew ? rows.map((row) => String(row['id'])) : logouts.map(({ id }) => id));
  }

  private insert(logouts: readonly NewLogout[]): { sql: string; parameters: SqlParameter[] } {
    const { now } = this.database.dialect;
    const rows: string[] = [];
    const parameters: SqlParameter[] = [];
    for (const logout of logouts) {
      const dueAt = this.settings.storesTokens ? `${now} + ${this.revocationDueIn(logout)}` : 'NULL';
      rows.push(`(?, ?, ?, ?, ${this.registeredUntil(logout)}, ?, ${now}, ${now}, ${now} + ?, ${dueAt})`);
      parameters.push(logout.id, logout.target, logout.channel);
      parameters.push(typeof logout.bound === 'number' ? logout.bound : null);
      if (logout.bound === 'registered') parameters.push(logout.registeredUntil ?? 0, logout.target);
      parameters.push(logout.issuedAt ?? null, this.settings.logoutRetention);
    }
    const sql = `INSERT INTO ${this.database.tables.logout} (id, target, channel, issued_until, registered_until,
      issued_at, recorded_at, changed_at, keep_until, revocation_due_at) VALUES ${rows.join(', ')}`;
    return { sql, parameters };
  }

  /** The time from the logout until the work on its tokens is due, milliseconds. */
  protected revocationDueIn({ channel }: NewLogout): number {
    return channel === 'frontchannel' ? FRONTCHANNEL_TOKEN_RETENTION : 0;
  }

  /** The bound covers every session registered by now, even if the clock stepped back after its registration. */
  private registeredUntil(logout: NewLogout): string {
    if (logout.bound !== 'registered') return 'NULL';
    const { dialect, tables } = this.database;
    const newest = `(SELECT COALESCE(MAX(s.registered_at), 0) FROM ${tables.session} s WHERE s.${TARGET_COLUMNS[logout.kind]} = ?)`;
    return dialect.greatest(dialect.greatest(dialect.now, '?'), newest);
  }
}
