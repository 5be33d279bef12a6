import { beforeAll, describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { type CodeBlock, codeBlocksOf, compileFaults } from './support/code-blocks.js';
import { type PublicExport, readPublicApi } from './support/public-api.js';

const root = join(import.meta.dirname, '..');
const sources = join(root, 'libs/oneid-logout/src');

/** The chapters of the reference: each export of the main entry point is in one of them, by its tag `@category`. */
const categories = ['Set-up', 'Guard and decorators', 'Sessions', 'Logout', 'Operation', 'Errors'];

interface Docstring {
  /** The path of its file, from the repository's root. */
  readonly document: string;
  /** The line of its first word, from 1. */
  readonly line: number;
  /** Without the stars. */
  readonly text: string;
}

/** The docstrings of a source file that have more than one line. */
function docstringsOf(document: string, source: string): Docstring[] {
  return [...source.matchAll(/^ *\/\*\*\n([^]*?)^ *\*\/$/gm)].map((match) => ({
    document,
    line: source.slice(0, match.index).split('\n').length + 1,
    text: (match[1] ?? '').replace(/^ *\* ?/gm, ''),
  }));
}

/** One line for each option whose `@defaultValue` is not the default that the schema's class fills in. */
function wrongDefaultsOf(document: string, source: string): string[] {
  const file = ts.createSourceFile(document, source, ts.ScriptTarget.Latest, true);
  const options = file.statements
    .filter(ts.isClassDeclaration)
    .flatMap(({ members }) => members.filter(ts.isPropertyDeclaration))
    .filter(({ questionToken }) => questionToken !== undefined);
  return options.flatMap((option) => {
    const tag = ts.getJSDocTags(option).find(({ tagName }) => tagName.text === 'defaultValue');
    const told = ts.getTextOfJSDocComment(tag?.comment);
    const filledIn = option.initializer?.getText();
    const name = option.name.getText();
    return told === filledIn
      ? []
      : [`${name} of ${document}: @defaultValue ${told ?? 'missing'}, not ${filledIn ?? 'any'}`];
  });
}

function examplesOf({ document, line, text }: Docstring): CodeBlock[] {
  return codeBlocksOf(document, text).map((block) => ({ ...block, line: line + block.line - 1 }));
}

/** One line for each `@example` that is not followed by a block of code. */
function codelessExamplesOf({ document, line, text }: Docstring): string[] {
  return [...text.matchAll(/^@example\b(?!.*\n```ts\n)/gm)].map(
    ({ index }) => `${document}:${line + text.slice(0, index).split('\n').length - 1} an @example begins with \`\`\`ts`,
  );
}

/** One line for each import of a class by `type`: Nest can't inject such a class into an app that copies the example. */
function typeOnlyClassesOf({ document, line, code }: CodeBlock, classes: ReadonlySet<string>): string[] {
  return [...code.matchAll(/\btype (\w+)(?=[^{}]*\} from 'nestjs-oneid-logout)/g)]
    .filter(([, name = '']) => classes.has(name))
    .map(([, name = '']) => `${document}:${line} imports the class ${name} as a type: remove "type"`);
}

const hasTag = ({ tags }: PublicExport, name: string): boolean => tags.some((tag) => tag.name === name);

const withoutExample = (exports: readonly PublicExport[]): string[] =>
  exports
    .filter((each) => (each.kind === 'class' || each.isCallable) && !hasTag(each, 'example'))
    .map(({ name }) => `${name} has no @example: add one to its docstring`);

describe('the API reference', () => {
  let api: ReturnType<typeof readPublicApi>;
  const files = readdirSync(sources, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('spec.ts'))
    .map((name) => join(sources, name))
    .map((path) => [relative(root, path), readFileSync(path, 'utf8')] as const);
  let docstrings: Docstring[];
  let examples: CodeBlock[];
  beforeAll(() => {
    api = readPublicApi();
    docstrings = files.flatMap(([document, source]) => docstringsOf(document, source));
    examples = docstrings.flatMap(examplesOf);
  }, 120_000);

  it.each(['nestjs-oneid-logout', 'nestjs-oneid-logout/testing'] as const)(
    'has an example for each class and function of %s',
    (entryPoint) => {
      expect(withoutExample(api[entryPoint])).toEqual([]);
    },
  );

  it('has code in each example', () => {
    expect(docstrings.flatMap(codelessExamplesOf)).toEqual([]);
  });

  it('has examples that compile in strict mode against the library', () => {
    expect(compileFaults(examples).join('\n')).toBe('');
  }, 120_000);

  it('has examples that Nest can inject into', () => {
    const classes = new Set(api['nestjs-oneid-logout'].filter(({ kind }) => kind === 'class').map(({ name }) => name));
    expect(examples.flatMap((example) => typeOnlyClassesOf(example, classes))).toEqual([]);
  });

  it('has each export of the main entry point in one category', () => {
    const wrong = api['nestjs-oneid-logout'].flatMap(({ name, tags }) => {
      const found = tags.filter((tag) => tag.name === 'category').map(({ text }) => text);
      return found.length === 1 && categories.includes(found[0] ?? '') ? [] : [`${name}: @category ${found.join()}`];
    });
    expect({ wrong, categories }).toEqual({ wrong: [], categories });
  });

  it('has the chapters in the order of the test', () => {
    const { categoryOrder } = JSON.parse(readFileSync(join(root, 'typedoc.json'), 'utf8')) as {
      categoryOrder: unknown;
    };
    expect(categoryOrder).toEqual(categories);
  });

  it('tells each default as the library fills it in', () => {
    expect(files.flatMap(([document, source]) => wrongDefaultsOf(document, source))).toEqual([]);
  });

  it('control: each kind of fault is found, with its line', () => {
    const source = [
      '/**',
      ' * A class.',
      ' *',
      ' * @example',
      ' * ```ts',
      " * import { type LogoutService } from 'nestjs-oneid-logout';",
      ' * export const n: LogoutService = true;',
      ' * ```',
      ' * @example',
      ' * without code',
      ' */',
      '',
    ].join('\n');
    const found = docstringsOf('a.ts', source);
    const blocks = found.flatMap(examplesOf);
    expect(found.flatMap(codelessExamplesOf)).toEqual(['a.ts:9 an @example begins with ```ts']);
    expect(blocks.flatMap((block) => typeOnlyClassesOf(block, new Set(['LogoutService'])))).toEqual([
      'a.ts:6 imports the class LogoutService as a type: remove "type"',
    ]);
    expect(compileFaults(blocks)).toEqual(["a.ts:7:14 Type 'boolean' is not assignable to type 'LogoutService'."]);
    const schema = 'class A {\n  /** @defaultValue 5 */\n  readonly n?: number = 7;\n}\n';
    expect(wrongDefaultsOf('b.ts', schema)).toEqual(['n of b.ts: @defaultValue 5, not 7']);
    expect(withoutExample([{ name: 'A', kind: 'class', isCallable: false, tags: [] }])).toEqual([
      'A has no @example: add one to its docstring',
    ]);
  }, 120_000);
});
