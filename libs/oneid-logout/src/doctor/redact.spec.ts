import { describe, expect, it } from '@jest/globals';
import { type CheckResult } from './check-result.js';
import { databaseOf } from './database-url.js';
import { redact } from './redact.js';

const result = (text: string): CheckResult => ({
  ...{ name: 'database', status: 'fault', found: text, expected: text, advice: text },
});

describe('what a check says', () => {
  const url = 'postgres://app:top%2Fsecret@db.example/app?sslpassword=another';
  const { secrets } = databaseOf(url, {});

  it.each([
    ['the URL', `can't parse ${url}`, "can't parse ***"],
    ['the password as it is in the URL', 'no top%2Fsecret', 'no ***'],
    ['the password as the driver gets it', 'no top/secret', 'no ***'],
    ['the password of a key', 'wrong passphrase another', 'wrong passphrase ***'],
    ['a URL of another maker', 'mysql://root:pw@h/x failed', 'mysql://root:***@h/x failed'],
  ])('never shows %s', (_what, text, shown) => {
    expect(redact(result(text), secrets)).toEqual(result(shown));
  });

  it('keeps other texts, and URLs with a port', () => {
    const text = 'https://app.example:8443/logout/callback answered 404, see a@b.example';
    expect(redact(result(text), secrets)).toEqual(result(text));
  });

  it('has no characters that a terminal obeys or that turn the direction of a text, and keeps letters of all languages', () => {
    const text = 'https://a.example/\u001b[31m\u009b2J\u0007\u202e Đăng xuất\n';
    expect(redact(result(text), secrets)).toEqual(result('https://a.example/?[31m?2J?? Đăng xuất\n'));
  });

  it('a password of one or two letters hides no words', () => {
    const short = databaseOf('mysql://root:a@db.example/app', {}).secrets;
    expect(redact(result('mysql://root:a@db.example/app: Access denied'), short)).toEqual(result('***: Access denied'));
  });
});
