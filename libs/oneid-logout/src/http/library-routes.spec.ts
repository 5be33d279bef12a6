import { describe, expect, it } from '@jest/globals';
import { isLibraryRoute } from './library-routes.js';

describe('isLibraryRoute', () => {
  it.each([
    '/backchannel_logout',
    '/frontchannel_logout/',
    '/logout/callback',
    '/api/v1/backchannel_logout',
    '/:tenant/BACKCHANNEL_LOGOUT',
  ])('returns true for %s', (path) => expect(isLibraryRoute(path)).toBe(true));

  it.each([
    '/',
    '/logout',
    '/callback',
    '/mybackchannel_logout',
    '/backchannel_logout/x',
    '/backchannel_logouts',
    undefined,
    /x/,
  ])('returns false for %s', (path) => expect(isLibraryRoute(path)).toBe(false));
});
