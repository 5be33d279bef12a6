import { access, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transform } from '@swc/core';
import config from '../../jest.config.js';

const [project] = config.projects;
const [[, [, options]]] = Object.entries(project.transform);
const library = new URL('../../libs/oneid-logout/src/', import.meta.url);
const entries = {
  'nestjs-oneid-logout': new URL('index.ts', library).href,
  'nestjs-oneid-logout/testing': new URL('testing/index.ts', library).href,
};

export async function resolve(specifier, context, next) {
  if (entries[specifier]) return { url: entries[specifier], shortCircuit: true };
  if (specifier.startsWith('.') && context.parentURL?.endsWith('.ts')) {
    const source = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (await exists(source)) return { url: source.href, shortCircuit: true };
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const { code } = await transform(await readFile(new URL(url), 'utf8'), { ...options, filename: fileURLToPath(url) });
  return { format: 'module', source: code, shortCircuit: true };
}

function exists(url) {
  return access(url).then(
    () => true,
    () => false,
  );
}
