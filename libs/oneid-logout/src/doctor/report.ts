import { type CheckResult } from './check-result.js';

export interface ReportStyle {
  /** The width of the terminal, columns. */
  readonly columns: number;
  readonly colour: boolean;
}

type Status = CheckResult['status'];

/** ANSI codes of the colours: green, yellow, red, grey. */
const MARKS: Readonly<Record<Status, readonly [mark: string, colour: number]>> = {
  ok: ['✓', 32],
  warning: ['!', 33],
  fault: ['✗', 31],
  skipped: ['-', 90],
};

const COUNTED: Readonly<Record<Status, readonly [one: string, many: string]>> = {
  fault: ['fault', 'faults'],
  warning: ['warning', 'warnings'],
  ok: ['check passed', 'checks passed'],
  skipped: ['not checked', 'not checked'],
};

/** Lines shorter than this can't be read, and longer ones than that neither: columns. */
const [NARROWEST, WIDEST] = [60, 110];

/** The mark, the longest name, and the spaces around them: columns. */
const NAMES = 20;
const LABELS = 10;

/** The doctor's report for a terminal: a line for what is well; for the rest what was found, expected, and what to do. */
export function terminalReport(results: readonly CheckResult[], { columns, colour }: ReportStyle): string {
  const width = Math.min(Math.max(columns, NARROWEST), WIDEST);
  const paint = (code: number, text: string) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const lines = results.flatMap((result) => {
    const [mark, code] = MARKS[result.status];
    const head = ` ${mark} ${result.name}`.padEnd(NAMES);
    const blocks = blocksOf(result).flatMap(([label, text]) => {
      const indent = label === '' ? '' : label.padEnd(LABELS);
      return wrap(text, width - NAMES - indent.length).map((line, n) => {
        return (n === 0 ? paint(90, indent) : ' '.repeat(indent.length)) + line;
      });
    });
    return blocks.map((block, n) => (n === 0 ? paint(code, head) : ' '.repeat(NAMES)) + block);
  });
  return `${lines.join('\n')}\n\n${summary(results, paint)}\n`;
}

function blocksOf({ status, found, expected, advice }: CheckResult): (readonly [label: string, text: string])[] {
  if (status === 'ok') return [['', found]];
  if (status === 'skipped') return [['', `${found}. ${advice}`]];
  return [
    ['found', found],
    ['expected', expected],
    ['to do', advice],
  ];
}

function summary(results: readonly CheckResult[], paint: (code: number, text: string) => string): string {
  const statuses = Object.keys(COUNTED) as Status[];
  const parts = statuses.flatMap((status) => {
    const count = results.filter((result) => result.status === status).length;
    const [one, many] = COUNTED[status];
    return count === 0 ? [] : [paint(MARKS[status][1], `${count} ${count === 1 ? one : many}`)];
  });
  return ` ${parts.join(', ')}`;
}

/** Breaks a text at spaces. A word that is longer than a line stays whole, so that a person can copy a URL. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
