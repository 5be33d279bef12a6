import { LOGGED_OUT, NOT_RECORDED } from '../channels/frontchannel-logout.js';
import { routePaths } from '../http/library-routes.js';
import { shown } from '../provider/token-claims.js';
import { type Random } from '../random.js';
import { type CheckResult, fault, ok, warning } from './check-result.js';
import { explain, forbidsCaching } from './foreign-answer.js';
import { type Answer, isAnswer, type Probe } from './probe.js';
import { type DoctorSettings } from './settings.js';

const NAME = 'front-channel';

/**
 * Requests `frontchannel_logout_uri` as the iframe of OneID's page does (Front-Channel Logout 1.0 §3), with a `sid` that
 * no session has. So the request has no effect.
 *
 * @param issuer as the provider names itself, if that is known
 */
export async function checkFrontchannel(
  { baseUrl }: DoctorSettings,
  issuer: string,
  probe: Probe,
  random: Random,
): Promise<CheckResult> {
  const parameters = new URLSearchParams({ iss: issuer, sid: random.id() }).toString();
  const uri = `${baseUrl}/${routePaths.frontchannel}`;
  const expected = `${uri}: the library's page, which OneID's page may frame`;
  const headers = { accept: 'text/html', 'sec-fetch-dest': 'iframe', 'sec-fetch-mode': 'navigate' };
  const answer = await probe(`${uri}?${parameters}`, { headers });
  if (!isAnswer(answer)) return fault(NAME, expected, { ...answer, found: answer.found.replace(`?${parameters}`, '') });
  if (answer.status === 503 && answer.body.includes(NOT_RECORDED)) {
    return fault(NAME, expected, {
      found: 'the library answered 503: it could not ask its database',
      advice: "Look at the app's log: its database is not available.",
    });
  }
  if (answer.status !== 200 || !answer.body.includes(LOGGED_OUT)) return fault(NAME, expected, explain(answer));
  return checkFraming(answer, new URL(issuer).origin, expected) ?? checkRest(answer, uri);
}

/** May a page of this origin frame the answer (CSP Level 3 §6.4.2.1, RFC 7034)? */
function checkFraming({ headers }: Answer, origin: string, expected: string): CheckResult | undefined {
  const policy = headers.get('content-security-policy') ?? '';
  // fetch joins several headers with commas, and each policy must allow it
  const ancestors = policy.split(/[;,]/).flatMap((directive) => {
    const [name = '', ...sources] = directive.trim().split(/\s+/);
    return name.toLowerCase() === 'frame-ancestors' ? [sources] : [];
  });
  const forbidding = ancestors.find((sources) => !sources.some((source) => allows(source, origin)));
  const frameOptions = headers.get('x-frame-options');
  const advice =
    'A proxy or a middleware that runs after the library (helmet, for example) sets this header. Let it leave this path alone.';
  if (forbidding !== undefined) {
    return fault(NAME, expected, {
      found: `Content-Security-Policy has frame-ancestors ${shown(forbidding.join(' '))}, so the browser does not show it in ${origin}`,
      advice,
    });
  }
  if (frameOptions === null) return undefined;
  const found = `X-Frame-Options is ${shown(frameOptions)}`;
  if (ancestors.length === 0)
    return fault(NAME, expected, { found: `${found}, so the browser shows it in no frame of OneID`, advice });
  return warning(NAME, 'no X-Frame-Options', {
    found: `${found}. Browsers obey frame-ancestors instead, but old ones don't`,
    advice,
  });
}

/** Does a source of `frame-ancestors` match this origin? */
function allows(source: string, origin: string): boolean {
  const { protocol, host } = new URL(origin);
  // the case and the path of a source do not count
  const [wanted = ''] = /^(?:[a-z]+:\/\/)?[^/]*/.exec(source.toLowerCase()) ?? [];
  if (['*', origin, protocol, host].includes(wanted)) return true;
  const [, scheme, parent] = /^(?:(https?:)\/\/)?\*(\..+)$/.exec(wanted) ?? [];
  return parent !== undefined && host.endsWith(parent) && (scheme === undefined || scheme === protocol);
}

function checkRest(answer: Answer, uri: string): CheckResult {
  if (!forbidsCaching(answer)) {
    return warning(NAME, 'Cache-Control: no-store', {
      found: `Cache-Control is ${shown(answer.headers.get('cache-control') ?? undefined)}`,
      advice: 'A cached answer ends no session. Let the proxy or the middleware keep the header of the library.',
    });
  }
  const cookies = answer.headers.getSetCookie().map((cookie) => cookie.split('=')[0]);
  if (cookies.length > 0) {
    return warning(NAME, 'no cookies for a browser without a session', {
      found: `the answer sets cookies: ${shown(cookies)}`,
      advice:
        'A session middleware runs at this path, too. It does no harm, but costs a session: leave the path out of it.',
    });
  }
  return ok(NAME, `${uri} answered with the library's page, which OneID may frame`);
}
