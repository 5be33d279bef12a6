import { type BackchannelServer, LOAD } from './back-channel.js';
import { ratios, type Spread, spreadOf } from './figures.js';
import { expressServers, type GuardServer, type Load } from './guard.js';
import { type Measured, type Series } from './rounds.js';

/** Compares servers with each other, round by round. */
export class Comparisons {
  constructor(
    private readonly guards: Measured<GuardServer>,
    private readonly backchannels: Measured<BackchannelServer>,
  ) {}

  /** Processor time per request, divided by that of the guard that does nothing. */
  cpuOfEmpty(name: GuardServer, load: Load = 'some'): Spread {
    return spreadOf(ratios(this.guards.of(name, load).cpu, this.guards.of('empty', load).cpu));
  }

  /** Median latency of a lone request, divided by that of another server. */
  loneLatency(name: GuardServer, base: GuardServer): Spread {
    return spreadOf(ratios(this.guards.of(name, 'one').p50, this.guards.of(base, 'one').p50));
  }

  /** Requests per second, divided by those of the same app without a guard. */
  rateOfUnguarded(name: GuardServer): Spread {
    return spreadOf(ratios(this.guards.of(name, 'some').rate, this.unguarded(name, 'rate')));
  }

  /** Processor time that a guard adds to a request, microseconds: compared with another server, or with no guard. */
  extra(name: GuardServer, base?: GuardServer): number[] {
    const baseCpu = base === undefined ? this.unguarded(name, 'cpu') : this.guards.of(base, 'some').cpu;
    // rounds that measured only one of the two do not count
    const rounds = Math.min(baseCpu.length, this.guards.of(name, 'some').cpu.length);
    const cpu = this.guards.of(name, 'some').cpu.slice(0, rounds);
    return cpu.map((own, round) => own - (baseCpu[round] ?? NaN));
  }

  extraBeside(name: GuardServer, theirs: GuardServer): Spread {
    const base = this.extra(theirs);
    return spreadOf(ratios(this.extra(name).slice(0, base.length), base));
  }

  /** Logouts per second, divided by those of another server. */
  logoutRate(name: BackchannelServer, base: BackchannelServer = 'verify'): Spread {
    return spreadOf(ratios(this.backchannels.of(name, LOAD).rate, this.backchannels.of(base, LOAD).rate));
  }

  /** Logouts per second of the server's processor time, divided by those of another server. */
  logoutsPerCpu(name: BackchannelServer, base: BackchannelServer = 'verify'): Spread {
    return spreadOf(ratios(this.backchannels.of(base, LOAD).cpu, this.backchannels.of(name, LOAD).cpu));
  }

  /** For Nest this is the mean of both servers without a guard. */
  private unguarded(name: GuardServer, figure: keyof Series): number[] {
    if ((expressServers as readonly GuardServer[]).includes(name)) return this.guards.of('express', 'some')[figure];
    const again = this.guards.of('noneAgain', 'some')[figure];
    return this.guards.of('none', 'some')[figure].map((value, round) => (value + (again[round] ?? NaN)) / 2);
  }
}
