import { decodeJwt } from 'jose';
import { Clock } from '../clock.js';
import { InvalidIdTokenError, reasonOf } from '../oneid-logout.errors.js';
import { clientWithDefaults, type OneIdClientOptions, resolveClient } from '../provider/client-options.js';
import { IdTokenVerifier } from '../provider/id-token.js';
import { OneIdClients } from '../provider/oneid-clients.js';
import { ASYMMETRIC_ALGORITHMS } from '../provider/signature-algorithms.js';
import { TokenTimes } from '../provider/token-times.js';
import { type CheckResult, fault, ok, skipped } from './check-result.js';
import { type DoctorSettings } from './settings.js';

const NAME = 'ID token';
const EXPECTED = 'an ID token that the library accepts, with a sid';

/** Judges an ID token as a sign-in does, at the time of its `iat`: it may be older. It never shows the token. */
export async function checkIdToken(settings: DoctorSettings): Promise<CheckResult> {
  const { idToken, issuer, clientId, postLogoutRedirectUri, idTokenSignedResponseAlg, allowInsecureRequests } =
    settings;
  if (idToken === undefined) {
    return skipped(NAME, 'not checked: the doctor has no ID token', 'Give --id-token FILE, or set ONEID_ID_TOKEN.');
  }
  if (!ASYMMETRIC_ALGORITHMS.includes(idTokenSignedResponseAlg)) {
    return skipped(
      NAME,
      `not checked: ${idTokenSignedResponseAlg} needs the client's secret`,
      'Check it by a sign-in.',
    );
  }
  const given = { issuer, clientId, postLogoutRedirectUri, idTokenSignedResponseAlg, allowInsecureRequests };
  const client = resolveClient(clientWithDefaults(given) as OneIdClientOptions);
  const clock = new ClockAt(issueTimeOf(idToken));
  const times = new TokenTimes(clock, settings.clockToleranceSeconds, () => Promise.resolve(clock.now()));
  try {
    const verifier = new IdTokenVerifier(new OneIdClients([client], clock), times);
    const { sid, loginEnded } = await verifier.verify(idToken, {});
    if (sid !== undefined)
      return ok(NAME, `the library accepts it: iss, aud, ${idTokenSignedResponseAlg}, sub and sid are as expected`);
    return fault(NAME, EXPECTED, {
      found: loginEnded ? 'its sid is empty: OneID has ended the login during the sign-in' : 'it has no sid',
      advice: loginEnded
        ? 'Sign in once more, and check the new ID token.'
        : 'A logout then ends all sessions of the user, and the front-channel none. Register ' +
          'backchannel_logout_session_required as true, or have the provider put sid into ID tokens.',
    });
  } catch (error) {
    if (error instanceof InvalidIdTokenError) {
      return fault(NAME, EXPECTED, {
        found: error.message.replace(/^The ID token /, 'it '),
        advice:
          'Correct the option that the sentence names, or the registration at OneID, and give the doctor the same value.',
      });
    }
    return skipped(NAME, `not checked: ${reasonOf(error)}`, 'Correct the faults of discovery and keys first.');
  }
}

/** A clock that shows the time of the token, so that the token counts as new. */
class ClockAt extends Clock {
  constructor(private readonly time: number | undefined) {
    super();
  }

  override now(): number {
    return this.time ?? super.now();
  }
}

/** Milliseconds; undefined when the token has no `iat`. */
function issueTimeOf(idToken: string): number | undefined {
  try {
    const { iat } = decodeJwt(idToken);
    return typeof iat === 'number' ? iat * 1000 : undefined;
  } catch {
    return undefined;
  }
}
