import { type Clock } from '../clock.js';
import { OneIdLogoutError, reasonOf } from '../oneid-logout.errors.js';
import { isSecureUrl } from '../option-checks.js';
import { OneIdProvider } from '../provider/oneid-provider.js';
import { shown } from '../provider/token-claims.js';
import { withoutSlash } from '../rule/issuer.js';
import { type CheckResult, fault, type Finding, findingOf, ok, skipped, warning } from './check-result.js';
import { redirectTarget } from './foreign-answer.js';
import { type Answer, isAnswer, type Probe } from './probe.js';
import { type DoctorSettings } from './settings.js';

/** The provider's configuration as it came, for the checks that read more of it than the library does. */
export interface Discovered {
  readonly issuer: string;
  readonly jwksUri: string;
  readonly document: Readonly<Record<string, unknown>>;
  readonly answer: Answer;
}

export interface DiscoveryCheck {
  readonly result: CheckResult;
  /** undefined: the library could not use the provider's answer. */
  readonly discovered?: Discovered;
}

const DISCOVERY = 'discovery';

/** Asks the provider for its configuration, and has the library judge it (OpenID Connect Discovery 1.0 §4). */
export async function checkDiscovery(settings: DoctorSettings, probe: Probe, clock: Clock): Promise<DiscoveryCheck> {
  const { issuer, allowInsecureRequests } = settings;
  const expected = `the configuration of ${issuer}, as JSON`;
  const refused = (finding: Finding) => ({ result: fault(DISCOVERY, expected, finding) });
  if (!isSecureUrl(issuer) && !allowInsecureRequests) {
    return {
      result: fault(DISCOVERY, 'an https issuer (http only on loopback)', {
        found: `the issuer is ${issuer}, without TLS`,
        advice:
          'Use the https issuer. If you trust the network, set allowInsecureRequests of the client, and give the doctor ' +
          '--allow-insecure-requests.',
      }),
    };
  }
  const answer = await probe(`${withoutSlash(issuer)}/.well-known/openid-configuration`, {
    headers: { accept: 'application/json', 'cache-control': 'no-cache' },
  });
  if (!isAnswer(answer)) return refused(answer);
  const transport = jsonFault(answer, 'the option issuer');
  if (transport !== undefined) return refused(transport);
  try {
    const again = () => Promise.resolve(new Response(answer.body, { status: 200, headers: answer.headers }));
    const provider = new OneIdProvider(issuer, undefined, clock, again, allowInsecureRequests);
    const { issuer: named, jwks_uri: jwksUri } = await provider.metadata();
    const document = JSON.parse(answer.body) as Record<string, unknown>;
    const found = `${answer.url} answered with the configuration of this issuer`;
    return { result: ok(DISCOVERY, found), discovered: { issuer: named, jwksUri, document, answer } };
  } catch (error) {
    const { found, advice } = findingOf(
      error instanceof OneIdLogoutError ? reasonOf(error) : 'the answer is no JSON',
      "Compare the option issuer with the issuer that OneID's operators name.",
    );
    return refused({ found, advice: `${advice} ${SAME_VALUE}` });
  }
}

const SAME_VALUE = 'Give the app and the doctor the same value.';

/** The issuer, character for character. The library accepts another slash at the end; other code may not. */
export function checkIssuer({ issuer }: DoctorSettings, discovered: Discovered): CheckResult {
  if (discovered.issuer === issuer) return ok('issuer', `${issuer}, exactly as the provider names itself`);
  return warning('issuer', shown(discovered.issuer), {
    found: `${shown(issuer)}: it differs in the trailing slash`,
    advice:
      'This library accepts both, unless the option endpoints is set. Other code, such as your sign-in, may compare the ' +
      'issuer exactly, so write it as the provider does.',
  });
}

/** The hosts of the provider's endpoints, which the app or the browser must reach. */
export function checkEndpoints({ issuer }: DoctorSettings, { document }: Discovered): CheckResult {
  const name = 'endpoints';
  if (document['end_session_endpoint'] === undefined) {
    return warning(name, 'an end_session_endpoint', {
      found: 'the configuration has no end_session_endpoint',
      advice:
        "A logout then ends the session in this app only. Look for the provider's setting that switches RP-initiated logout on.",
    });
  }
  const { host } = new URL(issuer);
  const urls = Object.entries(document).filter(([key]) => /(_endpoint|^jwks_uri)$/.test(key));
  const foreign = urls.flatMap(([key, url]) => {
    const other = typeof url === 'string' && URL.canParse(url) ? new URL(url).host : host;
    return other === host ? [] : [`${key} on ${other}`];
  });
  if (foreign.length === 0) return ok(name, `all on ${host}, with an end_session_endpoint`);
  return warning(name, `endpoints on ${host}`, {
    found: foreign.join(', '),
    advice:
      'Some providers use several hosts on purpose. Otherwise a proxy in front of the provider hides its public host: ' +
      "correct the provider's public URL. Let the app reach these hosts.",
  });
}

/** What the provider says of its logout channels (Back-Channel Logout 1.0 §2.1, Front-Channel Logout 1.0 §3). */
export function checkLogoutSupport({ document }: Discovered): CheckResult {
  const name = 'logout channels';
  const missing = (['backchannel', 'frontchannel'] as const).flatMap((channel) =>
    [`${channel}_logout_supported`, `${channel}_logout_session_supported`].filter((key) => document[key] !== true),
  );
  const expected = 'backchannel_logout_supported and backchannel_logout_session_supported: true';
  const finding = (advice: string) => ({ found: `not true: ${missing.join(', ')}`, advice });
  const lacks = (key: string) => missing.includes(key);
  if (lacks('backchannel_logout_supported') && lacks('frontchannel_logout_supported')) {
    return fault(
      name,
      expected,
      finding('The provider tells no app about a logout. Switch its back-channel logout on, or ask its operators to.'),
    );
  }
  if (lacks('backchannel_logout_supported')) {
    return warning(
      name,
      expected,
      finding(
        'Only the browser tells this app about a logout, and a closed browser tells nothing. Ask for back-channel logout.',
      ),
    );
  }
  if (lacks('backchannel_logout_session_supported')) {
    return warning(
      name,
      expected,
      finding('Logout tokens may lack sid. A logout then ends all sessions of the user, not of one browser login.'),
    );
  }
  const rest = missing.length === 0 ? 'back-channel and front-channel' : 'back-channel';
  return ok(name, `the provider offers ${rest} logout, with sid`);
}

/** Why the provider's answer can't be used. undefined: its status is 200, and its type may be JSON. */
export function jsonFault({ url, status, headers, body }: Answer, option: string): Finding | undefined {
  const type = headers.get('content-type') ?? '';
  if (status >= 300 && status < 400) {
    return {
      found: `${url} answered ${status}, a redirect to ${redirectTarget(headers)}`,
      advice: `The library follows no redirect of the provider. Put the URL that answers by itself into ${option}. ${SAME_VALUE}`,
    };
  }
  if (status === 404 || status === 410) {
    return {
      found: `${url} answered ${status}`,
      advice: `Nothing is there: ${option} has a wrong host, or lacks a path such as /realms/NAME. ${SAME_VALUE}`,
    };
  }
  if (status !== 200) {
    return {
      found: `${url} answered ${status}`,
      advice:
        status >= 500
          ? 'The provider, or the proxy in front of it, has a problem now. Look at its log, and try again.'
          : 'A proxy or a firewall in front of the provider refuses this machine. Ask its operators to let it through.',
    };
  }
  if (/^text\/html/i.test(type) || /^\s*</.test(body)) {
    return {
      found: `${url} answered with an HTML page, not with JSON`,
      advice: `The URL leads to a website, or a proxy shows a page of its own. Check ${option}. ${SAME_VALUE}`,
    };
  }
  return undefined;
}

/** The checks that need the provider's configuration, when there is none. */
export function withoutDiscovery(...names: readonly string[]): CheckResult[] {
  return names.map((name) =>
    skipped(name, 'not checked: discovery has failed', 'Correct the fault of discovery first.'),
  );
}
