import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * The older version: the last commit before the second migration. From there on, migrations only add. When a version is
 * released, name the oldest one that may run beside this version.
 */
export const OLDER_VERSION = '50b1a382904e7a1d0963b964355f9c77a77aaa66';

const SOURCES = 'libs/oneid-logout/src';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** In `node_modules`, so that its sources find the same packages. */
const cache = join(root, 'node_modules/.cache/older-versions');

function git(...args) {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

function has(commit) {
  try {
    git('cat-file', '-e', `${commit}^{commit}`);
    return true;
  } catch {
    return false;
  }
}

/** CI may check out only the newest commit. */
function fetchCommit(commit) {
  // a whole checkout must stay whole
  const isShallow = git('rev-parse', '--is-shallow-repository') === 'true';
  try {
    git('fetch', '--quiet', ...(isShallow ? ['--depth', '1'] : []), 'origin', commit);
  } catch (error) {
    throw new Error(
      `This checkout has no commit ${commit.slice(0, 7)}, the older version to test with, and git can't fetch it. Run ` +
        `\`git fetch --unshallow\` in it, then this command again.\n${error.stderr ?? error.message}`,
      { cause: error },
    );
  }
}

/**
 * Takes the library's sources of a commit from git, once.
 *
 * @returns the URL of their folder
 * @throws {Error} the checkout lacks the commit; the message says what to do
 */
export function olderLibrary(commit = OLDER_VERSION) {
  const folder = join(cache, commit);
  if (!existsSync(folder)) {
    if (!has(commit)) fetchCommit(commit);
    mkdirSync(cache, { recursive: true });
    const partial = mkdtempSync(join(cache, 'partial-'));
    git('archive', `--output=${join(partial, 'sources.tar')}`, commit, SOURCES);
    execFileSync('tar', ['-xf', 'sources.tar'], { cwd: partial });
    rmSync(join(partial, 'sources.tar'));
    renameSync(partial, folder);
  }
  return pathToFileURL(join(folder, SOURCES, '/'));
}
