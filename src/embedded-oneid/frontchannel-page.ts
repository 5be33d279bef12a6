import { escapeHtml, page } from './pages.js';

const LONGEST_WAIT_SECONDS = 7;
const WAIT_AFTER_LOAD_MS = 500;

/** OpenID Connect Front-Channel Logout 1.0, section 3: `iss` and `sid` are added to what the URI's query has. */
export function frontchannelLogoutUrl(uri: string, issuer: string, sid: string): string {
  const url = new URL(uri);
  url.searchParams.append('iss', issuer);
  url.searchParams.append('sid', sid);
  return url.href;
}

/** Loads every app's front-channel URL in an iframe nobody sees, then goes on to `next`. */
export function frontchannelPage(urls: string[], next: string): string {
  const iframes = urls.map((url) => `<iframe src="${escapeHtml(url)}"></iframe>`).join('\n');
  return page(
    'Logging you out',
    `<p><a id="next" href="${escapeHtml(next)}">Go on</a></p>
${iframes}
<script>
addEventListener('load', () => setTimeout(() => location.replace(document.getElementById('next').href), ${WAIT_AFTER_LOAD_MS}));
</script>`,
    `<meta http-equiv="refresh" content="${LONGEST_WAIT_SECONDS};url=${escapeHtml(next)}">`,
  );
}
