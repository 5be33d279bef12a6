import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { ReplicaStatus } from 'nestjs-oneid-logout';
import { endpointPaths } from 'nestjs-oneid-logout/testing';
import { SessionDatabase } from '../../libs/oneid-logout/src/database/session-database.js';
import { StoreUnavailableError } from '../../libs/oneid-logout/src/oneid-logout.errors.js';
import { intercept } from '../support/session-store.js';
import { shareAmongTests } from '../support/share-among-tests.js';
import { clientId, Recipe } from './support/recipe.js';

let recipe: Recipe;
shareAmongTests(
  () => Recipe.start('health'),
  (started) => {
    recipe = started;
  },
);
afterEach(() => {
  jest.restoreAllMocks();
});

const idle = {
  answersFromMemory: false,
  openConnections: 0,
  unrecordedLogouts: 0,
  undecidedLogouts: 0,
  missingBackchannelLogouts: 0,
};

async function health(path: 'live' | 'ready'): Promise<[number, unknown]> {
  const response = await fetch(`${recipe.url}/health/${path}`);
  const body = (await response.json()) as { status: string; details?: Record<string, unknown> };
  return [response.status, path === 'live' ? body : [body.status, body.details?.['oneid_logout']]];
}

async function withoutDatabase<T>(work: () => Promise<T>): Promise<T> {
  const database = recipe.app.get(SessionDatabase, { strict: false });
  const restore = intercept(database, () => Promise.reject(new StoreUnavailableError(new Error('down'))));
  try {
    return await work();
  } finally {
    restore();
  }
}

describe('the recipe for health checks', () => {
  it('is ready while the database answers', async () => {
    expect(await health('ready')).toEqual([200, ['ok', { status: 'up', ...idle }]]);
  });

  it('is not ready while the database does not answer, but alive', async () => {
    const message = 'The session store does not answer';
    const answers = await withoutDatabase(async () => [await health('ready'), await health('live')]);
    expect(answers).toEqual([
      [503, ['error', { status: 'down', ...idle, message }]],
      [200, { status: 'ok' }],
    ]);
    expect(await health('ready')).toEqual([200, ['ok', { status: 'up', ...idle }]]);
  });

  it('is ready while OneID is down, also with logout tokens that it cannot decide', async () => {
    for (const path of [endpointPaths.discovery, endpointPaths.jwks]) recipe.oneId.fail(path, { status: 503 });
    const body = new URLSearchParams({ logout_token: await recipe.oneId.logoutToken({ clientId, sid: 'a' }) });
    const { status } = await fetch(`${recipe.url}/backchannel_logout`, { method: 'POST', body });
    expect(status).toBe(503);
    const [ready, details] = await health('ready');
    expect([ready, details]).toEqual([200, ['degraded', { status: 'degraded', ...idle, undecidedLogouts: 1 }]]);
  });

  it.each([
    [30_000, 200],
    [30_001, 503],
  ])('with a staleness of %d ms, its status is %d', async (stalenessMs, expected) => {
    jest.spyOn(recipe.app.get(ReplicaStatus, { strict: false }), 'read').mockReturnValue({ ...idle, stalenessMs });
    expect((await health('ready'))[0]).toBe(expected);
  });
});
