import { library, runtimeDependencies } from './runtime-dependencies.js';

/** The text of docs/licences.md. */
export function licencesPage(): string {
  const rows = runtimeDependencies().map(({ name, version, license }) => [
    name,
    library.dependencies?.[name] ?? '',
    version,
    license,
  ]);
  const head = ['package', 'accepted versions', 'version in the SBOM', 'licence'];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [
    '# Licences',
    '',
    'This page is for the people who check what an installation brings. The licence of the library is MIT. npm installs these',
    'packages with it, and no others:',
    '',
    line(head),
    line(widths.map((width) => '-'.repeat(width))),
    ...rows.map(line),
    '',
    'The peer dependencies, such as NestJS and TypeORM, are packages of your own app. A test makes this page from the',
    'installed packages.',
    '',
  ].join('\n');
}
