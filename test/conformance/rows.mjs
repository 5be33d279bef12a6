/** The rules of the specifications for a relying party. Each row has at least one test whose name has the row's id. */
export const rows = [
  {
    title: 'OpenID Connect Back-Channel Logout 1.0',
    rows: {
      'BC-1': 'The request is a form POST with `logout_token`. Unknown body parameters are ignored (§2.5).',
      'BC-2':
        '`iss aud iat jti events` are required. `exp` is checked when present, and an option makes it required. `iat` bounds the age (§2.4).',
      'BC-3':
        "The provider's keys for ID tokens have signed the token. `alg` is pinned, and never `none`. Symmetric and asymmetric algorithms are never mixed (§2.6).",
      'BC-4':
        '`iss` is exactly the provider. `aud` is our client, and no untrusted other audience. The token is not expired and not from the future (§2.6).',
      'BC-5': 'The token has `sub`, `sid` or both, as non-empty strings (§2.4).',
      'BC-6': '`events` has the back-channel logout event, an object. Other events are allowed beside it (§2.4).',
      'BC-7': 'The token has no `nonce` (§2.4).',
      'BC-8':
        'The same token again is a retry: the answer is 200, and nothing new is stored. A reused `jti` loses no logout (§2.6).',
      'BC-9': '`typ` is absent, `JWT` or `logout+jwt`. An option accepts only `logout+jwt` (§2.4).',
      'BC-10':
        'A `sid` ends this session. A `sub` alone ends all sessions of the user. With an option, a `sid` ends all sessions of its user (§2.7).',
      'BC-11': 'The answer is 200 if the session has already ended, or if no session matches (§2.7).',
      'BC-12': 'The answer is 200 on success, 400 with JSON for a bad token, and never cached (§2.8).',
      'BC-13': 'If the logout cannot be stored or verified now, the answer is 503 with `Retry-After`, never 200.',
      'BC-14': 'Logout tokens are encrypted if the client agreed on this. A plain token is then refused (§2.6).',
      'BC-15': 'Refresh tokens of ended sessions are revoked (§2.7).',
      'BC-16': 'Unknown claims are ignored (§2.4).',
    },
  },
  {
    title: 'OpenID Connect Front-Channel Logout 1.0',
    rows: {
      'FC-1':
        'The request is a GET in an iframe. It has both `iss` and `sid`, or neither; otherwise the answer is 400 (§2).',
      'FC-2':
        'The server ends an alive session of `iss` and `sid`, with or without cookies. Without such a session, the answer is 200, and nothing is stored (§3).',
      'FC-3':
        "A request without `iss` and `sid` ends nothing. With an option, it ends the session that the iframe's request carries (§2).",
      'FC-4': 'The front-channel never revokes tokens, because the request is unsigned.',
      'FC-5':
        'The answer is never cached. Only the provider may frame it. It clears the cookies of ended sessions (§3).',
    },
  },
  {
    title: 'OpenID Connect RP-Initiated Logout 1.0',
    rows: {
      'RPI-1':
        'The request has all parameters of §2, and additional ones. An `end_session_endpoint` keeps its own query.',
      'RPI-2': "The browser reaches OneID under helmet's defaults, with long hints, and from `fetch`.",
      'RPI-3': 'The session in the app ends first. If this fails, the user is told so, and is not sent to OneID.',
      'RPI-4':
        '`state` is random, bound to the browser, and works once. Any other return lands on the default page (§3).',
      'RPI-5': 'The return URL comes from an exact allow-list.',
      'RPI-6': 'A POST of the same origin starts the logout. An option allows a GET (§6).',
    },
  },
];
