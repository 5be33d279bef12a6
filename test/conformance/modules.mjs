/** What each logout module of the OpenID Foundation conformance suite must show, in the words of `play.ts`. */
const ASKED = 'OneID gets the ID token of session 1 as the hint, the registered address and a state.';
const ENDED = 'Session 1 ended, session 2 ended, session 3 alive.';
const ACCEPTED = `The token gets 200, not cached. ${ENDED}`;
const backAt = (path) => `Browser 1 comes back to ${path}.`;
const refusal = (code) =>
  `The token gets 400 ${code}, not cached. Session 1 ended, session 2 alive, session 3 alive. ${backAt('/goodbye')}`;
const iframe = (parameters) => `The iframe ${parameters} gets 200, not cached, and OneID may frame it.`;

/** By name. */
export const modules = {
  'oidcc-client-test-rp-init-logout': `${ASKED} ${ACCEPTED} ${backAt('/goodbye')}`,
  'oidcc-client-test-rp-init-logout-other-state': `${ASKED} ${ACCEPTED} ${backAt('/')}`,
  'oidcc-client-test-rp-init-logout-no-state': `${ASKED} ${ACCEPTED} ${backAt('/')}`,
  'oidcc-client-test-rp-backchannel-rpinitlogout': `${ACCEPTED} ${backAt('/goodbye')}`,
  'oidcc-client-test-rp-backchannel-rpinitlogout-alg-none': refusal('logout_token_alg_not_allowed'),
  'oidcc-client-test-rp-backchannel-rpinitlogout-wrong-alg': refusal('logout_token_alg_not_allowed'),
  'oidcc-client-test-rp-backchannel-rpinitlogout-wrong-iss': refusal('logout_token_issuer_unknown'),
  'oidcc-client-test-rp-backchannel-rpinitlogout-wrong-aud': refusal('logout_token_audience_mismatch'),
  'oidcc-client-test-rp-backchannel-rpinitlogout-no-event': refusal('logout_token_events_invalid'),
  'oidcc-client-test-rp-backchannel-rpinitlogout-wrong-event': refusal('logout_token_events_invalid'),
  'oidcc-client-test-rp-backchannel-rpinitlogout-with-nonce': refusal('logout_token_nonce_present'),
  'oidcc-client-test-rp-frontchannel-rpinitlogout': [
    `${iframe('without iss and sid')} Session 1 ended, session 2 alive, session 3 alive. ${backAt('/goodbye')}`,
    `${iframe('with both')} ${ENDED} ${backAt('/goodbye')}`,
  ].join(' '),
  'oidcc-client-test-rp-frontchannel-opinitlogout': [
    `${iframe('without iss and sid')} Session 1 alive, session 2 alive, session 3 alive.`,
    `${iframe('with both')} Session 1 alive, session 2 ended, session 3 alive.`,
  ].join(' '),
};

/** A module's line in docs/conformance.md. */
export const lineOf = (name, observed) => `- \`${name}\`: ${observed}`;

/** What is wrong with the observation of a module; undefined when it is the expected one, and the page has it. */
export function faultOf(name, observed, page) {
  if (observed !== modules[name]) return `expected: ${modules[name] ?? 'no such module'}`;
  if (!page.split('\n').includes(lineOf(name, observed))) return 'docs/conformance.md has another line';
  return undefined;
}
