import { type CheckResult } from './check-result.js';

/** A shorter secret is no secret, and its letters are in many words. */
const SHORTEST = 3;

/** Everything but printable characters and spaces: a terminal obeys some, and hides others. */
const UNPRINTABLE = /[^\P{C}\s]/gu;

/**
 * Replaces secrets in everything that a check says, because a driver may repeat the URL in its error; and characters that
 * a terminal would obey, because a provider or a database may have sent the text.
 */
export function redact(result: CheckResult, secrets: readonly string[]): CheckResult {
  // the longest first, because one secret may contain another
  const hidden = secrets.filter(({ length }) => length >= SHORTEST).sort((a, b) => b.length - a.length);
  const clean = (text: string) =>
    hidden
      .reduce((shown, secret) => shown.replaceAll(secret, '***'), text)
      .replace(/(\/\/[^/\s:@]*):[^/\s@]*@/g, '$1:***@')
      .replace(UNPRINTABLE, '?');
  const { found, expected, advice } = result;
  return { ...result, found: clean(found), expected: clean(expected), advice: clean(advice) };
}
