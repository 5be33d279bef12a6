import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as typeOrm from 'typeorm';
import { faultOf, findTypeOrms, SUPPORTED_TYPEORM, typeOrmNotice } from './typeorm-version.js';

/** The version of TypeORM that the Jest config names: `npm test` 1, `npm run test:typeorm` 0.3. */
const { TYPEORM_LINE } = globalThis as { readonly TYPEORM_LINE?: string };

describe('the TypeORM that the library uses', () => {
  it('A2: is the one that this run of the tests is about', () => {
    const { own, others } = findTypeOrms();
    expect(own?.version.startsWith(`${TYPEORM_LINE}.`)).toBe(true);
    expect(others).toEqual([]);
    expect(typeOrmNotice()).toBeUndefined();
  });

  it('A2: may have the versions of the peer dependency', () => {
    const manifest = readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8');
    const { peerDependencies } = JSON.parse(manifest) as { readonly peerDependencies: Record<string, string> };
    expect(peerDependencies['typeorm']).toBe(SUPPORTED_TYPEORM);
  });

  it.each(['0.3.31', '0.3.32', '0.3.40-dev.5', '1.1.0', '1.1.1', '1.2.0-beta.1', '1.20.0'])(
    'A2: may be %s',
    (version) => {
      expect(faultOf({ version, folder: '/app/node_modules/typeorm' }, true)).toBeUndefined();
    },
  );

  it.each(['0.2.45', '0.3.0', '0.3.20', '0.3.30', '0.4.0', '1.0.0', '2.0.0', '10.1.0', 'latest'])(
    'A2: may not be %s',
    (version) => {
      expect(faultOf({ version, folder: '/app/node_modules/typeorm' }, true)).toBe(
        `it has found TypeORM ${version} in /app/node_modules/typeorm, and the library needs a version in the range ` +
          '^0.3.31 || ^1.1.0',
      );
    },
  );

  it('A2: is not judged in a bundle, which has no version, unless it has no DataSource', () => {
    expect(faultOf(undefined, true)).toBeUndefined();
    expect(faultOf(undefined, false)).toBe(
      'it has found a TypeORM older than 0.3, and the library needs a version in the range ^0.3.31 || ^1.1.0',
    );
  });
});

describe('the TypeORMs of a process', () => {
  let folder: string;
  const install = (path: string, manifest: string) => {
    const file = join(folder, path, 'index.js');
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(join(folder, path, 'package.json'), manifest);
    return file;
  };
  const typeOrmAt = (path: string, version: string) => install(path, JSON.stringify({ name: 'typeorm', version }));
  const others = { exports: { getMetadataArgsStorage: () => undefined } };
  const ours = { exports: typeOrm };

  beforeAll(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'typeorm-version-')));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('A2: are two, when the app has one and the library another: the log says so', () => {
    const nested = 'node_modules/nestjs-oneid-logout/node_modules/typeorm';
    const found = findTypeOrms({
      [typeOrmAt('node_modules/typeorm', '0.3.20')]: others,
      [typeOrmAt(nested, '1.1.1')]: ours,
    });
    expect(found).toEqual({
      own: { version: '1.1.1', folder: join(folder, nested) },
      others: [{ version: '0.3.20', folder: join(folder, 'node_modules/typeorm') }],
    });
    expect(typeOrmNotice(found)).toBe(
      `The library uses TypeORM 1.1.1 (${join(folder, nested)}), and this process has also loaded TypeORM 0.3.20 ` +
        `(${join(folder, 'node_modules/typeorm')}). If the app should have one TypeORM, install a version in the range ` +
        '^0.3.31 || ^1.1.0, and remove the other one.',
    );
  });

  it('A2: are not mentioned when they have the same version', () => {
    const found = findTypeOrms({
      [typeOrmAt('same/a/node_modules/typeorm', '1.1.1')]: ours,
      [typeOrmAt('same/b/node_modules/typeorm', '1.1.1')]: others,
    });
    expect(found.others).toHaveLength(1);
    expect(typeOrmNotice(found)).toBeUndefined();
  });

  it.each([
    ['@nestjs/typeorm', '{"name":"@nestjs/typeorm","version":"12.0.0"}'],
    ['typeorm', '{"name":"typeorm"}'],
    ['typeorm', '{'],
  ])('A2: are not a package %s whose manifest is %s', (name, manifest) => {
    const file = install(`strange-${manifest.length}/node_modules/${name}`, manifest);
    expect(findTypeOrms({ [file]: ours })).toEqual({ own: undefined, others: [] });
  });

  it('A2: are none in a bundle', () => {
    const bundle = findTypeOrms({ '/app/main.js': { exports: {} }, '/app/node_modules/typeorm/index.js': ours });
    expect(bundle).toEqual({ own: undefined, others: [] });
    expect(typeOrmNotice(bundle)).toBeUndefined();
  });
});
