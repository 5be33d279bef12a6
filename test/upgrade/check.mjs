// npm run test:upgrade: runs replicas of this version and of an older one on one database. The last line says what ran. It
// passes its arguments to Jest.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OLDER_VERSION, olderLibrary } from './older-version.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

try {
  olderLibrary();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

const folder = mkdtempSync(join(tmpdir(), 'oneid-logout-upgrade-'));
const [counts, results] = [join(folder, 'counts'), join(folder, 'results')];
const started = performance.now();
const config = ['--config', 'jest.upgrade.config.js', '--json', '--outputFile', results];
const jest = spawn(process.execPath, ['node_modules/jest/bin/jest.js', ...config, ...process.argv.slice(2)], {
  cwd: root,
  env: { ...process.env, UPGRADE_COUNTS: counts },
  // --json also prints the results
  stdio: ['ignore', 'ignore', 'inherit'],
});
process.exitCode = (await new Promise((resolve) => jest.on('close', resolve))) ?? 1;

const lines = existsSync(counts) ? readFileSync(counts, 'utf8').trim().split('\n') : [];
const sum = (name) => lines.reduce((total, line) => total + JSON.parse(line)[name], 0).toLocaleString('en');
if (existsSync(results)) {
  const { numPassedTests, numTotalTests, testResults } = JSON.parse(readFileSync(results, 'utf8'));
  // Jest is content when its arguments leave every test out
  if (numPassedTests === 0) process.exitCode = 1;
  const titles = testResults.flatMap(({ assertionResults }) => assertionResults.map((one) => one.ancestorTitles[0]));
  const databases = [...new Set(titles.map((title) => title.split(', on ').at(-1)))].sort();
  const seconds = Math.round((performance.now() - started) / 1000);
  if (numTotalTests === 0) console.error('No test has run: npm run test:upgrade passes its arguments to Jest');
  else
    console.log(
      `${numPassedTests} of ${numTotalTests} tests passed in ${seconds} s: replicas of this version and of ` +
        `${OLDER_VERSION.slice(0, 7)} on ${databases.join(' and ')}; in the rolling deploys ${sum('signIns')} sign-ins, ` +
        `${sum('logouts')} deliveries of logouts and ${sum('requests')} requests`,
    );
}
rmSync(folder, { recursive: true });
