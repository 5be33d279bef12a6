import { type Spread } from './figures.js';

export interface Bar {
  readonly label: string;
  readonly spread: Spread;
  /** Whether the bar shows this library, which has a colour of its own. */
  readonly ours: boolean;
}

export interface Chart {
  readonly title: string;
  readonly bars: readonly Bar[];
}

const WIDTH = 720;
const LABELS = 260;
const VALUES = 60;
const ROW = 24;
const HEAD = 44;

/** Bars with the middle half of the rounds as whiskers, one chart below the other, as SVG. */
export function plot(charts: readonly Chart[]): string {
  let top = 0;
  const drawn = charts.map((chart) => {
    const text = drawChart(chart, top);
    top += HEAD + chart.bars.length * ROW + 16;
    return text;
  });
  const style = 'font-family="system-ui, sans-serif" font-size="13" fill="#24292f"';
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${top}" viewBox="0 0 ${WIDTH} ${top}" ${style}>
<rect width="100%" height="100%" fill="#ffffff"/>
${drawn.join('\n')}
</svg>
`;
}

function drawChart({ title, bars }: Chart, top: number): string {
  const longest = Math.max(1, ...bars.map(({ spread }) => spread.high));
  const room = WIDTH - LABELS - VALUES;
  const at = (value: number) => Math.round(LABELS + (value / longest) * room);
  const rows = bars.map(({ label, spread: { low, middle, high }, ours }, n) => {
    const y = top + HEAD + n * ROW;
    const center = y + 8;
    return [
      `<text x="${LABELS - 8}" y="${y + 13}" text-anchor="end">${escape(label)}</text>`,
      `<rect x="${LABELS}" y="${y}" width="${at(middle) - LABELS}" height="16" fill="${ours ? '#0969da' : '#afb8c1'}"/>`,
      `<path d="M${at(low)} ${center}H${at(high)}M${at(low)} ${center - 4}v8M${at(high)} ${center - 4}v8" stroke="#24292f"/>`,
      `<text x="${at(Math.max(middle, high)) + 6}" y="${y + 13}">${middle.toFixed(2)}</text>`,
    ].join('\n');
  });
  const one = `<path d="M${at(1)} ${top + HEAD - 6}v${bars.length * ROW}" stroke="#cf222e" stroke-dasharray="3 3"/>`;
  return [`<text x="8" y="${top + 26}" font-weight="600">${escape(title)}</text>`, ...rows, one].join('\n');
}

function escape(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
}
