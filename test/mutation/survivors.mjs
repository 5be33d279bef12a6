const EQUIVALENT = 'the result is the same for every input: ';

/** The surviving mutants that need no new test, and the reason for each. `line` is a part of the mutated line. */
export const survivors = [
  {
    file: 'provider/logout-token.ts',
    line: 'token.length <= MAX_TOKEN_LENGTH',
    mutators: ['EqualityOperator', 'ConditionalExpression'],
    reason:
      'one character more or less than 16 KiB makes no difference for a token of a few hundred characters; the decoder ' +
      'behind this line refuses a wrong number of parts with the same code and message',
  },
  {
    file: 'provider/logout-token.ts',
    line: "throw new InvalidLogoutTokenError('logout_token_malformed', MALFORMED, error)",
    mutators: ['StringLiteral'],
    reason: 'jose refuses such a token at an earlier step, with the code of that step',
  },
  {
    file: 'provider/logout-token.ts',
    line: "typeof typ === 'string' ? typ.toLowerCase()",
    mutators: ['Regex', 'StringLiteral', 'ConditionalExpression'],
    reason: 'the looser pattern accepts more values, and the next comparison refuses them',
  },
  {
    file: 'provider/logout-token.ts',
    line: "return typeof value === 'number' && Number.isSafeInteger",
    mutators: ['ConditionalExpression', 'LogicalOperator', 'EqualityOperator'],
    reason: 'the comparisons with the clock before and after this line refuse the same values, as too old or as past',
  },
  {
    file: 'provider/logout-token.ts',
    line: "const known = typeof issuer === 'string'",
    mutators: ['ConditionalExpression'],
    reason:
      EQUIVALENT + 'the client was found by this issuer, so the issuer is a string; the check is for the compiler',
  },
  {
    file: 'logout/end-session-request.ts',
    line: "...(state !== undefined && statePlacement !== 'redirectUri' && { state })",
    mutators: ['ConditionalExpression'],
    reason: EQUIVALENT + 'the code that writes the fields leaves an undefined state out',
  },
  {
    file: 'logout/logout-origin.ts',
    line: "return value !== '' && query.get('confirm') === value",
    mutators: ['ConditionalExpression'],
    reason: EQUIVALENT + 'a query never gives undefined, so its value never equals a missing cookie',
  },
  {
    file: 'logout/logout-state.ts',
    line: 'if (state === undefined) return { cookies: [] }',
    mutators: ['ConditionalExpression'],
    reason: 'without a state, no cookie has its name, and the next line gives the same answer',
  },
  {
    file: 'logout/logout-state.ts',
    line: 'digest([',
    mutators: ['StringLiteral'],
    reason:
      'two hashes must differ, and they still differ with the changed label; writing and reading use the same label',
  },
  {
    file: 'http/return-url.ts',
    line: "const plain = url.username === '' && url.password === ''",
    mutators: ['ConditionalExpression'],
    reason: 'another check refuses a URL with a password and no name, too; this check is for the reader',
  },
  {
    file: 'provider/id-token.ts',
    line: "const opened = await openToken(idToken, this.clients.all).catch(() => 'failed' as const)",
    mutators: ['ArrowFunction', 'StringLiteral'],
    reason: EQUIVALENT + 'the next line refuses every value that is no object',
  },
  {
    file: 'provider/provider-keys.ts',
    line: "return result === 'key_unknown' || (result === 'invalid'",
    mutators: ['ConditionalExpression'],
    reason: EQUIVALENT + 'a valid token without kid has been returned before',
  },
  {
    file: 'provider/provider-keys.ts',
    line: 'await compactVerify(jws, key, { algorithms: [algorithm] })',
    mutators: ['ObjectLiteral', 'ArrayDeclaration'],
    reason: 'the keys were chosen by this algorithm, and an earlier check compared the header with it',
  },
  {
    file: 'provider/provider-keys.ts',
    line: 'catch (error) {',
    mutators: ['BlockStatement'],
    reason: 'the loop goes on, tries the other keys in vain, and gives the same answer',
  },
  {
    file: 'provider/provider-keys.ts',
    line: 'if (error instanceof errors.JOSEError && !(error instanceof errors.JWSSignatureVerificationFailed)) break',
    mutators: ['ConditionalExpression', 'LogicalOperator', 'BooleanLiteral'],
    reason: 'it saves needless work and decides nothing',
  },
];
