import { Html } from '../html/html.js';

/** The style of all pages: one column, on phone and desktop, light and dark. */
export const STYLE = new Html(`
:root { color-scheme: light dark; --ink: #1c2333; --soft: #5a6378; --paper: #fff; --ground: #eef1f8; --line: #cfd6e4;
  --accent: #b3123b; --on-accent: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #eceff7; --soft: #a9b3c9; --paper: #1b2233; --ground: #10141f; --line: #3a4560; --accent: #ff7a99; --on-accent: #2b0510; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; grid-template-rows: auto 1fr auto; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
header, main, footer { width: min(28rem, 100% - 2rem); margin-inline: auto; }
header { display: flex; justify-content: space-between; align-items: center; gap: 1rem; padding-block: 1.25rem; }
.brand { font-size: 1.5rem; color: inherit; text-decoration: none; }
.brand b { color: var(--accent); }
nav { display: flex; gap: .75rem; font-size: .875rem; }
nav a[aria-current] { color: inherit; text-decoration: none; font-weight: 600; }
main { align-self: start; background: var(--paper); border: 1px solid var(--line); border-radius: 1rem; padding: 1.5rem; }
footer { padding-block: 1.25rem; font-size: .875rem; color: var(--soft); text-align: center; text-wrap: balance; }
h1 { margin: 0 0 .5rem; font-size: 1.375rem; line-height: 1.25; }
h2 { margin: 1rem 0 .5rem; font-size: 1rem; }
a { color: var(--accent); }
label, .field { display: block; margin-block: 1rem; }
input:not([type=radio], [type=hidden]) { display: block; width: 100%; margin-top: .25rem; padding: .625rem .75rem; font: inherit; color: inherit;
  background: var(--ground); border: 1px solid var(--soft); border-radius: .5rem; }
fieldset { margin: 1rem 0; padding: .25rem 1rem; border: 1px solid var(--line); border-radius: .5rem; }
fieldset label { display: flex; align-items: baseline; gap: .5rem; margin-block: .5rem; }
.apps { padding: 0; list-style: none; }
.apps:last-child { margin-bottom: 0; }
.apps li { padding: .5rem 0; border-top: 1px solid var(--line); font-weight: 600; }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.25rem; }
button, .button { flex: 1 1 8rem; padding: .625rem 1rem; font: inherit; font-weight: 600; text-align: center; text-decoration: none; cursor: pointer;
  border: 1px solid var(--accent); border-radius: .5rem; background: var(--accent); color: var(--on-accent); }
.quiet { background: transparent; color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
[role=alert] { color: var(--accent); font-weight: 600; }
iframe { position: absolute; width: 0; height: 0; border: 0; }
`);
