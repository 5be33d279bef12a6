import { setTimeout as sleep } from 'node:timers/promises';

export interface BackchannelOptions {
  /** Maximum number of attempts for one logout token; 5 when absent. */
  attempts?: number;
  /** Milliseconds before the first retry; each further retry doubles the delay. 100 when absent. */
  retryDelayMs?: number;
}

/** One logout token on its way to one client. */
export interface Delivery {
  clientId: string;
  uri: string;
  sid: string;
  logoutToken: string;
  attempts: number;
  /** Status of the answer to the last attempt; absent when the client did not answer. */
  status?: number;
  delivered: boolean;
}

const ANSWER_WITHIN_MS = 5000;

/** Sends logout tokens as Hydra does: the browser does not wait for them, and a retry sends the same token again. */
export class BackchannelDeliveries {
  readonly #attempts: number;
  readonly #retryDelayMs: number;
  readonly #log: (line: string) => void;
  readonly #finished: Delivery[] = [];
  readonly #underWay = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor({ attempts = 5, retryDelayMs = 100 }: BackchannelOptions, log: (line: string) => void) {
    this.#attempts = attempts;
    this.#retryDelayMs = retryDelayMs;
    this.#log = log;
  }

  /** The deliveries that succeeded or were given up, oldest first. */
  get finished(): readonly Delivery[] {
    return this.#finished;
  }

  start(target: Pick<Delivery, 'clientId' | 'uri' | 'sid' | 'logoutToken'>): void {
    const work = this.#deliver({ ...target, attempts: 0, delivered: false }).finally(() => this.#underWay.delete(work));
    this.#underWay.add(work);
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

  async #deliver(delivery: Delivery): Promise<void> {
    for (let again = true; again && !this.#closing.signal.aborted;) {
      delivery.attempts += 1;
      const answer = await this.#post(delivery);
      if (answer) {
        delivery.status = answer.status;
        delivery.delivered = answer.status === 200 || answer.status === 204;
      } else {
        delete delivery.status;
      }
      again = !delivery.delivered && delivery.attempts < this.#attempts && worthRetrying(answer);
      this.#log(
        `logout token to ${delivery.clientId}: ${answer?.status ?? 'no answer'}${again ? ', trying again' : ''}`,
      );
      if (again) {
        await this.#pause(retryAfterMs(answer) ?? this.#retryDelayMs * 2 ** (delivery.attempts - 1));
      }
    }
    this.#finished.push(delivery);
  }

  async #post({ uri, logoutToken }: Delivery): Promise<Response | undefined> {
    try {
      const answer = await fetch(uri, {
        method: 'POST',
        redirect: 'manual',
        body: new URLSearchParams({ logout_token: logoutToken }),
        signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
      });
      await answer.body?.cancel();
      return answer;
    } catch {
      return undefined;
    }
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#closing.signal }).catch(() => undefined);
  }
}

function worthRetrying(answer: Response | undefined): boolean {
  return !answer || answer.status === 429 || (answer.status >= 500 && answer.status !== 501);
}

/** `Retry-After` is a number of seconds or a date (RFC 9110, section 10.2.3). */
function retryAfterMs(answer: Response | undefined): number | undefined {
  const value = answer?.headers.get('retry-after');
  if (!value) {
    return undefined;
  }
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
