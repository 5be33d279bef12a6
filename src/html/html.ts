const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** HTML that may be sent as it is. */
export class Html {
  constructor(private readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

/** What may stand in a page. Nothing is made of `undefined`, so that `condition ? html… : undefined` is enough. */
export type Part = Html | string | number | undefined | readonly Part[];

/** A template of HTML: what is put into it is escaped, for attributes too, unless it is HTML itself. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.reduce((before, after, index) => before + toText(parts[index - 1]) + after));
}

function toText(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Html) return part.toString();
  if (typeof part === 'string') return part.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
  return typeof part === 'number' ? String(part) : part.map(toText).join('');
}
