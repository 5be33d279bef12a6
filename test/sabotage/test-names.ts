import ts from 'typescript';

/** The full names of the tests in a source, as patterns: `%s`, `$name` and `${…}` stand for any text. */
export function namesOf(source: string): RegExp[] {
  return titlesIn(ts.createSourceFile('spec.ts', source, ts.ScriptTarget.Latest, true), []).map(
    (titles) => new RegExp(`^${titles.join(' ')}$`, 's'),
  );
}

function titlesIn(node: ts.Node, outer: readonly string[]): string[][] {
  const children: ts.Node[] = [];
  node.forEachChild((child) => void children.push(child));
  const [kind, title] = ts.isCallExpression(node) ? titleOf(node) : [];
  if (kind === undefined || title === undefined) return children.flatMap((child) => titlesIn(child, outer));
  const titles = [...outer, title];
  return kind === 'describe' ? children.flatMap((child) => titlesIn(child, titles)) : [titles];
}

/** Of `describe('…')`, `it('…')`, `test('…')`, and of their `.each(…)('…')`. */
function titleOf({ expression, arguments: [title] }: ts.CallExpression): [kind?: string, title?: string] {
  const isEach = ts.isCallExpression(expression) && ts.isPropertyAccessExpression(expression.expression);
  const callee = isEach ? expression.expression.expression : expression;
  if (title === undefined || !ts.isIdentifier(callee) || !['describe', 'it', 'test'].includes(callee.text)) return [];
  return [callee.text, patternOf(title, isEach)];
}

function patternOf(title: ts.Expression, isEach: boolean): string {
  if (ts.isStringLiteralLike(title)) return isEach ? withPlaceholders(title.text) : escaped(title.text);
  if (!ts.isTemplateExpression(title)) return '.+';
  return [title.head.text, ...title.templateSpans.map(({ literal }) => literal.text)]
    .map((part) => (isEach ? withPlaceholders(part) : escaped(part)))
    .join('.*');
}

const withPlaceholders = (title: string): string =>
  title
    .split(/%[sdifjopc#]|\$[\w.#]+/)
    .map(escaped)
    .join('.*');

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
