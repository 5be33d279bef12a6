import { jest } from '@jest/globals';
import * as actual from 'openid-client';

/** Makes openid-client accept a OneID without TLS, so that recipes need no code for this. Call it before the import. */
export function allowLoopbackIssuers(): void {
  const discovery: typeof actual.discovery = (server, clientId, metadata, authentication) =>
    actual.discovery(server, clientId, metadata, authentication, {
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked as a warning only; this OneID has no TLS
      execute: [actual.allowInsecureRequests],
    });
  jest.unstable_mockModule('openid-client', () => ({ ...actual, discovery }));
}
