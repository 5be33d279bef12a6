import { once } from 'node:events';
import { type Server, type ServerResponse } from 'node:http';
import { setImmediate as endOfTurn } from 'node:timers/promises';
import { type INestApplication, type INestApplicationContext } from '@nestjs/common';
import { type BackgroundJob } from '../../libs/oneid-logout/src/background-job.js';
import { OpenConnections } from '../../libs/oneid-logout/src/connections/open-connections.js';
import { SessionDatabase } from '../../libs/oneid-logout/src/database/session-database.js';
import { RefreshTokenRevoker } from '../../libs/oneid-logout/src/tokens/refresh-token-revoker.js';
import { LogoutFollower } from '../../libs/oneid-logout/src/replicas/logout-follower.js';
import { SessionPurge } from '../../libs/oneid-logout/src/store/session-purge.js';
import { BackchannelWatch } from '../../libs/oneid-logout/src/sessions/backchannel-watch.js';
import { IdleEnds } from '../../libs/oneid-logout/src/sessions/idle-ends.js';
import { OutageWatch } from '../../libs/oneid-logout/src/sessions/outage-watch.js';
import { SessionActivity } from '../../libs/oneid-logout/src/sessions/session-activity.js';
import { LogoutInbox } from '../../libs/oneid-logout/src/sessions/logout-inbox.js';
import { UncertainLogouts } from '../../libs/oneid-logout/src/sessions/uncertain-logouts.js';
import { UndecidedTokens } from '../../libs/oneid-logout/src/sessions/undecided-tokens.js';
import { intercept } from './session-store.js';

/** The library's background jobs. */
export function jobsOf(app: INestApplicationContext): BackgroundJob[] {
  const jobs = [
    LogoutFollower,
    OpenConnections,
    RefreshTokenRevoker,
    SessionPurge,
    UncertainLogouts,
    LogoutInbox,
    UndecidedTokens,
    BackchannelWatch,
    OutageWatch,
  ];
  // without maxIdleSeconds, these jobs do not exist
  const idleJobs = [SessionActivity, IdleEnds];
  return [...jobs, ...idleJobs].flatMap((job) => app.get<BackgroundJob | undefined>(job, { strict: false }) ?? []);
}

/** The unfinished work of an app that uses the library: requests, statements and runs of the library's jobs. */
export class RunningWork {
  private readonly work = new Set<Promise<unknown>>();
  private readonly jobs: readonly BackgroundJob[];

  constructor(app: INestApplication) {
    this.jobs = jobsOf(app);
    (app.getHttpServer() as Server).on('request', (_request, response: ServerResponse) => {
      void this.add(once(response, 'close'));
    });
    intercept(app.get(SessionDatabase, { strict: false }), (run, sql, parameters) => this.add(run(sql, parameters)));
  }

  /** Resolves when all work has ended, and also the work that it has started. */
  async settled(): Promise<void> {
    do {
      await Promise.all(this.all);
      // now the code that waited for this work continues, and it may start more work
      await endOfTurn();
    } while (this.all.length > 0);
  }

  private get all(): Promise<unknown>[] {
    return [...this.work, ...this.jobs.flatMap(({ run }) => run ?? [])];
  }

  private add<T>(work: Promise<T>): Promise<T> {
    const ended: Promise<unknown> = work.catch(() => undefined).finally(() => this.work.delete(ended));
    this.work.add(ended);
    return work;
  }
}
