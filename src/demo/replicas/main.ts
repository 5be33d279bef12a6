import { randomBytes } from 'node:crypto';
import { exitAtSignals, type Opened, type Outcome, runCommand } from '../../command.js';
import { type EmbeddedOneId, startEmbeddedOneId } from '../../embedded-oneid/embedded-oneid.js';
import { freePort } from '../../embedded-oneid/free-port.js';
import { ReferenceUser } from '../reference-user.js';
import { startPostgres } from './postgres.js';
import { Replica } from './replica.js';

/** `maxStalenessMs` of each replica, in milliseconds. */
const BOUND = 500;

const clientId = 'reference-app';
const clientSecret = randomBytes(32).toString('base64url');

/** Prints when each replica first refused, relative to `moment`. @returns whether all replicas refused in time */
function report(replicas: readonly Replica[], refusals: readonly number[], moment: number, latest: number): boolean {
  const lines = replicas.map(({ name }, n) => {
    const after = (refusals[n] ?? NaN) - moment;
    const when = `${Math.abs(after).toFixed(0).padStart(6)} ms ${after < 0 ? 'before' : 'after'}`;
    return { text: `  ${name}   ${when}`, inTime: after <= latest };
  });
  for (const { text, inTime } of lines) console.log(`${text}   ${inTime ? '✓' : '✗ too late'}`);
  return lines.every(({ inTime }) => inTime);
}

/** Asks all replicas from now on. A failure reaches the caller when the caller awaits the returned promise. */
function firstRefusals(replicas: readonly Replica[], cookie: string): Promise<number[]> {
  const refusals = Promise.all(replicas.map((replica) => replica.firstRefusal(cookie)));
  refusals.catch(() => undefined);
  return refusals;
}

/** The user logs out with the app's own button, at the first replica. */
async function logOutHere(replicas: readonly Replica[], user: ReferenceUser): Promise<boolean> {
  await user.signIn();
  const { cookie } = user;
  const refusals = firstRefusals(replicas, cookie);
  await user.pressLogout();
  const answered = performance.now();
  console.log(
    `\nThe user logs out at ${replicas[0]?.name ?? ''}, which nudges the other replicas. How long after its answer did each replica refuse the session?\n` +
      `(If every nudge is lost: at most ${BOUND} ms after the answer.)`,
  );
  return report(replicas, await refusals, answered, BOUND);
}

/** The user logs out at OneID, which tells the third replica. */
async function logOutAtOneId(
  replicas: readonly Replica[],
  user: ReferenceUser,
  oneId: EmbeddedOneId,
): Promise<boolean> {
  await user.signIn();
  const { cookie } = user;
  const refusals = firstRefusals(replicas, cookie);
  const confirmation = await user.browser.visit(`${oneId.issuer}oauth2/sessions/logout`);
  await user.browser.follow(await user.browser.submit(confirmation, { answer: 'yes' }));
  await oneId.deliveries.idle();
  const told = performance.now();
  const status = oneId.deliveries.finished.at(-1)?.attempts.at(-1)?.status;
  console.log(
    `\nThe user logs out at OneID. OneID tells ${replicas[2]?.name ?? ''} and gets ${status ?? 'no answer'}, ` +
      `${BOUND} ms after the logout is recorded.\n` +
      'How long before or after this answer did each replica refuse the session? (It must not be after the answer.)',
  );
  return report(replicas, await refusals, told, 0) && status === 200;
}

async function demo(opened: Opened): Promise<Outcome> {
  exitAtSignals();
  const postgres = await startPostgres();
  opened.add(() => postgres.stop());
  const ports = await Promise.all([1, 2, 3, 4].map(() => freePort()));
  const [baseUrl = '', , told = ''] = ports.map((port) => `http://127.0.0.1:${port}`);
  const oneId = await startEmbeddedOneId({
    clients: [
      {
        ...{ clientId, clientSecret },
        redirectUris: [`${baseUrl}/login/callback`],
        postLogoutRedirectUris: [`${baseUrl}/logout/callback`],
        backchannelLogoutUri: `${told}/backchannel_logout`,
      },
    ],
  });
  opened.add(() => oneId.close());
  const env = {
    BASE_URL: baseUrl,
    DATABASE_URL: postgres.url,
    LIVENESS_MAX_STALENESS_MS: String(BOUND),
    ...{ ONEID_ISSUER: oneId.issuer, ONEID_CLIENT_ID: clientId, ONEID_CLIENT_SECRET: clientSecret },
    APP_SECRETS: randomBytes(32).toString('base64url'),
  };
  const starting = ports.map((port, n) => Replica.start(`replica ${n + 1}`, port, env));
  // when one replica fails to start, the others must still be stopped
  const started = (await Promise.allSettled(starting)).flatMap((start) => ('value' in start ? start.value : []));
  opened.add(() => Promise.all(started.map((replica) => replica.stop())));
  const replicas = await Promise.all(starting);
  console.log(`Four replicas on one PostgreSQL (the one from npm). Each replica is at most ${BOUND} ms stale.`);
  const user = new ReferenceUser(baseUrl);
  const here = await logOutHere(replicas, user);
  const there = await logOutAtOneId(replicas, user, oneId);
  return here && there ? 'done' : 'failed';
}

await runCommand(demo);
