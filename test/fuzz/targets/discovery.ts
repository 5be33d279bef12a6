import assert from 'node:assert/strict';
import { Logger } from '@nestjs/common';
import fc from 'fast-check';
import {
  ProviderMisconfiguredError,
  ProviderUnavailableError,
} from '../../../libs/oneid-logout/src/oneid-logout.errors.js';
import { OneIdProvider, type ProviderMetadata } from '../../../libs/oneid-logout/src/provider/oneid-provider.js';
import { TestClock } from '../../support/test-clock.js';
import { assertShowable, firstLine, type FuzzTarget } from '../fuzz-target.js';

// the library logs each fault of a provider
Logger.overrideLogger(false);

const ISSUER = 'https://oneid.example';
const clock = new TestClock(1_800_000_000_000);
const ENDPOINTS = ['jwks_uri', 'end_session_endpoint', 'revocation_endpoint'] as const;

const url = fc.oneof(
  fc.constantFrom(
    'https://oneid.example/x',
    'http://oneid.example/x',
    'http://localhost:1/x',
    'http://[::1]/',
    '//x',
    '',
  ),
  fc.constantFrom('https://user@x/', 'https://x/#f', 'https://x\\y', ' https://x/', 'https:x', 'javascript:1'),
  fc.webUrl({ withFragments: true }),
  fc.jsonValue({ maxDepth: 1 }),
);
const issuer = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(ISSUER, `${ISSUER}/`) },
  fc.constantFrom(`${ISSUER}//`, 'https://oneid.example/{tenantid}/', 'https://ONEID.example', null, ''),
  url,
);
const status = fc.oneof({ weight: 4, arbitrary: fc.constant(200) }, fc.constantFrom(201, 204, 301, 302, 404, 410, 500));
const type = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('application/json', 'application/json; charset=utf-8', '') },
  fc.constantFrom('text/html', 'application/jsonx', 'APPLICATION/JSON ;x'),
);

/** The provider's answer: status and content type in the first line, then the body. */
function answerOf(input: string): Response {
  const [first, body] = firstLine(input);
  const [, code = '', contentType = ''] = /^(\d{3}) ([\x20-\x7e]*)$/.exec(first) ?? [];
  const known = Number(code) >= 200 && Number(code) < 600 ? Number(code) : 200;
  const hasBody = known !== 204 && known !== 205 && known !== 304;
  const headers = contentType.trim() === '' ? {} : { 'content-type': contentType };
  return new Response(hasBody ? Buffer.from(body) : null, { status: known, headers });
}

/** Is this an endpoint to which a request may go? */
function isSafe(endpoint: unknown): boolean {
  if (typeof endpoint !== 'string') return false;
  const { protocol, hostname, username, password, hash } = new URL(endpoint);
  const isLocal = hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]';
  const isHere = isLocal || hostname.endsWith('localhost.') || /^127\./.test(hostname);
  return username + password + hash === '' && (protocol === 'https:' || (protocol === 'http:' && isHere));
}

/** A provider's answer to discovery. Reference: WHATWG `URL`. */
export const discoveryTarget: FuzzTarget = {
  name: 'discovery',
  inputs: fc
    .tuple(
      ...[status, type],
      fc.oneof(
        {
          weight: 4,
          arbitrary: fc
            .record(
              { issuer, jwks_uri: url, end_session_endpoint: url, revocation_endpoint: url, token_endpoint: url },
              { requiredKeys: ['issuer', 'jwks_uri'] },
            )
            .map((document) => JSON.stringify(document)),
        },
        fc.string(),
      ),
    )
    .map(([code, contentType, body]) => `${String(code)} ${contentType}\n${body}`),
  async check(input) {
    const provider = new OneIdProvider(ISSUER, undefined, clock, () => Promise.resolve(answerOf(input)));
    let metadata: ProviderMetadata;
    try {
      metadata = await provider.metadata();
    } catch (error) {
      assert.ok(
        error instanceof ProviderMisconfiguredError || error instanceof ProviderUnavailableError,
        String(error),
      );
      assert.equal(error.getStatus(), error instanceof ProviderUnavailableError ? 503 : 500);
      assertShowable(error.message);
      return;
    }
    assert.ok(metadata.issuer === ISSUER || metadata.issuer === `${ISSUER}/`);
    assert.ok(metadata.jwks_uri);
    for (const name of ENDPOINTS) {
      const endpoint = metadata[name];
      assert.ok(endpoint === undefined || isSafe(endpoint), `${name} is ${String(endpoint)}`);
    }
    assert.equal(await provider.isIssuer(metadata.issuer), true);
  },
};
