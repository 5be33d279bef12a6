import { type CheckResult } from './check-result.js';

/** A shorter secret is no secret, and its letters are in many words. */
const SHORTEST = 3;

/** Replaces secrets in everything that a check says: a driver may repeat the URL in its error. */
export function redact(result: CheckResult, secrets: readonly string[]): CheckResult {
  // the longest first, because one secret may contain another
  const hidden = secrets.filter(({ length }) => length >= SHORTEST).sort((a, b) => b.length - a.length);
  const clean = (text: string) =>
    hidden
      .reduce((shown, secret) => shown.replaceAll(secret, '***'), text)
      .replace(/(\/\/[^/\s:@]*):[^/\s@]*@/g, '$1:***@');
  const { found, expected, advice } = result;
  return { ...result, found: clean(found), expected: clean(expected), advice: clean(advice) };
}
