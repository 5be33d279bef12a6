import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { type AbstractHttpAdapter } from '@nestjs/core';
import { type OwnRoute } from './own-routes.js';

/** An address that no machine has (RFC 5737), so that a guard counts nothing for a real caller. */
const NOBODYS_ADDRESS = '192.0.2.1';

/** Headers that name the caller, and that proxies set. */
const OF_CALLER = /forwarded|-ip$/;

/** A request that was never sent, for a guard that the boot asks. */
export interface StandInRequest {
  readonly request: object;
  readonly response: object;
  /** Has a guard looked at the caller's address or connection? They are not OneID's. Set it to false before each guard. */
  lookedAtCaller: boolean;
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
  const stand: Pick<StandInRequest, 'lookedAtCaller' | 'onAnswer'> = {
    lookedAtCaller: false,
    onAnswer: () => undefined,
  };
  const look = <T>(value: T): PropertyDescriptor & { get(): T } => ({
    configurable: true,
    get: () => {
      stand.lookedAtCaller = true;
      return value;
    },
  });
  const socket = Object.defineProperty(new Socket(), 'remoteAddress', { value: NOBODYS_ADDRESS });
  const raw = new IncomingMessage(socket);
  const query = queries[route.name];
  const url = query === '' ? route.path : `${route.path}?${query}`;
  const body = route.method === 'POST' ? { logout_token: '' } : undefined;
  const headers = new Proxy<Record<string, string>>(
    { host: new URL(origin).host, ...headersOf[route.method] },
    {
      get: (target, name) => {
        if (typeof name === 'string' && OF_CALLER.test(name)) stand.lookedAtCaller = true;
        return Reflect.get(target, name) as unknown;
      },
    },
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
  if (adapter.getType() === 'express') {
    const { request: requests, response: responses } = adapter.getInstance<{ request: object; response: object }>();
    const request = Object.setPrototypeOf(Object.assign(raw, parts, { res: response }), requests) as object;
    return Object.assign(stand, {
      request,
      response: Object.setPrototypeOf(Object.assign(response, { req: request }), responses) as object,
    });
  }
  const request = Object.assign(parts, {
    ...{ raw, method: route.method, url, originalUrl: url, headers, routeOptions: { url: route.path, config: {} } },
    ...{ query: Object.fromEntries(new URLSearchParams(query)), host: headers['host'], hostname: headers['host'] },
    ...{ id: 'boot', server: adapter.getInstance<object>(), log: silentLog },
  });
  for (const [name, value] of Object.entries({ ip: NOBODYS_ADDRESS, ips: [], socket, protocol: 'https' }))
    Object.defineProperty(request, name, look(value));
  return Object.assign(stand, {
    request,
    response: Object.assign(Object.create(replies) as object, { raw: response }),
  });
}

const queries: Readonly<Record<OwnRoute['name'], string>> = {
  backchannel: '',
  frontchannel: 'iss=&sid=',
  callback: 'state=',
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
