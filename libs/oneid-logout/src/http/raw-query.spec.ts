import { describe, expect, it } from '@jest/globals';
import { rawQuery } from './raw-query.js';

describe('rawQuery', () => {
  const all = (request: object) => [...rawQuery(request)];

  it('reads the query as it was sent, however often a name is there', () => {
    expect(all({ url: '/x?a=1&a=2&b[]=3&c[d]=4&e=%26+%20' })).toEqual([
      ['a', '1'],
      ['a', '2'],
      ['b[]', '3'],
      ['c[d]', '4'],
      ['e', '&  '],
    ]);
  });

  it('prefers what was asked for to what a router has cut off', () => {
    expect(all({ originalUrl: '/prefix/x?a=1', url: '/x' })).toEqual([['a', '1']]);
  });

  it('does without a query', () => {
    for (const url of ['/x', '/x?', '', undefined]) expect(all({ url })).toEqual([]);
  });

  it('is not misled by further question marks, nor by what can not be decoded', () => {
    expect(all({ url: '/x?a=1?b=2' })).toEqual([['a', '1?b=2']]);
    expect(all({ url: '/x?a=%&b=%zz&c=%ff' })).toEqual([
      ['a', '%'],
      ['b', '%zz'],
      ['c', '\ufffd'],
    ]);
  });
});
