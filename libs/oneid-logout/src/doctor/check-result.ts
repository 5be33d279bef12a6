/** What one check of the doctor has found. */
export interface CheckResult {
  /** The name of the check, such as `keys`. It does not change between versions, because programs read it from `--json`. */
  readonly name: string;
  /** `fault`: a logout or a sign-in fails. `warning`: it works, but something may be wrong. */
  readonly status: 'ok' | 'warning' | 'fault' | 'skipped';
  readonly found: string;
  /** Empty for `ok` and `skipped`. */
  readonly expected: string;
  /** What to do; empty for `ok`. */
  readonly advice: string;
}

/** A fault or a warning: the observation, and the advice. */
export interface Finding {
  readonly found: string;
  readonly advice: string;
}

/** Splits an error's message: its first sentence says what was found, and the others say what to do. */
export function findingOf(message: string, adviceElse: string): Finding {
  const [found = '', ...cure] = message.split(/\.+ (?=[A-Z])/);
  return { found, advice: cure.length > 0 ? `${cure.join('. ').replace(/\.+$/, '')}.` : adviceElse };
}

export const ok = (name: string, found: string): CheckResult => ({
  name,
  status: 'ok',
  found,
  expected: '',
  advice: '',
});

export const skipped = (name: string, found: string, advice: string): CheckResult => ({
  ...{ name, status: 'skipped', found, expected: '', advice },
});

export const fault = (name: string, expected: string, { found, advice }: Finding): CheckResult => ({
  ...{ name, status: 'fault', found, expected, advice },
});

export const warning = (name: string, expected: string, { found, advice }: Finding): CheckResult => ({
  ...{ name, status: 'warning', found, expected, advice },
});
