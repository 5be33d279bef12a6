// Checks that this Node is supported, and that the packages are installed. Build and test start with these checks,
// because otherwise they would fail with an error that does not show the cause.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The lines of Node that are supported, oldest first. Each is one row of the table in docs/node-versions.md. */
export const nodeLines = ['20', '22', '24', '26'];

const pathOf = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const { engines, dependencies, devDependencies } = JSON.parse(readFileSync(pathOf('../../package.json'), 'utf8'));

/** @param range ranges like ^20.19.0 and >=24.0.0, separated by || */
export function satisfies(version, range) {
  const [major, minor] = numbersOf(version);
  return range.split(' || ').some((part) => {
    const [leastMajor, leastMinor] = numbersOf(part.replace(/^\D+/, ''));
    const reached = major === leastMajor ? minor >= leastMinor : major > leastMajor;
    return reached && (part.startsWith('>=') || major === leastMajor);
  });
}

function numbersOf(version) {
  return version.split('.').map(Number);
}

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}

if (!satisfies(process.versions.node, engines.node)) {
  fail(
    `This repository needs Node ${engines.node}, and this is Node ${process.versions.node}: install Node 24 or later`,
  );
}

const missing = Object.keys({ ...dependencies, ...devDependencies }).find(
  (name) => !existsSync(pathOf(`../../node_modules/${name}`)),
);
if (missing !== undefined) fail(`The package ${missing} is not installed. Run: npm ci`);
