/** Read when they are used, because the tests set them. */
export const issuer = (): string => process.env.ISSUER ?? 'https://oneid.example/';
export const publicUrl = (): string => process.env.PUBLIC_URL ?? 'http://127.0.0.1:3000';
