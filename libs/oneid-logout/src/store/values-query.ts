import { LRUCache } from 'lru-cache';
import { type SessionDatabase } from '../database/session-database.js';
import { type Turn } from '../database/statement-queue.js';
import { type SqlParameter, type SqlRow } from '../database/sql.js';
import { placeholders } from './sql-conditions.js';

interface QueryText {
  readonly sql: string;
  /** How many times the text has the list of values. */
  readonly uses: number;
}

/** How many texts to keep: one, or on SQLite one for each number of values. */
const MAX_TEXTS = 16;

/** The guard's query for the rows whose column has one of many values. It runs at every request, so its text is kept. */
export class ValuesQuery {
  private readonly texts = new LRUCache<string, QueryText>({ max: MAX_TEXTS });

  /** @param select makes the query from the right side of the condition on the values */
  constructor(
    private readonly database: SessionDatabase,
    private readonly select: (equalsAny: string) => string,
  ) {}

  async read(values: readonly string[], turn: Turn | undefined): Promise<readonly SqlRow[]> {
    const distinct = values.length === 1 ? values : [...new Set(values)];
    const { sql, uses } = this.textFor(distinct);
    const list: readonly SqlParameter[] = this.isOneParameter ? [distinct] : distinct;
    const parameters = uses === 1 ? list : Array.from({ length: uses }, () => list).flat();
    const options = { prepared: true, lane: 'check', ...(turn && { turn }) } as const;
    return (await this.database.read(sql, parameters, options)).rows;
  }

  private textFor(values: readonly string[]): QueryText {
    // tests replace the SQL of the clock
    const key = `${this.isOneParameter ? '' : values.length} ${this.database.dialect.now}`;
    const known = this.texts.get(key);
    if (known !== undefined) return known;
    const { selectAny } = this.database.dialect;
    const list = `IN (${placeholders(values)})`;
    const sql = selectAny === undefined ? this.select(list) : selectAny(this.select);
    const text = { sql, uses: sql.split(selectAny === undefined ? list : '?').length - 1 };
    this.texts.set(key, text);
    return text;
  }

  private get isOneParameter(): boolean {
    return this.database.dialect.selectAny !== undefined;
  }
}
