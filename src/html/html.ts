const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** HTML that needs no more escaping. */
export class Html {
  constructor(private readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

/** A value in a template. `undefined` renders as an empty string, so `condition ? html… : undefined` works. */
export type Part = Html | string | number | undefined | readonly Part[];

/** Template tag for HTML. Escapes inserted strings, also for quoted attributes; inserts {@link Html} unchanged. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.reduce((before, after, index) => before + toText(parts[index - 1]) + after));
}

function toText(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Html) return part.toString();
  if (typeof part === 'string') return part.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
  return typeof part === 'number' ? String(part) : part.map(toText).join('');
}
