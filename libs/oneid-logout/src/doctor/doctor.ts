import { Clock } from '../clock.js';
import { Random } from '../random.js';
import { checkBackchannel } from './check-backchannel.js';
import { checkCallback } from './check-callback.js';
import { checkProviderClock } from './check-clocks.js';
import { checkFrontchannel } from './check-frontchannel.js';
import { checkIdToken } from './check-id-token.js';
import { checkAlgorithm, checkKeys } from './check-keys.js';
import { checkDiscovery, checkEndpoints, checkIssuer, checkLogoutSupport, withoutDiscovery } from './check-provider.js';
import { type CheckResult, fault } from './check-result.js';
import { httpProbe, type Probe } from './probe.js';
import { type DoctorSettings } from './settings.js';

/** Runs all checks, in the order in which a person should correct their faults. It has no effect on the app. */
export async function examine(
  settings: DoctorSettings,
  clock = new Clock(),
  random = new Random(),
): Promise<CheckResult[]> {
  const probe = httpProbe(clock, settings.timeoutMs);
  const { results, issuer } = await examineProvider(settings, probe, clock);
  const app = { probe, clock, random };
  return [
    ...results,
    ...(await examineDatabase(settings, clock)),
    await checkBackchannel(settings, issuer, app),
    await checkFrontchannel(settings, issuer, probe, random),
    await checkCallback(settings, probe),
    await checkIdToken(settings),
  ];
}

async function examineProvider(settings: DoctorSettings, probe: Probe, clock: Clock) {
  const { result, discovered } = await checkDiscovery(settings, probe, clock);
  if (discovered === undefined) {
    const names = ['issuer', 'endpoints', 'logout channels', 'algorithm', 'keys', "provider's clock"];
    return { results: [result, ...withoutDiscovery(...names)], issuer: settings.issuer };
  }
  const results = [
    result,
    checkIssuer(settings, discovered),
    checkEndpoints(settings, discovered),
    checkLogoutSupport(discovered),
    checkAlgorithm(settings, discovered),
    ...(await checkKeys(settings, discovered, probe)),
    checkProviderClock(settings, discovered.answer),
  ];
  return { results, issuer: discovered.issuer };
}

/** Gives up after the time limit: a driver may wait for a silent host for minutes. */
async function examineDatabase(settings: DoctorSettings, clock: Clock): Promise<CheckResult[]> {
  const { timeoutMs } = settings;
  // imported here, because TypeORM takes time to load
  const { checkDatabase } = await import('./check-database.js');
  return new Promise((resolve, reject) => {
    const timer = clock.after(timeoutMs, () => {
      const found = `the database did not answer within ${timeoutMs / 1000} s`;
      const advice = 'Check its host and port, and whether a firewall drops the connection. Or give --timeout-seconds.';
      resolve([fault('database', 'a database that answers', { found, advice })]);
    });
    void checkDatabase(settings, clock)
      .then(resolve, reject)
      .finally(() => timer.cancel());
  });
}
