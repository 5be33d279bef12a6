import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../../docs/recipes');
const howToUpdate = 'UPDATE_RECIPES=1 npm test -- test/recipes/document writes it again';

/** A block of TypeScript with its file name. */
const block = /^```ts ([\w-]+\.ts)\n([^]*?)^```$/gm;

/** All recipes by file name. The code is in these files, and one page each shows it. */
const recipes = new Map(
  readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.e2e-spec.ts'))
    .map((name) => [name, readFileSync(join(import.meta.dirname, name), 'utf8')] as const),
);

/** All pages of recipes by file name, without the list of them. */
const pages = new Map(
  readdirSync(folder)
    .filter((name) => name !== 'README.md')
    .map((name) => [name, readFileSync(join(folder, name), 'utf8')] as const),
);

const pageOf = (recipe: string): string => recipe.replace(/\.ts$/, '.md');

function withRecipe(text: string): string {
  return text.replace(block, (whole, name: string) => {
    const code = recipes.get(name);
    return code === undefined ? whole : `\`\`\`ts ${name}\n${code}\`\`\``;
  });
}

/** The differences between a page and the recipe of its name. */
function faultsOf(page: string, text: string): string[] {
  const blocks = [...text.matchAll(/^ *```(?:ts|typescript)\b.*$/gm)];
  const [[, name = '', code = ''] = [], ...others] = text.matchAll(block);
  if (pageOf(name) !== page || others.length > 0 || blocks.length > 1)
    return [`docs/recipes/${page} must have one block of TypeScript, \`\`\`ts ${page.replace(/\.md$/, '.ts')}`];
  const file = recipes.get(name);
  if (file === undefined) return [`docs/recipes/${page} shows ${name}, and there is no test/recipes/${name}`];
  return file === code
    ? []
    : [`docs/recipes/${page} differs from test/recipes/${name}, ${firstDifference(code, file)}: ${howToUpdate}`];
}

function firstDifference(shown: string, file: string): string {
  const [here, there] = [shown.split('\n'), file.split('\n')];
  const line = there.findIndex((text, index) => text !== here[index]);
  return `from its line ${(line === -1 ? there.length : line) + 1} on`;
}

if (process.env['UPDATE_RECIPES'] !== undefined)
  for (const [page, text] of pages) writeFileSync(join(folder, page), withRecipe(text));

describe('docs/recipes', () => {
  const cookie = pages.get('cookie.md') ?? '';

  it('has a page for each way to carry a session, and each kind of app', () => {
    expect([...pages].map(([name, text]) => [name, /^# (.*)$/m.exec(text)?.[1]])).toEqual([
      ['bearer-api.md', 'An API with bearer tokens'],
      ['better-auth.md', 'better-auth'],
      ['cookie.md', 'A plain cookie'],
      ['express-session.md', 'express-session'],
      ['fastify.md', 'Fastify'],
      ['graphql.md', 'GraphQL'],
      ['health.md', 'Health checks with Terminus'],
      ['jwt-api.md', 'An API with @nestjs/jwt and passport-jwt'],
      ['keycloak-connect.md', 'nest-keycloak-connect'],
      ['passport-bearer.md', "OneID's tokens with passport-jwt"],
      ['passport.md', 'passport'],
      ['public-client.md', 'A public client'],
      ['redis-session.md', 'express-session with Redis'],
      ['refresh.md', 'A refresh that is refused'],
      ['socket-io.md', 'socket.io'],
      ['websocket.md', 'WebSocket'],
    ]);
  });

  it('has a page for each recipe file', () => {
    expect([...pages.keys()]).toEqual([...recipes.keys()].map(pageOf));
  });

  it('shows all recipe files unchanged', () => {
    expect([...pages].flatMap(([page, text]) => faultsOf(page, text)).join('\n')).toBe('');
  });

  it('control: a difference is found', () => {
    const exported = 'export const app = await NestFactory.create(AppModule);';
    const line = (recipes.get('cookie.ts') ?? '').split('\n').indexOf(exported) + 1;
    expect(faultsOf('cookie.md', cookie.replace(exported, exported.replace('export ', '')))).toEqual([
      `docs/recipes/cookie.md differs from test/recipes/cookie.ts, from its line ${line} on: ${howToUpdate}`,
    ]);
    expect(faultsOf('koa.md', cookie.replace('```ts cookie.ts', '```ts koa.ts'))).toEqual([
      'docs/recipes/koa.md shows koa.ts, and there is no test/recipes/koa.ts',
    ]);
    const oneBlock = ['docs/recipes/cookie.md must have one block of TypeScript, ```ts cookie.ts'];
    expect(faultsOf('cookie.md', cookie.replace('```ts cookie.ts', '```ts fastify.ts'))).toEqual(oneBlock);
    expect(faultsOf('cookie.md', cookie.replace('```ts cookie.ts', '```ts'))).toEqual(oneBlock);
    expect(faultsOf('cookie.md', `${cookie}\n\`\`\`ts\n\`\`\`\n`)).toEqual(oneBlock);
  });

  it('is correct again after UPDATE_RECIPES writes it', () => {
    const stale = cookie.replaceAll(block, '```ts $1\n// to be written\n```');
    expect(faultsOf('cookie.md', stale)).toHaveLength(1);
    expect(withRecipe(stale)).toBe(cookie);
  });
});
