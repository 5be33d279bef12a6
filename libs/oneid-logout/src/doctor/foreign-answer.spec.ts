import { describe, expect, it } from '@jest/globals';
import { explain } from './foreign-answer.js';
import { type Answer } from './probe.js';

const url = 'http://app.example/backchannel_logout';
const HTML = { 'content-type': 'text/html' };

function answer(status: number, body = '', headers: Record<string, string> = {}, at = url): Answer {
  return { url: at, status, headers: new Headers(headers), body, askedAt: 0, answeredAt: 0 };
}

/** The body of Nest's exception filter. */
const nest = (statusCode: number, message: string) => answer(statusCode, JSON.stringify({ statusCode, message }));

const PUBLIC = 'Give the module your @Public() in routeDecorators, or leave its routes out of the guard.';
const NO_REDIRECT = 'OneID follows no redirect. Register the';

describe('an answer that the library has not made', () => {
  it.each<[string, Answer, found: string, advice: string]>([
    [
      'a redirect to https',
      answer(301, '', { location: 'https://app.example/backchannel_logout' }),
      "a redirect answered 301, to 'https://app.example/backchannel_logout'",
      `${NO_REDIRECT} https URI at OneID, and give it as --base-url.`,
    ],
    [
      'a redirect to a login page',
      answer(302, '', { location: '/login?next=%2Fbackchannel_logout#form' }),
      "a redirect answered 302, to '/login'",
      `It leads to a login. ${PUBLIC} A proxy must let the path through.`,
    ],
    ...['/user/log_in', '/oauth2/authorize', '/auth/realms/a', '/?page=sign-in', 'http://id.example/SSO/saml'].map(
      (location): [string, Answer, string, string] => [
        `a redirect to the login ${location}`,
        answer(302, '', { location }),
        `a redirect answered 302, to '${location.replace(/\?.*/, '')}'`,
        `It leads to a login. ${PUBLIC} A proxy must let the path through.`,
      ],
    ),
    ...['http://author.example/a', '/authors', '/blogin', '/lesson', '/?next=/processor'].map(
      (location): [string, Answer, string, string] => [
        `a redirect to ${location}, which is no login`,
        answer(302, '', { location }),
        `a redirect answered 302, to '${location.replace(/\?.*/, '')}'`,
        `${NO_REDIRECT} URI that answers by itself, and give it as --base-url.`,
      ],
    ),
    [
      'a redirect to another spelling of the path',
      answer(308, '', { location: '/backchannel_logout/' }),
      "a redirect answered 308, to '/backchannel_logout/'",
      `${NO_REDIRECT} URI that answers by itself, and give it as --base-url.`,
    ],
    [
      "the app's own 503",
      nest(503, 'Maintenance'),
      'the app answered 503',
      "Look at the app's log for the error, and correct it.",
    ],
    ['a guard: 401', nest(401, 'Unauthorized'), 'a guard of the app answered 401', PUBLIC],
    [
      'a proxy with a password',
      answer(401, '', { 'www-authenticate': 'Basic realm="staff"' }),
      "a proxy that asks for a password ('Basic') answered 401",
      'Have it let this path through without a password.',
    ],
    [
      'a 401 without a sign of its maker',
      answer(401),
      'a guard, a middleware or a proxy answered 401',
      `${PUBLIC} A proxy must let the path through.`,
    ],
    ['a guard: 403', nest(403, 'Forbidden resource'), 'a guard of the app answered 403', PUBLIC],
    [
      'a CSRF check',
      nest(403, 'invalid csrf token'),
      'a CSRF check answered 403',
      'Leave this path out of it: OneID has no CSRF token of your app.',
    ],
    [
      'a firewall',
      answer(403, '<html>Access denied</html>', HTML),
      'a proxy or a firewall answered 403',
      'Have it let the requests of OneID to this path through.',
    ],
    [
      'an app without this route',
      nest(404, 'Cannot POST /backchannel_logout'),
      'the app, but not at a route of this library, answered 404',
      'If the app has a global prefix or a version in its paths, add it to --base-url and to the URIs at OneID. The log of ' +
        'the boot shows them. Check that the app imports OneIdLogoutModule.',
    ],
    [
      'an app with a global prefix, outside it',
      answer(404, '<!DOCTYPE html>\n<pre>Cannot GET /frontchannel_logout</pre>', HTML),
      'the app, but not at a route of this library, answered 404',
      'If the app has a global prefix or a version in its paths, add it to --base-url and to the URIs at OneID. The log of ' +
        'the boot shows them. Check that the app imports OneIdLogoutModule.',
    ],
    [
      'a proxy without this path',
      answer(404, '<html>nginx</html>', HTML),
      'a proxy or another server answered 404',
      'Have the proxy pass this path on to the app, and check the host of --base-url.',
    ],
    [
      'a wrong method',
      answer(405),
      'a proxy or another server answered 405',
      'Have it allow this method: OneID sends POST for the back-channel, GET else.',
    ],
    [
      'a small limit of bodies',
      answer(413),
      'a proxy or a body parser answered 413',
      'Let it accept bodies of 64 KiB at this path. Logout tokens are smaller.',
    ],
    [
      'a wrong type',
      answer(415),
      'a body parser or a proxy answered 415',
      'Let it accept application/x-www-form-urlencoded at this path.',
    ],
    [
      'a throttler',
      nest(429, 'ThrottlerException: Too Many Requests'),
      'a throttler of the app answered 429',
      'Leave this path out of it: all logouts come from the few addresses of OneID. With @nestjs/throttler, put ' +
        '@SkipThrottle() into routeDecorators.',
    ],
    [
      'a pipe',
      nest(400, 'property logout_token should not exist'),
      'a pipe or a middleware of the app answered 400',
      'Let the request reach the library as it is: a global pipe, an interceptor or a filter must leave its routes alone.',
    ],
    [
      'a proxy without the app',
      answer(502, '<html>Bad Gateway</html>', HTML),
      'a proxy that does not reach the app answered 502',
      "Start the app, and check the proxy's address of it.",
    ],
    [
      'an app with an error',
      nest(500, 'Internal server error'),
      'the app answered 500',
      "Look at the app's log for the error, and correct it.",
    ],
    [
      'a single-page app',
      answer(200, '<!doctype html><div id="root">', HTML),
      'a page, such as that of a single-page app, answered 200',
      'Have the web server pass this path on to the app, before its pages.',
    ],
    [
      'another server',
      answer(200, 'hello', { 'content-type': 'text/plain' }),
      'something other than the library answered 200',
      'Check that this URL leads to the app that imports OneIdLogoutModule.',
    ],
  ])('%s', (_what, came, found, advice) => {
    expect(explain(came)).toEqual({ found, advice });
  });
});
