import { ReferenceUser } from '../../src/demo/reference-user.js';
import { freePort } from '../../src/embedded-oneid/free-port.js';
import { BlackBoxProvider, type ProviderKey, providerKey } from './black-box-provider.js';
import { rsaKeys } from './suite-key.js';
import { TypescriptProcess } from './typescript-process.js';
import { until } from './until.js';

/** The reference app as a process, started by its environment variables, with a provider that is not the library's. */
export class BlackBoxApp {
  private process: TypescriptProcess | undefined;

  private constructor(
    readonly provider: BlackBoxProvider,
    readonly url: string,
    private readonly environment: Readonly<Record<string, string>>,
  ) {}

  /**
   * @param environment variables of the app, beside its provider and its port
   * @param otherKeys keys that the provider publishes, beside the one that signs
   */
  static async start(
    environment: Readonly<Record<string, string>>,
    otherKeys: readonly ProviderKey[] = [],
  ): Promise<BlackBoxApp> {
    const provider = await BlackBoxProvider.start(() => Date.now(), providerKey('the-kid', rsaKeys[0]));
    provider.keys = [...provider.keys, ...otherKeys];
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    provider.appUrl = url;
    const app = new BlackBoxApp(provider, url, { ...provider.environment(port), ...environment });
    try {
      await app.restart();
    } catch (error) {
      await app.stop();
      throw error;
    }
    return app;
  }

  /** Starts the app again after {@link kill}. */
  async restart(): Promise<void> {
    const process = TypescriptProcess.start(new URL('../../src/main.ts', import.meta.url), this.environment);
    this.process = process;
    await until('the app is ready', () => {
      if (process.hasEnded) throw new Error(`the app did not start:\n${process.output}`);
      return process.output.includes('Ready at');
    });
  }

  async kill(): Promise<void> {
    await this.process?.kill();
  }

  /** Ends the app and its provider. */
  async stop(): Promise<void> {
    await this.kill();
    await this.provider.close();
  }

  /** A user who has signed in with a login and a browser of their own. The provider knows the latest login only. */
  async signIn(): Promise<ReferenceUser> {
    this.provider.reset();
    const user = new ReferenceUser(this.url);
    await user.signIn();
    return user;
  }
}
