import { describe, expect, it } from '@jest/globals';
import { rawQuery } from './raw-query.js';

describe('rawQuery', () => {
  const all = (request: object) => [...rawQuery(request)];

  it('returns the query as it was sent, with repeated names', () => {
    expect(all({ url: '/x?a=1&a=2&b[]=3&c[d]=4&e=%26+%20' })).toEqual([
      ['a', '1'],
      ['a', '2'],
      ['b[]', '3'],
      ['c[d]', '4'],
      ['e', '&  '],
    ]);
  });

  it('uses the original URL rather than the URL that a router has shortened', () => {
    expect(all({ originalUrl: '/prefix/x?a=1', url: '/x' })).toEqual([['a', '1']]);
  });

  it('is empty without a query', () => {
    for (const url of ['/x', '/x?', '', undefined]) expect(all({ url })).toEqual([]);
  });

  it('accepts more question marks and invalid escapes', () => {
    expect(all({ url: '/x?a=1?b=2' })).toEqual([['a', '1?b=2']]);
    expect(all({ url: '/x??a=1' })).toEqual([['?a', '1']]);
    expect(all({ url: '/x?a=%&b=%zz&c=%ff' })).toEqual([
      ['a', '%'],
      ['b', '%zz'],
      ['c', '\ufffd'],
    ]);
  });
});
