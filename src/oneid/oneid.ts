import { type OnApplicationShutdown } from '@nestjs/common';
import { type EmbeddedOneId } from '../embedded-oneid/embedded-oneid.js';
import { type OneIdRegistration, type Settings } from '../settings.js';

/** Another app of the same OneID. */
export interface OtherApp {
  readonly name: string;
  readonly uri: string;
}

/** The OneID with which this app signs users in: a real one, or the embedded one. */
export class OneId implements OnApplicationShutdown {
  private constructor(
    readonly registration: OneIdRegistration,
    readonly embedded?: EmbeddedOneId,
  ) {}

  static async of(settings: Settings): Promise<OneId> {
    if (settings.oneId !== undefined) return new OneId(settings.oneId);
    // imported here, so that a deployment with a real OneID never loads the embedded one
    const { startForThisApp } = await import('./embedded.js');
    const { registration, embedded } = await startForThisApp(settings);
    return new OneId(registration, embedded);
  }

  /** The other apps of the embedded OneID; empty with a real OneID, whose apps are unknown. */
  get otherApps(): OtherApp[] {
    const apps = [...(this.embedded?.clients.values() ?? [])];
    return apps.flatMap(({ clientId, name, uri }) =>
      clientId === this.registration.clientId || name === undefined || uri === undefined ? [] : [{ name, uri }],
    );
  }

  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  /** Stops the embedded OneID; has no effect on a real one. */
  async close(): Promise<void> {
    await this.embedded?.close();
  }
}
