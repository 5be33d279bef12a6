// npm run conformance: plays the logout modules of the OpenID Foundation conformance suite over HTTP against the reference
// app, which runs in a process of its own. It fails if a module shows anything else than docs/conformance.md says.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readArguments } from '../support/arguments.mjs';
import { BlackBoxApp } from '../support/black-box-app.js';
import { CLIENT_ID, type ProviderKey } from '../support/black-box-provider.js';
import { faultOf, modules } from './modules.mjs';
import { EC_KEY, ModuleRun, type TokenChange } from './suite.js';

const PREFIX = 'oidcc-client-test-rp-';

type Play = (app: BlackBoxApp) => Promise<string>;

/** Browser 1 logs out, the suite sends a token, and browser 1 comes back. @param change of the return to the app */
function rpInitiated(change: (parameters: URLSearchParams) => void = () => undefined): Play {
  return async (app) => {
    const run = await ModuleRun.start(app);
    const { url, parameters } = await run.logOut();
    const asked = await run.endSessionRequest(parameters);
    const redirect = await run.redirect(url, returnUrl(parameters, change));
    const answered = await run.sendToken();
    return [asked, answered, await run.sessions(), await run.comeBack(redirect)].join(' ');
  };
}

function backchannel(change: (app: BlackBoxApp) => TokenChange = () => ({})): Play {
  return async (app) => {
    const run = await ModuleRun.start(app);
    const { url, parameters } = await run.logOut();
    const redirect = await run.redirect(url, returnUrl(parameters));
    const answered = await run.sendToken(change(app));
    return [answered, await run.sessions(), await run.comeBack(redirect)].join(' ');
  };
}

/** Plays a module for a client registered without `frontchannel_logout_session_required`, then for one with it. */
function frontchannel(play: (app: BlackBoxApp, named: boolean) => Promise<string>): Play {
  return async (app) => `${await play(app, false)} ${await play(app, true)}`;
}

async function frontchannelRpInitiated(app: BlackBoxApp, named: boolean): Promise<string> {
  const run = await ModuleRun.start(app);
  const { url, parameters } = await run.logOut();
  const loaded = await run.loadIframe(url, named);
  const sessions = await run.sessions();
  return [loaded, sessions, await run.comeBack(await run.redirect(url, returnUrl(parameters)))].join(' ');
}

async function frontchannelOpInitiated(app: BlackBoxApp, named: boolean): Promise<string> {
  const run = await ModuleRun.start(app);
  const loaded = await run.loadIframe(`${app.provider.issuer}frontchannel_logout_handler`, named);
  return `${loaded} ${await run.sessions()}`;
}

/** The address of the app to which the suite sends the browser after the logout. */
function returnUrl(asked: URLSearchParams, change: (parameters: URLSearchParams) => void = () => undefined): string {
  const parameters = new URLSearchParams({ state: asked.get('state') ?? '' });
  change(parameters);
  const url = new URL(asked.get('post_logout_redirect_uri') ?? '');
  url.search = parameters.toString();
  return url.href;
}

const plays: Readonly<Record<string, Play>> = {
  'init-logout': rpInitiated(),
  'init-logout-other-state': rpInitiated((parameters) => {
    parameters.set('state', `${parameters.get('state') ?? ''}_INVALID`);
  }),
  'init-logout-no-state': rpInitiated((parameters) => {
    parameters.delete('state');
  }),
  'backchannel-rpinitlogout': backchannel(),
  'backchannel-rpinitlogout-alg-none': backchannel(() => ({ alg: 'none' })),
  'backchannel-rpinitlogout-wrong-alg': backchannel(() => ({ alg: 'ES256' })),
  'backchannel-rpinitlogout-wrong-iss': backchannel(({ provider }) => ({
    claims: { iss: `${provider.issuer}INVALID` },
  })),
  'backchannel-rpinitlogout-wrong-aud': backchannel(() => ({ claims: { aud: `${CLIENT_ID}INVALID` } })),
  'backchannel-rpinitlogout-no-event': backchannel(() => ({ claims: { events: undefined } })),
  'backchannel-rpinitlogout-wrong-event': backchannel(() => ({
    claims: { events: { 'http://schemas.openid.net/event/foobar': {} } },
  })),
  'backchannel-rpinitlogout-with-nonce': backchannel(() => ({ claims: { nonce: 'a nonce' } })),
  'frontchannel-rpinitlogout': frontchannel(frontchannelRpInitiated),
  'frontchannel-opinitlogout': frontchannel(frontchannelOpInitiated),
};

function ecKey(): ProviderKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicJwk = { ...publicKey.export({ format: 'jwk' }), kid: EC_KEY, alg: 'ES256', use: 'sig' };
  return { kid: EC_KEY, privateKey, publicJwk };
}

readArguments({});
const page = await readFile(new URL('../../docs/conformance.md', import.meta.url), 'utf8');
const folder = await mkdtemp(join(tmpdir(), 'oneid-conformance-'));
const names = new Set([...Object.keys(modules), ...Object.keys(plays).map((name) => PREFIX + name)]);
let passed = 0;
let app: BlackBoxApp | undefined;
try {
  app = await BlackBoxApp.start({ DATABASE_URL: `sqlite:${join(folder, 'sessions.sqlite')}` }, [ecKey()]);
  for (const name of names) {
    const play = plays[name.slice(PREFIX.length)];
    const observed = await (play?.(app) ?? Promise.resolve('Not played.')).catch((error: unknown) => String(error));
    const fault = faultOf(name, observed, page);
    if (fault === undefined) passed += 1;
    console.log(`${fault === undefined ? '✓' : '✗'} ${name}: ${observed}`);
    if (fault !== undefined) console.log(`    ${fault}`);
  }
} finally {
  await app?.stop();
  await rm(folder, { recursive: true, force: true });
}
console.log(`${names.size} modules, ${passed} passed`);
if (passed < names.size) process.exitCode = 1;
