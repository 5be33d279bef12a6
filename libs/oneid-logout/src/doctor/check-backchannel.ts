import { type Clock } from '../clock.js';
import { routePaths } from '../http/library-routes.js';
import { shown } from '../provider/token-claims.js';
import { type Random } from '../random.js';
import { type CheckResult, fault, type Finding, ok, warning } from './check-result.js';
import { explain, forbidsCaching, jsonOf, rateLimitOf } from './foreign-answer.js';
import { type Answer, isAnswer, type Probe } from './probe.js';
import { type DoctorSettings } from './settings.js';

const NAME = 'back-channel';

/** The library's answer to the doctor's token: it is for this app in all respects, but is no logout. */
const EXPECTED_CODE = 'logout_token_events_invalid';

/** Prefixes that apps often have, for a hint. */
const USUAL_PREFIXES = ['/api', '/v1', '/api/v1'];

/**
 * Sends a logout token without `events` to `backchannel_logout_uri`, as OneID would send one (Back-Channel Logout 1.0
 * §2.5). The library refuses it before it asks the provider or the database, so the request has no effect.
 *
 * @param issuer as the provider names itself, if that is known
 */
export async function checkBackchannel(
  { baseUrl, clientId, idTokenSignedResponseAlg: alg }: DoctorSettings,
  issuer: string,
  { probe, clock, random }: { readonly probe: Probe; readonly clock: Clock; readonly random: Random },
): Promise<CheckResult> {
  const token = tokenWithoutEvents({ issuer, clientId, alg }, clock, random);
  const post = (base: string) => {
    const body = new URLSearchParams({ logout_token: token }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: '*/*' };
    return probe(`${base}/${routePaths.backchannel}`, { method: 'POST', headers, body });
  };
  const answer = await post(baseUrl);
  const expected = `${baseUrl}/${routePaths.backchannel}: the library's 400 with the code ${EXPECTED_CODE}`;
  if (!isAnswer(answer)) return fault(NAME, expected, answer);
  const code = libraryCodeOf(answer);
  if (code === EXPECTED_CODE) return checkHeaders(answer);
  if (code !== undefined) return judgeCode(code, answer, expected);
  const finding = explain(answer);
  if (answer.status !== 404) return fault(NAME, expected, finding);
  for (const base of [...USUAL_PREFIXES.map((prefix) => baseUrl + prefix), new URL(baseUrl).origin]) {
    const other = base === baseUrl ? undefined : await post(base);
    if (other === undefined || !isAnswer(other) || libraryCodeOf(other) === undefined) continue;
    const advice = `The library answers at ${base}/${routePaths.backchannel}: register this URI at OneID, and give --base-url ${base}.`;
    return fault(NAME, expected, { found: finding.found, advice });
  }
  return fault(NAME, expected, finding);
}

function tokenWithoutEvents(
  { issuer, clientId, alg }: { readonly issuer: string; readonly clientId: string; readonly alg: string },
  clock: Clock,
  random: Random,
): string {
  const iat = Math.floor(clock.now() / 1000);
  const header = { alg, typ: 'logout+jwt' };
  const claims = { iss: issuer, aud: clientId, iat, exp: iat + 120, jti: random.id(), sid: random.id() };
  return [JSON.stringify(header), JSON.stringify(claims), 'no signature']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');
}

/** @returns the `code` of the library's own 400 (Back-Channel Logout 1.0 §2.8); undefined for another answer */
function libraryCodeOf({ status, body }: Answer): string | undefined {
  const { error, code } = jsonOf(body);
  return status === 400 && error === 'invalid_request' && typeof code === 'string' ? code : undefined;
}

function checkHeaders(answer: Answer): CheckResult {
  const limit = rateLimitOf(answer);
  if (limit !== undefined) {
    return warning(NAME, 'no rate limit at this path', {
      found: `the library answered, but a rate limit counts these requests (${shown(limit)})`,
      advice:
        'All logouts come from the few addresses of OneID. Leave this path out of the limit: with @nestjs/throttler, put ' +
        '@SkipThrottle() into routeDecorators.',
    });
  }
  if (!forbidsCaching(answer)) {
    return warning(NAME, 'Cache-Control: no-store', {
      found: `Cache-Control is ${shown(answer.headers.get('cache-control') ?? undefined)}`,
      advice: 'A proxy or a middleware has replaced the header of the library. Let it leave this path alone.',
    });
  }
  return ok(NAME, `${answer.url} refused a token without events, as it should`);
}

/** The library has answered, but not as it should: the app has other options, or the request came damaged. */
function judgeCode(code: string, { body }: Answer, expected: string): CheckResult {
  const { error_description: description } = jsonOf(body);
  const found = `the library answered 400 with the code ${shown(code)}: ${shown(description)}`;
  const finding = (advice: string): Finding => ({ found, advice });
  switch (code) {
    case 'logout_token_issuer_unknown':
      return fault(
        NAME,
        expected,
        finding('The app has another issuer than --issuer. Give both the issuer of your OneID.'),
      );
    case 'logout_token_audience_mismatch':
      return fault(
        NAME,
        expected,
        finding('The app has another clientId than --client-id. Give both the id of the registration.'),
      );
    case 'logout_token_alg_not_allowed':
      return fault(
        NAME,
        expected,
        finding(
          'The app has another idTokenSignedResponseAlg than --alg. Give both the algorithm of the registration.',
        ),
      );
    case 'logout_token_encryption_not_allowed':
      return warning(
        NAME,
        expected,
        finding('The app expects encrypted logout tokens. This is right if OneID encrypts them.'),
      );
    case 'logout_token_missing':
    case 'logout_request_malformed':
      return fault(
        NAME,
        expected,
        finding(
          'The form did not arrive. A proxy or a middleware has changed the body or its content type: let it leave this path alone.',
        ),
      );
    default:
      return fault(NAME, expected, finding('Give the doctor the same options as the app.'));
  }
}
