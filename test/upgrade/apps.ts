import { type FleetApp } from '../support/replica-fleet.js';
import { olderLibrary } from './older-version.mjs';

const main = new URL('replica-main.ts', import.meta.url);

/** The app on this version of the library. */
export const newer: FleetApp = { main };

/** The same app on the older version. */
export const older: FleetApp = { main, library: olderLibrary() };
