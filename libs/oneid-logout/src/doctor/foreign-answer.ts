import { shown } from '../provider/token-claims.js';
import { type Finding } from './check-result.js';
import { type Answer } from './probe.js';

const PUBLIC = 'Give the module your @Public() in routeDecorators, or leave its routes out of the guard.';

/** Words in the path or the query of a page that asks for a login. */
const LOGIN = /(?<![a-z])(?:log[-_]?in|sign[-_]?in|auth|oauth2?|authori[sz]e|authenticat(?:e|ion)|sso)(?![a-z])/i;

/** Express's own page, outside Nest's global prefix. */
const FROM_EXPRESS = /<pre>Cannot (GET|POST) \//;

/**
 * Explains an answer at one of the module's routes that the library has not made: what has answered instead, and what
 * to do. OneID would count it as a failed logout.
 */
export function explain(answer: Answer): Finding {
  const { status, headers, body } = answer;
  const by = (who: string, advice: string): Finding => ({ found: `${who} answered ${status}`, advice });
  const fromNest = isNestError(body);
  if (status >= 300 && status < 400) return explainRedirect(answer);
  switch (status) {
    case 401: {
      const scheme = headers.get('www-authenticate')?.split(' ')[0];
      if (fromNest) return by('a guard of the app', PUBLIC);
      if (scheme === undefined)
        return by('a guard, a middleware or a proxy', `${PUBLIC} A proxy must let the path through.`);
      return by(
        `a proxy that asks for a password (${shown(scheme)})`,
        'Have it let this path through without a password.',
      );
    }
    case 403:
      if (/csrf/i.test(body))
        return by('a CSRF check', 'Leave this path out of it: OneID has no CSRF token of your app.');
      if (fromNest) return by('a guard of the app', PUBLIC);
      return by('a proxy or a firewall', 'Have it let the requests of OneID to this path through.');
    case 404:
      if (fromNest || FROM_EXPRESS.test(body)) {
        return by(
          'the app, but not at a route of this library,',
          'If the app has a global prefix or a version in its paths, add it to --base-url and to the URIs at OneID. The log ' +
            'of the boot shows them. Check that the app imports OneIdLogoutModule.',
        );
      }
      return by(
        'a proxy or another server',
        'Have the proxy pass this path on to the app, and check the host of --base-url.',
      );
    case 405:
      return by(
        'a proxy or another server',
        'Have it allow this method: OneID sends POST for the back-channel, GET else.',
      );
    case 413:
      return by('a proxy or a body parser', 'Let it accept bodies of 64 KiB at this path. Logout tokens are smaller.');
    case 415:
      return by('a body parser or a proxy', 'Let it accept application/x-www-form-urlencoded at this path.');
    case 429:
      return by(
        /ThrottlerException/.test(body) ? 'a throttler of the app' : 'a rate limit',
        'Leave this path out of it: all logouts come from the few addresses of OneID. With @nestjs/throttler, put ' +
          '@SkipThrottle() into routeDecorators.',
      );
    case 400:
      return by(
        fromNest ? 'a pipe or a middleware of the app' : 'a middleware or a proxy',
        'Let the request reach the library as it is: a global pipe, an interceptor or a filter must leave its routes alone.',
      );
  }
  if ([502, 503, 504].includes(status) && !fromNest) {
    return by('a proxy that does not reach the app', "Start the app, and check the proxy's address of it.");
  }
  if (status >= 500) return by('the app', "Look at the app's log for the error, and correct it.");
  if (isHtml(answer)) {
    return by(
      'a page, such as that of a single-page app,',
      'Have the web server pass this path on to the app, before its pages.',
    );
  }
  return by('something other than the library', 'Check that this URL leads to the app that imports OneIdLogoutModule.');
}

function explainRedirect({ url, status, headers }: Answer): Finding {
  const location = headers.get('location') ?? '';
  const found = `a redirect answered ${status}, to ${redirectTarget(headers)}`;
  const target = URL.canParse(location, url) ? new URL(location, url) : undefined;
  const from = new URL(url);
  if (target?.protocol === 'https:' && from.protocol === 'http:') {
    return { found, advice: 'OneID follows no redirect. Register the https URI at OneID, and give it as --base-url.' };
  }
  if (target !== undefined && LOGIN.test(target.pathname + target.search) && target.pathname !== from.pathname) {
    return { found, advice: `It leads to a login. ${PUBLIC} A proxy must let the path through.` };
  }
  return {
    found,
    advice: 'OneID follows no redirect. Register the URI that answers by itself, and give it as --base-url.',
  };
}

/** Where a redirect leads to, for a message: without query and fragment, which may hold a `state` or a code. */
export const redirectTarget = (headers: Headers): string => shown(headers.get('location')?.replace(/[?#].*$/s, ''));

export const isHtml = ({ headers, body }: Answer): boolean =>
  /^text\/html/i.test(headers.get('content-type') ?? '') || /^\s*<(!doctype|html)/i.test(body);

/** Nest's exception filter writes the status into the body. */
function isNestError(body: string): boolean {
  return 'statusCode' in jsonOf(body);
}

/** The members of a JSON object; empty for every other text. */
export function jsonOf(body: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** @returns the value of a rate limit's header. OneID's logouts share a few addresses, so a limit meets them soon */
export function rateLimitOf({ headers }: Answer): string | undefined {
  const [, limit] = [...headers].find(([name]) => /^(x-)?ratelimit-(limit|policy)/.test(name)) ?? [];
  return limit;
}

export const forbidsCaching = ({ headers }: Answer): boolean => /no-store/i.test(headers.get('cache-control') ?? '');
