import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { library, libraryLock } from './runtime-dependencies.js';

interface Sbom {
  serialNumber: string;
  metadata: {
    timestamp: string;
    tools: { vendor: string; name: string; version: string }[];
    component: { hashes?: { alg: string; content: string }[] };
  };
}

/**
 * The CycloneDX SBOM of the package and of what npm installs with it, made by `npm sbom`.
 *
 * @param sha256 of the tarball, in hex. The serial number is made from it, so the same package has the same SBOM
 * @param time of the release, as ISO 8601
 */
export function makeSbom(sha256: string, time: string): string {
  const parent = mkdtempSync(join(tmpdir(), 'oneid-logout-sbom-'));
  try {
    // npm sbom takes the name of the folder for the package's name
    const folder = join(parent, library.name);
    mkdirSync(folder);
    const { name, version, license, dependencies } = library;
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version, license, dependencies }));
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(libraryLock()));
    const output = execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const sbom = JSON.parse(output) as Sbom;
    sbom.serialNumber = `urn:uuid:${uuidOf(sha256)}`;
    sbom.metadata.timestamp = time;
    sbom.metadata.tools.push({ vendor: 'Node.js', name: 'node', version: process.versions.node });
    sbom.metadata.component.hashes = [{ alg: 'SHA-256', content: sha256 }];
    return `${JSON.stringify(sbom, null, 2)}\n`;
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

/** A UUID of version 8 (RFC 9562 §5.8) with the first bits of a hash. */
function uuidOf(sha256: string): string {
  const hex = `${sha256.slice(0, 12)}8${sha256.slice(13, 16)}a${sha256.slice(17, 32)}`;
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
