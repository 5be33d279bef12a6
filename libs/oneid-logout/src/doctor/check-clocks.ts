import { MAX_CLOCK_DIFFERENCE } from '../store/clock-difference.js';
import { type CheckResult, fault, ok, skipped, warning } from './check-result.js';
import { type Answer } from './probe.js';
import { type DoctorSettings } from './settings.js';

/** A reading of another clock. Times are milliseconds since 1970. */
export interface ClockReading {
  /** The other clock showed a time from `from` until `until`. */
  readonly from: number;
  readonly until: number;
  /** This machine's clock before the question and after the answer. */
  readonly askedAt: number;
  readonly answeredAt: number;
}

/** Seconds by which the other clock is ahead of this machine's at least; negative if it is behind. 0: they may agree. */
export function secondsAhead({ from, until, askedAt, answeredAt }: ClockReading): number {
  if (from > answeredAt) return Math.ceil((from - answeredAt) / 1000);
  return until < askedAt ? -Math.ceil((askedAt - until) / 1000) : 0;
}

const described = (ahead: number, whose: string) =>
  ahead === 0
    ? `${whose} agrees with this machine's`
    : `${whose} is ${Math.abs(ahead)} s ${ahead > 0 ? 'ahead of' : 'behind'} this machine's`;

type Tolerance = Pick<DoctorSettings, 'clockToleranceSeconds'>;

const ADVICE = 'Set the wrong clock right, for example by NTP. Run the doctor on the machine of the app.';

/** The `Date` of the provider's answer (RFC 9110 §6.6.1), which names a whole second. */
export function checkProviderClock({ clockToleranceSeconds }: Tolerance, answer: Answer): CheckResult {
  const name = "provider's clock";
  const date = Date.parse(answer.headers.get('date') ?? '');
  if (Number.isNaN(date))
    return skipped(name, 'not checked: the answer of discovery has no Date', 'Compare the clocks by hand.');
  if (answer.headers.has('age')) {
    return skipped(name, 'not checked: a cache has kept the answer of discovery', 'Compare the clocks by hand.');
  }
  const { askedAt, answeredAt } = answer;
  const ahead = secondsAhead({ from: date, until: date + 999, askedAt, answeredAt });
  const found = described(ahead, "the provider's clock");
  if (Math.abs(ahead) <= clockToleranceSeconds) return ok(name, found);
  return fault(name, `a difference of at most ${clockToleranceSeconds} s (clockToleranceSeconds)`, {
    found,
    advice: `The library refuses the tokens of sign-ins and logouts if the database's clock is wrong, too. ${ADVICE}`,
  });
}

export function checkDatabaseClock({ clockToleranceSeconds }: Tolerance, reading: ClockReading): CheckResult {
  const name = "database's clock";
  const ahead = secondsAhead(reading);
  const found = described(ahead, "the database's clock");
  if (Math.abs(ahead) * 1000 > MAX_CLOCK_DIFFERENCE) {
    return fault(name, `a difference of at most ${MAX_CLOCK_DIFFERENCE / 1000} s`, {
      found,
      advice: `The library deletes no old rows meanwhile, so the tables grow. ${ADVICE}`,
    });
  }
  if (Math.abs(ahead) <= clockToleranceSeconds) return ok(name, found);
  return warning(name, `a difference of at most ${clockToleranceSeconds} s (clockToleranceSeconds)`, {
    found,
    advice: `A token may be right by one clock only. The library then accepts it, and logs a warning. ${ADVICE}`,
  });
}
