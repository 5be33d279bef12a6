import { type Html, html } from '../html/html.js';

/** A moment, in UTC until the page's script has put it as its reader would. @param at milliseconds */
export function time(at: number): Html {
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}">${`${iso.slice(0, 16).replace('T', ' ')} UTC`}</time>`;
}
