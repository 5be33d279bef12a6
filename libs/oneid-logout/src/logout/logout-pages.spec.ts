import { describe, expect, it } from '@jest/globals';
import { type EndSessionRequest } from './end-session-request.js';
import { confirmPage, continuePage, failurePage } from './logout-pages.js';

const hostileValues = [
  '"><script>alert(1)</script>',
  "'><img src=x onerror=alert(1)>",
  '</form><form action="https://evil.example">',
  '" autofocus onfocus="alert(1)',
  '`${alert(1)}`',
  '&quot;&gt;<b>',
  '&#34;&#62;',
  '\0"><\u2028',
  '0; url=https://evil.example',
  'javascript:alert(1)',
  '</script><script>alert(1)</script>',
  '<!--',
  ']]>',
];

function request(
  fields: Record<string, string>,
  url = 'https://oneid.example/logout?client_id=app',
): EndSessionRequest {
  return { method: 'GET', url, action: 'https://oneid.example/logout?tenant=1&x=2', fields };
}

/** What is between the tags, and what the tags are: an injected one would show up here. */
function tagsOf(html: string): string[] {
  return [...html.matchAll(/<[!/]?[a-z-]*/g)].map(([tag]) => tag);
}

function decode(text: string): string {
  const entities: Record<string, string> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'" };
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (entity) => entities[entity] ?? entity);
}

const commonHeaders = {
  'Content-Type': 'text/html; charset=utf-8',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

describe('continuePage', () => {
  it('RPI-2: goes on by itself where the URL is short, without script', () => {
    const url = 'https://oneid.example/logout?a=1&b="2"';
    expect(continuePage(request({}, url))).toEqual({
      status: 200,
      headers: {
        ...commonHeaders,
        'Content-Security-Policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      },
      body: `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url=https://oneid.example/logout?a=1&amp;b=&quot;2&quot;"><title>Logging out</title>
<p>You are being logged out. <a href="https://oneid.example/logout?a=1&amp;b=&quot;2&quot;">Go on</a></p>
</html>
`,
    });
  });

  it('RPI-2: is a form that submits itself where it is long, with a nonce and without form-action', () => {
    const { status, headers, body } = continuePage({
      ...request({ id_token_hint: 'a.b.c', submit: 'x' }),
      method: 'POST',
    });
    const nonce = /<script nonce="([A-Za-z0-9+/=]{24})">/.exec(body ?? '')?.[1];
    expect(status).toBe(200);
    expect(headers).toEqual({
      ...commonHeaders,
      'Content-Security-Policy': `default-src 'none'; base-uri 'none'; script-src 'nonce-${nonce}'; frame-ancestors 'none'`,
    });
    expect(body).toContain('<form method="post" action="https://oneid.example/logout?tenant=1&amp;x=2">');
    expect(body).toContain('<input type="hidden" name="id_token_hint" value="a.b.c">');
    // a field named submit must not get in the way
    expect(body).toContain('HTMLFormElement.prototype.submit.call(document.forms[0])');
  });

  it('takes another nonce each time', () => {
    const nonces = [1, 2, 3].map(
      () => continuePage({ ...request({}), method: 'POST' }).headers?.['Content-Security-Policy'],
    );
    expect(new Set(nonces).size).toBe(3);
  });

  it.each(hostileValues)('keeps %j inside its attribute', (value) => {
    const innocent = continuePage({ ...request({ name: 'value' }), method: 'POST' }).body ?? '';
    for (const fields of [{ name: value }, { [value]: 'value' }]) {
      const body = continuePage({ ...request(fields), method: 'POST' }).body ?? '';
      expect(tagsOf(body)).toEqual(tagsOf(innocent));
      const [, name, content] = /<input type="hidden" name="([^"]*)" value="([^"]*)">/.exec(body) ?? [];
      expect({ [decode(name ?? '')]: decode(content ?? '') }).toEqual(fields);
    }
    const url = `https://oneid.example/?x=${value}`;
    const page = continuePage(request({}, url)).body ?? '';
    expect(tagsOf(page)).toEqual(tagsOf(continuePage(request({})).body ?? ''));
    expect(decode(/content="0; url=([^"]*)"/.exec(page)?.[1] ?? '')).toBe(url);
    expect(decode(/href="([^"]*)"/.exec(page)?.[1] ?? '')).toBe(url);
  });
});

describe('confirmPage', () => {
  it('asks by a form that may be posted to this site only', () => {
    expect(confirmPage('?confirm=abc')).toEqual({
      status: 200,
      headers: {
        ...commonHeaders,
        'Content-Security-Policy': "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
      },
      body: `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Log out?</title>
<form method="post" action="?confirm=abc">
<p>Do you want to log out? <button>Log out</button></p>
</form>
</html>
`,
    });
  });

  it.each(hostileValues)('keeps %j inside its attribute', (value) => {
    const body = confirmPage(value).body ?? '';
    expect(tagsOf(body)).toEqual(tagsOf(confirmPage('?confirm=abc').body ?? ''));
    expect(decode(/action="([^"]*)"/.exec(body)?.[1] ?? '')).toBe(value);
  });
});

describe('failurePage', () => {
  it('says what happened, and leads nowhere', () => {
    const { status, headers, body } = failurePage(503, 'Not <now>.');
    expect(status).toBe(503);
    expect(headers).toEqual({
      ...commonHeaders,
      'Content-Security-Policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    });
    expect(body).toContain('<p>Not &lt;now&gt;.</p>');
    expect(body).not.toMatch(/refresh|href|<form|<script/);
  });
});
