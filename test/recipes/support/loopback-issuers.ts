import { jest } from '@jest/globals';
import * as actual from 'openid-client';

/** Has openid-client take a OneID without TLS, so that no recipe has to say so. Call it before a recipe is imported. */
export function allowLoopbackIssuers(): void {
  const discovery: typeof actual.discovery = (server, clientId, metadata, authentication) =>
    actual.discovery(server, clientId, metadata, authentication, {
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- only marked so to stand out
      execute: [actual.allowInsecureRequests],
    });
  jest.unstable_mockModule('openid-client', () => ({ ...actual, discovery }));
}
