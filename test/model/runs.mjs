// What npm run model searches: each model as it is, and with one assumption or measure taken away.

const STALENESS = 1;
const WAIT = { TRUSTED_STALENESS: STALENESS, WAITED_STALENESS: STALENESS, JOINED_FOR: STALENESS, ALLOWANCE: 0 };
const BOUNDED = { STALENESS, ...WAIT };
const TWO_TICKS = { STALENESS: 2, TRUSTED_STALENESS: 2, WAITED_STALENESS: 2, JOINED_FOR: 2 };

/** The models as they are: no counterexample. `visits`: the marks of states that the search must have reached. */
export const proofs = [
  { name: 'bounded: steps of the clock', file: 'bounded.pml', macros: { ...BOUNDED, STEPS: '' }, visits: 4 },
  { name: 'bounded: shared questions', file: 'bounded.pml', macros: { ...BOUNDED, QUESTIONS: '' }, visits: 4 },
  { name: 'bounded: late updates', file: 'bounded.pml', macros: { ...BOUNDED, ORPHANS: '' }, visits: 4 },
  {
    name: 'bounded: allowDuringOutageMs',
    file: 'bounded.pml',
    macros: { ...BOUNDED, ALLOWANCE: 1, WAITED_STALENESS: 2 },
    visits: 4,
  },
  { name: 'bounded: two ticks', file: 'bounded.pml', macros: { ...BOUNDED, ...TWO_TICKS }, visits: 4 },
  { name: 'groups', file: 'groups.pml', macros: {}, visits: 2 },
  { name: 'failover', file: 'failover.pml', macros: { STALENESS }, visits: 4 },
  { name: 'failover: Galera', file: 'failover.pml', macros: { STALENESS, GALERA: '' }, visits: 4 },
];

/** `--steps`: by which amounts the database's clock is set. Every amount takes longer. */
export const steps = { few: {}, all: { ALL_STEPS: '' } };

const without = (file, macros, base = file === 'bounded.pml' ? BOUNDED : { STALENESS }) => ({
  file,
  macros: { ...base, ...macros },
});
const bounded = (macros) => without('bounded.pml', macros);
const groups = (macros) => without('groups.pml', macros, {});
const failover = (macros) => without('failover.pml', macros);

/** Each gives a counterexample. `assumption`: of docs/liveness-assumptions.md; the others are measures of the code. */
export const removals = {
  'two-primaries': { ...failover({ NO_FENCING: '' }), assumption: 'there is one primary' },
  'proof-missing': { ...failover({ NO_PROOF: '' }), assumption: 'every replica asks the primary' },
  'lost-commit': { ...failover({ NO_SYNCHRONOUS: '' }), assumption: 'a failover loses no commit' },
  'galera-reads-at-once': { ...failover({ GALERA: '', NO_WAITING_NODE: '' }), assumption: 'a Galera node waits' },
  'statement-not-cut': { ...groups({ NO_CUT: '' }), assumption: 'a statement that has failed gives no answer' },
  'old-snapshot': { ...groups({ NO_NEW_SNAPSHOT: '' }), assumption: 'each statement has a new snapshot' },
  'other-rate': { ...bounded({ NO_SAME_RATE: '' }), assumption: 'all clocks run at the same rate' },
  'clock-set-ahead': { ...bounded({ STEPS: '', NO_STEADY_CLOCK: '' }), assumption: 'no large step ahead meanwhile' },
  'clock-set-twice': { ...bounded({ STEPS: '', NO_STEP_SEEN: '' }), assumption: 'the clock is set once' },
  'clocks-stop-together': { ...bounded({ NO_RUNNING_CLOCKS: '' }), assumption: 'the two clocks never stop together' },
  'no-declaration': {
    ...bounded({ NO_DECLARATION: '' }),
    assumption: 'a replica that answers from memory is declared',
  },
  'group-not-closed': groups({ NO_CLOSED_GROUP: '' }),
  'answer-before-commit': groups({ NO_ACKNOWLEDGED_COMMIT: '' }),
  'no-wait': bounded({ NO_WAIT: '' }),
  'wait-a-tick-shorter': bounded({ ...TWO_TICKS, WAITED_STALENESS: 1 }),
  'trust-a-tick-longer': bounded({ TRUSTED_STALENESS: STALENESS + 1 }),
  'join-a-tick-longer': bounded({ QUESTIONS: '', JOINED_FOR: STALENESS + 1 }),
  'wait-without-allowance': bounded({ ALLOWANCE: 1 }),
  'overlap-a-tick-shorter': { ...bounded({ STEPS: '' }), shorterOverlap: 1 },
  'trust-for-ever': bounded({ NO_STALENESS: '' }),
  'age-from-the-answer': bounded({ NO_AGE_FROM_SENDING: '' }),
  'late-commit-not-touched': bounded({ NO_TOUCH_OF_LATE: '' }),
  'known-logout-not-touched': bounded({ NO_TOUCH_OF_KNOWN: '' }),
  'slow-look-trusted': bounded({ STEPS: '', NO_SLOW_LOOK: '' }),
  'step-not-noticed': bounded({ STEPS: '', NO_STEP_CHECK: '' }),
  'no-generations': bounded({ NO_GENERATION: '' }),
  'past-fault-touch-sets-time-back': bounded({ ORPHANS: '', OLD_TOUCH: '' }),
  'past-fault-shared-before-declared': bounded({ QUESTIONS: '', OLD_SHARING: '' }),
};
