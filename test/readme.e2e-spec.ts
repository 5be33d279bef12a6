import { beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { codeBlocksOf, type CodeBlock, compileFaults, typeOnlyInjections } from './support/code-blocks.js';
import { anchorsOf, documents, linksOf, root } from './support/documents.js';

function blocksOf(path: string): CodeBlock[] {
  return codeBlocksOf(relative(root, path), readFileSync(path, 'utf8'));
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

describe('the examples in README and docs', () => {
  let blocks: CodeBlock[];
  beforeAll(() => {
    blocks = documents().flatMap(blocksOf);
  });

  it('exist, also in the README', () => {
    expect(blocks.filter(({ document }) => document === 'README.md').length).toBeGreaterThan(0);
  });

  it('compile in strict mode against the library', () => {
    expect(compileFaults(blocks).join('\n')).toBe('');
  }, 120_000);

  it('A11: import no class as a type that Nest has to inject', () => {
    expect(typeOnlyInjections(blocks)).toEqual([]);
  }, 120_000);

  it('control: a type-only import of an injectable is found, and one of a class that Nest does not inject is not', () => {
    const code = [
      "import { Injectable, type Logger } from '@nestjs/common';",
      "import type { SessionRegistry, SessionFacts } from 'nestjs-oneid-logout';",
      "import { type DataSource } from 'typeorm';",
      "import { type Observable } from 'rxjs';",
      '@Injectable()',
      'export class Mine {',
      '  constructor(readonly source: DataSource, readonly sessions: SessionRegistry) {}',
      '  of?: Observable<SessionFacts>;',
      '}',
      'export class Plain {',
      '  constructor(readonly logger: Observable<Logger>) {}',
      '}',
    ].join('\n');
    expect(typeOnlyInjections([{ document: 'README.md', line: 10, code }])).toEqual([
      "README.md:11 SessionRegistry is imported as a type, so Nest can't inject it",
      "README.md:12 DataSource is imported as a type, so Nest can't inject it",
    ]);
  }, 120_000);

  it('control: a wrong example is found, with its line', () => {
    const code =
      "import { LogoutService } from 'nestjs-oneid-logout';\n\nexport const n: number = LogoutService.nope;\n";
    expect(compileFaults([{ document: 'README.md', line: 10, code }])).toEqual([
      "README.md:12:40 Property 'nope' does not exist on type 'typeof LogoutService'.",
    ]);
  }, 120_000);
});
