/** Prints the demo's steps line by line, and whether each step had the expected result. */
export class Story {
  #steps = 0;
  readonly #missed: string[] = [];

  constructor(private readonly print: (line: string) => void) {}

  chapter(title: string): void {
    this.print(`\n${title}`);
  }

  /** @param told the expected value of `happened`, such as an HTTP status and a reason */
  step(text: string, happened: string, told: string): void {
    this.#steps += 1;
    const asTold = happened === told;
    if (!asTold) this.#missed.push(text);
    this.print(`  ${asTold ? '✓' : '✗'} ${text.padEnd(72)} ${happened}${asTold ? '' : `   (expected: ${told})`}`);
  }

  /** Prints the summary. @returns whether every step had the expected result */
  end(): boolean {
    this.print(`\n${this.#steps} steps, ${this.#steps - this.#missed.length} as expected`);
    for (const text of this.#missed) this.print(`  not as expected: ${text}`);
    return this.#missed.length === 0 && this.#steps > 0;
  }
}
