import { prefetchRefusal } from '../http/navigation.js';
import { shown } from '../provider/token-claims.js';
import { type CheckResult, fault, type Finding, ok, warning } from './check-result.js';
import { explain, forbidsCaching } from './foreign-answer.js';
import { type Answer, isAnswer, type Probe } from './probe.js';
import { type DoctorSettings } from './settings.js';

const NAME = 'callback';

/**
 * Requests `post_logout_redirect_uri` (RP-Initiated Logout 1.0 §3) as a browser does that loads a page in advance. The
 * library refuses this with words of its own, and its redirect of a navigation could be the redirect of any other route.
 * The refused request has no effect.
 */
export async function checkCallback(
  { postLogoutRedirectUri: uri }: DoctorSettings,
  probe: Probe,
): Promise<CheckResult> {
  const expected = `${uri}: the library's refusal of a prefetch (403, no-store)`;
  const answer = await probe(uri, { headers: { accept: 'text/html', 'sec-purpose': 'prefetch' } });
  if (!isAnswer(answer)) return fault(NAME, expected, answer);
  if (!isRefusal(answer)) return fault(NAME, expected, explainForeign(answer));
  if (forbidsCaching(answer)) return ok(NAME, `${uri} refused a prefetch, as it should`);
  return warning(NAME, 'Cache-Control: no-store', {
    found: `Cache-Control is ${shown(answer.headers.get('cache-control') ?? undefined)}`,
    advice: 'A proxy or a middleware has replaced the header of the library. Let it leave this path alone.',
  });
}

const isRefusal = ({ status, body }: Answer): boolean =>
  status === prefetchRefusal.status && body === prefetchRefusal.body;

function explainForeign(answer: Answer): Finding {
  const finding = explain(answer);
  if (answer.status !== 303) return finding;
  return {
    found: finding.found,
    advice:
      "This is not the library's route, which refuses a prefetch with a 403 of its own. A guard, another route or a proxy " +
      'has answered: let the requests to this path through to the library.',
  };
}
