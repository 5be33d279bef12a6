import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { type AbstractHttpAdapter } from '@nestjs/core';
import { type OwnRoute } from './own-routes.js';

/** An address that no machine has (RFC 5737), so that a guard counts nothing for a real caller. */
const NOBODYS_ADDRESS = '192.0.2.1';

/** Headers that name the caller, and that proxies set. */
const OF_CALLER = /forwarded|-ip$/;

/**
 * What guards and passport read of each request. A request of OneID has none of it, so a guard that misses it decides the
 * same about the real request. Other missing properties may come from middleware, which the boot does not run.
 */
const LACKED_BY_ONEID: ReadonlySet<string> = new Set([
  ...['user', 'session', 'auth', 'authInfo', 'logIn', 'logOut', 'isUnauthenticated', '_sessionManager'],
  // a guard for Express and Fastify reads `raw`; a guard that logs reads `log`, `id` and `toJSON`; an `await` reads `then`
  ...['raw', 'log', 'id', 'toJSON', 'then'],
]);

/** A request that was never sent, for a guard that the boot asks. */
export interface StandInRequest {
  readonly request: object;
  readonly response: object;
  /**
   * Has a guard read what the boot can't know? That is the caller's address or connection, which are not OneID's, and each
   * property that middleware may set. Set it to false before each guard.
   */
  readUnknown: boolean;
  /** Called with the status when a guard answers the request itself, such as with a redirect. Set it before each guard. */
  onAnswer: (status: number) => void;
}

/**
 * Makes the request that OneID, or a browser that OneID sends, makes to a route, as guards see it on Express or Fastify.
 * It never reaches the route.
 *
 * @param origin the app's public origin
 */
export function standInRequest(adapter: AbstractHttpAdapter, route: OwnRoute, origin: string): StandInRequest {
  const { host, hostname, protocol } = new URL(origin);
  const stand: Pick<StandInRequest, 'readUnknown' | 'onAnswer'> = {
    readUnknown: false,
    onAnswer: () => undefined,
  };
  const look = <T>(value: T): PropertyDescriptor & { get(): T } => ({
    configurable: true,
    get: () => {
      stand.readUnknown = true;
      return value;
    },
  });
  /** Notices that a guard reads such a property, or asks whether there is one. */
  const noticing = <T extends object>(whole: T, isUnknown: (name: string) => boolean): T => {
    const notice = (name: string | symbol) => {
      if (typeof name === 'string' && isUnknown(name)) stand.readUnknown = true;
    };
    return new Proxy(whole, {
      get: (target, name) => (notice(name), Reflect.get(target, name) as unknown),
      has: (target, name) => (notice(name), Reflect.has(target, name)),
    });
  };
  const noticingMissing = (request: object): object =>
    noticing(request, (name) => !(name in request) && !LACKED_BY_ONEID.has(name));
  const socket = Object.defineProperty(new Socket(), 'remoteAddress', { value: NOBODYS_ADDRESS });
  const raw = new IncomingMessage(socket);
  const query = queries[route.name];
  const url = query === '' ? route.path : `${route.path}?${query}`;
  const body = route.method === 'POST' ? { logout_token: 'stand-in' } : undefined;
  const headers = noticing<Record<string, string>>({ host, ...headersOf[route.method] }, (name) =>
    OF_CALLER.test(name),
  );
  Object.assign(raw, { method: route.method, url, originalUrl: url, baseUrl: '', headers });
  Object.defineProperty(raw, 'socket', look(socket));
  const response = new ServerResponse(raw);
  response.end = () => {
    stand.onAnswer(response.statusCode);
    return response;
  };
  // what middleware and plugins add for a request without cookies
  const added = { cookies: {}, signedCookies: {}, session: {}, isAuthenticated: () => false };
  const parts = { params: {}, body, route: { path: route.path }, ...added };
  const ofOrigin = { host, hostname, protocol: protocol.slice(0, -1) };
  if (adapter.getType() === 'express') {
    const { request: requests, response: responses } = adapter.getInstance<{ request: object; response: object }>();
    const own = Object.setPrototypeOf(
      Object.assign(raw, parts, { res: response, next: () => undefined }),
      requests,
    ) as object;
    // Express's own getters would look at the address of the caller, which may be a proxy
    for (const [name, value] of Object.entries(ofOrigin)) Object.defineProperty(own, name, { value });
    const request = noticingMissing(own);
    return Object.assign(stand, {
      request,
      response: Object.setPrototypeOf(Object.assign(response, { req: request }), responses) as object,
    });
  }
  const own = Object.assign(parts, {
    ...{
      raw: noticingMissing(raw),
      method: route.method,
      url,
      originalUrl: url,
      headers,
      routeOptions: { url: route.path, config: {} },
    },
    ...{ query: Object.fromEntries(new URLSearchParams(query)), ...ofOrigin },
    ...{ id: 'boot', server: adapter.getInstance<object>(), log: silentLog },
  });
  for (const [name, value] of Object.entries({ ip: NOBODYS_ADDRESS, ips: [], socket }))
    Object.defineProperty(own, name, look(value));
  const request = noticingMissing(own);
  return Object.assign(stand, {
    request,
    response: Object.assign(Object.create(replies) as object, { raw: response, request }),
  });
}

const queries: Readonly<Record<OwnRoute['name'], string>> = {
  backchannel: '',
  frontchannel: 'iss=stand-in&sid=stand-in',
  callback: 'state=stand-in',
};

/** Hydra is a program in Go; a browser makes the other requests. */
const headersOf: Readonly<Record<OwnRoute['method'], Readonly<Record<string, string>>>> = {
  POST: { 'user-agent': 'Go-http-client/1.1', 'content-type': 'application/x-www-form-urlencoded' },
  GET: { 'user-agent': 'Mozilla/5.0', accept: 'text/html', 'sec-fetch-mode': 'navigate' },
};

/** A guard may log each request that it refuses, and this one was never sent. */
const silentLog = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  fatal: () => undefined,
};

/** What guards call on a reply of Fastify. */
const replies = {
  code: setStatus,
  status: setStatus,
  header: same,
  headers: same,
  type: same,
  removeHeader: same,
  setCookie: same,
  clearCookie: same,
  send: end,
  redirect(this: Reply, _url: string, status = 302): object {
    this.raw.statusCode = status;
    return end.call(this);
  },
  getHeader: () => undefined,
};

interface Reply {
  readonly raw: ServerResponse;
}

function same(this: object): object {
  return this;
}

function setStatus(this: Reply, status: number): object {
  this.raw.statusCode = status;
  return this;
}

function end(this: Reply): object {
  this.raw.end();
  return this;
}
