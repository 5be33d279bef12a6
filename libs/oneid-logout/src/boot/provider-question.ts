import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { whenListening } from '../http/http-server.js';
import { OneIdClients } from '../provider/oneid-clients.js';

/**
 * Asks each provider for its configuration as soon as the app listens, so that a wrong issuer is in the log before the
 * first logout; the first logout then needs no answer of the provider. An app that never listens, such as a unit test, asks nothing.
 */
@Injectable()
export class ProviderQuestion {
  constructor(
    private readonly clients: OneIdClients,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  start(): void {
    whenListening(this.adapterHost, () => {
      this.ask();
    });
  }

  /** Abandons the questions that are not answered yet, so that they neither hold the process nor reach the log. */
  close(): void {
    this.clients.close();
  }

  private ask(): void {
    for (const provider of new Set(this.clients.all.map((client) => client.provider))) void provider.ask();
  }
}
