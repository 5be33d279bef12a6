import { type Answer, oauthError } from './answer.js';
import { type ProviderState } from './provider-state.js';
import { type ReceivedRequest } from './received-request.js';
import { authenticateClient } from './client-authentication.js';

/** @see {@link https://www.rfc-editor.org/rfc/rfc7009#section-2 RFC 7009 §2} */
export async function revoke(state: ProviderState, request: ReceivedRequest): Promise<Answer> {
  const { form, at } = request;
  const client = await authenticateClient(state, request);
  if (!client) return oauthError('invalid_client', 'Client authentication failed.', 401);
  const { token, token_type_hint: tokenTypeHint } = form;
  if (token === undefined) return oauthError('invalid_request', 'The token is missing.');

  const effective = state.grants.revoke(token, client.clientId);
  state.revoked.push({ token, clientId: client.clientId, effective, at, ...(tokenTypeHint && { tokenTypeHint }) });
  return { status: 200, headers: {}, body: '' };
}
