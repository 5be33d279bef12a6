import { LRUCache } from 'lru-cache';
import { type SqlDialect } from './sql-dialect.js';

/** How many texts the cache holds, and the longest text, characters. Longer texts insert many rows and come rarely. */
const MAX_TEXTS = 200;
const MAX_TEXT_LENGTH = 4_000;

/** Turns statements into the driver's form, and caches the texts. */
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
