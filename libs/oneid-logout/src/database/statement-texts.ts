import { LRUCache } from 'lru-cache';
import { type SqlDialect } from './sql-dialect.js';

/** How many texts are kept, and how long they may be: characters. Longer ones are those of many rows, each used rarely. */
const MAX_TEXTS = 200;
const MAX_TEXT_LENGTH = 4_000;

/** Statements as the driver takes them, each text made once. */
export class StatementTexts {
  private readonly texts = new LRUCache<string, string>({ max: MAX_TEXTS });

  constructor(private readonly dialect: SqlDialect) {}

  /** @param sql with `?` for each parameter */
  textOf(sql: string): string {
    const known = this.texts.get(sql);
    if (known !== undefined) return known;
    let n = 0;
    const text = sql.replace(/\?/g, () => this.dialect.placeholder(++n));
    if (sql.length <= MAX_TEXT_LENGTH) this.texts.set(sql, text);
    return text;
  }
}
