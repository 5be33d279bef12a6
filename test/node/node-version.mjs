import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { faultsOfCommand } from '../support/checks.mjs';

/**
 * Installs Node from npm's package `node`, with its headers, because native addons need them to compile.
 *
 * @param version a major version, such as `24`
 * @param parent the folder for the new folder `node-24`
 * @param programs the `PATH` for all other programs
 * @returns `env`, in which `node` is this version
 */
export async function installNode(version, parent, programs = process.env.PATH) {
  const folder = join(parent, `node-${version}`);
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, allowScripts: { node: true } }));
  const command = `npm install --no-audit --no-fund --silent node@${version}`;
  const faults = await faultsOfCommand(command, { cwd: folder, env: process.env });
  if (faults.length > 0) throw new Error(faults.join('\n'));
  const packageFolder = join(folder, 'node_modules/node');
  const platform = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const nodeFolder = [join(packageFolder, 'node_modules', platform), join(folder, 'node_modules', platform)].find(
    existsSync,
  );
  const path = [join(packageFolder, 'bin'), programs].join(delimiter);
  const env = { ...process.env, PATH: path, npm_config_nodedir: nodeFolder };
  const about = JSON.parse(execFileSync('node', ['-p', 'JSON.stringify([process.version, process.release])'], { env }));
  const [fullVersion, { lts = false }] = about;
  return { version, name: `Node ${fullVersion.slice(1)}`, lts, env };
}
