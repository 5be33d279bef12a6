import { type webcrypto } from 'node:crypto';

/** @returns private RSA keys, as PKCS #8 in PEM */
export declare function createRsaKeys(count?: number): Promise<string[]>;

/** Lets `subtle` take RSA keys from the stock, each once; after the last one, it creates keys. */
export declare function takeRsaKeysFrom(stock: readonly string[], subtle: webcrypto.SubtleCrypto): void;
