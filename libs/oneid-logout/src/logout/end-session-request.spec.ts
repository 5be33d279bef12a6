import { describe, expect, it } from '@jest/globals';
import { signCompact } from '../testing/sign-compact.js';
import { endSessionRequest, isUsableHint, MAX_URL_LENGTH, refuseReserved } from './end-session-request.js';

const endpoint = 'https://oneid.example/oauth2/sessions/logout';
const client = {
  clientId: 'app',
  postLogoutRedirectUri: 'https://app.example/logout/callback',
  statePlacement: 'parameter',
} as const;

function parametersOf(url: string): Record<string, string> {
  return Object.fromEntries(new URL(url).searchParams);
}

describe('endSessionRequest', () => {
  it('RPI-1: has every parameter of the specification under its wire name, and additional ones', () => {
    const { url, method, action, fields } = endSessionRequest(endpoint, client, {
      idTokenHint: 'a.b.c',
      state: 'the state',
      logoutHint: 'alice&bob',
      uiLocales: 'vi en',
      parameters: { theme: 'dark', 'odd name': '"<&\u00e9' },
    });
    const expected = {
      theme: 'dark',
      'odd name': '"<&\u00e9',
      id_token_hint: 'a.b.c',
      post_logout_redirect_uri: 'https://app.example/logout/callback',
      state: 'the state',
      client_id: 'app',
      logout_hint: 'alice&bob',
      ui_locales: 'vi en',
    };
    expect(method).toBe('GET');
    expect(action).toBe(endpoint);
    expect(fields).toEqual(expected);
    expect(parametersOf(url)).toEqual(expected);
    expect(url.split('?')[0]).toBe(endpoint);
  });

  it('RPI-1: has no state and no post_logout_redirect_uri without a hint', () => {
    const { url, fields } = endSessionRequest(endpoint, client, { state: 'the state', uiLocales: 'vi' });
    expect(fields).toEqual({ client_id: 'app', ui_locales: 'vi' });
    expect(url).toBe(`${endpoint}?client_id=app&ui_locales=vi`);
  });

  it('without state, sends the redirect URI as registered, with every statePlacement', () => {
    for (const statePlacement of ['parameter', 'redirectUri', 'both'] as const) {
      const { fields } = endSessionRequest(endpoint, { ...client, statePlacement }, { idTokenHint: 'a.b.c' });
      expect(fields).toEqual({
        id_token_hint: 'a.b.c',
        post_logout_redirect_uri: 'https://app.example/logout/callback',
        client_id: 'app',
      });
    }
  });

  it.each([
    ['parameter', 'https://app.example/cb', { post_logout_redirect_uri: 'https://app.example/cb', state: 's&1' }],
    ['redirectUri', 'https://app.example/cb', { post_logout_redirect_uri: 'https://app.example/cb?state=s%261' }],
    [
      'both',
      'https://app.example/cb?Z=1&a=%2f',
      { post_logout_redirect_uri: 'https://app.example/cb?Z=1&a=%2f&state=s%261', state: 's&1' },
    ],
  ] as const)('places state as %s in %s', (statePlacement, postLogoutRedirectUri, expected) => {
    const { fields } = endSessionRequest(
      endpoint,
      { clientId: 'app', postLogoutRedirectUri, statePlacement },
      { idTokenHint: 'a.b.c', state: 's&1' },
    );
    expect(fields).toEqual({ id_token_hint: 'a.b.c', client_id: 'app', ...expected });
  });

  it.each([
    ['https://oneid.example/logout?tenant=a%2fb', 'https://oneid.example/logout?tenant=a%2fb&client_id=app'],
    ['https://oneid.example/logout?', 'https://oneid.example/logout?&client_id=app'],
    ['https://oneid.example', 'https://oneid.example?client_id=app'],
  ])('RPI-1: keeps the endpoint %s unchanged', (given, url) => {
    expect(endSessionRequest(given, client, {})).toMatchObject({ url, action: given });
  });

  it('RPI-2: becomes a POST when the URL is longer than servers accept', () => {
    const shortest = endSessionRequest(endpoint, client, { idTokenHint: '' }).url.length;
    const longest = endSessionRequest(endpoint, client, { idTokenHint: 'x'.repeat(MAX_URL_LENGTH - shortest) });
    expect(longest.url).toHaveLength(MAX_URL_LENGTH);
    expect(longest.method).toBe('GET');
    const longer = endSessionRequest(endpoint, client, { idTokenHint: 'x'.repeat(MAX_URL_LENGTH - shortest + 1) });
    expect(longer.method).toBe('POST');
    expect(MAX_URL_LENGTH).toBe(7_000);
  });
});

describe('refuseReserved', () => {
  it.each(['id_token_hint', 'client_id', 'logout_hint', 'post_logout_redirect_uri', 'state', 'ui_locales'])(
    'refuses %s, which the library sets',
    (name) => {
      expect(() => refuseReserved({ theme: 'dark', [name]: 'x' })).toThrow(
        expect.objectContaining({
          code: 'parameter_reserved',
          message: `parameters must not contain ${name}: the library sets it`,
        }),
      );
    },
  );

  it('accepts other parameters', () => {
    expect(() => refuseReserved({ State: 'x', theme: 'dark' })).not.toThrow();
    expect(() => refuseReserved()).not.toThrow();
  });
});

describe('isUsableHint', () => {
  const issuer = 'https://oneid.example/';
  const claims = { iss: issuer, aud: ['app'], sub: 'alice', sid: 'sid-1', iat: 1, exp: 2 };

  function usable(changes: Record<string, unknown>, session: { sid?: string } = { sid: 'sid-1' }): boolean {
    return isUsableHint(signCompact({ ...claims, ...changes }, 'none'), issuer, 'app', session.sid);
  }

  it('accepts an ID token of this client and login, also an expired one', () => {
    expect(usable({})).toBe(true);
    expect(usable({ aud: 'app' })).toBe(true);
    expect(usable({ aud: ['other', 'app'] })).toBe(true);
  });

  it('accepts an ID token with or without sid when the session has no sid', () => {
    expect(usable({}, {})).toBe(true);
    expect(usable({ sid: undefined }, {})).toBe(true);
  });

  it.each([
    ['issuer', { iss: 'https://other.example/' }],
    ['issuer, but for the slash', { iss: 'https://oneid.example' }],
    ['no issuer', { iss: undefined }],
    ['client', { aud: ['other'] }],
    ['no client', { aud: undefined }],
    ['no subject', { sub: undefined }],
    ['no iat', { iat: undefined }],
    ['login', { sid: 'sid-2' }],
    ['no login', { sid: undefined }],
    ['a login of another type', { sid: ['sid-1'] }],
  ])('refuses another %s', (_what, changes) => {
    expect(usable(changes)).toBe(false);
  });

  it.each(['', 'garbage', 'a.b', 'a.b.c', '..', 'e30.e30.', `${'e30.'.repeat(4)}e30`, '"><script>'])(
    'refuses %j',
    (token) => {
      expect(isUsableHint(token, issuer, 'app', undefined)).toBe(false);
    },
  );
});
