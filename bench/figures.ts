/** The value in the middle. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * q)] ?? NaN;
}

/** How many times as much one cost is as another, measured in the same rounds: the median, and the middle half. */
export function ratio(costs: readonly number[], base: readonly number[]): string {
  const ratios = costs.map((cost, round) => cost / (base[round] ?? NaN));
  const [low, middle, high] = [0.25, 0.5, 0.75].map((q) => quantile(ratios, q).toFixed(2));
  return `${middle} (${low} to ${high})`;
}
