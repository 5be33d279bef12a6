import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

const MAC_PATHS = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** It asks nobody but the tests' own servers for anything. */
const ARGS = [
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
];

function launchOptions() {
  // Playwright switches the back/forward cache off, which people have
  const ignoreDefaultArgs = ['--disable-back-forward-cache'];
  // containers and CI run as root, where Chromium's sandbox does not
  return { executablePath: pathOfChromium(), args: ARGS, ignoreDefaultArgs, chromiumSandbox: process.getuid?.() !== 0 };
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch(launchOptions());
}

/** With a profile of its own on disk, for settings that are no options of a launch. */
export function launchWithProfile(folder: string, options: BrowserContextOptions = {}): Promise<BrowserContext> {
  return chromium.launchPersistentContext(folder, { ...launchOptions(), ...options });
}

/** @throws {Error} where there is none: these tests are never skipped */
function pathOfChromium(): string {
  const { CHROME_PATH, PATH = '' } = process.env;
  const inPath = NAMES.flatMap((name) => PATH.split(delimiter).map((folder) => join(folder, name)));
  const candidates = CHROME_PATH === undefined ? [...inPath, ...MAC_PATHS] : [CHROME_PATH];
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new Error(
    CHROME_PATH === undefined
      ? 'There is no Chromium here: install one (Debian: apt-get install chromium), or name it by CHROME_PATH'
      : 'CHROME_PATH names no file',
  );
}
