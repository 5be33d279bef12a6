interface Answer {
  /** When the request was sent, on the monotonic clock, milliseconds. */
  readonly sent: number;
  readonly took: number;
  readonly status: number;
}

/** How often to send the requests that are due, milliseconds. */
const TICK = 10;

/** Sends requests at a fixed rate, however slow the answers are: waiting for answers would relieve an overload. */
export class OfferedLoad {
  readonly answers: Answer[] = [];
  private readonly began = performance.now();
  private readonly timer = setInterval(() => this.sendDue(), TICK);
  private readonly open = new Set<Promise<void>>();
  private sent = 0;

  /** @param ask sends request number n, and returns the status of its answer */
  constructor(
    private readonly perSecond: number,
    private readonly ask: (n: number) => Promise<number>,
  ) {}

  /** Sends no more requests, and waits for all answers. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.open);
  }

  /** How many requests of this time were answered with each status. An unanswered request is not counted. */
  statuses(from = this.began, until = Infinity): Record<number, number> {
    const counts: Record<number, number> = {};
    for (const { sent, status } of this.answers) {
      if (sent >= from && sent < until) counts[status] = (counts[status] ?? 0) + 1;
    }
    return counts;
  }

  /** The share of the requests of this time that were answered with this status, from 0 to 1. */
  share(status: number, from?: number, until?: number): number {
    const counts = this.statuses(from, until);
    const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
    return (counts[status] ?? 0) / Math.max(1, all);
  }

  private sendDue(): void {
    const due = ((performance.now() - this.began) / 1000) * this.perSecond;
    for (; this.sent < due; this.sent++) {
      const answered = this.send(this.sent).finally(() => this.open.delete(answered));
      this.open.add(answered);
    }
  }

  private async send(n: number): Promise<void> {
    const sent = performance.now();
    const status = await this.ask(n);
    this.answers.push({ sent, took: performance.now() - sent, status });
  }
}
