import { isRecord } from '../option-checks.js';
import { KeySet } from '../provider/key-set.js';
import { ASYMMETRIC_ALGORITHMS, isSameAlgorithm } from '../provider/signature-algorithms.js';
import { shown } from '../provider/token-claims.js';
import { type CheckResult, fault, ok, skipped, warning } from './check-result.js';
import { type Discovered, jsonFault } from './check-provider.js';
import { isAnswer, type Probe } from './probe.js';
import { type DoctorSettings } from './settings.js';

/** Fetches the provider's keys: `keys` says whether one can verify the tokens, `key ids` whether each has its own `kid`. */
export async function checkKeys(
  settings: DoctorSettings,
  { jwksUri }: Discovered,
  probe: Probe,
): Promise<CheckResult[]> {
  const { idTokenSignedResponseAlg: alg } = settings;
  if (!ASYMMETRIC_ALGORITHMS.includes(alg)) {
    const found = `not checked: the client's secret verifies ${alg}, and no key of the provider does`;
    return [skipped('keys', found, 'Check an ID token by a sign-in.')];
  }
  const expected = `a key set with a key for ${alg}`;
  const answer = await probe(jwksUri, { headers: { accept: 'application/json', 'cache-control': 'no-cache' } });
  if (!isAnswer(answer)) return [fault('keys', expected, answer)];
  const transport = jsonFault(answer, "jwks_uri of the provider's configuration");
  if (transport !== undefined) return [fault('keys', expected, transport)];
  const content = parsed(answer.body);
  const set = KeySet.of(content);
  if (set === undefined) {
    return [
      fault('keys', expected, {
        found: `${jwksUri} answered with something other than a key set, which is an object with a list of keys`,
        advice: "Correct jwks_uri in the provider's configuration.",
      }),
    ];
  }
  if (!set.has(alg)) {
    return [
      fault('keys', expected, {
        found: `${jwksUri} has no key for ${alg}. It contains: ${String(set)}`,
        advice:
          'If the provider signs with another algorithm, set idTokenSignedResponseAlg of the client, and give the doctor ' +
          '--alg. A key must be public, for signatures, and of at least 2048 bits if it is RSA.',
      }),
    ];
  }
  return [ok('keys', `${jwksUri} has a key for ${alg}: ${String(set)}`), checkKeyIds(content)];
}

function checkKeyIds(content: unknown): CheckResult {
  const keys = isRecord(content) && Array.isArray(content['keys']) ? (content['keys'] as unknown[]) : [];
  const ids = keys.map((key) => (isRecord(key) ? key['kid'] : undefined));
  const twice = [...new Set(ids.filter((id, index) => id !== undefined && ids.indexOf(id) !== index))];
  const expected = 'a kid of its own for each key';
  const advice = 'The library tries each key that may fit. Other programs may not: give each key a kid of its own.';
  if (twice.length > 0)
    return warning('key ids', expected, { found: `several keys have the kid ${shown(twice)}`, advice });
  if (ids.length > 1 && ids.includes(undefined)) {
    return warning('key ids', expected, { found: 'a key of several has no kid', advice });
  }
  return ok('key ids', ids.length === 1 ? 'one key' : `${ids.length} keys, each with a kid of its own`);
}

/** The algorithms that the provider says it signs ID tokens with (OpenID Connect Discovery 1.0 §3). */
export function checkAlgorithm(
  { idTokenSignedResponseAlg: alg }: DoctorSettings,
  { document }: Discovered,
): CheckResult {
  const offered = document['id_token_signing_alg_values_supported'];
  if (!Array.isArray(offered)) return ok('algorithm', `${alg}; the provider does not say which it uses`);
  if (offered.some((one) => isSameAlgorithm(one, alg) || one === alg))
    return ok('algorithm', `the provider signs with ${alg}`);
  return fault('algorithm', alg, {
    found: `the provider signs ID tokens with ${shown(offered)}`,
    advice:
      'Set idTokenSignedResponseAlg of the client to the algorithm that this client is registered with, and give it as --alg.',
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
