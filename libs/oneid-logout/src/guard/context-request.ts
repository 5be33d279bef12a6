import { type ExecutionContext } from '@nestjs/common';
import { type SessionRequest } from './session-resolvers.js';

/** The requests that opened sockets which do not keep them. */
const openedBy = new WeakMap<object, SessionRequest>();

/** Remembers the request that opened a socket: the library `ws` has it nowhere but in the event of the connection. */
export function rememberOpening(socket: object, request: SessionRequest): void {
  openedBy.set(socket, request);
}

/** Has this socket been accepted, so that it is closed when its session is over? */
export function isAccepted(socket: object): boolean {
  return openedBy.has(socket);
}

/** The request that opened a socket: the one remembered, or the one that socket.io keeps. */
export function openingOf(socket: object): SessionRequest | undefined {
  const remembered = openedBy.get(socket);
  if (remembered !== undefined) return remembered;
  return 'request' in socket && isRequest(socket.request) ? socket.request : undefined;
}

/**
 * The request that carries the session, in contexts of HTTP, WebSocket (`ws` and socket.io) and GraphQL (Apollo and
 * mercurius, subscriptions too).
 *
 * @throws {TypeError} there is none in this context
 */
export function requestOf(context: ExecutionContext): SessionRequest {
  const type = context.getType<string>();
  const request = candidateOf(context, type);
  if (isRequest(request)) return request;
  throw new TypeError(`No request is to be found in this context (${type}): ${HINTS[type] ?? HINTS.other}`);
}

function candidateOf(context: ExecutionContext, type: string): unknown {
  if (type === 'http') return context.switchToHttp().getRequest();
  if (type === 'ws') return openingOf(context.switchToWs().getClient());
  return type === 'graphql' ? graphQlRequestOf(context.getArgByIndex(2)) : undefined;
}

const HINTS: { readonly [type: string]: string; readonly other: string } = {
  ws: "hand it over in the gateway's handleConnection(client, request), by SessionConnections.accept(client, request)",
  graphql: 'the GraphQL module must put it into the context as req, as it does by default, a context for each request',
  other: 'extend SessionAliveGuard and override getRequest() to say what carries the session',
};

/** Apollo and mercurius put it in the same place; of a subscription it is the one that opened the socket. */
function graphQlRequestOf(graphQlContext: unknown): unknown {
  const { req, request, reply } = propertiesOf(graphQlContext);
  const { request: answered } = propertiesOf(reply);
  // mercurius lays one request's over another's where the app gives it one object for all
  if (isRequest(answered) && isRequest(req) && raw(answered) !== raw(req)) return undefined;
  const { request: opening } = propertiesOf(propertiesOf(req)['extra']);
  return [opening, req, request].find(isRequest);
}

/** What stands for a query or mutation of GraphQL that came with a request of its own; what comes by a socket lives on. */
export function operationOf(context: ExecutionContext): object | undefined {
  if (context.getType<string>() !== 'graphql') return undefined;
  const graphQlContext: unknown = context.getArgByIndex(2);
  const { req } = propertiesOf(graphQlContext);
  const { operation } = propertiesOf(propertiesOf(context.getArgByIndex(3))['operation']);
  const ofItsOwn = isRequest(req) && propertiesOf(req)['extra'] === undefined && operation !== 'subscription';
  return ofItsOwn && typeof graphQlContext === 'object' && graphQlContext !== null ? graphQlContext : undefined;
}

/** Fastify's request has Node's in it. */
function raw(request: SessionRequest): unknown {
  return propertiesOf(request)['raw'] ?? request;
}

function propertiesOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function isRequest(value: unknown): value is SessionRequest {
  return typeof propertiesOf(value)['headers'] === 'object';
}
