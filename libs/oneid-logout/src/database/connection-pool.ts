import { type SqlResult, type SqlStatement } from './sql.js';

/** The driver's pool of connections. */
export interface ConnectionPool {
  /** How many connections it has at most. */
  readonly size: number;
  /** Takes a connection that no other statement uses now. @throws the driver's error when it can't connect */
  borrow(): Promise<BorrowedConnection>;
}

export interface BorrowedConnection {
  /** The driver's object: the same each time that this connection is borrowed. */
  readonly identity: object;
  query(statement: SqlStatement): Promise<SqlResult>;
  /** Does this error of {@link query} say that the connection is gone? */
  isLost(error: unknown): boolean;
  /** Does this error of {@link query} say that the server takes no writes? The statement then has changed nothing. */
  isReadOnly(error: unknown): boolean;
  /** Closes the connection without a message to the server, which may not answer. The pool drops it. */
  destroy(): void;
  /** Gives the connection back. The pool drops it if it is gone. */
  release(): Promise<void>;
}
