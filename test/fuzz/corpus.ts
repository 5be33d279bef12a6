import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('corpus', import.meta.url));

/** The inputs that are kept for a target: seeds, and inputs with which runs with coverage reached new code. */
export function corpusOf(target: string): readonly string[] {
  const path = join(folder, target);
  return readdirSync(path)
    .sort()
    .map((name) => readFileSync(join(path, name), 'utf8'));
}
