/** What the specifications ask of a relying party: each row has at least one test named with its id. */
export const rows = [
  {
    title: 'OpenID Connect Back-Channel Logout 1.0',
    rows: {
      'BC-1': 'a form POST with `logout_token`; unknown body parameters are ignored (§2.5)',
      'BC-2':
        '`iss aud iat jti events` are required; `exp` is checked when present, and mandatory on request; `iat` bounds the age (§2.4)',
      'BC-3':
        "signed by the provider's ID-token keys; `alg` pinned; `none` never; symmetric and asymmetric never mixed (§2.6)",
      'BC-4': '`iss` exact; `aud` our client and no untrusted other; not expired; not from the future (§2.6)',
      'BC-5': '`sub`, `sid` or both, non-empty strings (§2.4)',
      'BC-6': '`events` holds the back-channel logout event, an object; siblings are allowed (§2.4)',
      'BC-7': 'no `nonce` (§2.4)',
      'BC-8': 'the same token again is a retry: 200, nothing new; a reused `jti` loses no logout (§2.6)',
      'BC-9': '`typ` absent, `JWT` or `logout+jwt`; on request `logout+jwt` alone (§2.4)',
      'BC-10': '`sid` ends that session, `sub` alone all of the user; on request `sid` ends all of the user (§2.7)',
      'BC-11': 'already logged out, or nothing matched: 200 (§2.7)',
      'BC-12': '200 on success, 400 with JSON when the token is bad, never cached (§2.8)',
      'BC-13': 'what could not be stored or verified just now: 503 with `Retry-After`, never 200',
      'BC-14': 'encrypted logout tokens where agreed; then a plain one is refused (§2.6)',
      'BC-15': 'refresh tokens of ended sessions are revoked (§2.7)',
      'BC-16': 'unknown claims are ignored (§2.4)',
    },
  },
  {
    title: 'OpenID Connect Front-Channel Logout 1.0',
    rows: {
      'FC-1': 'GET in an iframe; `iss` and `sid` both or neither, anything else: 400 (§2)',
      'FC-2': 'ends a live session of `iss` and `sid` on the server, cookies or not; else 200 and nothing stored (§3)',
      'FC-3': 'neither: nothing; on request the session that an iframe carries ends (§2)',
      'FC-4': 'never revokes tokens: the request is unsigned',
      'FC-5': 'never cached; framed by the provider alone; dead cookies cleared (§3)',
    },
  },
  {
    title: 'OpenID Connect RP-Initiated Logout 1.0',
    rows: {
      'RPI-1': 'all parameters of §2, and others; an `end_session_endpoint` with a query of its own',
      'RPI-2': "the browser gets there under helmet's defaults, with long hints, and from `fetch`",
      'RPI-3': 'the session here ends first; if that fails the user is told and not sent on',
      'RPI-4': '`state` random, bound to the browser, used once; any other return lands on the default page (§3)',
      'RPI-5': 'where it returns to comes from an exact allow-list',
      'RPI-6': 'started by a POST of the same origin; GET on request (§6)',
    },
  },
  {
    title: 'Modules of the OpenID Foundation conformance suite',
    rows: {
      'rp-backchannel-rpinitlogout': 'valid: exactly 200',
      'rp-backchannel-rpinitlogout-alg-none': '400',
      'rp-backchannel-rpinitlogout-wrong-alg': '400',
      'rp-backchannel-rpinitlogout-wrong-iss': '400',
      'rp-backchannel-rpinitlogout-wrong-aud': '400',
      'rp-backchannel-rpinitlogout-no-event': '400',
      'rp-backchannel-rpinitlogout-wrong-event': '400',
      'rp-backchannel-rpinitlogout-with-nonce': '400',
      'rp-init-logout': 'there and back',
      'rp-init-logout-other-state': 'the default page',
      'rp-init-logout-no-state': 'the default page',
      'rp-frontchannel-rpinitlogout': 'the session ends',
      'rp-frontchannel-opinitlogout': 'the session ends',
    },
  },
];
