import { type Plan } from './plan.js';

/**
 * A short run that has failed once, and what it showed. It stays as a test, with its plan: the plan of a seed changes
 * when the simulation learns something new.
 */
export interface KnownPlan {
  readonly showed: string;
  readonly plan: Plan;
}

export const knownPlans: readonly KnownPlan[] = [
  {
    showed: 'a 503 long after a failover, from an idle connection to the old primary',
    plan: {
      ...{ seed: '167', profile: 'tokens', replicas: [{}, {}, {}, {}], poolSize: 4, statementMs: 0.5, cores: 4 },
      ...{ logoutScope: 'session', normalizesText: false, end: 640_000 },
      actions: [
        { do: 'signIn', at: 347_400, session: 5, login: 3, user: 1, replica: 2 },
        { do: 'request', at: 624_560, session: 5, replica: 3 },
        { do: 'request', at: 624_570, session: 5, replica: 0 },
        { do: 'request', at: 624_580, session: 5, replica: 1 },
        { do: 'request', at: 624_590, session: 5, replica: 2 },
      ],
      faults: [{ kind: 'failover', at: 606_519, gapMs: 1_978, addressLagMs: 0, closes: true }],
    },
  },
  {
    showed: 'a logout that got 503 long after a failover: the replica only wrote, over connections to the old primary',
    plan: {
      ...{ seed: '2543', profile: 'tokens', replicas: [{}, {}, {}], poolSize: 4, statementMs: 0.5, cores: 4 },
      ...{ logoutScope: 'session', normalizesText: false, end: 800_000 },
      actions: [{ do: 'backchannel', at: 656_588, login: 1, replicas: [2, 2, 0] }],
      faults: [{ kind: 'failover', at: 644_978, gapMs: 3_823, addressLagMs: 6_000, closes: true }],
    },
  },
];
