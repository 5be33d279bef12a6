import { type SessionDatabaseOptions } from '../database/data-source-options.js';

/** What the doctor knows of the app: the values of the module's options, and where the app is. */
export interface DoctorSettings {
  readonly issuer: string;
  readonly clientId: string;
  /** The app's public URL with its global prefix, without a trailing slash. The library's routes are below it. */
  readonly baseUrl: string;
  readonly postLogoutRedirectUri: string;
  readonly idTokenSignedResponseAlg: string;
  readonly allowInsecureRequests: boolean;
  readonly clockToleranceSeconds: number;
  /** How long the doctor waits for each answer, milliseconds. */
  readonly timeoutMs: number;
  /** undefined: the checks of the database are skipped. */
  readonly database?: SessionDatabaseOptions | undefined;
  /** undefined: the check of an ID token is skipped. */
  readonly idToken?: string | undefined;
}
