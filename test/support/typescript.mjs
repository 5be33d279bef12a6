// node --import test/support/typescript.mjs FILE.ts: runs TypeScript without a build. Tests use it for the processes
// that they kill.
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
