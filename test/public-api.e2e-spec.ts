import { describe, expect, it } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { entryPoints, type PublicExport, readPublicApi } from './support/public-api.js';

/** The list of exports is in git, so that a review shows every change of it. UPDATE_PUBLIC_API=1 writes it again. */
const list = join(import.meta.dirname, 'support/public-api.json');

type Api = Record<string, Record<string, string>>;

const kindsOf = (exports: readonly PublicExport[]): Record<string, string> =>
  Object.fromEntries(exports.map(({ name, kind }) => [name, kind]));

describe('the public API', () => {
  const api: Api = Object.fromEntries(
    Object.entries(readPublicApi()).map(([entryPoint, exports]) => [entryPoint, kindsOf(exports)]),
  );
  if (process.env['UPDATE_PUBLIC_API'] !== undefined) writeFileSync(list, `${JSON.stringify(api, null, 2)}\n`);
  const committed = JSON.parse(readFileSync(list, 'utf8')) as Api;

  it.each(Object.keys(entryPoints))('of %s is equal to test/support/public-api.json', (name) => {
    expect(api[name]).toEqual(committed[name]);
  });

  it.each(Object.keys(entryPoints))('of %s exists at run time, and nothing else does', async (name) => {
    const values = Object.entries(committed[name] ?? {}).filter(([, kind]) =>
      ['class', 'function', 'const'].includes(kind),
    );
    const exported: object = (await import(name)) as object;
    expect(Object.keys(exported).sort()).toEqual(values.map(([each]) => each).sort());
  });
});
