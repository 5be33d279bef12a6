import { type FuzzTarget } from './fuzz-target.js';
import { acceptLanguageTarget } from './targets/accept-language.js';
import { cookiesTarget } from './targets/cookies.js';
import { discoveryTarget } from './targets/discovery.js';
import { formBodyTarget } from './targets/form-body.js';
import { idTokenTarget } from './targets/id-token.js';
import { keySetTarget } from './targets/key-set.js';
import { logoutTokenTarget } from './targets/logout-token.js';
import { rawQueryTarget } from './targets/raw-query.js';
import { returnUrlTarget } from './targets/return-url.js';

/** All parsers of the library that read what others have written. */
export const targets: readonly FuzzTarget[] = [
  ...[logoutTokenTarget, idTokenTarget, keySetTarget, discoveryTarget],
  ...[formBodyTarget, rawQueryTarget, cookiesTarget, acceptLanguageTarget, returnUrlTarget],
];
