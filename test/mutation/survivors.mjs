const EQUIVALENT = 'the same for every input: ';

/** Mutants that live although nothing is wrong, and why: by file, a part of the line, and the kinds of mutation. */
export const survivors = [
  {
    file: 'provider/logout-token.ts',
    line: 'token.length <= MAX_TOKEN_LENGTH',
    mutators: ['EqualityOperator', 'ConditionalExpression'],
    reason:
      'a limit of 16 KiB, by one character more or less, keeps nothing from a token of a few hundred; a wrong number of ' +
      'parts is refused by the decoder behind it with the same code and message',
  },
  {
    file: 'provider/logout-token.ts',
    line: "throw new InvalidLogoutTokenError('logout_token_malformed', MALFORMED, error)",
    mutators: ['StringLiteral'],
    reason: 'jose refuses such a token at an earlier step, with the code of that one',
  },
  {
    file: 'provider/logout-token.ts',
    line: "typeof typ === 'string' ? typ.toLowerCase()",
    mutators: ['Regex', 'StringLiteral', 'ConditionalExpression'],
    reason: 'what the looser pattern lets by is refused by the comparison that follows',
  },
  {
    file: 'provider/logout-token.ts',
    line: "return typeof value === 'number' && Number.isSafeInteger",
    mutators: ['ConditionalExpression', 'LogicalOperator', 'EqualityOperator'],
    reason: 'the comparisons with the clock around it refuse the same values: too old, or past',
  },
  {
    file: 'provider/logout-token.ts',
    line: "const known = typeof issuer === 'string'",
    mutators: ['ConditionalExpression'],
    reason: EQUIVALENT + 'the client was found by this issuer, so it is a text; the check tells the compiler',
  },
  {
    file: 'logout/end-session-request.ts',
    line: "...(state !== undefined && statePlacement !== 'redirectUri' && { state })",
    mutators: ['ConditionalExpression'],
    reason: EQUIVALENT + 'an undefined state is left out when the fields are written',
  },
  {
    file: 'logout/logout-origin.ts',
    line: "return value !== undefined && value !== '' && query.get('confirm') === value",
    mutators: ['ConditionalExpression'],
    reason: EQUIVALENT + 'a query never gives undefined, so it equals no missing cookie',
  },
  {
    file: 'logout/logout-state.ts',
    line: 'if (state === undefined) return { cookies: [] }',
    mutators: ['ConditionalExpression'],
    reason: 'without a state there is no cookie of its name either, and the next line answers the same',
  },
  {
    file: 'logout/logout-state.ts',
    line: 'digest([',
    mutators: ['StringLiteral'],
    reason: 'a label that keeps two hashes apart; that they are apart is what matters, and both were changed alike',
  },
  {
    file: 'http/return-url.ts',
    line: "const plain = url.username === '' && url.password === ''",
    mutators: ['ConditionalExpression'],
    reason: 'a URL with a password and no name is refused by its form, too; the check says so for the reader',
  },
  {
    file: 'provider/id-token.ts',
    line: "const opened = await openToken(idToken, this.clients.all).catch(() => 'failed' as const)",
    mutators: ['ArrowFunction', 'StringLiteral'],
    reason: EQUIVALENT + 'anything but an object is refused next',
  },
  {
    file: 'provider/provider-keys.ts',
    line: 'throw new ProviderUnavailableError(',
    mutators: ['StringLiteral'],
    reason: 'words for people, which no test repeats',
  },
  {
    file: 'provider/provider-keys.ts',
    line: "return result === 'key_unknown' || (result === 'invalid'",
    mutators: ['ConditionalExpression'],
    reason: EQUIVALENT + 'a valid one has been returned before, where it has no kid',
  },
  {
    file: 'provider/provider-keys.ts',
    line: 'await compactVerify(jws, key, { algorithms: [algorithm] })',
    mutators: ['ObjectLiteral', 'ArrayDeclaration'],
    reason: 'the candidates were chosen by this algorithm, and the header was checked against it long before',
  },
  {
    file: 'provider/provider-keys.ts',
    line: 'catch (error) {',
    mutators: ['BlockStatement'],
    reason: 'with the loop going on, the other candidates are tried in vain and the answer is the same',
  },
  {
    file: 'provider/provider-keys.ts',
    line: 'if (error instanceof errors.JOSEError && !(error instanceof errors.JWSSignatureVerificationFailed)) break',
    mutators: ['ConditionalExpression', 'LogicalOperator', 'BooleanLiteral'],
    reason: 'it spares needless work and decides nothing',
  },
  {
    file: 'provider/provider-keys.ts',
    line: "{ headers: { accept: 'application/json, application/jwk-set+json' } }",
    mutators: ['ObjectLiteral', 'StringLiteral'],
    reason: 'a courtesy to the provider, which may answer without it',
  },
  {
    file: 'provider/provider-keys.ts',
    line: 'this.keys = new CachedResource(load, clock, TIMES',
    mutators: ['StringLiteral'],
    reason: 'words for the log, which no test repeats',
  },
  {
    file: 'provider/provider-keys.ts',
    line: 'The JWKS endpoint answered',
    mutators: ['StringLiteral'],
    reason: 'words for the log, which no test repeats',
  },
];
