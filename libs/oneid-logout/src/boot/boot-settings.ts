import { type Liveness } from '../replicas/liveness-options.js';

/** The module options that the folder `boot/` reads. */
export abstract class BootSettings {
  abstract readonly clients: readonly {
    readonly issuer: string;
    readonly clientId: string;
    readonly postLogoutRedirectUri: string;
    readonly allowInsecureRequests: boolean;
  }[];
  abstract readonly secrets: readonly string[];
  abstract readonly sessionFrom: readonly unknown[];
  abstract readonly liveness: Liveness;
  abstract readonly database: { readonly type: string };
}
