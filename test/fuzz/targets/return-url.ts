import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isReturnUrl } from '../../../libs/oneid-logout/src/http/return-url.js';
import { type FuzzTarget } from '../fuzz-target.js';

const part = fc.oneof(
  fc.constantFrom('/', '//', '\\', '..', '.', '?', '#', '@', ':', '%2F', '%5C', '\t', '\n', '\0', ' ', '[::1]', 'é'),
  fc.constantFrom('http:', 'https://', 'javascript:', 'evil.example', 'a', 'user:pass', ':8080', '127.1', 'xn--'),
  fc.string({ maxLength: 6 }),
);

/** A URL to which a logout may send the browser. Reference: how WHATWG `URL`, and so a browser, resolves it. */
export const returnUrlTarget: FuzzTarget = {
  name: 'return-url',
  inputs: fc.array(part, { maxLength: 8 }).map((parts) => parts.join('')),
  check(value) {
    if (!isReturnUrl(value)) return;
    assert.match(value, /^[\x21-\x7e]+$/, 'a space or a control character');
    assert.match(value, /^[^\\?#]+([?#]|$)/, 'a backslash in the path');
    const [here, there] = ['https://app.example', 'https://other.example:444'].map(
      (base) => new URL(value, `${base}/a/b?c`),
    );
    assert.ok(here !== undefined && there !== undefined);
    assert.equal(here.username + here.password, '');
    if (value.startsWith('/')) {
      assert.equal(here.href, `https://app.example${value}`);
      assert.equal(there.href, `https://other.example:444${value}`);
    } else {
      assert.match(here.protocol, /^https?:$/);
      assert.equal(here.href, there.href);
      assert.equal(here.href.replace(/\/$/, ''), value.replace(/\/$/, ''));
    }
    assert.ok(isReturnUrl(value.startsWith('/') ? here.pathname + here.search + here.hash : here.href));
  },
};
