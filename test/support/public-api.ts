import { join } from 'node:path';
import ts from 'typescript';
import { compilerOptions } from './code-blocks.js';

const root = join(import.meta.dirname, '../..');

/** The library's entry points, by the name under which an app imports them. */
export const entryPoints = {
  'nestjs-oneid-logout': join(root, 'libs/oneid-logout/src/index.ts'),
  'nestjs-oneid-logout/testing': join(root, 'libs/oneid-logout/src/testing/index.ts'),
} as const;

/** One export of an entry point. */
export interface PublicExport {
  readonly name: string;
  /** class, function, constant, interface or type; also how it is exported, if only as a type. */
  readonly kind: string;
  /** Can an app call it: is it a function, or a constant that holds one? */
  readonly isCallable: boolean;
  /** The names of the tags in its docstring, with their texts. */
  readonly tags: readonly { readonly name: string; readonly text: string }[];
}

/** The exports of each entry point, by name. */
export function readPublicApi(): Record<keyof typeof entryPoints, PublicExport[]> {
  const program = ts.createProgram(Object.values(entryPoints), compilerOptions());
  const exportsOf = (entryPoint: string) => readExports(entryPoint, program);
  return {
    'nestjs-oneid-logout': exportsOf(entryPoints['nestjs-oneid-logout']),
    'nestjs-oneid-logout/testing': exportsOf(entryPoints['nestjs-oneid-logout/testing']),
  };
}

function readExports(entryPoint: string, program: ts.Program): PublicExport[] {
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(entryPoint);
  const module = file && checker.getSymbolAtLocation(file);
  const symbols = module === undefined ? [] : checker.getExportsOfModule(module);
  return symbols
    .map((symbol) => {
      const declared = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      return {
        name: symbol.name,
        kind: kindOf(symbol, declared),
        isCallable:
          (declared.flags & ts.SymbolFlags.Value) !== 0 &&
          checker.getTypeOfSymbol(declared).getCallSignatures().length > 0,
        tags: declared
          .getJsDocTags(checker)
          .map((tag) => ({ name: tag.name, text: ts.displayPartsToString(tag.text).trim() })),
      };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function kindOf(symbol: ts.Symbol, { flags }: ts.Symbol): string {
  const typeOnly = symbol.declarations?.some(ts.isTypeOnlyImportOrExportDeclaration) === true;
  if (flags & ts.SymbolFlags.Class) return typeOnly ? 'class, as a type' : 'class';
  if (flags & ts.SymbolFlags.Interface) return 'interface';
  if (flags & ts.SymbolFlags.TypeAlias) return 'type';
  if (flags & ts.SymbolFlags.Function) return 'function';
  if (flags & ts.SymbolFlags.Variable) return 'const';
  return ts.SymbolFlags[flags];
}
