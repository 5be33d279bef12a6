import { type Answer, oauthError } from './answer.js';
import { authenticateClient } from './client-authentication.js';
import { endpointPaths } from './endpoint-paths.js';
import { type ProviderState } from './provider-state.js';
import { type ReceivedRequest } from './received-request.js';

const databaseFailed = oauthError('server_error', 'The database failed.', 500);

/** @see {@link https://www.rfc-editor.org/rfc/rfc7009#section-2 RFC 7009 §2} */
export async function revoke(state: ProviderState, request: ReceivedRequest, databaseDown = false): Promise<Answer> {
  const { form, at } = request;
  const client = await authenticateClient(state, request);
  // Hydra v1.11 answers so when it cannot read the client
  if (!client || (databaseDown && state.hydra === '1.11')) {
    return oauthError('invalid_client', 'Client authentication failed.', 401);
  }
  const { token, token_type_hint: tokenTypeHint } = form;
  if (token === undefined) return oauthError('invalid_request', 'The token is missing.');

  const effective = !databaseDown && state.grants.revoke(token, client.clientId);
  state.revoked.push({ token, clientId: client.clientId, effective, at, ...(tokenTypeHint && { tokenTypeHint }) });
  return { status: 200, headers: {}, body: '' };
}

/** The answer of an endpoint while OneID's database fails. */
export function answerWithoutDatabase(state: ProviderState, request: ReceivedRequest): Promise<Answer> {
  return request.path === endpointPaths.revocation ? revoke(state, request, true) : Promise.resolve(databaseFailed);
}
