/** What one check of the doctor has found. */
export interface CheckResult {
  /** What was checked, such as `keys`. It is stable: programs may read it from `--json`. */
  readonly name: string;
  /** `fault`: a logout or a sign-in fails. `warning`: it works, but something may be wrong. */
  readonly status: 'ok' | 'warning' | 'fault' | 'skipped';
  readonly found: string;
  /** Empty for `ok` and `skipped`. */
  readonly expected: string;
  /** What to do; empty for `ok`. */
  readonly advice: string;
}

/** What is wrong, and what to do about it. */
export interface Finding {
  readonly found: string;
  readonly advice: string;
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
