import { Injectable } from '@nestjs/common';
import { ProviderUnavailableError } from 'nestjs-oneid-logout';
import { allowInsecureRequests, ClientSecretBasic, type Configuration, discovery, None } from 'openid-client';
import { type OneIdRegistration } from '../settings.js';
import { OneId } from './oneid.js';

/** Seconds that one request to OneID may take. */
const TIMEOUT = 5;

/** openid-client for this app. It loads OneID's endpoints at the first use, so the app can boot without OneID. */
@Injectable()
export class OneIdClient {
  private discovered: Promise<Configuration> | undefined;

  constructor(private readonly oneId: OneId) {}

  /** @throws {ProviderUnavailableError} 503; the next call tries again */
  configuration(): Promise<Configuration> {
    this.discovered ??= discover(this.oneId.registration).catch((error: unknown) => {
      this.discovered = undefined;
      throw new ProviderUnavailableError("OneID's configuration is not available, try again", error);
    });
    return this.discovered;
  }
}

function discover({ issuer, clientId, clientSecret }: OneIdRegistration): Promise<Configuration> {
  const authentication = clientSecret === undefined ? None() : ClientSecretBasic(clientSecret);
  return discovery(new URL(issuer), clientId, undefined, authentication, {
    timeout: TIMEOUT,
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked as a warning only; the settings allow http on loopback
    execute: issuer.startsWith('http:') ? [allowInsecureRequests] : [],
  });
}
