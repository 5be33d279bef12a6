import { dirname, join } from 'node:path';
import ts from 'typescript';

const root = join(import.meta.dirname, '../..');

/** A piece of TypeScript in a text: a code block of a page, or the example of a docstring. */
export interface CodeBlock {
  /** The path of the text's file, from the repository's root. */
  readonly document: string;
  /** The line of the document where the code begins, from 1. */
  readonly line: number;
  readonly code: string;
  /** The file of the repository that the block shows: its path after `ts`, from the repository's root. */
  readonly file?: string;
}

/** The compiler options of this repository's tests. */
export function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    config: { compilerOptions: object };
  };
  return ts.convertCompilerOptionsFromJson(config.compilerOptions, root).options;
}

/** All code blocks of a Markdown text that are marked `ts`, also with more words after `ts`. */
export function codeBlocksOf(document: string, markdown: string): CodeBlock[] {
  return [...markdown.matchAll(/^ *```(?:ts|typescript)\b(.*)\n([^]*?)^ *```$/gm)].map((match) => {
    const [, words = '', code = ''] = match;
    const line = markdown.slice(0, match.index).split('\n').length + 1;
    return { document, line, code, ...(words.includes('/') && { file: words.trim() }) };
  });
}

interface Compiled {
  readonly program: ts.Program;
  /** The blocks, by the path of their module. */
  readonly files: ReadonlyMap<string, CodeBlock>;
}

/** A program for the same blocks is made once. */
const compiled = new WeakMap<readonly CodeBlock[], Compiled>();

/** All programs share the files that no block replaces, because most of the time goes into reading them. */
const sources = new Map<string, ts.SourceFile | undefined>();

/** Compiles each block in memory as its own module: beside the file that it shows, or beside the tests. */
function programOf(blocks: readonly CodeBlock[]): Compiled {
  const known = compiled.get(blocks);
  if (known !== undefined) return known;
  const options = compilerOptions();
  const pathOf = ({ file }: CodeBlock, index: number) =>
    join(root, file === undefined ? 'test' : dirname(file), `code-block-${index}.ts`);
  const files = new Map(blocks.map((block, index) => [pathOf(block, index), block] as const));
  const base = ts.createCompilerHost(options, true);
  const host: ts.CompilerHost = {
    ...base,
    fileExists: (path) => files.has(path) || base.fileExists(path),
    readFile: (path) => files.get(path)?.code ?? base.readFile(path),
    getSourceFile: (path, target, ...others) => {
      const block = files.get(path);
      if (block === undefined) {
        if (!sources.has(path)) sources.set(path, base.getSourceFile(path, target, ...others));
        return sources.get(path);
      }
      // a module even without an import, so that two blocks may declare the same name
      return ts.createSourceFile(path, `${block.code}\nexport {};\n`, target, true);
    },
  };
  const made = { program: ts.createProgram([...files.keys()], options, host), files };
  compiled.set(blocks, made);
  return made;
}

/** @returns one line for each fault, with its place in the document */
export function compileFaults(blocks: readonly CodeBlock[]): string[] {
  const { program, files } = programOf(blocks);
  return [...files].flatMap(([path, { document, line }]) => {
    const file = program.getSourceFile(path);
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map((diagnostic) => {
      const start = file?.getLineAndCharacterOfPosition(diagnostic.start ?? 0) ?? { line: 0, character: 0 };
      const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n  ');
      return `${document}:${line + start.line}:${start.character + 1} ${message}`;
    });
  });
}

/**
 * Finds type-only imports of classes that Nest injects. `isolatedModules` and `emitDecoratorMetadata` leave such an import
 * out of the constructor's metadata, so an injectable that has it gets no instance.
 *
 * A class counts if it has a decorator, or if the block's own class takes it in a constructor and has a decorator.
 *
 * @returns one line for each import, with its place in the document
 */
export function typeOnlyInjections(blocks: readonly CodeBlock[]): string[] {
  const { program, files } = programOf(blocks);
  const checker = program.getTypeChecker();
  return [...files].flatMap(([path, { document, line }]) => {
    const file = program.getSourceFile(path);
    if (file === undefined) return [];
    const injected = injectedNames(file);
    return typeOnlyNamesOf(file).flatMap((name) => {
      const symbol = checker.getSymbolAtLocation(name);
      const declarations = symbol === undefined ? [] : (checker.getAliasedSymbol(symbol).declarations ?? []);
      const wrong = declarations.some(
        (one) => ts.isClassDeclaration(one) && ((ts.getDecorators(one) ?? []).length > 0 || injected.has(name.text)),
      );
      const place = file.getLineAndCharacterOfPosition(name.getStart(file)).line;
      return wrong ? [`${document}:${line + place} ${name.text} is imported as a type, so Nest can't inject it`] : [];
    });
  });
}

function typeOnlyNamesOf(file: ts.SourceFile): ts.Identifier[] {
  return file.statements.filter(ts.isImportDeclaration).flatMap(({ importClause }) => {
    const { namedBindings } = importClause ?? {};
    if (namedBindings === undefined || !ts.isNamedImports(namedBindings)) return [];
    const whole = importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
    return namedBindings.elements.filter(({ isTypeOnly }) => whole || isTypeOnly).map(({ name }) => name);
  });
}

/** The names of the types that the constructors of a file's decorated classes take. */
function injectedNames(file: ts.SourceFile): ReadonlySet<string> {
  const classes = file.statements.filter(ts.isClassDeclaration);
  const parameters = classes
    .filter((one) => (ts.getDecorators(one) ?? []).length > 0)
    .flatMap(({ members }) => members.filter(ts.isConstructorDeclaration))
    .flatMap(({ parameters: all }) => [...all]);
  return new Set(parameters.flatMap(({ type }) => type?.getText(file) ?? []));
}
