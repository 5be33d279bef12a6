import { type Html, html } from '../html/html.js';
import { page, type Visitor } from './page.js';

const LONGEST_WAIT_SECONDS = 7;
const WAIT_AFTER_LOAD_MS = 500;

/** A page that loads every app's front-channel URL in a hidden iframe, then sends the browser to `next`. */
export function frontchannelPage(visitor: Visitor, urls: readonly string[], next: string): Html {
  const { texts } = visitor;
  const iframes = urls.map((url) => html`<iframe src="${url}" title="" aria-hidden="true" tabindex="-1"></iframe> `);
  return page(
    visitor,
    texts.loggingOut,
    html`<p>${texts.loggingOutText}</p>
      <p><a id="next" href="${next}">${texts.goOn}</a></p>
      ${iframes}
      <script>
        addEventListener('load', () =>
          setTimeout(() => location.replace(document.getElementById('next').href), ${WAIT_AFTER_LOAD_MS}),
        );
      </script>`,
    html`<meta http-equiv="refresh" content="${LONGEST_WAIT_SECONDS};url=${next}" />`,
  );
}
