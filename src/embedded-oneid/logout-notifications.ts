import {
  type BackchannelDelivery,
  type DeliveryOptions,
  type NotifiedClient,
  notifyClients,
  type SigningKey,
} from 'nestjs-oneid-logout/testing';

/** Options of each delivery; {@link DeliveryOptions} says what Hydra does by default. */
export type BackchannelOptions = Omit<DeliveryOptions, 'hydra' | 'signal'>;

/** Tells the apps about the end of a login. The browser does not wait for the back-channel. */
export class LogoutNotifications {
  readonly #finished: BackchannelDelivery[] = [];
  readonly #underWay = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor(
    private readonly issuer: string,
    private readonly key: SigningKey,
    private readonly options: Omit<DeliveryOptions, 'signal'>,
    private readonly log: (line: string) => void,
  ) {}

  /** The deliveries that succeeded or were given up, oldest first. */
  get finished(): readonly BackchannelDelivery[] {
    return this.#finished;
  }

  /** Starts the back-channel deliveries. @returns the URLs that the browser has to load in iframes */
  start(clients: readonly NotifiedClient[], sid: string): readonly string[] {
    const from = { issuer: this.issuer, key: this.key, seconds: Math.floor(Date.now() / 1000) };
    const options = { ...this.options, signal: this.#closing.signal };
    const { backchannel, frontchannel } = notifyClients(from, clients, sid, options);
    for (const delivery of backchannel) {
      const work = this.#follow(delivery).finally(() => this.#underWay.delete(work));
      this.#underWay.add(work);
    }
    return frontchannel;
  }

  /** Resolves when no delivery is under way. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) {
      await Promise.all(this.#underWay);
    }
  }

  /** Aborts the deliveries under way and waits until they have stopped. */
  close(): Promise<void> {
    this.#closing.abort();
    return this.idle();
  }

  async #follow(underWay: Promise<BackchannelDelivery>): Promise<void> {
    const delivery = await underWay;
    this.#finished.push(delivery);
    const answers = delivery.attempts.map(({ status }) => status ?? 'no answer');
    this.log(`logout token to ${delivery.clientId}: ${answers.join(', ')}`);
  }
}
