import { type Patch } from '../../support/patch.mjs';

const library = 'libs/oneid-logout/src';

/** A fault that the simulation must find: a past one of this library, or one that breaks an argument for its promises. */
export interface PlantedFault extends Patch {
  readonly name: string;
}

export const plantedFaults: readonly PlantedFault[] = [
  {
    name: 'a demoted primary is believed',
    file: `${library}/database/pooled-statements.ts`,
    search: 'if (statement.proved) this.requireProof(',
    replace: 'if (statement.proved && limit.isOver) this.requireProof(',
  },
  {
    name: 'a read on an idle connection to the old primary is not sent again',
    file: `${library}/database/pooled-statements.ts`,
    search: 'if (!dropped || isNew || !(isReadOnly || statement.proved)) throw error;',
    replace:
      'if (!dropped || isNew || !(isReadOnly || statement.proved) || error instanceof UnprovedAnswerError) throw error;',
  },
  {
    name: 'a connection stays after the old primary has refused a write',
    file: `${library}/database/pooled-statements.ts`,
    search: 'isReadOnly || error instanceof UnprovedAnswerError',
    replace: 'error instanceof UnprovedAnswerError',
  },
  {
    name: 'a check joins a group whose statement is under way',
    file: `${library}/store/gatherer.ts`,
    search: `        close();
        const requests = callers.map(({ request }) => request);
        const send = () => this.send(requests, turn);`,
    replace: `        const requests = callers.map(({ request }) => request);
        const send = () => this.send(requests, turn).then((results) => callers.map((caller) => results[requests.indexOf(caller.request)] ?? results[0]));`,
  },
  {
    name: 'each check is a statement of its own',
    file: `${library}/store/session.repository.ts`,
    search: 'const MAX_GROUP_CHECKS = 256;',
    replace: 'const MAX_GROUP_CHECKS = 1;',
  },
  {
    name: 'memory hashes the targets of a session anew',
    file: `${library}/rule/session.ts`,
    search: '  if (known !== undefined) return known.byKind;\n',
    replace: '',
  },
  {
    name: "the wait before OneID's 200 is half as long",
    file: `${library}/replicas/replica-barrier.ts`,
    search: 'recorded + longest - this.clock',
    replace: 'recorded + longest / 2 - this.clock',
  },
  {
    name: 'the overlap of two looks is half a second',
    file: `${library}/replicas/logout-follower.ts`,
    search: 'const OVERLAP = MAX_COMMIT_LATENESS + MAX_LOOK_DURATION + (MAX_CLOCK_STEP + MAX_LOOK_DURATION);',
    replace: 'const OVERLAP = MAX_LOOK_DURATION / 2;',
  },
  {
    name: 'a late commit gets no new time',
    file: `${library}/sessions/logout-recorder.ts`,
    search: 'return this.clock.ageOf(sent) <= MAX_COMMIT_LATENESS;',
    replace: 'return this.clock.ageOf(sent) <= 60_000;',
  },
  {
    name: 'the age of a look begins at its answer',
    file: `${library}/replicas/logout-follower.ts`,
    search: 'lastLook: { began: sent, now, answeredAt } };',
    replace: 'lastLook: { began: this.clock.moment(), now, answeredAt } };',
  },
  {
    name: 'a logout that can not be recorded is thrown away',
    file: `${library}/sessions/logout-inbox.ts`,
    search: '      if (error instanceof StoreUnavailableError) this.keep(logouts);\n',
    replace: '',
  },
  {
    name: 'P24: the tokens are erased after one confirmation',
    file: `${library}/tokens/refresh-token-revoker.ts`,
    search: "if (saidSoBefore) return 'settled';",
    replace: "if (!saidSoBefore) return 'settled';",
  },
  {
    name: 'P27: the refresh token of a login that goes on is revoked',
    file: `${library}/tokens/refresh-token-revoker.ts`,
    search: 'if (await this.tokens.hasAliveSibling(tokens))',
    replace: 'if (leased.isOver && (await this.tokens.hasAliveSibling(tokens)))',
  },
  {
    name: 'FC-4: a front-channel logout revokes refresh tokens',
    file: `${library}/tokens/refresh-token-revoker.ts`,
    search: "const isFrontchannel = leased.logout.channel === 'frontchannel';",
    replace: 'const isFrontchannel = false;',
  },
];
