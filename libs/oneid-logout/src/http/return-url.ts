/**
 * Can a browser be sent there after a logout? An absolute path on this site, or an absolute http(s) URL; in the exact
 * form a browser would give it itself, so that `//evil`, `/\evil`, userinfo, control characters, `javascript:` and other
 * spellings that browsers and people read differently are none.
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
