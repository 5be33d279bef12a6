import { describe, expect, it } from '@jest/globals';
import { InvalidLogoutRequestError } from '../oneid-logout.errors.js';
import { checkedAuthor } from './logout-author.js';

describe('checkedAuthor', () => {
  it.each([
    [undefined, undefined],
    [{}, undefined],
    [{ by: undefined, reason: undefined }, undefined],
    [{ by: 'ops@app.example' }, { by: 'ops@app.example' }],
    [{ reason: 'a phone was lost' }, { reason: 'a phone was lost' }],
    [
      { by: ' Quản trị ', reason: 'x'.repeat(255) },
      { by: ' Quản trị ', reason: 'x'.repeat(255) },
    ],
    [{ by: '😀'.repeat(255) }, { by: '😀'.repeat(255) }],
    [Object.assign({ by: 'a' }, { password: 'secret' }), { by: 'a' }],
  ])('of %j is %j', (author, checked) => {
    expect(checkedAuthor(author)).toEqual(checked);
  });

  const tooLong = 'must be a text of 1 to 255 characters without control characters';
  it.each([
    [{ by: '' }, `by ${tooLong}`],
    [{ by: 'a', reason: '' }, `reason ${tooLong}`],
    [{ by: 'x'.repeat(256) }, `by ${tooLong}`],
    [{ by: '😀'.repeat(256) }, `by ${tooLong}`],
    [{ by: 'a\0b' }, `by ${tooLong}`],
    [{ reason: 'a\nb' }, `reason ${tooLong}`],
    [{ reason: 'a\u007fb' }, `reason ${tooLong}`],
    [{ reason: 'a\u009bb' }, `reason ${tooLong}`],
    [{ by: 'a\ud800' }, `by ${tooLong}`],
    [{ by: 7 as never }, `by ${tooLong}`],
    [{ reason: ['a'] as never }, `reason ${tooLong}`],
    [{ reason: null as never }, `reason ${tooLong}`],
    [null as never, '{ by, reason } must be an object'],
    ['admin' as never, '{ by, reason } must be an object'],
    [3 as never, '{ by, reason } must be an object'],
  ])('refuses %j', (author, message) => {
    const check = () => checkedAuthor(author);
    expect(check).toThrow(InvalidLogoutRequestError);
    expect(check).toThrow(expect.objectContaining({ code: 'author_invalid', message }));
  });
});
