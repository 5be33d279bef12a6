import { routePaths } from '../http/library-routes.js';
import { type CheckResult, fault, ok, warning } from './check-result.js';
import { explain, forbidsCaching } from './foreign-answer.js';
import { isAnswer, type Probe } from './probe.js';
import { type DoctorSettings } from './settings.js';

const NAME = 'callback';

/**
 * Requests `post_logout_redirect_uri` without `state`, so the request has no effect (RP-Initiated Logout 1.0 §3). The
 * library answers with 303, to the first of `returnUrls`.
 */
export async function checkCallback(
  { postLogoutRedirectUri: uri }: DoctorSettings,
  probe: Probe,
): Promise<CheckResult> {
  const expected = `${uri}: the library's redirect (303, no-store) to the first of returnUrls`;
  const answer = await probe(uri, { headers: { accept: 'text/html' } });
  if (!isAnswer(answer)) return fault(NAME, expected, answer);
  if (answer.status === 303 && forbidsCaching(answer)) return ok(NAME, `${uri} answered with the library's redirect`);
  if (answer.status === 303) {
    return warning(NAME, expected, {
      found: 'it answered 303, but without Cache-Control: no-store',
      advice: `Check that the URI leads to the library's route ${routePaths.callback}, and that no proxy removes the header.`,
    });
  }
  return fault(NAME, expected, explain(answer));
}
