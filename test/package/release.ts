// npm run release:pack: writes the package, its SBOM and the checksums of both into the folder `release`, or into the
// folder that the command names. Run it at the commit of the release, with no other changes: its time becomes the time of
// the SBOM.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { root } from './runtime-dependencies.js';
import { makeSbom } from './sbom.js';

const given = process.argv[2];
const folder = resolve(given ?? join(root, 'release'));
// a folder that the command names may hold other work, so nothing in it is deleted
if (given !== undefined && existsSync(folder) && readdirSync(folder).length > 0) {
  throw new Error(`${folder} is not empty: name an empty folder, or none`);
}
const uncommitted = execFileSync('git', ['status', '--porcelain'], { cwd: root, encoding: 'utf8' }).trimEnd();
if (uncommitted !== '') {
  throw new Error(
    `These files are not as they are in the commit:\n${uncommitted}\nCommit or remove them: others make the same package ` +
      'from the commit.',
  );
}
if (given === undefined) rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');

/** `SOURCE_DATE_EPOCH` in seconds, else the time of the commit. */
function releaseTime(): string {
  const seconds =
    process.env.SOURCE_DATE_EPOCH ??
    execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' }).trim();
  return new Date(Number(seconds) * 1000).toISOString();
}

const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', folder], {
  cwd: join(root, 'libs/oneid-logout'),
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'inherit'],
});
const [file] = Object.values(JSON.parse(packed) as Record<string, { filename: string }>);
if (file === undefined) throw new Error('npm pack wrote no file');
const tarball = join(folder, file.filename);
const sbom = tarball.replace(/\.tgz$/, '.cdx.json');
writeFileSync(sbom, makeSbom(sha256(readFileSync(tarball)), releaseTime()));
const sums = [tarball, sbom].map((path) => `${sha256(readFileSync(path))}  ${basename(path)}\n`).join('');
writeFileSync(join(folder, 'SHA256SUMS'), sums);
console.log(sums.trimEnd());
