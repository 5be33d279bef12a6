/**
 * May a logout send the browser to this URL? Accepts an absolute path on this site, or an absolute http(s) URL without
 * userinfo. The URL must have the exact form that a browser would give it. This refuses `//evil`, `/\evil`, control
 * characters, `javascript:` and other spellings that browsers and people read differently.
 */
export function isReturnUrl(value: unknown): value is string {
  if (typeof value !== 'string') return false;
  if (value.startsWith('/')) {
    const here = 'https://this-site.invalid';
    return URL.canParse(value, here) && new URL(value, here).href === here + value;
  }
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  const plain = url.username === '' && url.password === '';
  const sameForm = url.href === value || url.href === `${value}/`;
  return (url.protocol === 'https:' || url.protocol === 'http:') && plain && sameForm;
}
