import { driverErrorOf } from '../database/driver-errors.js';
import { type SqlParameter, type SqlRow } from '../database/sql.js';
import { type GroupedInserts } from './group-commit.js';
import { StoreUnavailableError } from '../oneid-logout.errors.js';
import { type Turn } from '../database/statement-queue.js';
import { type SessionDatabase } from '../database/session-database.js';
import { type NewLogout } from '../rule/logout.js';
import {
  FRONTCHANNEL_TOKEN_RETENTION,
  hasSignInSql,
  isTrue,
  placeholders,
  UNCONFIRMED_TOKEN_RETENTION,
} from './sql-conditions.js';
import { isEveryoneKind, TARGET_COLUMNS } from './target-columns.js';

export interface RetentionSettings {
  /** How long a logout is kept, milliseconds. */
  readonly logoutRetention: number;
  /** Whether tokens are stored. Only then can a logout have tokens to revoke. */
  readonly storesTokens: boolean;
}

/** A new logout, as the database has recorded it. */
export interface CreatedLogout {
  /** The recorded bound; undefined for a logout without this bound, and when the database does not tell it. */
  readonly registeredUntil?: number;
  /**
   * Whether this database remembers a sign-in that the logout may end; undefined when the database does not tell it.
   */
  readonly hasSignIn?: boolean;
}

/** The statements that record one or many logouts. */
export class LogoutInserts implements GroupedInserts<NewLogout, CreatedLogout> {
  constructor(
    protected readonly database: SessionDatabase,
    protected readonly settings: RetentionSettings,
  ) {}

  async insertOwn(logouts: readonly NewLogout[], turn?: Turn): Promise<readonly CreatedLogout[]> {
    const { sql, parameters } = this.insert(logouts);
    const { dialect } = this.database;
    const [first] = logouts;
    // a bound `registeredUntil` reads a table, and a prepared plan for that may become slow. OneID's logouts have none
    const prepared = logouts.length === 1 && first !== undefined && !hasRegisteredUntil(first);
    const options = { prepared, ...laneOf(turn) };
    if (dialect.insertReturning !== undefined) {
      const insert = dialect.insertReturning(sql, this.returned);
      return createdIn((await this.database.run(insert, parameters, options)).rows);
    }
    const { affected } = await this.database.run(dialect.insertOrIgnore(sql), parameters, options);
    if (first !== undefined && logouts.length === 1 && affected === 1) return this.created([first], turn);
    return Array.from({ length: affected }, () => ({}));
  }

  async insertGroup(logouts: readonly NewLogout[], turn: Turn): Promise<ReadonlyMap<string, CreatedLogout>> {
    const { sql, parameters } = this.insert(logouts);
    const { dialect } = this.database;
    if (dialect.insertReturning !== undefined) {
      const insert = dialect.insertReturning(sql, this.returned);
      return byId((await this.database.run(insert, parameters, { turn })).rows);
    }
    const { affected } = await this.database.run(sql, parameters, { turn });
    if (affected !== logouts.length)
      throw new StoreUnavailableError(new Error('The database is read-only, or autocommit is off'));
    const created = await this.created(logouts, turn);
    return new Map(logouts.map(({ id }, n) => [id, created[n] ?? {}]));
  }

  isRowRefused(error: unknown): boolean {
    return error instanceof StoreUnavailableError && this.database.dialect.isRowRefused(driverErrorOf(error.cause));
  }

  /** For databases that don't return inserted rows. The logouts are recorded, so a failure here must not fail them. */
  private async created(logouts: readonly NewLogout[], turn: Turn | undefined): Promise<CreatedLogout[]> {
    const ids = logouts.filter(hasRegisteredUntil).map(({ id }) => id);
    if (ids.length === 0) return logouts.map(() => ({}));
    const select = `SELECT id, registered_until FROM ${this.database.tables.logout} WHERE id IN (${placeholders(ids)})`;
    const known = await this.database
      .read(select, ids, laneOf(turn))
      .then(({ rows }) => byId(rows))
      .catch(() => new Map<string, CreatedLogout>());
    return logouts.map(({ id }) => known.get(id) ?? {});
  }

  private insert(logouts: readonly NewLogout[]): { sql: string; parameters: SqlParameter[] } {
    const { now } = this.database.dialect;
    const rows: string[] = [];
    const parameters: SqlParameter[] = [];
    for (const logout of logouts) {
      const dueAt = this.settings.storesTokens ? `${now} + ${this.revocationDueIn(logout)}` : 'NULL';
      rows.push(`?, ?, ?, ?, ${this.registeredUntil(logout)}, ?, ?, ?, ?, ${now}, ${now}, ${now} + ?, ${dueAt}`);
      parameters.push(logout.id, logout.target, logout.channel);
      const { bound } = logout;
      parameters.push(bound !== undefined && 'issuedUntil' in bound ? bound.issuedUntil : null);
      if (bound !== undefined && 'registeredUntil' in bound) {
        parameters.push(bound.registeredUntil, ...(isEveryoneKind(logout.kind) ? [] : [logout.target]));
      }
      parameters.push(bound !== undefined && 'authenticatedUntil' in bound ? bound.authenticatedUntil : null);
      parameters.push(logout.author?.by ?? null, logout.author?.reason ?? null);
      parameters.push(logout.iat ?? null, this.settings.logoutRetention);
    }
    const sql = `INSERT INTO ${this.database.tables.logout} (id, target, channel, issued_until, registered_until,
      authenticated_until, author, reason, issued_at, recorded_at, changed_at, keep_until, revocation_due_at) ${this.valuesOf(rows)}`;
    return { sql, parameters };
  }

  /** The rows of an INSERT. It has no rows on a server that has become read-only, or if the connection would not commit. */
  private valuesOf(rows: readonly string[]): string {
    const { isWritable } = this.database.dialect;
    if (isWritable === undefined) return `VALUES ${rows.map((row) => `(${row})`).join(', ')}`;
    return rows.map((row) => `SELECT ${row} FROM DUAL WHERE ${isWritable}`).join(' UNION ALL ');
  }

  /** The columns of {@link CreatedLogout}, and the id. */
  protected get returned(): string {
    const { logout, loginUser } = this.database.tables;
    return `id, registered_until, ${hasSignInSql(loginUser, `${logout}.target`)} AS has_sign_in`;
  }

  /** The time from the logout until the work on its tokens is due, milliseconds. */
  protected revocationDueIn({ channel }: NewLogout): number {
    if (channel === 'frontchannel') return FRONTCHANNEL_TOKEN_RETENTION;
    return channel === 'unconfirmed' ? UNCONFIRMED_TOKEN_RETENTION : 0;
  }

  /**
   * The bound covers every session registered by now, even if the clock stepped back after its registration. The bound
   * of a logout of everyone stays as it is.
   */
  private registeredUntil(logout: NewLogout): string {
    if (!hasRegisteredUntil(logout)) return 'NULL';
    if (isEveryoneKind(logout.kind)) return '?';
    const { dialect, tables } = this.database;
    const newest = `(SELECT COALESCE(MAX(s.registered_at), 0) FROM ${tables.session} s WHERE s.${TARGET_COLUMNS[logout.kind]} = ?)`;
    return dialect.greatest(dialect.greatest(dialect.now, '?'), newest);
  }
}

const laneOf = (turn: Turn | undefined) => (turn === undefined ? ({ lane: 'logout' } as const) : { turn });

function hasRegisteredUntil({ bound }: NewLogout): boolean {
  return bound !== undefined && 'registeredUntil' in bound;
}

function createdIn(rows: readonly SqlRow[]): CreatedLogout[] {
  return rows.map(({ registered_until: until, has_sign_in: hasSignIn }) => ({
    ...(until !== null && { registeredUntil: Number(until) }),
    ...(hasSignIn !== undefined && { hasSignIn: isTrue(hasSignIn) }),
  }));
}

/** @param rows with the columns `id` and `registered_until`, perhaps with `has_sign_in` */
export function byId(rows: readonly SqlRow[]): Map<string, CreatedLogout> {
  const created = createdIn(rows);
  return new Map(rows.map((row, n) => [String(row['id']), created[n] ?? {}]));
}
