// The constants of the code that the models use, read from its sources, because most of them are private.
import { readFileSync } from 'node:fs';

const SOURCES = [
  'store/logout-changes.ts',
  'replicas/logout-follower.ts',
  'replicas/replica-declaration.ts',
  'replicas/cached-session-lookup.ts',
  'replicas/liveness-options.ts',
  'store/replica.repository.ts',
  'database/data-source-options.ts',
  'database/statement-queue.ts',
];

const sourceOf = (file) => readFileSync(new URL(`../../libs/oneid-logout/src/${file}`, import.meta.url), 'utf8');

/** The numbers that the sources name with `const`, milliseconds for times: `{ OVERLAP: 4000, … }`. */
export function readConstants() {
  const known = {};
  for (const file of SOURCES) {
    for (const [, name, expression] of sourceOf(file).matchAll(/^(?:export )?const ([A-Z_]+) = ([^;{]+);/gm)) {
      const value = calculate(expression, known);
      if (value !== undefined) known[name] = value;
    }
  }
  const [, maxStaleness] =
    /@Max\(([\d_]+)\)\s+readonly maxStalenessMs/.exec(sourceOf('replicas/liveness-options.ts')) ?? [];
  const [, maxAllowance] =
    /@Max\(([\d_ *]+)\)\s+readonly allowDuringOutageMs/.exec(sourceOf('replicas/liveness-options.ts')) ?? [];
  const [, checks] =
    /check: \{ connections: \(all\) => \(all < 3 \? 1 : (\d+)\)/.exec(sourceOf('database/statement-queue.ts')) ?? [];
  known.CHECKS_AT_ONCE = calculate(String(checks), known);
  known.LARGEST_STALENESS = calculate(String(maxStaleness), known);
  known.LARGEST_ALLOWANCE = calculate(String(maxAllowance), known);
  return known;
}

/** The value of a sum or product of numbers and known names; undefined for anything else. */
function calculate(expression, known) {
  const numbers = expression.replace(/[A-Z_]{2,}/g, (name) => String(known[name])).replaceAll('_', '');
  return /^[\d\s+*()-]+$/.test(numbers) ? Number(new Function(`return ${numbers}`)()) : undefined;
}

const gcd = (a, b) => (b === 0 ? a : gcd(b, a % b));

/**
 * The constants in ticks. A tick is the largest time of which the four times of the follower are multiples: integers then
 * find every order that fractions of a tick can make, because the models only add and compare these times.
 */
export function inTicks(constants) {
  const { MAX_COMMIT_LATENESS, MAX_LOOK_DURATION, MAX_CLOCK_STEP, OVERLAP, CHECKS_AT_ONCE } = constants;
  const tick = [MAX_COMMIT_LATENESS, MAX_LOOK_DURATION, MAX_CLOCK_STEP, OVERLAP].reduce(gcd);
  const lookDuration = MAX_LOOK_DURATION / tick;
  return {
    tick,
    macros: {
      COMMIT_LATENESS: MAX_COMMIT_LATENESS / tick,
      LOOK_DURATION: lookDuration,
      CLOCK_STEP: MAX_CLOCK_STEP / tick,
      OVERLAP: OVERLAP / tick,
      CHECKS_AT_ONCE,
      // a look that is slower is like this one
      SLOWEST_LOOK: lookDuration + 1,
    },
  };
}
