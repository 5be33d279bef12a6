import { type Html, html } from '../html/html.js';

/** A time in UTC; the page's script shows it in the reader's zone and language. @param at milliseconds since 1970 */
export function time(at: number): Html {
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}">${`${iso.slice(0, 16).replace('T', ' ')} UTC`}</time>`;
}
