import assert from 'node:assert/strict';
import { parse } from 'node:querystring';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { FormBodyError, readForm } from '../../../libs/oneid-logout/src/http/form-body.js';
import { assertShowable, firstLine, type FuzzTarget, isAscii } from '../fuzz-target.js';

const FORM = 'application/x-www-form-urlencoded';
const MAX_SIZE = 64 * 1024;

const part = fc.oneof(
  fc.constantFrom('logout_token', 'logout_token=', '=', '&', '+', '%', '%2', '%3D', '%FF', '[]', '[a]', '?', 'é', '\0'),
  fc.constantFrom('__proto__=1', 'logout_token=e30.e30.e30', 'logout_token[]=a', 'logout_token=a&logout_token=b'),
  fc.string({ maxLength: 8 }),
);
const contentType = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(FORM, `${FORM}; charset=utf-8`, FORM.toUpperCase(), ` ${FORM} ;x`) },
  fc.constantFrom('application/json', 'text/plain', '', ';'),
  fc.string({ maxLength: 40 }),
);

type Parsed = [string, string][] | string;

/** The fields, or the message of the refusal. */
async function fieldsOf(request: Parameters<typeof readForm>[0]): Promise<Parsed> {
  try {
    return [...(await readForm(request))];
  } catch (error) {
    assert.ok(error instanceof FormBodyError, String(error));
    assertShowable(error.message);
    return error.message;
  }
}

/** The body as a request stream, in two chunks. */
function streamOf(body: Buffer): Readable {
  const middle = Math.floor(body.length / 3);
  return Readable.from([body.subarray(0, middle), body.subarray(middle)]);
}

/**
 * The body of a back-channel request, with its content type in the first line. The app or the library reads the body: the library finds
 * the same fields. References: WHATWG `URL`; and `querystring`, which parses bodies for Express.
 */
export const formBodyTarget: FuzzTarget = {
  name: 'form-body',
  inputs: fc
    .tuple(contentType, fc.array(part, { maxLength: 12 }))
    .map(([type, parts]) => `${type.replaceAll('\n', ' ')}\n${parts.join('')}`),
  async check(input) {
    const [type, text] = firstLine(input);
    const headers = { 'content-type': type };
    const body = Buffer.from(text);
    const fields = await fieldsOf({ headers, rawBody: body });
    assert.deepEqual(await fieldsOf({ headers, body: text }), fields);
    assert.deepEqual(await fieldsOf({ headers, raw: streamOf(body) }), fields);
    if (typeof fields === 'string') {
      const isForm = /^[\s]*application\/x-www-form-urlencoded[\s]*(;|$)/i.test(type);
      assert.ok(!isForm || body.length > MAX_SIZE, `refused a form: ${fields}`);
      return;
    }
    // outside ASCII, Node's decoding of raw characters beside a wrong escape differs between its own two parsers
    if (!isAscii(text)) return;
    const url = new URL('http://host/');
    url.search = `?${text.replaceAll(/[\t\n\r]/g, encodeURIComponent)}`;
    assert.deepEqual(fields, [...url.searchParams]);
    const parsed = await fieldsOf({ headers, body: parse(text, '&', '=', { maxKeys: 0 }) });
    assert.ok(typeof parsed !== 'string');
    const tokens = (all: readonly [string, string][]) =>
      all.filter(([name]) => name === 'logout_token').map(([, value]) => value);
    assert.deepEqual(tokens(parsed), tokens(fields));
  },
};
