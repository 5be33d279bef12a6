import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { type HttpAnswer } from '../http/http-answer.js';
import { type EndSessionRequest } from './end-session-request.js';
import { confirmPage, continuePage, failurePage, SCRIPT_SOURCE, STYLE_SOURCE } from './logout-pages.js';
import { type Language } from './logout-texts.js';

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

/** The texts and the tags of a page: an injected tag would appear here. */
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

const policy = (own: string) =>
  `default-src 'none'; style-src ${STYLE_SOURCE}; base-uri 'none'; ${own}; frame-ancestors 'none'`;

/** The policy allows the style by its hash, so all pages have the same style. */
const withoutStyle = ({ body = '', ...answer }: HttpAnswer) => ({
  ...answer,
  body: body.replace(/<style>[^<]*<\/style>/, '<style></style>'),
});

describe('each page', () => {
  const pages: [string, (language: Language) => HttpAnswer][] = [
    ['that goes on', (language) => continuePage(request({}), language)],
    ['that submits itself', (language) => continuePage({ ...request({ a: 'b' }), method: 'POST' }, language)],
    ['that asks', (language) => confirmPage('?confirm=abc', '/', language)],
    ['of a store that is down', (language) => failurePage(503, 'notLoggedOut', language)],
    ['of a OneID that is down', (language) => failurePage(503, 'loggedOutHereOnly', language)],
  ];

  it.each(pages)('%s allows only its own style', (_which, pageIn) => {
    const { headers, body = '' } = pageIn('en');
    const [, style = '', ...others] = /<style>([^<]*)<\/style>/.exec(body) ?? [];
    expect(others).toEqual([]);
    expect(body.match(/<style/g)).toHaveLength(1);
    const hash = createHash('sha256').update(style).digest('base64');
    expect(STYLE_SOURCE).toBe(`'sha256-${hash}'`);
    expect(headers?.['Content-Security-Policy']).toContain(`; style-src 'sha256-${hash}';`);
    expect(body).not.toMatch(/ style=|<link|@import|url\(/);
  });

  it.each(pages)('%s names its language, fits a phone, and has a heading in a landmark', (_which, pageIn) => {
    for (const language of ['en', 'vi'] as const) {
      const { body = '' } = pageIn(language);
      expect(body).toMatch(new RegExp(`^<!doctype html>\n<html lang="${language}">\n<meta charset="utf-8">\n`));
      expect(body).toContain('<meta name="viewport" content="width=device-width, initial-scale=1">');
      expect(body).toContain('color-scheme: light dark');
      const title = /<title>([^<]+)<\/title>/.exec(body)?.[1] ?? '';
      expect(body).toContain(`<main>\n<h1>${title}</h1>\n`);
    }
  });

  it.each(pages)('%s differs only in its texts and its language', (_which, pageIn) => {
    const marks = (language: Language) =>
      tagsOf(pageIn(language).body ?? '').map((tag) => tag.replace('lang="vi"', 'lang="en"'));
    expect(marks('vi')).toEqual(marks('en'));
    const texts = (language: Language) =>
      pageIn(language)
        .body?.match(/>[^<>]+</g)
        ?.filter((text) => text.trim() !== '><');
    expect(texts('vi')).not.toEqual(texts('en'));
  });

  it.each([
    [continuePage(request({}), 'vi'), 'Đang đăng xuất', ['Vui lòng chờ trong giây lát.', 'Tiếp tục']],
    [
      confirmPage('', '/', 'vi'),
      'Đăng xuất?',
      ['Yêu cầu này có thể đến từ một trang khác. Nếu không phải bạn yêu cầu, hãy chọn Hủy.', ...['Đăng xuất', 'Hủy']],
    ],
    [failurePage(503, 'notLoggedOut', 'vi'), 'Chưa đăng xuất được', ['Hiện chưa đăng xuất được. Vui lòng thử lại.']],
    [
      failurePage(503, 'loggedOutHereOnly', 'vi'),
      'Mới chỉ đăng xuất tại đây',
      ['Bạn đã đăng xuất tại đây, nhưng không kết nối được với OneID để đăng xuất ở đó.'],
    ],
  ])('has Vietnamese texts: %#', ({ body = '' }, title, texts) => {
    expect(body).toContain(`<title>${title}</title>`);
    for (const text of texts) expect(body).toContain(`>${text}<`);
  });
});

describe('continuePage', () => {
  it('RPI-2: continues by itself without a script when the URL is short', () => {
    const url = 'https://oneid.example/logout?a=1&b="2"';
    expect(withoutStyle(continuePage(request({}, url), 'en'))).toEqual({
      status: 200,
      headers: {
        ...commonHeaders,
        'Content-Security-Policy': policy("form-action 'none'"),
      },
      body: `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="0; url=https://oneid.example/logout?a=1&amp;b=&quot;2&quot;">
<title>Logging out</title>
<style></style>
<main>
<h1>Logging out</h1>
<p>You are being logged out.</p>
<p><a href="https://oneid.example/logout?a=1&amp;b=&quot;2&quot;">Go on</a></p>
</main>
</html>
`,
    });
  });

  it('RPI-2: is a form that submits itself when the URL is long, with a hash of its script and without form-action', () => {
    const { status, headers, body } = continuePage(
      { ...request({ id_token_hint: 'a.b.c', submit: 'x' }), method: 'POST' },
      'en',
    );
    expect(status).toBe(200);
    expect(headers).toEqual({
      ...commonHeaders,
      'Content-Security-Policy': policy(`script-src ${SCRIPT_SOURCE}`),
    });
    expect(body).toContain('<form method="post" action="https://oneid.example/logout?tenant=1&amp;x=2">');
    expect(body).toContain('<input type="hidden" name="id_token_hint" value="a.b.c">');
    // a field named submit must not hide the form's method
    expect(body).toContain('<script>HTMLFormElement.prototype.submit.call(document.forms[0])</script>');
  });

  it.each(hostileValues)('keeps %j inside its attribute', (value) => {
    const innocent = continuePage({ ...request({ name: 'value' }), method: 'POST' }, 'en').body ?? '';
    for (const fields of [{ name: value }, { [value]: 'value' }]) {
      const body = continuePage({ ...request(fields), method: 'POST' }, 'en').body ?? '';
      expect(tagsOf(body)).toEqual(tagsOf(innocent));
      const [, name, content] = /<input type="hidden" name="([^"]*)" value="([^"]*)">/.exec(body) ?? [];
      expect({ [decode(name ?? '')]: decode(content ?? '') }).toEqual(fields);
    }
    const url = `https://oneid.example/?x=${value}`;
    const page = continuePage(request({}, url), 'en').body ?? '';
    expect(tagsOf(page)).toEqual(tagsOf(continuePage(request({}), 'en').body ?? ''));
    expect(decode(/content="0; url=([^"]*)"/.exec(page)?.[1] ?? '')).toBe(url);
    expect(decode(/href="([^"]*)"/.exec(page)?.[1] ?? '')).toBe(url);
  });
});

describe('confirmPage', () => {
  it('has a form that can be posted only to this site, and a cancel link', () => {
    expect(withoutStyle(confirmPage('?confirm=abc', '/?a=1&b', 'en'))).toEqual({
      status: 200,
      headers: {
        ...commonHeaders,
        'Content-Security-Policy': policy("form-action 'self'"),
      },
      body: `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log out?</title>
<style></style>
<main>
<h1>Log out?</h1>
<form method="post" action="?confirm=abc">
<p>Another website may have asked for this logout. If you did not ask for it, choose Cancel.</p>
<p><button>Log out</button></p>
</form>
<p><a href="/?a=1&amp;b">Cancel</a></p>
</main>
</html>
`,
    });
  });

  it.each(hostileValues)('keeps %j inside its attribute', (value) => {
    const body = confirmPage(value, value, 'en').body ?? '';
    expect(tagsOf(body)).toEqual(tagsOf(confirmPage('?confirm=abc', '/', 'en').body ?? ''));
    expect(decode(/action="([^"]*)"/.exec(body)?.[1] ?? '')).toBe(value);
    expect(decode(/href="([^"]*)"/.exec(body)?.[1] ?? '')).toBe(value);
  });
});

describe('failurePage', () => {
  it.each([
    ['notLoggedOut', 'Not logged out', 'The app could not log you out. Please try again.'],
    [
      'loggedOutHereOnly',
      'Logged out here only',
      'You are logged out here. The app could not reach OneID, so you may still be logged in there.',
    ],
  ] as const)('tells the user what happened, without a link: %s', (failure, title, text) => {
    const { status, headers, body } = failurePage(503, failure, 'en');
    expect(status).toBe(503);
    expect(headers).toEqual({ ...commonHeaders, 'Content-Security-Policy': policy("form-action 'none'") });
    expect(body).toContain(`<title>${title}</title>`);
    expect(body).toContain(`<p>${text}</p>`);
    expect(body).not.toMatch(/refresh|href|<form|<script/);
  });
});
