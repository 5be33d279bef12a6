import {
  calculateJwkThumbprint,
  compactVerify,
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  jwtVerify,
  type JWTPayload,
  SignJWT,
} from 'jose';

const ALG = 'RS256';

/** OneID's only signing key, new at every start. It signs ID tokens, access tokens and logout tokens. */
export class SigningKey {
  private constructor(
    private readonly publicKey: CryptoKey,
    private readonly privateKey: CryptoKey,
    /** The key pair as a JWK, with its private members. */
    readonly jwk: JWK & { kid: string },
  ) {}

  static async generate(): Promise<SigningKey> {
    const { publicKey, privateKey } = await generateKeyPair(ALG, { extractable: true });
    const jwk = await exportJWK(privateKey);
    const kid = await calculateJwkThumbprint(jwk);
    return new SigningKey(publicKey, privateKey, { ...jwk, kid, alg: ALG, use: 'sig' });
  }

  sign(claims: JWTPayload): Promise<string> {
    const header = { alg: ALG, kid: this.jwk.kid, typ: 'JWT' };
    return new SignJWT(claims).setProtectedHeader(header).sign(this.privateKey);
  }

  /** The claims of an access token for `audience`. @throws jose's errors when the token is invalid */
  async verifyAccessToken(token: string, issuer: string, audience: string): Promise<JWTPayload> {
    const expected = { issuer, audience, typ: 'at+jwt', algorithms: [ALG] };
    return (await jwtVerify(token, this.publicKey, expected)).payload;
  }

  /** The claims of an ID token, even an expired one, because a logout may come later. @throws jose's errors */
  async verifyIdTokenHint(token: string): Promise<JWTPayload> {
    const { payload } = await compactVerify(token, this.publicKey, { algorithms: [ALG] });
    return JSON.parse(new TextDecoder().decode(payload)) as JWTPayload;
  }
}
