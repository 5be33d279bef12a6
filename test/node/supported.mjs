// Which Node runs this repository: the range in package.json. Every command starts with this check, because an older Node
// fails later, in words that name no cause.
import { readFileSync } from 'node:fs';

/** The lines of Node that are supported, oldest first. Each is one row of the table in docs/operating.md. */
export const nodeLines = ['20', '22', '24', '26'];

const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** @param range ranges of the kinds ^20.19.0 and >=24.0.0, with || between them */
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

if (!satisfies(process.versions.node, engines.node)) {
  console.error(
    `This repository needs Node ${engines.node}, and this is Node ${process.versions.node}: install Node 24 or later`,
  );
  process.exit(1);
}
