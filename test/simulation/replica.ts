import { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { BootReport } from '../../libs/oneid-logout/src/boot/boot-report.js';
import { BackchannelLogout } from '../../libs/oneid-logout/src/channels/backchannel-logout.js';
import { FrontchannelLogout } from '../../libs/oneid-logout/src/channels/frontchannel-logout.js';
import { Clock } from '../../libs/oneid-logout/src/clock.js';
import { DatabaseConnector } from '../../libs/oneid-logout/src/database/database-connector.js';
import { SessionJudge } from '../../libs/oneid-logout/src/guard/session-judge.js';
import { ParserErrors } from '../../libs/oneid-logout/src/http/parser-errors.js';
import { Measures } from '../../libs/oneid-logout/src/measures/measures.js';
import { OneIdLogoutModule } from '../../libs/oneid-logout/src/oneid-logout.module.js';
import {
  RESOLVED_OPTIONS,
  type ResolvedOptions,
  resolveOptions,
} from '../../libs/oneid-logout/src/oneid-logout.options.js';
import { IdTokenVerifier } from '../../libs/oneid-logout/src/provider/id-token.js';
import { LogoutTokenVerifier } from '../../libs/oneid-logout/src/provider/logout-token.js';
import { Random } from '../../libs/oneid-logout/src/random.js';
import { type LogoutNudges } from '../../libs/oneid-logout/src/replicas/logout-nudges.js';
import { LOGOUT_NUDGES } from '../../libs/oneid-logout/src/replicas/replica-providers.js';
import { LogoutRecorder } from '../../libs/oneid-logout/src/sessions/logout-recorder.js';
import { SessionRegistry } from '../../libs/oneid-logout/src/sessions/session-registry.js';
import { TokenRepository } from '../../libs/oneid-logout/src/store/token.repository.js';
import { TokenVault } from '../../libs/oneid-logout/src/tokens/token-vault.js';
import { type Plan, type ReplicaPlan } from './plan.js';
import { type Prng } from './prng.js';
import { type SimulatedDatabase } from './simulated-database.js';
import { CLIENT_ID, ISSUER, REVOCATION_ENDPOINT, type SimulatedOneId } from './simulated-oneid.js';
import { SimulatedVault } from './simulated-vault.js';
import { SimulatedRandom, VirtualClock } from './virtual-clock.js';
import { Wiring } from './wiring.js';
import { type Actor, type World } from './world.js';

/** The parts of the library that a running replica offers: the real classes, below HTTP. */
export interface Parts {
  readonly judge: SessionJudge;
  readonly registry: SessionRegistry;
  readonly recorder: LogoutRecorder;
  readonly backchannel: BackchannelLogout;
  readonly frontchannel: FrontchannelLogout;
}

/** What a replica needs of its surroundings. */
export interface Surroundings {
  readonly world: World;
  readonly plan: Plan;
  readonly prng: Prng;
  readonly database: SimulatedDatabase;
  readonly oneId: SimulatedOneId;
  /** Carries a nudge to the other replicas. */
  readonly nudge: (from: number) => void;
}

/** Pause before the orchestrator starts a process again whose boot has failed, milliseconds. */
const BOOT_PAUSE = 1_000;

const MAX_SESSIONS = 500;

const resolved = new Map<string, ResolvedOptions>();

/** The options of a replica. They are checked once for each kind: that takes a millisecond. */
function optionsOf({ bounded }: ReplicaPlan, { logoutScope }: Plan): ResolvedOptions {
  const key = JSON.stringify([bounded, logoutScope]);
  let options = resolved.get(key);
  if (options === undefined) {
    const liveness =
      bounded === undefined
        ? 'strict'
        : {
            ...{ maxStalenessMs: bounded.maxStalenessMs, allowDuringOutageMs: bounded.allowDuringOutageMs },
            // each cache takes its memory at once
            maxSessions: MAX_SESSIONS,
          };
    const endpoints = {
      jwks_uri: `${ISSUER}jwks`,
      end_session_endpoint: `${ISSUER}oauth2/sessions/logout`,
      revocation_endpoint: REVOCATION_ENDPOINT,
      token_endpoint: `${ISSUER}oauth2/token`,
    };
    options = resolveOptions({
      clients: [
        {
          ...{ issuer: ISSUER, clientId: CLIENT_ID, endpoints, logoutScope },
          postLogoutRedirectUri: 'https://app.example/logout/callback',
        },
      ],
      database: { type: 'better-sqlite3', database: ':memory:' },
      secrets: ['a secret that the simulation never uses'],
      sessionFrom: () => undefined,
      liveness,
    });
    resolved.set(key, options);
  }
  return options;
}

/** One process of a replica. */
class Process implements Actor {
  stalledUntil = 0;
  timersFirst = true;
  gone = false;
  readonly clock: VirtualClock;
  private module: OneIdLogoutModule | undefined;
  private wiring: Wiring | undefined;
  private onNudge: (() => void) | undefined;

  constructor(
    readonly name: string,
    private readonly number: number,
    private readonly around: Surroundings,
    private readonly prng: Prng,
  ) {
    this.clock = new VirtualClock(around.world, this, prng.fork('clock'));
  }

  /** @throws the error of a boot that fails */
  async boot(): Promise<Parts> {
    const { plan, oneId, database } = this.around;
    const settings = plan.replicas[this.number] ?? {};
    const options = Object.assign({}, optionsOf(settings, plan), { fetch: oneId.fetchFor(this) });
    const given = new Map<never, unknown>([
      ...([
        [RESOLVED_OPTIONS, options],
        [Clock, this.clock],
        [Random, new SimulatedRandom(this.prng.fork('random'))],
        [DatabaseConnector, database.connectorFor(this.number, this)],
        [Measures, Measures.off(this.clock)],
        [IdTokenVerifier, oneId.idTokens],
        [LogoutTokenVerifier, oneId.logoutTokens],
        [LOGOUT_NUDGES, settings.bounded?.nudges ? this.nudges : undefined],
        [ModulesContainer, new ModulesContainer()],
        [HttpAdapterHost, { httpAdapter: { getHttpServer: () => ({ listening: true }) } }],
        [BootReport, { write: () => Promise.resolve(), close: () => undefined }],
        [ParserErrors, {}],
      ] as unknown as [never, unknown][]),
    ]);
    const wiring = new Wiring(OneIdLogoutModule, given);
    const vault = new SimulatedVault(await wiring.get(TokenRepository), this.name);
    wiring.give(TokenVault, vault);
    this.wiring = wiring;
    const parts: Parts = {
      judge: await wiring.get(SessionJudge),
      registry: await wiring.get(SessionRegistry),
      recorder: await wiring.get(LogoutRecorder),
      backchannel: await wiring.get(BackchannelLogout),
      frontchannel: await wiring.get(FrontchannelLogout),
    };
    this.module = await wiring.get(OneIdLogoutModule);
    await this.module.onApplicationBootstrap();
    return parts;
  }

  /** Stops in order, as Nest does: all hooks of one kind, then those of the next. */
  async stop(): Promise<void> {
    const all = (await this.wiring?.all()) ?? [];
    for (const hook of ['onModuleDestroy', 'beforeApplicationShutdown', 'onApplicationShutdown'] as const) {
      await Promise.all(
        [...all, this.module].map(async (one) => {
          const hooks = one as Partial<Record<typeof hook, () => unknown>> | undefined;
          await hooks?.[hook]?.();
        }),
      );
    }
    this.gone = true;
  }

  /** A nudge of another replica arrives. */
  hear(): void {
    this.onNudge?.();
  }

  private readonly nudges: LogoutNudges = {
    open: (onNudge) => {
      this.onNudge = onNudge;
    },
    send: () => {
      this.around.nudge(this.number);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}

/** A replica: one process after another. */
export class Replica {
  process: Process | undefined;
  /** Undefined while no process takes requests. */
  parts: Parts | undefined;
  private processes = 0;
  private aheadMs = 0;

  constructor(
    readonly number: number,
    private readonly around: Surroundings,
  ) {}

  /** Starts a process; again and again, while its boot fails. */
  start(): void {
    this.processes += 1;
    const name = `replica-${this.number}.${this.processes}`;
    const process = new Process(name, this.number, this.around, this.around.prng.fork(name));
    process.clock.aheadMs = this.aheadMs;
    this.process = process;
    process.boot().then(
      (parts) => {
        if (this.process === process && !process.gone) this.parts = parts;
      },
      () => {
        process.gone = true;
        if (this.process === process) this.around.world.after(BOOT_PAUSE, () => this.start());
      },
    );
  }

  kill(): void {
    if (this.process !== undefined) this.process.gone = true;
    this.process = undefined;
    this.parts = undefined;
  }

  /** Takes no more requests, and ends in order. */
  stop(): void {
    const { process } = this;
    this.process = undefined;
    this.parts = undefined;
    void process?.stop();
  }

  /** Sets the wall clock of its machine. */
  stepClock(byMs: number): void {
    this.aheadMs += byMs;
    if (this.process !== undefined) this.process.clock.aheadMs += byMs;
  }

  stall(untilMs: number, timersFirst: boolean, suspended: boolean): void {
    const { process } = this;
    const { now } = this.around.world;
    if (process === undefined || process.stalledUntil > now) return;
    process.stalledUntil = untilMs;
    process.timersFirst = timersFirst;
    if (suspended) process.clock.suspendedMs += untilMs - now;
  }
}
