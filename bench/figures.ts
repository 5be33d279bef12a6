/** The value in the middle. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * q)] ?? NaN;
}

/** The median of a measurement's rounds, and their middle half. */
export interface Spread {
  readonly low: number;
  readonly middle: number;
  readonly high: number;
}

export function spreadOf(values: readonly number[]): Spread {
  return { low: quantile(values, 0.25), middle: median(values), high: quantile(values, 0.75) };
}

/** The median of a measurement's rounds, and the interval that has the true median with a probability of 95 %. */
export function medianInterval(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  // by the ranks of the sign test, which assumes nothing about the distribution
  const outside = Math.max(0, Math.floor((sorted.length - 1.96 * Math.sqrt(sorted.length)) / 2));
  const [low = NaN, high = NaN] = [sorted[outside], sorted[sorted.length - 1 - outside]];
  return { low, middle: median(sorted), high };
}

export function show({ low, middle, high }: Spread, digits = 2): string {
  const [from, at, to] = [low, middle, high].map((value) => value.toFixed(digits));
  return `${at} (${from} to ${to})`;
}

/** Round by round, how many times as much one is as another. */
export function ratios(values: readonly number[], base: readonly number[]): number[] {
  return values.map((value, round) => value / (base[round] ?? NaN));
}

/** How many times as much one cost is as another, measured in the same rounds: the median, and the middle half. */
export function ratio(costs: readonly number[], base: readonly number[]): string {
  return show(spreadOf(ratios(costs, base)));
}
