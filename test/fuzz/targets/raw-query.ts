import assert from 'node:assert/strict';
import fc from 'fast-check';
import { rawQuery } from '../../../libs/oneid-logout/src/http/raw-query.js';
import { type FuzzTarget, isAscii } from '../fuzz-target.js';

const part = fc.oneof(
  fc.constantFrom('iss', 'sid', 'state', '=', '&', '?', '+', '%20', '%', '%C3%A9', '%FF', '[]', ';', '/', '\0', 'é'),
  fc.string({ maxLength: 8 }),
);

/** The query of a request target, as Express and Fastify give it. Reference: WHATWG `URL`. */
export const rawQueryTarget: FuzzTarget = {
  name: 'raw-query',
  inputs: fc
    .tuple(fc.constantFrom('/frontchannel_logout', '/', ''), fc.array(part, { maxLength: 12 }))
    .map(([path, parts]) => `${path}?${parts.join('')}`),
  check(target) {
    const query = rawQuery({ url: target });
    assert.deepEqual([...rawQuery({ originalUrl: target, url: '/other?sid=2' })], [...query]);
    assert.deepEqual([...new URLSearchParams(query.toString())], [...query]);
    // a request target is ASCII (RFC 9112 §3.2); a URL drops the fragment and some control characters
    if (!isAscii(target) || /[#\t\n\r]|^[\0- ]|[\0- ]$/.test(target)) return;
    const url = `http://host/${target.replace(/^\/*/, '')}`;
    if (!target.startsWith('?')) assert.deepEqual([...query], [...new URL(url).searchParams]);
  },
};
