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
    file: 'logout/end-session-request.ts',
    line: "...(state !== undefined && statePlacement !== 'redirectUri' && { state })",
    mutators: ['ConditionalExpression'],
    reason: EQUIVALENT + 'the code that writes the fields leaves an undefined state out',
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
    file: 'logout/logout-origin.ts',
    line: "const value = query.get('confirm') ?? ''",
    mutators: ['StringLiteral'],
    reason: 'no cookie of the library has the changed value, so a form without the field is refused all the same',
  },
  {
    file: 'rule/session.ts',
    line: 'return known === undefined ? { ...session } : withKnownTargets',
    mutators: ['ConditionalExpression'],
    reason: EQUIVALENT + 'known targets that are undefined count as none',
  },
  {
    file: 'store/rule-sql.ts',
    line: "const AFTER_EVERYONE_ID = EVERYONE_ID.replace(/e$/, 'f')",
    mutators: ['Regex'],
    reason: 'a larger part of the index is read; the same logouts are found, because their targets are compared, too',
  },
  {
    file: 'provider/freshness.ts',
    line: "const [seconds = ''] = (headers.get('age') ?? '').split(',')",
    mutators: ['StringLiteral'],
    reason: EQUIVALENT + 'the changed text is no number either, and split() always gives a first part',
  },
  {
    file: 'provider/freshness.ts',
    line: "const date = Date.parse(headers.get('date') ?? '')",
    mutators: ['StringLiteral'],
    reason: EQUIVALENT + 'the changed text is no date either',
  },
  {
    file: 'provider/token-times.ts',
    line: "if (exp !== undefined && exp <= now - this.toleranceSeconds) return 'expired'",
    mutators: ['ConditionalExpression'],
    reason: EQUIVALENT + 'a comparison with undefined is false; the check is for the compiler',
  },
  ...['provider/token-times.ts', 'provider/provider-keys.ts'].map((file) => ({
    file,
    line: "private readonly logger = new Logger('OneIdLogout')",
    mutators: ['StringLiteral'],
    reason: 'it is the name that the log shows before the line',
  })),
  {
    file: 'provider/key-set.ts',
    line: 'await compactVerify(jws, publicKey, { algorithms',
    mutators: ['ObjectLiteral'],
    reason: 'the first line of the function has compared the alg of the header',
  },
  {
    file: 'provider/key-set.ts',
    line: "if (error instanceof errors.JOSEError) return 'malformed'",
    mutators: ['ConditionalExpression'],
    reason:
      'jose throws no other error here; one would be a fault of the platform, which must not refuse a token for good',
  },
  {
    file: 'provider/key-set.ts',
    line: 'catch {',
    mutators: ['BlockStatement'],
    reason: EQUIVALENT + 'a function without a return statement returns undefined, too',
  },
  {
    file: 'provider/id-token.ts',
    line: "azp === undefined || azp === clientId || (typeof azp === 'string'",
    mutators: ['ConditionalExpression'],
    reason: EQUIVALENT + 'the list has only strings; the check is for the compiler',
  },
  {
    file: 'provider/id-token.ts',
    line: "() => 'failed' as const",
    mutators: ['ArrowFunction', 'StringLiteral'],
    reason: EQUIVALENT + 'the next line refuses every value that is no object',
  },
  {
    file: 'provider/provider-keys.ts',
    line: 'this.keys.latest?.attempt !== fetched.attempt',
    mutators: ['OptionalChaining'],
    reason: EQUIVALENT + 'after a fetch there is always a latest answer; the check is for the compiler',
  },
  {
    file: 'provider/provider-keys.ts',
    line: "response.headers.get('content-type') ?? ''",
    mutators: ['StringLiteral'],
    reason: EQUIVALENT + 'the changed text is no text/html either',
  },
];
