import { show, type Spread } from './figures.js';

/** What a figure should be at least, or at most, and what there is to say where it is not. */
export interface Aim {
  readonly what: string;
  readonly figure: Spread;
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly reason?: string;
}

/** One row of the table of aims. */
export function judge({ what, figure, atLeast, atMost, reason = '' }: Aim): string {
  const met = figure.middle >= (atLeast ?? -Infinity) && figure.middle <= (atMost ?? Infinity);
  const aim = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
  return `| ${what} | ${aim} | ${show(figure)} | ${met ? 'met' : `**missed**${reason && `: ${reason}`}`} |`;
}
