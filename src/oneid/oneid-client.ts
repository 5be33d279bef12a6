import { Injectable } from '@nestjs/common';
import { ProviderMisconfiguredError, ProviderUnavailableError } from 'nestjs-oneid-logout';
import {
  allowInsecureRequests,
  ClientError,
  ClientSecretBasic,
  type Configuration,
  discovery,
  None,
} from 'openid-client';
import { type OneIdRegistration } from '../settings.js';
import { OneId } from './oneid.js';

/** Seconds that one request to OneID may take. */
const TIMEOUT = 5;

/** After a failed request for OneID's configuration, the time without a new one, milliseconds. */
const COOL_DOWN = 1000;

/** openid-client for this app. It loads OneID's endpoints at the first use, so the app can boot without OneID. */
@Injectable()
export class OneIdClient {
  private discovered: Promise<Configuration> | undefined;
  /** When to ask again, on the clock of `now()`. */
  private askAgainAt = Infinity;

  constructor(private readonly oneId: OneId) {}

  /**
   * A second after an error, the next call tries again. Until then, every call gets the same error.
   *
   * @throws {ProviderUnavailableError} 503
   * @throws {ProviderMisconfiguredError} 500: `ONEID_ISSUER` does not fit what OneID answers
   */
  configuration(): Promise<Configuration> {
    if (this.now() >= this.askAgainAt) {
      this.discovered = undefined;
      this.askAgainAt = Infinity;
    }
    this.discovered ??= discover(this.oneId.registration).catch((error: unknown) => {
      this.askAgainAt = this.now() + COOL_DOWN;
      const fault = lastingFault(error, this.oneId.registration.issuer);
      if (fault !== undefined) throw new ProviderMisconfiguredError(`Check ONEID_ISSUER: ${fault}`, fault);
      throw new ProviderUnavailableError("OneID's configuration is not available, try again", error);
    });
    return this.discovered;
  }

  /** Milliseconds of a clock that never steps back. */
  now(): number {
    return performance.now();
  }

  /** Can this app log users out at OneID? True also while OneID's configuration is not available. */
  async hasLogout(): Promise<boolean> {
    const configuration = await this.configuration().catch(() => undefined);
    return configuration === undefined || configuration.serverMetadata().end_session_endpoint !== undefined;
  }
}

/** What is wrong with the configuration that OneID answers; undefined for an outage, which passes. */
function lastingFault(error: unknown, issuer: string): string | undefined {
  if (!(error instanceof ClientError)) return undefined;
  const { code, cause } = error;
  if (code === 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED') {
    const { issuer: found } = (cause as { body: { issuer: unknown } }).body;
    return `it is ${shown(issuer)}, but the provider there names the issuer ${shown(found)}`;
  }
  if (code === 'OAUTH_RESPONSE_IS_NOT_JSON') return `the answer at ${shown(issuer)} is not the JSON of a provider`;
  if (code === 'OAUTH_INVALID_RESPONSE') return `the answer at ${shown(issuer)} is not the configuration of a provider`;
  const status = cause instanceof Response ? cause.status : undefined;
  return status === 404 || status === 410 ? `there is no provider at ${shown(issuer)} (status ${status})` : undefined;
}

/** The other side may have sent any value, of any length. */
const shown = (value: unknown) => JSON.stringify(value ?? null).slice(0, 200);

function discover(registration: OneIdRegistration): Promise<Configuration> {
  const { issuer, clientId, clientSecret } = registration;
  const authentication = clientSecret === undefined ? None() : ClientSecretBasic(clientSecret);
  return discovery(new URL(issuer), clientId, undefined, authentication, {
    timeout: TIMEOUT,
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked as a warning only; the settings decide about http
    execute: issuer.startsWith('http:') || registration.allowInsecureRequests ? [allowInsecureRequests] : [],
  });
}
