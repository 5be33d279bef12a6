import Database from 'better-sqlite3';
import { type DataSource } from 'typeorm';
import { postgresProof } from '../../libs/oneid-logout/src/database/answer-proof.js';
import { type BorrowedConnection, type ConnectionPool } from '../../libs/oneid-logout/src/database/connection-pool.js';
import { type DatabaseConnection, DatabaseConnector } from '../../libs/oneid-logout/src/database/database-connector.js';
import { PooledStatements } from '../../libs/oneid-logout/src/database/pooled-statements.js';
import { SessionDatabase } from '../../libs/oneid-logout/src/database/session-database.js';
import { type SqlDialect, sqlDialects } from '../../libs/oneid-logout/src/database/sql-dialect.js';
import { type SqlResult, type SqlRow, type SqlStatement } from '../../libs/oneid-logout/src/database/sql.js';
import { type Clock } from '../../libs/oneid-logout/src/clock.js';
import { type FaultTimes } from './fault-times.js';
import { type Plan } from './plan.js';
import { type Prng } from './prng.js';
import { EPOCH } from './virtual-clock.js';
import { type Actor, type World } from './world.js';

/** How long a message is under way between a replica and its database, milliseconds. */
const NETWORK = [0.1, 0.8] as const;

/** How long the driver tries to connect, milliseconds: as the library sets it. */
const CONNECT_TIMEOUT = 5_000;

/** Does a statement that waits on the way reach the server, after the network is mended, or after the client has left? */
const CHANCE_TO_ARRIVE = 0.6;

/** The proof of the primary, and the one of a standby, in PostgreSQL's form. */
const PRIMARY = '0,read committed,UTF8';
const STANDBY = '1,read committed,UTF8';

/**
 * SQLite's SQL, with the grouped checks and the proof of the other databases: the server fills in the proof, and the
 * time.
 */
const simulatedDialect: SqlDialect = {
  ...sqlDialects['better-sqlite3'],
  now: 'simulated_now()',
  proof: { ...postgresProof, sql: 'simulated_proof()' },
  selectAny: (select) => select('IN (SELECT value FROM json_each(?))'),
  isConnectionError: (error) => sqlDialects.postgres.isConnectionError(error),
  isReadOnly: (error) => sqlDialects.postgres.isReadOnly(error),
};

const reset = () => Object.assign(new Error('The connection was reset'), { code: 'ECONNRESET' });
const refused = () => Object.assign(new Error('The connection was refused'), { code: 'ECONNREFUSED' });
const readOnly = () =>
  Object.assign(new Error('cannot execute this statement in a read-only transaction'), { code: '25006' });

/** Empty tables of the library, made by its migrations: made once in a process, because that takes some time. */
export class EmptyTables {
  private constructor(
    /** TypeORM's view of the tables: for their names. */
    readonly dataSource: DataSource,
    private readonly content: Buffer,
  ) {}

  static async create(): Promise<EmptyTables> {
    const { dataSource } = await SessionDatabase.open({ type: 'better-sqlite3', database: ':memory:' }, true);
    const { databaseConnection } = dataSource.driver as unknown as { databaseConnection: Database.Database };
    return new EmptyTables(dataSource, databaseConnection.serialize());
  }

  copy(): Database.Database {
    return new Database(this.content);
  }
}

/** The judge hears from the database by these calls. */
export interface DatabaseWatch {
  /** A statement has run. */
  executed(server: string, sql: string, result: SqlResult | Error): void;
}

/** One server of the database, with its own clock. The tables of a server that was demoted stay as they were. */
class Server {
  isPrimary = true;
  readonly connections = new Set<Connection>();
  private readonly statements = new Map<string, Database.Statement>();
  private nowMs = 0;

  constructor(
    readonly name: string,
    private readonly world: World,
    private tables: Database.Database,
    public aheadMs: number,
    private readonly busyUntil: number[],
  ) {
    this.defineFunctions();
  }

  /** The server's clock, milliseconds. */
  clockAt(time: number): number {
    return Math.floor(EPOCH + time + this.aheadMs);
  }

  /** The statement takes one of the server's cores for this time. @returns when it begins */
  takeCore(costMs: number): number {
    const { busyUntil } = this;
    let core = 0;
    busyUntil.forEach((until, n) => {
      if (until < (busyUntil[core] ?? 0)) core = n;
    });
    const begin = Math.max(this.world.now, busyUntil[core] ?? 0);
    busyUntil[core] = begin + costMs;
    return begin;
  }

  /** Hands the tables on to a new primary, and keeps a copy as they are now. */
  demote(): Database.Database {
    const { tables } = this;
    this.isPrimary = false;
    this.tables = new Database(tables.serialize());
    this.statements.clear();
    this.defineFunctions();
    return tables;
  }

  /** @param nowMs what the statement reads from the clock */
  execute({ sql, parameters }: SqlStatement, nowMs: number): SqlResult {
    this.nowMs = nowMs;
    let statement = this.statements.get(sql);
    if (statement === undefined) {
      statement = this.tables.prepare(sql);
      this.statements.set(sql, statement);
    }
    const values = parameters.map((value) => (Array.isArray(value) ? JSON.stringify(value) : value));
    if (!statement.readonly && !this.isPrimary) throw readOnly();
    if (!statement.reader) return { rows: [], affected: statement.run(...values).changes };
    return { rows: statement.all(...values) as SqlRow[], affected: 0 };
  }

  isRead(sql: string): boolean {
    return /^\s*(SELECT|PRAGMA)/.test(sql);
  }

  close(): void {
    this.tables.close();
  }

  private defineFunctions(): void {
    this.tables.function('simulated_now', () => BigInt(this.nowMs));
    this.tables.function('simulated_proof', () => (this.isPrimary ? PRIMARY : STANDBY));
  }
}

/** The database of a run: one primary, and after a failover the old one, which may still be asked. */
export class SimulatedDatabase {
  /** New connections lead to this server. */
  private address: Server;
  primary: Server;
  private readonly servers: Server[] = [];

  constructor(
    readonly world: World,
    private readonly faults: FaultTimes,
    private readonly plan: Plan,
    private readonly prng: Prng,
    private readonly tables: EmptyTables,
    private readonly watch: DatabaseWatch,
  ) {
    this.primary = this.address = this.addServer(tables.copy());
    for (const { at, byMs } of faults.of('databaseClock')) {
      world.at(at, () => {
        for (const server of this.servers) server.aheadMs += byMs;
      });
    }
    for (const { from, silent } of faults.of('databaseDown')) {
      if (!silent) world.at(from, () => this.resetAll());
    }
    for (const { from, silent, replica } of faults.of('cut')) {
      if (!silent) world.at(from, () => this.resetAll(replica));
    }
    for (const { at, gapMs, addressLagMs, closes } of faults.of('failover')) {
      world.at(at, () => this.failOver(gapMs, addressLagMs, closes));
    }
  }

  /** The connector of one process of a replica. */
  connectorFor(replica: number, actor: Actor): DatabaseConnector {
    return new SimulatedConnector(
      this.tables.dataSource,
      () => new SimulatedPool(this, replica, actor, this.plan.poolSize),
    );
  }

  /** Reads the tables of the primary, for the judge. */
  read(sql: string): readonly SqlRow[] {
    const now = this.primary.clockAt(this.world.now);
    return this.primary.execute({ sql, parameters: [], prepared: false, proved: false }, now).rows;
  }

  close(): void {
    for (const server of this.servers) server.close();
  }

  /** Connects, as a driver does. */
  connect(replica: number, actor: Actor): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const trouble = this.faults.cutOf(replica, this.world.now);
      if (trouble?.silent) {
        this.world.after(
          CONNECT_TIMEOUT,
          () => reject(Object.assign(new Error('timeout expired'), { code: 'ETIMEDOUT' })),
          actor,
        );
      } else if (trouble !== undefined) {
        this.world.after(this.wayMs, () => reject(refused()), actor);
      } else {
        const connection = new Connection(this, this.address, replica, actor);
        this.world.after(3 * this.wayMs, () => resolve(connection), actor);
      }
    });
  }

  /** Sends a statement. The connection gets the answer, unless it is lost. */
  send(connection: Connection, statement: SqlStatement): void {
    const { world } = this;
    const trouble = this.faults.cutOf(connection.replica, world.now);
    if (trouble === undefined) {
      world.after(this.wayMs, () => this.arrive(connection, statement));
    } else if (!trouble.silent) {
      world.after(this.wayMs, () => connection.lose(), connection.actor);
    } else if (this.prng.chance(CHANCE_TO_ARRIVE)) {
      world.at(trouble.to + this.prng.between(0, 300), () => this.arrive(connection, statement));
    }
  }

  private arrive(connection: Connection, statement: SqlStatement): void {
    const { world, faults, prng } = this;
    const { server } = connection;
    if (connection.isGone && !prng.chance(CHANCE_TO_ARRIVE)) return;
    const slow = faults.at('slow', world.now);
    const values = statement.parameters.find(Array.isArray)?.length ?? 0;
    // each further value of a group costs little
    const costMs = this.plan.statementMs * (1 + values / 50);
    const delayMs = slow === undefined ? 0 : prng.between(0, slow.upToMs);
    // before the statement runs, or on the way back
    const answerDelayMs = prng.fraction() * delayMs;
    const begin = server.takeCore(costMs) + delayMs - answerDelayMs;
    const readsClockAt = begin + prng.fraction() * costMs;
    if (server.isRead(statement.sql)) {
      const early = faults.at('earlySnapshots', world.now);
      const earlyMs = early !== undefined && prng.chance(early.chance) ? prng.between(0, early.upToMs) : 0;
      const answerAt = begin + costMs + earlyMs + answerDelayMs;
      world.at(begin, () => this.execute(connection, statement, server.clockAt(readsClockAt + earlyMs), answerAt));
    } else {
      const late = faults.at('lateCommits', world.now);
      const lateMs = late !== undefined && prng.chance(late.chance) ? prng.between(0, late.upToMs) : 0;
      const commitAt = begin + costMs + lateMs;
      world.at(readsClockAt, () => {
        const now = server.clockAt(readsClockAt);
        world.at(commitAt, () => this.execute(connection, statement, now, commitAt + answerDelayMs));
      });
    }
  }

  private execute(connection: Connection, statement: SqlStatement, nowMs: number, answerAt: number): void {
    const { server } = connection;
    let outcome: SqlResult | Error;
    try {
      outcome = this.presented(server.execute(statement, nowMs));
    } catch (error) {
      outcome = error instanceof Error ? error : new Error(String(error));
    }
    this.watch.executed(server.name, statement.sql, outcome);
    this.world.at(answerAt, () => this.answer(connection, outcome));
  }

  private answer(connection: Connection, outcome: SqlResult | Error): void {
    const { world, faults, prng } = this;
    const lost = faults.at('lostAnswers', world.now);
    if (lost !== undefined && prng.chance(lost.chance)) return;
    const cut = faults.cutOf(connection.replica, world.now);
    const trouble = cut?.kind === 'cut' && cut.answersArrive ? undefined : cut;
    if (trouble !== undefined && !trouble.silent) return;
    if (trouble !== undefined && !prng.chance(CHANCE_TO_ARRIVE)) return;
    const from = trouble === undefined ? world.now : trouble.to;
    world.at(from + this.wayMs, () => connection.settle(outcome), connection.actor);
  }

  /** The text of the users, as the driver gives it back. */
  private presented(result: SqlResult): SqlResult {
    if (!this.plan.normalizesText) return result;
    const rows = result.rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [name, typeof value === 'string' ? value.normalize('NFC') : value]),
      ),
    );
    return { ...result, rows };
  }

  private failOver(gapMs: number, addressLagMs: number, closes: boolean): void {
    const old = this.primary;
    const tables = old.demote();
    if (closes) for (const connection of old.connections) connection.lose();
    this.world.after(gapMs, () => {
      this.primary = this.addServer(tables);
      this.world.after(addressLagMs, () => {
        this.address = this.primary;
      });
    });
  }

  private addServer(tables: Database.Database): Server {
    const aheadMs = this.prng.between(-1_500, 1_500);
    const cores = Array.from({ length: this.plan.cores }, () => 0);
    const server = new Server(`server-${this.servers.length + 1}`, this.world, tables, aheadMs, cores);
    this.servers.push(server);
    return server;
  }

  private resetAll(replica?: number): void {
    for (const server of this.servers) {
      for (const connection of server.connections) {
        if (replica === undefined || connection.replica === replica) connection.lose();
      }
    }
  }

  private get wayMs(): number {
    return this.prng.between(...NETWORK);
  }
}

/** A connection of a replica to a server. It runs one statement at a time. */
class Connection {
  private waiting:
    { readonly resolve: (result: SqlResult) => void; readonly reject: (error: Error) => void } | undefined;
  private broken = false;

  constructor(
    private readonly database: SimulatedDatabase,
    readonly server: Server,
    readonly replica: number,
    readonly actor: Actor,
  ) {
    server.connections.add(this);
  }

  /** The client has left, or its process has ended. */
  get isGone(): boolean {
    return this.broken || this.actor.gone;
  }

  query(statement: SqlStatement): Promise<SqlResult> {
    if (this.broken) return Promise.reject(reset());
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.database.send(this, statement);
    });
  }

  settle(outcome: SqlResult | Error): void {
    const { waiting } = this;
    if (this.broken || waiting === undefined) return;
    this.waiting = undefined;
    if (outcome instanceof Error) waiting.reject(outcome);
    else waiting.resolve(outcome);
  }

  /** The other side has reset it. The replica learns of it when its event loop runs. */
  lose(): void {
    const { waiting } = this;
    this.waiting = undefined;
    this.destroy();
    if (waiting !== undefined) this.database.world.after(0, () => waiting.reject(reset()), this.actor);
  }

  destroy(): void {
    this.broken = true;
    this.server.connections.delete(this);
  }
}

/** The driver's pool: it uses an idle connection again, or opens a new one. */
class SimulatedPool implements ConnectionPool {
  private readonly idle: Connection[] = [];
  private readonly waiting: (() => void)[] = [];
  private used = 0;

  constructor(
    private readonly database: SimulatedDatabase,
    private readonly replica: number,
    private readonly actor: Actor,
    readonly size: number,
  ) {}

  async borrow(): Promise<BorrowedConnection> {
    if (this.used >= this.size) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.used += 1;
    const connection = await this.takeOrConnect().catch((error: unknown) => {
      this.giveBack();
      throw error;
    });
    return {
      identity: connection,
      query: (statement) => connection.query(statement),
      isLost: (error) => connection.isGone || simulatedDialect.isConnectionError(error as object),
      isReadOnly: (error) => simulatedDialect.isReadOnly(error as object),
      destroy: () => connection.destroy(),
      release: () => {
        if (!connection.isGone) this.idle.push(connection);
        this.giveBack();
        return Promise.resolve();
      },
    };
  }

  private async takeOrConnect(): Promise<Connection> {
    for (let connection = this.idle.pop(); connection !== undefined; connection = this.idle.pop()) {
      if (!connection.isGone) return connection;
    }
    return this.database.connect(this.replica, this.actor);
  }

  private giveBack(): void {
    this.used -= 1;
    this.waiting.shift()?.();
  }
}

class SimulatedConnector extends DatabaseConnector {
  constructor(
    private readonly dataSource: DataSource,
    private readonly pool: () => ConnectionPool,
  ) {
    super();
  }

  override connect(_options: unknown, clock: Clock): Promise<DatabaseConnection> {
    const statements = new PooledStatements(this.pool(), simulatedDialect.proof, clock);
    const { dataSource } = this;
    return Promise.resolve({ dataSource, dialect: simulatedDialect, statements, destroy: () => Promise.resolve() });
  }
}
