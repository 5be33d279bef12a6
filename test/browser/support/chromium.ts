import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

const MAC_PATHS = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** With these, Chromium sends requests only to the tests' own servers. */
const ARGS = [
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
];

function launchOptions() {
  // users have the back/forward cache, and Playwright switches it off by default
  const ignoreDefaultArgs = ['--disable-back-forward-cache'];
  // containers and CI run as root, and Chromium's sandbox does not work as root
  return { executablePath: pathOfChromium(), args: ARGS, ignoreDefaultArgs, chromiumSandbox: process.getuid?.() !== 0 };
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch(launchOptions());
}

/** Starts Chromium with a profile folder, for settings that Chromium reads only from its profile. */
export function launchWithProfile(folder: string, options: BrowserContextOptions = {}): Promise<BrowserContext> {
  return chromium.launchPersistentContext(folder, { ...launchOptions(), ...options });
}

/** @throws {Error} when Chromium is not installed, so that no run skips these tests silently */
function pathOfChromium(): string {
  const { CHROME_PATH, PATH = '' } = process.env;
  const inPath = NAMES.flatMap((name) => PATH.split(delimiter).map((folder) => join(folder, name)));
  const candidates = CHROME_PATH === undefined ? [...inPath, ...MAC_PATHS] : [CHROME_PATH];
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new Error(
    CHROME_PATH === undefined
      ? 'Chromium is not installed. Install it (Debian: apt-get install chromium), or set CHROME_PATH to its file'
      : 'CHROME_PATH is not the path of a file',
  );
}
