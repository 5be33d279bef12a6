import { type Sabotage } from './sabotage.js';

const source = 'libs/oneid-logout/src';
const service = `${source}/logout/logout.service.ts`;
const request = `${source}/logout/end-session-request.ts`;
const origin = `${source}/logout/logout-origin.ts`;
const start = 'test/logout-start.e2e-spec.ts';
const startOrigin = 'test/logout-start-origin.e2e-spec.ts';
const startReturn = 'test/logout-start-return.e2e-spec.ts';

/** The rules of OpenID Connect RP-Initiated Logout 1.0. */
export const logout: readonly Sabotage[] = [
  {
    promise: 'RPI-1',
    breaks: 'The query of the end_session_endpoint is damaged.',
    file: request,
    search: "return `${url}${url.includes('?') ? '&' : '?'}${query}`;",
    replace: 'return `${url}?${query}`;',
    test: {
      file: 'test/logout-start-settings.e2e-spec.ts',
      name: 'the option statePlacement RPI-1: an end_session_endpoint keeps its own query, in the URL and in the form',
    },
  },
  {
    promise: 'RPI-1',
    breaks: 'Without a hint, OneID gets a post_logout_redirect_uri and shows an error.',
    file: request,
    search: `...((idTokenHint !== undefined || hintlessLogout) && {`,
    replace: `...(true && {`,
    test: {
      file: `${source}/logout/end-session-request.spec.ts`,
      name: 'endSessionRequest RPI-1: has no state and no post_logout_redirect_uri without a hint',
    },
  },
  {
    promise: 'RPI-2',
    breaks: 'A long hint makes a URL that servers refuse.',
    file: request,
    search: `method: url.length > MAX_URL_LENGTH ? 'POST' : 'GET',`,
    replace: `method: 'GET',`,
    test: {
      file: start,
      name: 'starting a logout, on express the answer that leads to OneID RPI-2: the answer is a form that submits itself for an ID token of 18 kB',
    },
  },
  {
    promise: 'RPI-2',
    breaks: 'The policy of the form keeps the browser from OneID.',
    file: `${source}/logout/logout-pages.ts`,
    search: '{ language, title, policy: `script-src ${SCRIPT_SOURCE}` },',
    replace: "{ language, title, policy: `script-src ${SCRIPT_SOURCE}; form-action 'self'` },",
    test: {
      file: `${source}/logout/logout-pages.spec.ts`,
      name: 'continuePage RPI-2: is a form that submits itself when the URL is long, with a hash of its script and without form-action',
    },
  },
  {
    promise: 'RPI-3',
    breaks: 'The session here lives on when the browser goes to OneID.',
    file: service,
    search: `if (session !== undefined) await this.endAll(session, others, state.logoutId);`,
    replace: ``,
    test: {
      file: start,
      name: 'starting a logout, on express the session in the app ends first RPI-3: the session has ended before the answer',
    },
  },
  {
    promise: 'RPI-3',
    breaks: 'The browser goes to OneID although the logout could not be stored.',
    file: service,
    search: `if (session !== undefined) await this.endAll(session, others, state.logoutId);`,
    replace: `if (session !== undefined) await this.endAll(session, others, state.logoutId).catch(() => undefined);`,
    test: {
      file: start,
      name: 'starting a logout, on express the session in the app ends first when the logout cannot be stored RPI-3: a browser gets a failure page and is not sent to OneID',
    },
  },
  {
    promise: 'RPI-4',
    breaks: 'A state works again and again.',
    file: `${source}/store/session.repository.ts`,
    search: `WHERE id = ? AND returned_at IS NULL AND recorded_at >`,
    replace: `WHERE id = ? AND recorded_at >`,
    test: {
      file: startReturn,
      name: 'the return from a logout, on express state RPI-4: the state leads to the return URL of the logout, once',
    },
  },
  {
    promise: 'RPI-4',
    breaks: 'All logouts of a browser share one cookie, so a state works with the cookie of another.',
    file: `${source}/logout/logout-state.ts`,
    search: "digest(['cookie', state]).slice(0, 16)}`;",
    replace: "digest(['cookie']).slice(0, 16)}`;",
    test: {
      file: startReturn,
      name: 'the return from a logout, on express state RPI-4: two logouts of one browser at the same time do not mix',
    },
  },
  {
    promise: 'RPI-5',
    breaks: 'A forged cookie leads the browser to any URL.',
    file: `${source}/logout/logout-callback.controller.ts`,
    search: `const allowed = returnTo !== undefined && this.settings.allowsReturn(returnTo);`,
    replace: `const allowed = returnTo !== undefined;`,
    test: {
      file: startReturn,
      name: 'the return from a logout, on express the return URL RPI-5: checks again at the return: a forged cookie leads to no other URL',
    },
  },
  {
    promise: 'RPI-5',
    breaks: 'A return URL may have a spelling that leads to another site.',
    file: `${source}/http/return-url.ts`,
    search: `return URL.canParse(value, here) && new URL(value, here).href === here + value;`,
    replace: `return URL.canParse(value, here);`,
    test: { file: `${source}/http/return-url.spec.ts`, name: 'isReturnUrl RPI-5: refuses every hostile spelling' },
  },
  {
    promise: 'RPI-6',
    breaks: 'A page of another site starts a logout in an old browser.',
    file: origin,
    search: `return from === origin ? 'here' : 'elsewhere';`,
    replace: `return from === origin ? 'here' : 'here';`,
    test: {
      file: startOrigin,
      name: 'starting a logout, on express which pages may start a logout RPI-6: from another site, old browser',
    },
  },
  {
    promise: 'RPI-6',
    breaks: 'A page of a sister site starts a logout.',
    file: origin,
    search: `return site === 'same-origin' || site === 'none' ? 'here' : 'elsewhere';`,
    replace: `return site === 'same-origin' || site === 'same-site' || site === 'none' ? 'here' : 'elsewhere';`,
    test: {
      file: startOrigin,
      name: 'starting a logout, on express which pages may start a logout RPI-6: from a sister site',
    },
  },
  {
    promise: 'RPI-6',
    breaks: 'A GET starts a logout without the option.',
    file: service,
    search: `method === 'POST' || (method === 'GET' && options.allowGet === true && isNavigation(request));`,
    replace: `method === 'POST' || (method === 'GET' && isNavigation(request));`,
    test: {
      file: startOrigin,
      name: 'starting a logout, on express which pages may start a logout RPI-6: from our page',
    },
  },
  {
    promise: 'P8',
    breaks: 'A prefetch of the log-out link ends the session.',
    file: `${source}/http/navigation.ts`,
    search: `return PREFETCH_HEADERS.some((name) => headers[name] !== undefined && headers[name] !== '');`,
    replace: `return headers['purpose'] === 'prefetch';`,
    test: {
      file: startOrigin,
      name: 'starting a logout, on express which pages may start a logout P8: a GET that is a prefetch gets 403, and ends nothing',
    },
  },
];
