import { type ExecutionContext } from '@nestjs/common';
import { type SessionRequest } from './session-resolvers.js';

/** Maps an accepted socket to the request that opened it. */
const openedBy = new WeakMap<object, SessionRequest>();

/** Remembers the request that opened a socket. The library `ws` gives this request only in its `connection` event. */
export function rememberOpening(socket: object, request: SessionRequest): void {
  openedBy.set(socket, request);
}

/** Whether the app has passed this socket to `SessionConnections.accept`, which closes it when its session is over. */
export function isAccepted(socket: object): boolean {
  return openedBy.has(socket);
}

/** Returns the request that opened a socket: the remembered one, or the one that socket.io keeps. */
export function openingOf(socket: object): SessionRequest | undefined {
  const remembered = openedBy.get(socket);
  if (remembered !== undefined) return remembered;
  return 'request' in socket && isRequest(socket.request) ? socket.request : undefined;
}

/**
 * Returns the request that carries the session, in contexts of HTTP, WebSocket (`ws` and socket.io) and GraphQL (Apollo
 * and mercurius, with subscriptions).
 *
 * @throws {TypeError} the context has no request
 */
export function requestOf(context: ExecutionContext): SessionRequest {
  const type = context.getType<string>();
  const request = findRequest(context);
  if (request !== undefined) return request;
  throw new TypeError(`The library found no request in this context (${type}). ${HINTS[type] ?? HINTS.other}`);
}

/** Like {@link requestOf}, but returns undefined if the context has no request. */
export function findRequest(context: ExecutionContext): SessionRequest | undefined {
  const request = candidateOf(context, context.getType<string>());
  return isRequest(request) ? request : undefined;
}

function candidateOf(context: ExecutionContext, type: string): unknown {
  if (type === 'http') return context.switchToHttp().getRequest();
  if (type === 'ws') return openingOf(context.switchToWs().getClient());
  return type === 'graphql' ? graphQlRequestOf(context.getArgByIndex(2)) : undefined;
}

/**
 * Returns the object on which the session of one call waits for its handler. The guard and `@CurrentSession()` both find
 * it from the context alone, so a guard may override `getRequest()` and return an object of its own.
 *
 * | context | object |
 * |---|---|
 * | HTTP | the request |
 * | microservice | the context of the message, which Nest makes for each message |
 * | gateway | the data of the message; if the data is no object: one object for each socket and handler |
 * | GraphQL | the request; if the app's context has none: the variables of the operation, see {@link operationOf} |
 * | other | the first argument that is an object |
 *
 * @returns undefined if the call has no object of its own
 */
export function holderOf(context: ExecutionContext): object | undefined {
  const type = context.getType<string>();
  const args = context.getArgs<unknown[]>();
  if (type === 'graphql') return [findRequest(context), propertiesOf(args[3])['variableValues']].find(isObject);
  if (type === 'ws') return isObject(args[1]) ? args[1] : slotOf(context.switchToWs().getClient<object>(), context);
  return (type === 'rpc' ? [args[1], args[0]] : args).find(isObject);
}

/** By socket, then by handler. */
const slots = new WeakMap<object, Map<string, object>>();

function slotOf(socket: object, context: ExecutionContext): object {
  const ofSocket = slots.get(socket) ?? new Map<string, object>();
  slots.set(socket, ofSocket);
  // the name, because a tracing library may give the guard another function than Nest gives the decorator
  const handler = `${context.getClass().name}.${context.getHandler().name}`;
  const slot = ofSocket.get(handler) ?? {};
  ofSocket.set(handler, slot);
  return slot;
}

const HINTS: { readonly [type: string]: string; readonly other: string } = {
  ws: "Call SessionConnections.accept(client, request) in the gateway's handleConnection(client, request)",
  graphql:
    'The GraphQL module must put the request into the context as req (the default), with a new context for each request',
  other: 'Extend SessionAliveGuard and override getRequest() to return the request that carries the session',
};

/** Finds the request in a context of Apollo or mercurius. A subscription uses the request that opened its socket. */
function graphQlRequestOf(graphQlContext: unknown): unknown {
  const { req, request, reply } = propertiesOf(graphQlContext);
  const { request: answered } = propertiesOf(reply);
  // if the app gives mercurius one context object for all requests, `req` may belong to another request
  if (isRequest(answered) && isRequest(req) && raw(answered) !== raw(req)) return undefined;
  const { request: opening } = propertiesOf(propertiesOf(req)['extra']);
  return [opening, req, request].find(isRequest);
}

/**
 * Returns the object that identifies the run of a GraphQL query or mutation with an HTTP request of its own: the values
 * of its variables, which graphql-js makes anew for each run. The context can't serve, because a host may keep one for
 * all operations of a socket. Returns undefined for an operation over a socket: the socket stays open, so an earlier
 * check does not count.
 *
 * @param request from the context
 */
export function operationOf(context: ExecutionContext, request: SessionRequest): object | undefined {
  if (context.getType<string>() !== 'graphql' || request.headers['upgrade'] !== undefined) return undefined;
  const { req } = propertiesOf(context.getArgByIndex(2));
  const { variableValues } = propertiesOf(context.getArgByIndex(3));
  const ofItsOwn = isRequest(req) && propertiesOf(req)['extra'] === undefined && !isSubscription(context);
  return ofItsOwn && isObject(variableValues) ? variableValues : undefined;
}

/** Is this the subscription of a GraphQL client? */
export function isSubscription(context: ExecutionContext): boolean {
  if (context.getType<string>() !== 'graphql') return false;
  return propertiesOf(propertiesOf(context.getArgByIndex(3))['operation'])['operation'] === 'subscription';
}

/** Returns Node's request: Fastify wraps it in its own. */
function raw(request: SessionRequest): unknown {
  return propertiesOf(request)['raw'] ?? request;
}

function propertiesOf(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? (value as Readonly<Record<string, unknown>>) : {};
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isRequest(value: unknown): value is SessionRequest {
  return typeof propertiesOf(value)['headers'] === 'object';
}
