import { takeRsaKeysFrom } from '../support/rsa-keys.mjs';

// what test/support/suite-environment.mjs does for other runs
takeRsaKeysFrom(JSON.parse(process.env.TEST_RSA_KEYS), globalThis.crypto.subtle);
