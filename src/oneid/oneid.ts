import { type OnApplicationShutdown } from '@nestjs/common';
import { type EmbeddedOneId } from '../embedded-oneid/embedded-oneid.js';
import { type OneIdRegistration, type Settings } from '../settings.js';

/** Another app of the same OneID. */
export interface OtherApp {
  readonly name: string;
  readonly uri: string;
}

/** The OneID that this app signs in with: a real one, or the one that it runs itself. */
export class OneId implements OnApplicationShutdown {
  private constructor(
    readonly registration: OneIdRegistration,
    readonly embedded?: EmbeddedOneId,
  ) {}

  static async of(settings: Settings): Promise<OneId> {
    if (settings.oneId !== undefined) return new OneId(settings.oneId);
    // imported here, so that a deployment with a real OneID never loads one
    const { startForThisApp } = await import('./embedded.js');
    const { registration, embedded } = await startForThisApp(settings);
    return new OneId(registration, embedded);
  }

  /** As far as they are known: those of an embedded OneID. */
  get otherApps(): OtherApp[] {
    const apps = [...(this.embedded?.clients.values() ?? [])];
    return apps.flatMap(({ clientId, name, uri }) =>
      clientId === this.registration.clientId || name === undefined || uri === undefined ? [] : [{ name, uri }],
    );
  }

  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  /** Stops the embedded OneID; a real one goes on. */
  async close(): Promise<void> {
    await this.embedded?.close();
  }
}
