import { backchannel } from './backchannel.js';
import { connections } from './connections.js';
import { frontchannel } from './frontchannel.js';
import { guard } from './guard.js';
import { liveness } from './liveness.js';
import { logout } from './logout.js';
import { provider } from './provider.js';
import { rule } from './rule.js';
import { type Sabotage } from './sabotage.js';
import { store } from './store.js';
import { tokens } from './tokens.js';

/** All sabotages. `npm run sabotage` expects that the named test finds each of them. */
export const sabotages: readonly Sabotage[] = [
  ...backchannel,
  ...frontchannel,
  ...logout,
  ...rule,
  ...liveness,
  ...tokens,
  ...guard,
  ...connections,
  ...provider,
  ...store,
];
