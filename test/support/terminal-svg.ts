/** Pixels. */
const CHARACTER = 7.8;
const LINE = 19;
const MARGIN = 16;

/** The ANSI codes that the doctor uses, as colours on a dark screen. */
const COLOURS: Readonly<Record<string, string>> = {
  '0': '#e6edf3',
  '31': '#ff7b72',
  '32': '#7ee787',
  '33': '#f2cc60',
  '90': '#8b949e',
};

/**
 * Draws the output of a command in a terminal, as SVG.
 *
 * @param output with ANSI codes of colours
 * @param columns the width of the terminal
 */
export function terminalSvg(output: string, columns: number): string {
  const lines = output.trimEnd().split('\n');
  const width = Math.ceil(columns * CHARACTER) + 2 * MARGIN;
  const height = lines.length * LINE + 2 * MARGIN;
  const drawn = lines.map((line, n) => {
    const y = MARGIN + n * LINE + 14;
    return `<text x="${MARGIN}" y="${y}" xml:space="preserve">${spansOf(line)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="13">
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
${drawn.join('\n')}
</svg>
`;
}

/** The pieces of a line, each from one code of a colour to the next. */
function spansOf(line: string): string {
  const [plain = '', ...rest] = line.split('\x1b[');
  const coloured = rest.map((piece) => {
    const [, code = '0', text = ''] = /^(\d+)m(.*)$/s.exec(piece) ?? [];
    return [code, text] as const;
  });
  return [['0', plain] as const, ...coloured]
    .filter(([, text]) => text !== '')
    .map(([code, text]) => `<tspan fill="${COLOURS[code] ?? COLOURS['0'] ?? ''}">${escape(text)}</tspan>`)
    .join('');
}

function escape(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}
