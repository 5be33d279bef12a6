const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

export interface Form {
  action?: string;
  /** Names and values of its inputs, as a browser would send them. */
  fields: Record<string, string>;
}

/** The attributes of every `<tag …>` in `html`. This simple parser is enough for our own pages only. */
export function elements(html: string, tag: string): Record<string, string>[] {
  return [...html.matchAll(new RegExp(`<${tag}\\b([^>]*)>`, 'gi'))].map(([, attributes = '']) =>
    Object.fromEntries(
      [...attributes.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, unescape(value)]),
    ),
  );
}

export function firstForm(html: string): Form | undefined {
  const [form] = elements(html, 'form');
  if (!form) {
    return undefined;
  }
  const inside = html.slice(html.search(/<form\b/i), html.search(/<\/form>/i));
  const sent = elements(inside, 'input').filter(({ type, checked }) => type !== 'radio' || checked !== undefined);
  const fields = sent.flatMap(({ name, value = '' }) => (name ? [[name, value] as const] : []));
  return { ...(form.action && { action: form.action }), fields: Object.fromEntries(fields) };
}

/** Target of a `<meta http-equiv="refresh">`; undefined without one. */
export function refreshTarget(html: string): string | undefined {
  const content = elements(html, 'meta').find((meta) => meta['http-equiv']?.toLowerCase() === 'refresh')?.content;
  return content && /^\s*\d+\s*[;,]\s*url\s*=\s*['"]?([^'"]+)/i.exec(content)?.[1];
}

function unescape(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (entity, name: string) => ENTITIES[name] ?? entity);
}
