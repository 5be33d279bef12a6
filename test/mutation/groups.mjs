const SOURCE = 'libs/oneid-logout/src/';

/**
 * The code that decides, in groups. The tests of a group are the suites that are written for its files: a decision must
 * be tested where it is made, and a run with all suites takes hours.
 */
export const groups = {
  rule: {
    files: ['rule/rule.ts', 'rule/logout.ts', 'rule/session.ts', 'rule/targets.ts', 'store/rule-sql.ts'],
    tests: ['rule/rule.spec.ts', 'rule/logout.spec.ts', 'rule/session.spec.ts', 'store/rule-sql.e2e-spec.ts'],
  },
  'return-url': { files: ['http/return-url.ts'], tests: ['http/return-url.spec.ts'] },
  'logout-state': { files: ['logout/logout-state.ts'], tests: ['logout/logout-state.e2e-spec.ts'] },
  'logout-origin': { files: ['logout/logout-origin.ts'], tests: ['logout/logout-origin.spec.ts'] },
  'end-session-request': {
    files: ['logout/end-session-request.ts'],
    tests: ['logout/end-session-request.spec.ts'],
  },
  'token-times': { files: ['provider/token-times.ts'], tests: ['provider/token-times.spec.ts'] },
  freshness: { files: ['provider/freshness.ts'], tests: ['provider/freshness.spec.ts'] },
  'provider-keys': {
    files: ['provider/provider-keys.ts', 'provider/key-set.ts'],
    tests: ['provider/provider-keys.e2e-spec.ts', 'provider/key-set.spec.ts'],
  },
  'id-token': { files: ['provider/id-token.ts'], tests: ['provider/id-token.e2e-spec.ts'] },
  'logout-token': { files: ['provider/logout-token.ts'], tests: ['provider/logout-token.e2e-spec.ts'] },
};

/** @returns the paths from the project's root */
export function pathsOf(names) {
  return names.map((name) => SOURCE + name);
}
