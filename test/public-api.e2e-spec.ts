import { describe, expect, it } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const root = join(import.meta.dirname, '..');
const entryPoints = {
  'nestjs-oneid-logout': join(root, 'libs/oneid-logout/src/index.ts'),
  'nestjs-oneid-logout/testing': join(root, 'libs/oneid-logout/src/testing/index.ts'),
};

/** The list of exports is in git, so that a review shows every change of it. UPDATE_PUBLIC_API=1 writes it again. */
const list = join(root, 'test/support/public-api.json');

type Api = Record<string, Record<string, string>>;

/** The exports of an entry point by name, each with its kind: class, function, constant, interface or type. */
function exportsOf(entryPoint: string, program: ts.Program): Record<string, string> {
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(entryPoint);
  const module = file && checker.getSymbolAtLocation(file);
  const symbols = module === undefined ? [] : checker.getExportsOfModule(module);
  return Object.fromEntries(
    symbols.map((symbol) => [symbol.name, kindOf(symbol, checker)] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

function kindOf(symbol: ts.Symbol, checker: ts.TypeChecker): string {
  const declared = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const typeOnly = symbol.declarations?.some(ts.isTypeOnlyImportOrExportDeclaration) === true;
  const { flags } = declared;
  if (flags & ts.SymbolFlags.Class) return typeOnly ? 'class, as a type' : 'class';
  if (flags & ts.SymbolFlags.Interface) return 'interface';
  if (flags & ts.SymbolFlags.TypeAlias) return 'type';
  if (flags & ts.SymbolFlags.Function) return 'function';
  if (flags & ts.SymbolFlags.Variable) return 'const';
  return ts.SymbolFlags[flags];
}

describe('the public API', () => {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    config: { compilerOptions: object };
  };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const program = ts.createProgram(Object.values(entryPoints), options);
  if (process.env['UPDATE_PUBLIC_API'] !== undefined) {
    const api = Object.entries(entryPoints).map(([name, entryPoint]) => [name, exportsOf(entryPoint, program)]);
    writeFileSync(list, `${JSON.stringify(Object.fromEntries(api), null, 2)}\n`);
  }
  const committed = JSON.parse(readFileSync(list, 'utf8')) as Api;

  it.each(Object.entries(entryPoints))('of %s is equal to test/support/public-api.json', (name, entryPoint) => {
    expect(exportsOf(entryPoint, program)).toEqual(committed[name]);
  });

  it.each(Object.keys(entryPoints))('of %s exists at run time, and nothing else does', async (name) => {
    const values = Object.entries(committed[name] ?? {}).filter(([, kind]) =>
      ['class', 'function', 'const'].includes(kind),
    );
    const exported: object = (await import(name)) as object;
    expect(Object.keys(exported).sort()).toEqual(values.map(([each]) => each).sort());
  });
});
