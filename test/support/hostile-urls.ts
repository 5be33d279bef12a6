/** The host that the URLs below try to lead a browser to. */
export const evil = 'evil.example';

/** The return URLs that the tests' host allows. The lists below imitate them. */
export const returnUrls = ['/', '/goodbye', 'https://app.example/goodbye'];

const slashes = ['/', '\\'];
const controls = [
  ...['\0', '\x01', '\b', '\t', '\n', '\v', '\f', '\r', '\x1f', ' ', '\x7f', '\x85', '\xa0', '\xad'],
  ...['\u180e', '\u200b', '\u200d', '\u2028', '\u2029', '\u202e', '\u2060', '\u3000', '\ufeff', '\r\n', '\n\n'],
];

const slashRuns = [1, 2, 3, 4].flatMap((length) => words(slashes, length));

/**
 * Browsers read two or more slashes or backslashes as the start of a host. One slash starts a path. One backslash is
 * hostile too, because no app uses it to start a path.
 */
const leadingSlashes = slashRuns.filter((run) => run !== '/').flatMap((run) => [run + evil, `${run}${evil}/goodbye`]);

const controlled = controls.flatMap((control) => [
  `${control}//${evil}`,
  `/${control}/${evil}`,
  `//${control}${evil}`,
  `/${control}\\${evil}`,
  `/${control}${evil}`,
  `${control}/goodbye`,
  `/goodbye${control}`,
  `/good${control}bye`,
  `${control}https://${evil}`,
  `https:${control}//${evil}`,
  `https:/${control}/${evil}`,
  `https://${control}${evil}`,
  `https://${evil}${control}`,
  `https://app.example${control}.${evil}/goodbye`,
  `htt${control}ps://${evil}`,
]);

const dotted = ['/..', '/.', '/./', '/../', '/goodbye/..', '/goodbye/../', '/%2e', '/%2E%2e', '/.%2e'].flatMap(
  (dots) => [`${dots}//${evil}`, `${dots}/\\${evil}`, `${dots}\\${evil}`],
);

const halfSchemes = ['https:', 'http:', 'HTTPS:', 'hTTpS:', 'Http:'].flatMap((scheme) =>
  ['', ...slashRuns].map((run) => scheme + run + evil).filter((url) => !/^https?:\/\/evil/.test(url)),
);

const schemes = [
  ...['javascript', 'JavaScript', 'JAVASCRIPT', 'jaVasCript', 'vbscript', 'VBScript', 'livescript', 'mocha', 'data'],
  ...['Data', 'DATA', 'blob', 'file', 'ftp', 'ws', 'wss', 'about', 'view-source', 'jar', 'intent', 'mailto', 'tel'],
  ...['sms', 'chrome', 'resource', 'ms-settings', 'feed', 'filesystem', 'mhtml', 'gopher', 'x', 'h\u0442tps'],
].flatMap((scheme) => [
  `${scheme}:alert(1)`,
  `${scheme}://${evil}/%0aalert(1)`,
  `${scheme}:text/html,<script>alert(1)</script>`,
  ` ${scheme}:alert(1)`,
  `${scheme}\t:alert(1)`,
  `\x01${scheme}:alert(1)`,
  `${scheme.slice(0, 1)}\n${scheme.slice(1)}:alert(1)`,
]);

const userinfo = ['@', ':@', ':443@', ':pw@', '%00@', '\\@', '%20@', '&@', ';@', '@@', '%40@'].flatMap((at) => [
  `https://app.example${at}${evil}`,
  `https://app.example${at}${evil}/goodbye`,
  `//app.example${at}${evil}`,
  `https://${evil}${at}app.example/goodbye`,
]);

/** Characters that a URL parser changes into a dot, a slash or a letter, or that look like one to a person. */
const unicode = [
  ...['\u3002', '\uff0e', '\uff61', '\u2024', '\ufe52'].flatMap((dot) => [
    `https://app.example${dot}${evil}`,
    `https://evil${dot}example/`,
    `//evil${dot}example`,
  ]),
  ...['\uff0f', '\u2044', '\u2215', '\u29f8', '\u2571', '\ufe68', '\uff3c', '\u2216', '\u29f5'].flatMap((slash) => [
    `${slash}${slash}${evil}`,
    `/${slash}${evil}`,
    `https:${slash}${slash}${evil}`,
    `https://app.example${slash}.${evil}`,
  ]),
  ...['\uff20', '\ufe6b'].map((at) => `https://app.example${at}${evil}`),
  ...['\uff03', '\ufe5f'].map((hash) => `https://${evil}${hash}app.example`),
  ...['\uff1f', '\ufe56'].map((mark) => `https://${evil}${mark}app.example`),
  ...[
    '\u0430pp.example',
    'app.ex\u0430mple',
    'a\u0300pp.example',
    '\u24d0pp.example',
    '\uff41pp.example',
    'app.example\u200b',
  ].map((host) => `https://${host}/goodbye`),
  ...['fa\u00df.example', '\u212bpp.example', 'app.e\u00adxample', '\u{1d41a}pp.example', 'xn--\u0430.example'].map(
    (host) => `https://${host}/`,
  ),
  ...['/g\u043e\u043edbye', '/goodbye\u0000', '/\ud800', '/\udfff//evil.example', '/goodbye\u0301'],
];

/** IP addresses in unusual forms, and texts that are not valid hosts. */
const hosts = [
  ...['0x7f.1', '0x7f000001', '2130706433', '017700000001', '127.1', '127.0.1', '0', '0x0', '127.0.0.1.', '1.1'],
  ...['[::ffff:127.0.0.1]', '[0:0:0:0:0:0:0:1]', '[::1%25eth0]', '[::1', '::1', '[::]]', '[evil.example]', ''],
  ...['%65vil.example', 'evil%2eexample', 'evil.example%2f', 'evil.example%00', 'EVIL.example', 'Evil.Example'],
  ...['evil .example', 'evil<.example', 'evil^.example', 'evil|.example', '%'],
].map((host) => `https://${host}/goodbye`);

const ports = [':443', ':0443', ':', ':00443', ':65536', ':-1', ':4 43', ':443x', ':\uff14\uff14\uff13'].map(
  (port) => `https://app.example${port}/goodbye`,
);

const notUrls = [
  ...[
    '',
    ' ',
    '.',
    '..',
    './goodbye',
    '../goodbye',
    'goodbye',
    'evil.example',
    `${evil}/goodbye`,
    '?goodbye',
    '#goodbye',
  ],
  ...[
    '*',
    '://',
    ':',
    '@',
    '%2f%2fevil.example',
    '%5c%5cevil.example',
    '<>',
    '"',
    "'",
    '`',
    '|',
    '{}',
    'null',
    'undefined',
  ],
  ...['https://', 'http://', 'https:///', 'https://?', 'https://#', 'https://@', 'https://:80', '//', '///', '\\\\'],
  ...['/a b', '/<script>', '/"onload="', '/{x}', '/a\\b', '/a/./b', '/a/../b', '/a/..', '/.', '/..', '/a/%2e%2e/b'],
  ...['/goodbye\r\nSet-Cookie: a=b', '/goodbye\nLocation: //evil.example', '/\r\n\r\n<script>alert(1)</script>'],
  ...[
    'https://app.example/goodbye\r\nX: y',
    'https://app.example/a b',
    'https://app.example/"',
    'https://app.example/..',
  ],
  ...[
    'https://app.example\\goodbye',
    'https://app.example/a\\b',
    'https:\\\\app.example/goodbye',
    'https://app.example#x',
  ],
];

/**
 * URLs whose spelling is not allowed for a return URL: browsers read them differently from people, two browsers read
 * them differently, or no browser can read them.
 */
export const hostileUrls: readonly string[] = unique([
  ...leadingSlashes,
  ...controlled,
  ...dotted,
  ...halfSchemes,
  ...schemes,
  ...userinfo,
  ...unicode,
  ...hosts,
  ...ports,
  ...notUrls,
]);

/**
 * Valid URLs of other sites, and paths on this site that look like an allowed path. Their spelling is correct, so only
 * the allow-list refuses them.
 */
export const foreignUrls: readonly string[] = unique([
  ...[`https://${evil}`, `https://${evil}/`, `http://${evil}/`, `https://${evil}/goodbye`, `https://${evil}:8443/`],
  ...[
    `https://app.example.${evil}/goodbye`,
    `https://app.example-${evil}/goodbye`,
    'https://app.example.:8443/goodbye',
  ],
  ...['https://app.example./goodbye', 'https://xapp.example/goodbye', 'https://app.example:8443/goodbye'],
  ...[`https://${evil}/https://app.example/goodbye`, `https://${evil}/?https://app.example/goodbye`],
  ...[`https://${evil}/#https://app.example/goodbye`, `https://${evil}/app.example/goodbye`],
  ...['http://app.example/goodbye', 'https://app.example/', 'https://app.example', 'https://app.example/Goodbye'],
  ...[
    'https://app.example/goodbye/',
    'https://app.example/goodbye?',
    'https://app.example/goodbye#',
    'https://xn--pp-7kc.example/',
  ],
  ...['https://[::1]/', 'http://127.0.0.1/', 'https://169.254.169.254/latest/meta-data', 'http://localhost/'],
  ...[
    '/goodbye/',
    '/Goodbye',
    '/GOODBYE',
    '/goodbye?',
    '/goodbye#',
    '/goodbye?next=//evil.example',
    '/goodbye#//evil.example',
  ],
  ...['/goodbye//evil.example', '/goodbye/goodbye', '/goodby', '/goodbyee', '/%67oodbye', '/goodbye%00', '/goodbye%20'],
  ...['/x/goodbye', '/goodbye;x', '/goodbye,', '/goodbye@evil.example', '/goodbye:443', '/evil.example'],
  ...[
    '/%09/evil.example',
    '/%0a/evil.example',
    '/%0d%0aLocation:%20//evil.example',
    '/%00/evil.example',
    '/%20/evil.example',
  ],
  ...[
    '/%2f/evil.example',
    '/%2f%2fevil.example',
    '/%2F%2Fevil.example',
    '/%5cevil.example',
    '/%5c%5cevil.example',
    '/%5C/evil.example',
  ],
  ...[
    '/%252f%252fevil.example',
    '/%c0%af/evil.example',
    '/%ef%bc%8f/evil.example',
    '/%',
    '/%zz',
    '/?url=//evil.example',
    '/#//evil.example',
  ],
  ...[
    '/:@evil.example',
    '/@evil.example',
    '/http://evil.example',
    '/https:evil.example',
    '/javascript:alert(1)',
    '/data:text/html,x',
  ],
]);

function words(letters: readonly string[], length: number): string[] {
  return length === 0 ? [''] : words(letters, length - 1).flatMap((word) => letters.map((letter) => word + letter));
}

function unique(urls: readonly string[]): string[] {
  return [...new Set(urls)];
}
