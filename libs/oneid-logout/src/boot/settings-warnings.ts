import { typeOrmNotice } from '../database/typeorm-version.js';
import { nodeNotice } from '../node-notice.js';
import { answersAtOnce, stalenessBoundMs } from '../replicas/liveness-options.js';
import { type BootSettings } from './boot-settings.js';

/** How long the wait before a 200 may be for every provider, milliseconds: Keycloak, and Hydra up to v1.9, wait five seconds. */
const PROVIDER_PATIENCE = 4_000;

/** Warns of settings that are allowed, but that the operator has more often forgotten than intended. */
export function settingsWarnings({ clients, secrets, liveness, database }: BootSettings): string[] {
  const warnings: string[] = [];
  const ofNode = nodeNotice();
  if (ofNode !== undefined) warnings.push(ofNode);
  const ofTypeOrm = typeOrmNotice();
  if (ofTypeOrm !== undefined) warnings.push(ofTypeOrm);
  if (secrets.length === 0) {
    warnings.push(
      'Without the option secrets the library stores no tokens: after a logout, OneID sends the user back only if start() ' +
        'gets the ID token, and refresh tokens are not revoked.',
    );
  }
  for (const issuer of new Set(clients.filter((client) => client.allowInsecureRequests).map(({ issuer }) => issuer))) {
    warnings.push(
      `allowInsecureRequests is set for ${issuer}: a person who can change traffic between this app and the provider can ` +
        'sign in as any user. Use it only inside a network that you trust, and https as soon as you can.',
    );
  }
  const wait = answersAtOnce(liveness) ? 0 : stalenessBoundMs(liveness);
  if (wait > PROVIDER_PATIENCE) {
    warnings.push(
      `OneID has to wait ${wait} ms for every 200 (liveness.maxStalenessMs + allowDuringOutageMs). If OneID waits less, ` +
        'it counts each logout as not delivered, although the library has recorded it. Keycloak and Hydra up to v1.9 ' +
        'wait five seconds. Lower these options, or set answerAtOnce.',
    );
  }
  if (database.type === 'better-sqlite3' && process.env['NODE_ENV'] === 'production') {
    warnings.push(
      'Logouts are kept in a SQLite file, and other hosts cannot read it. For several hosts, change the option database.',
    );
  }
  return warnings;
}
