import { type Answer, json, page, plain } from './answer.js';
import { authorize } from './authorization-endpoint.js';
import { endSession, type Notify } from './end-session-endpoint.js';
import { endpointPaths } from './endpoint-paths.js';
import { discoveryDocument } from './provider-metadata.js';
import { type ProviderState } from './provider-state.js';
import { type ReceivedRequest } from './received-request.js';
import { revoke } from './revocation-endpoint.js';
import { exchangeToken } from './token-endpoint.js';
import { userinfo } from './userinfo-endpoint.js';

type Endpoint = (request: ReceivedRequest) => Answer | Promise<Answer>;

/** Passes a request to its endpoint; answers 404 to an unknown path and 405 to a wrong method. */
export function routes(state: ProviderState, notify: Notify): Endpoint {
  const GET = 'GET';
  const POST = 'POST';
  const endpoints: Readonly<Record<string, { methods: readonly string[]; answer: Endpoint }>> = {
    [endpointPaths.discovery]: { methods: [GET], answer: () => json(discoveryDocument(state)) },
    [endpointPaths.jwks]: { methods: [GET], answer: () => json(state.keys.jwks) },
    [endpointPaths.authorization]: { methods: [GET, POST], answer: (request) => authorize(state, request) },
    [endpointPaths.token]: { methods: [POST], answer: (request) => exchangeToken(state, request) },
    [endpointPaths.revocation]: { methods: [POST], answer: (request) => revoke(state, request) },
    [endpointPaths.endSession]: { methods: [GET, POST], answer: (request) => endSession(state, request, notify) },
    [endpointPaths.userinfo]: { methods: [GET, POST], answer: (request) => userinfo(state, request) },
    [endpointPaths.loggedOut]: { methods: [GET], answer: () => page('<!doctype html><h1>Logged out</h1>') },
  };
  return (request) => {
    const endpoint = endpoints[request.path];
    if (!endpoint) return plain(404);
    return endpoint.methods.includes(request.method) ? endpoint.answer(request) : plain(405);
  };
}
