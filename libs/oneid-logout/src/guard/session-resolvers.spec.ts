import { describe, expect, it } from '@jest/globals';
import { sessionFromCookie } from './session-resolvers.js';

describe('sessionFromCookie', () => {
  it('finds the session token in each cookie with the name', () => {
    const resolve = sessionFromCookie('session');
    const found = (cookie?: string) => resolve({ headers: { cookie } });

    expect(found('a=1; session=one')).toEqual({ sessionToken: 'one' });
    expect(found('session=one; session=two')).toEqual([{ sessionToken: 'one' }, { sessionToken: 'two' }]);
    expect(found('session_2=one')).toBeUndefined();
    expect(found()).toBeUndefined();
  });

  // with an empty name, the search in a header of cookies would never end
  it.each(['', ' ', 'a b', 'a;b', 'a=b', 'a\n', undefined])('refuses the name %j', (name) => {
    expect(() => sessionFromCookie(name as string)).toThrow(
      new TypeError("sessionFromCookie() needs the name of a cookie, such as '__Host-session'"),
    );
  });
});
