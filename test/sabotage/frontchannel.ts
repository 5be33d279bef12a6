import { type Sabotage } from './sabotage.js';

const source = 'libs/oneid-logout/src';
const frontchannelLogout = `${source}/channels/frontchannel-logout.ts`;
const recorder = `${source}/sessions/logout-recorder.ts`;
const file = 'test/frontchannel-logout.e2e-spec.ts';
const suite = 'front-channel logout, on SQLite';

/** The rules of OpenID Connect Front-Channel Logout 1.0. */
export const frontchannel: readonly Sabotage[] = [
  {
    promise: 'FC-1',
    breaks: 'An iss without sid counts as a request that names no login.',
    file: frontchannelLogout,
    search: `if (!isIdentifier(sid)) return undefined;`,
    replace: `if (!isIdentifier(sid)) return 'carried';`,
    test: { file, name: `${suite} FC-1: the request FC-1: refuses iss alone, and empty or repeated parameters` },
  },
  {
    promise: 'FC-1',
    breaks: 'A sid without iss is one of the first issuer, although there are several.',
    file: `${source}/provider/oneid-clients.ts`,
    search: `this.onlyIssuer = providers.size === 1 ? this.all[0]?.issuer : undefined;`,
    replace: `this.onlyIssuer = this.all[0]?.issuer;`,
    test: {
      file,
      name: 'front-channel logout with sid alone P3, FC-1: is refused when the clients have several issuers, and the log says why',
    },
  },
  {
    promise: 'FC-2',
    breaks: 'A request for a login whose session has ended stores a logout.',
    file: recorder,
    search: `if (newest === undefined || !mayBeAlive) return false;`,
    replace: `if (newest === undefined) return false;`,
    test: {
      file,
      name: `${suite} FC-2: iss and sid FC-2: store nothing for a login that is unknown, ended or expired, or of another issuer`,
    },
  },
  {
    promise: 'FC-2',
    breaks: 'The request records nothing.',
    file: frontchannelLogout,
    search: `recorded: this.clients.at(iss).length > 0 && (await this.endSid(iss, sid)) };`,
    replace: `recorded: this.clients.at(iss).length > 100 && (await this.endSid(iss, sid)) };`,
    test: {
      file,
      name: `${suite} FC-2: iss and sid FC-2: iss and sid end the login without a cookie, and a later sign-in in the same login is alive`,
    },
  },
  {
    promise: 'FC-3',
    breaks: 'With the option, a request that is no iframe ends the session that it carries.',
    file: frontchannelLogout,
    search: `if (!this.settings.frontchannelEndsCarriedSession || request.headers['sec-fetch-dest'] !== 'iframe')`,
    replace: `if (!this.settings.frontchannelEndsCarriedSession)`,
    test: {
      file,
      name: 'front-channel logout of the session that the request carries FC-3: does not end the session of the request with Sec-Fetch-Dest document',
    },
  },
  {
    promise: 'FC-3',
    breaks: 'A request without iss and sid ends the session that it carries, also without the option.',
    file: frontchannelLogout,
    search: `if (!this.settings.frontchannelEndsCarriedSession || request.headers['sec-fetch-dest'] !== 'iframe')`,
    replace: `if (request.headers['sec-fetch-dest'] !== 'iframe')`,
    test: {
      file,
      name: `${suite} P39, FC-3: without iss and sid, ends nothing and says so, even with a cookie in an iframe`,
    },
  },
  {
    promise: 'FC-4',
    breaks: 'The front-channel revokes refresh tokens.',
    file: `${source}/tokens/refresh-token-revoker.ts`,
    search: `const isFrontchannel = leased.logout.channel === 'frontchannel';`,
    replace: `const isFrontchannel = false;`,
    test: {
      file: 'test/token-revocation.e2e-spec.ts',
      name: 'BC-15: refresh tokens of ended sessions, on SQLite FC-4: a session ended only by the front-channel: its tokens are erased after an hour and not revoked',
    },
  },
  {
    promise: 'FC-5',
    breaks: 'Any site may frame the answer.',
    file: frontchannelLogout,
    search: `frame-ancestors \${[...origins].join(' ')}\``,
    replace: `frame-ancestors *\``,
    test: { file, name: `${suite} FC-5: the answer FC-5: the answer is never cached, and only OneID may frame it` },
  },
  {
    promise: 'FC-5',
    breaks: "A header of the host keeps OneID's page from framing the answer.",
    file: frontchannelLogout,
    search: `without: ['X-Frame-Options'],`,
    replace: `without: [],`,
    test: {
      file,
      name: "front-channel logout in a host with its own policies FC-5: replaces helmet's default headers",
    },
  },
  {
    promise: 'FC-5',
    breaks: 'The answer clears the cookies of a session that is alive.',
    file: frontchannelLogout,
    search: `if (carried === undefined || !(await this.judge.isOver(carried))) return [];`,
    replace: `if (carried === undefined) return [];`,
    test: { file, name: `${suite} FC-5: the answer FC-5: clears no cookies when the request ended another session` },
  },
];
