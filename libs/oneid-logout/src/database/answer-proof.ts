/**
 * Proves with each answer that the library may believe it: the answer comes from a writable primary, over a connection
 * with the settings that the library needs. After a failover, a connection may still lead to the old primary; behind a
 * pooler, each statement may run on another connection.
 */
export interface AnswerProof {
  /** SQL expression: a text with the facts, separated by commas. */
  readonly sql: string;
  /** @returns the fault of the answer; undefined if the library may believe it */
  readonly faultOf: (proof: string) => string | undefined;
}

const STANDBY = 'it is a read-only standby, use the primary';

export const postgresProof: AnswerProof = {
  // a number, because the host may have given pg another parser for booleans
  sql: `concat_ws(',', pg_is_in_recovery()::int, current_setting('transaction_isolation'),
    current_setting('client_encoding'))`,
  faultOf(proof) {
    const [standby, isolation, encoding] = proof.split(',');
    if (standby !== '0') return STANDBY;
    if (isolation !== 'read committed') {
      return `default_transaction_isolation is '${String(isolation)}', it must be 'read committed'`;
    }
    return encoding === 'UTF8' ? undefined : `client_encoding is ${String(encoding)}, it must be UTF8`;
  },
};

export const mysqlProof: AnswerProof = {
  // with the length that MariaDB expects, it would cut the text: it expects 0 and writes OFF
  sql: `CAST(CONCAT_WS(',', @@global.read_only, @@global.innodb_read_only, @@autocommit,
    FIND_IN_SET('NO_BACKSLASH_ESCAPES', @@sql_mode), @@character_set_client, @@character_set_connection,
    @@character_set_results) AS CHAR(200))`,
  faultOf(proof) {
    const [readOnly, innodbReadOnly, autocommit, escapes, ...charsets] = proof.split(',');
    if (!isOff(readOnly) || !isOff(innodbReadOnly)) return STANDBY;
    if (autocommit !== '1' && autocommit !== 'ON') return 'autocommit is off, it must be on';
    if (escapes !== '0') {
      return 'sql_mode contains NO_BACKSLASH_ESCAPES, so the driver cannot quote text safely. Remove it from sql_mode';
    }
    if (charsets.length === 3 && charsets.every((charset) => charset === 'utf8mb4')) return undefined;
    return (
      `its connections use the character sets ${charsets.join(',')}, which lack characters of names. The library asks for ` +
      'utf8mb4, so remove skip-character-set-client-handshake and init_connect from the server'
    );
  },
};

/** More rows than any answer has. With a LIMIT, MariaDB plans the SELECT as it does without the proof. */
const MAX_ROWS = 1_000_000_000;

/** Some servers write 0, others OFF. */
const isOff = (value: string | undefined) => value === '0' || value === 'OFF';

/**
 * Wraps a SELECT so that its result has at least one row, and each row has the proof. A row with `found_row` NULL holds
 * the proof alone.
 *
 * @param order columns of the SELECT, because its own ORDER BY does not hold for the rows of the whole
 */
export function withProof(select: string, proof: AnswerProof, order: string | undefined): string {
  return `SELECT p.proof, q.* FROM (SELECT ${proof.sql} AS proof) p
    LEFT JOIN (SELECT 1 AS found_row, x.* FROM (${select}) x LIMIT ${MAX_ROWS}) q ON 1 = 1${order === undefined ? '' : ` ORDER BY ${order}`}`;
}
