import { beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

const root = join(import.meta.dirname, '..');

interface Block {
  /** The file's path from the repository's root. */
  readonly document: string;
  /** The number of its first line, from 1. */
  readonly line: number;
  readonly code: string;
}

function documents(): string[] {
  const docs = join(root, 'docs');
  return [
    join(root, 'README.md'),
    join(root, 'README.vi.md'),
    join(root, 'libs/oneid-logout/README.md'),
    ...readdirSync(docs, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(docs, name)),
  ].filter((path) => existsSync(path));
}

/** All code blocks marked `ts`, also with more words after `ts`. */
function blocksOf(path: string): Block[] {
  const document = relative(root, path);
  const text = readFileSync(path, 'utf8');
  return [...text.matchAll(/^( *)```(?:ts|typescript)\b.*\n([^]*?)^ *```$/gm)].map((match) => ({
    document,
    line: text.slice(0, match.index).split('\n').length + 1,
    code: match[2] ?? '',
  }));
}

/** Compiles each block in memory as its own module beside the tests, so that imports are found. */
function faultsOf(blocks: readonly Block[]): string[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    config: { compilerOptions: object };
  };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const files = new Map(blocks.map((block, index) => [join(root, 'test', `readme-block-${index}.ts`), block] as const));
  const base = ts.createCompilerHost(options, true);
  const host: ts.CompilerHost = {
    ...base,
    fileExists: (path) => files.has(path) || base.fileExists(path),
    readFile: (path) => files.get(path)?.code ?? base.readFile(path),
    getSourceFile: (path, target, ...others) => {
      const block = files.get(path);
      if (block === undefined) return base.getSourceFile(path, target, ...others);
      // a module even without an import, so that two blocks may declare the same name
      return ts.createSourceFile(path, `${block.code}\nexport {};\n`, target, true);
    },
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files].flatMap(([path, { document, line }]) => {
    const file = program.getSourceFile(path);
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map((diagnostic) => {
      const start = file?.getLineAndCharacterOfPosition(diagnostic.start ?? 0) ?? { line: 0, character: 0 };
      const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n  ');
      return `${document}:${line + start.line}:${start.character + 1} ${message}`;
    });
  });
}

/** The links and pictures of a document inside the repository. */
function linksOf(path: string): string[] {
  const text = readFileSync(path, 'utf8').replace(/^```[^]*?^```/gm, '');
  const inline = [...text.matchAll(/\]\(([^)\s]+)\)/g), ...text.matchAll(/^\[[^\]]+\]: (\S+)$/gm)];
  return inline.map(([, target = '']) => target).filter((target) => !/^(https?:|mailto:)/.test(target));
}

describe('the links of README and docs', () => {
  const others = ['SECURITY.md', 'CONTRIBUTING.md', 'CHANGELOG.md'].map((name) => join(root, name));
  const all = [...new Set([...documents(), ...others])].filter(
    (path) => dirname(path) !== join(root, 'libs/oneid-logout'),
  );

  it.each(all.map((path) => [relative(root, path), path]))('lead to an existing target: %s', (_name, path) => {
    const missing = linksOf(path).filter((target) => {
      const [file = '', anchor] = target.split('#');
      const there = file === '' ? path : join(dirname(path), file);
      return !existsSync(there) || (anchor !== undefined && !anchorsOf(there).includes(anchor));
    });
    expect(missing).toEqual([]);
  });

  it('are all found, pictures too', () => {
    expect(linksOf(join(root, 'README.md'))).toEqual(
      expect.arrayContaining([
        'README.vi.md',
        'docs/images/session-over.en.png',
        'libs/oneid-logout/src/provider/client-options.ts',
      ]),
    );
  });
});

/** Headings as GitHub names them. */
function anchorsOf(path: string): string[] {
  return [...readFileSync(path, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('the examples in README and docs', () => {
  let blocks: Block[];
  beforeAll(() => {
    blocks = documents().flatMap(blocksOf);
  });

  it('exist, also in the README', () => {
    expect(blocks.filter(({ document }) => document === 'README.md').length).toBeGreaterThan(0);
  });

  it('compile in strict mode against the library', () => {
    expect(faultsOf(blocks).join('\n')).toBe('');
  }, 120_000);

  it('control: a wrong example is found, with its line', () => {
    const code =
      "import { LogoutService } from 'nestjs-oneid-logout';\n\nexport const n: number = LogoutService.nope;\n";
    expect(faultsOf([{ document: 'README.md', line: 10, code }])).toEqual([
      "README.md:12:40 Property 'nope' does not exist on type 'typeof LogoutService'.",
    ]);
  }, 120_000);
});
