// One replica of two: records logouts, or watches for the moment from which on it refuses a session.
import 'reflect-metadata';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { OneIdLogoutModule, type OneIdLogoutOptions, sessionFromCookie } from 'nestjs-oneid-logout';
import { SessionJudge } from '../../libs/oneid-logout/src/guard/session-judge.js';
import pg from 'pg';
import { type VerifiedLogoutToken } from '../../libs/oneid-logout/src/provider/logout-token.js';
import { LogoutRecorder } from '../../libs/oneid-logout/src/sessions/logout-recorder.js';
import { LogoutBus } from '../../libs/oneid-logout/src/sessions/logout-bus.js';
import { answerQuestions, settings } from './questions.js';
import { findAlive } from '../../test/support/find-alive.js';

export interface ReplicaSettings {
  readonly options: Omit<OneIdLogoutOptions, 'sessionFrom'>;
  /** Of the same server, for bare notifications. */
  readonly url: string;
}

const { options, url } = settings() as ReplicaSettings;

@Module({ imports: [OneIdLogoutModule.forRoot({ ...options, sessionFrom: sessionFromCookie('session') })] })
class ReplicaModule {}

const app = await NestFactory.create(ReplicaModule, { logger: ['error'] });
await app.listen(0, '127.0.0.1');
const liveness = app.get(SessionJudge, { strict: false });
const recorder = app.get(LogoutRecorder, { strict: false });
const bus = app.get(LogoutBus, { strict: false });
const client = new pg.Client(url);
await client.connect();
await client.query('LISTEN bare');

/** Pause before an answer, milliseconds: the process that asked must not run while the replicas are measured. */
const QUIET = 30;

/** One clock for all processes of this machine: milliseconds. */
const now = () => Number(process.hrtime.bigint()) / 1e6;

answerQuestions(await app.getUrl(), {
  isAlive: async (token) => (await findAlive(liveness, { sessionToken: String(token) })) !== undefined,
  /** When this replica's answer became no. */
  refuses: async (token) => {
    while ((await findAlive(liveness, { sessionToken: String(token) })) !== undefined) await turn();
    return now();
  },
  /** When the logout was committed, as far as this replica could know. */
  logOut: async (logout) => {
    let committed = NaN;
    const subscription = bus.ownLogouts.subscribe(() => (committed = now()));
    await recorder.recordBackchannel(logout as VerifiedLogoutToken);
    subscription.unsubscribe();
    await delay(QUIET);
    return committed;
  },
  /** When a bare notification arrives. */
  hears: () => new Promise((resolve) => client.once('notification', () => resolve(now()))),
  /** When it was sent. */
  notify: async () => {
    const sent = now();
    await client.query("NOTIFY bare, 'x'");
    await delay(QUIET);
    return sent;
  },
});
