// The package @nestjs/throttler is CommonJS and requires Nest, which is ESM. Node can do so, but Jest can't on every Node
// that runs the tests. So this file runs the package's own code with the Nest of the tests.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as common from '@nestjs/common';
import * as core from '@nestjs/core';
import type * as Throttler from '@nestjs/throttler';

const nest: Readonly<Record<string, unknown>> = { '@nestjs/common': common, '@nestjs/core': core };
const requireBuiltIn = createRequire(import.meta.url);
const loaded = new Map<string, { exports: object }>();

function load(file: string): object {
  const known = loaded.get(file);
  if (known !== undefined) return known.exports;
  const module = { exports: {} };
  loaded.set(file, module);
  const require = (name: string) => {
    if (name.startsWith('.')) return load(join(dirname(file), `${name}.js`));
    return nest[name] ?? (requireBuiltIn(name) as unknown);
  };
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the code of a package that npm has installed
  const run = new Function('module', 'exports', 'require', readFileSync(file, 'utf8'));
  Reflect.apply(run, undefined, [module, module.exports, require]);
  return module.exports;
}

const main = requireBuiltIn.resolve('@nestjs/throttler');

export const { SkipThrottle, ThrottlerGuard, ThrottlerModule, ThrottlerStorage } = load(main) as typeof Throttler;
