import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const document = join(import.meta.dirname, '../../docs/recipes.md');
const howToUpdate = 'UPDATE_RECIPES=1 npm test -- test/recipes/document writes it again';

/** A block of TypeScript with its file name. */
const block = /^```ts ([\w-]+\.ts)\n([^]*?)^```$/gm;

/** All recipes by file name. The code is in these files, and the document shows it. */
const recipes = new Map(
  readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.e2e-spec.ts'))
    .map((name) => [name, readFileSync(join(import.meta.dirname, name), 'utf8')] as const),
);

function withRecipes(text: string): string {
  return text.replace(block, (whole, name: string) => {
    const code = recipes.get(name);
    return code === undefined ? whole : `\`\`\`ts ${name}\n${code}\`\`\``;
  });
}

/** The differences between the document and the files. */
function faultsOf(text: string): string[] {
  const shown = new Map([...text.matchAll(block)].map(([, name = '', code = '']) => [name, code] as const));
  const nameless = [...text.matchAll(/^ *```(?:ts|typescript)\b.*$/gm)].length - [...text.matchAll(block)].length;
  return [
    ...[...shown].flatMap(([name, code]) => {
      const file = recipes.get(name);
      if (file === undefined) return [`docs/recipes.md shows ${name}, and there is no test/recipes/${name}`];
      return file === code
        ? []
        : [`docs/recipes.md differs from test/recipes/${name}, ${firstDifference(code, file)}: ${howToUpdate}`];
    }),
    ...[...recipes.keys()].filter((name) => !shown.has(name)).map((name) => `docs/recipes.md does not show ${name}`),
    ...(nameless > 0 ? [`docs/recipes.md has ${nameless} code blocks without a file`] : []),
  ];
}

function firstDifference(shown: string, file: string): string {
  const [here, there] = [shown.split('\n'), file.split('\n')];
  const line = there.findIndex((text, index) => text !== here[index]);
  return `from its line ${(line === -1 ? there.length : line) + 1} on`;
}

if (process.env['UPDATE_RECIPES'] !== undefined) writeFileSync(document, withRecipes(readFileSync(document, 'utf8')));

describe('docs/recipes.md', () => {
  const text = readFileSync(document, 'utf8');

  it('has a recipe for each way to carry a session, and each kind of app', () => {
    expect([...text.matchAll(/^## (.*)\n[^]*?^```ts (.*)$/gm)].map(([, heading, name]) => [heading, name])).toEqual([
      ['A plain cookie', 'cookie.ts'],
      ['A public client', 'public-client.ts'],
      ['A refresh that is refused', 'refresh.ts'],
      ['express-session', 'express-session.ts'],
      ['express-session with Redis', 'redis-session.ts'],
      ['passport', 'passport.ts'],
      ['better-auth', 'better-auth.ts'],
      ['An API with bearer tokens', 'bearer-api.ts'],
      ['An API with @nestjs/jwt and passport-jwt', 'jwt-api.ts'],
      ['nest-keycloak-connect', 'keycloak-connect.ts'],
      ['Fastify', 'fastify.ts'],
      ['GraphQL', 'graphql.ts'],
      ['WebSocket', 'websocket.ts'],
      ['socket.io', 'socket-io.ts'],
    ]);
  });

  it('shows all recipe files unchanged', () => {
    expect(faultsOf(text).join('\n')).toBe('');
  });

  it('control: a difference is found', () => {
    const exported = 'export const app = await NestFactory.create(AppModule);';
    const changed = text
      .replace(exported, exported.replace('export ', ''))
      .replace('```ts fastify.ts', '```ts express.ts')
      .replace('```ts graphql.ts', '```ts');
    const line = (recipes.get('cookie.ts') ?? '').split('\n').indexOf(exported) + 1;
    expect(faultsOf(changed)).toEqual([
      `docs/recipes.md differs from test/recipes/cookie.ts, from its line ${line} on: ${howToUpdate}`,
      'docs/recipes.md shows express.ts, and there is no test/recipes/express.ts',
      'docs/recipes.md does not show fastify.ts',
      'docs/recipes.md does not show graphql.ts',
      'docs/recipes.md has 1 code blocks without a file',
    ]);
  });

  it('is correct again after UPDATE_RECIPES writes it', () => {
    const stale = text.replaceAll(block, '```ts $1\n// to be written\n```');
    expect(faultsOf(stale)).toHaveLength(recipes.size);
    expect(withRecipes(stale)).toBe(text);
  });
});
