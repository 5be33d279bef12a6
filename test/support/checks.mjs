// For the scripts that check the repository, the package and the projects outside Jest: one printed line for each check.
import { spawn } from 'node:child_process';

let failed = 0;

/** How many checks of this process have failed. */
export const failures = () => failed;

/**
 * Prints one line for a check, with its seconds. The check fails when its body throws or returns faults.
 *
 * @param {string} name
 * @param {() => Promise<string[] | void> | string[] | void} body
 * @returns {Promise<boolean>} whether it passed
 */
export async function check(name, body) {
  const started = performance.now();
  let faults;
  try {
    faults = (await body()) ?? [];
  } catch (error) {
    faults = [error.stderr?.toString() || (error.stack ?? String(error))];
  }
  if (faults.length > 0) failed += 1;
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`${faults.length === 0 ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)`);
  for (const fault of faults) console.log(`     ${fault.trim().replaceAll('\n', '\n     ')}`);
  return faults.length === 0;
}

/** Runs a command until it ends. A relative program is found by the `PATH` of `env`. */
export async function run(program, args, { cwd, env }) {
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr] = [child.stdout, child.stderr].map(async (stream) => {
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  });
  const status = await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject));
  return { status, stdout: await stdout, stderr: await stderr };
}

/**
 * Runs a command, as written in a shell without quotes.
 *
 * @param faultsOf finds faults in the output of a command that has ended with the exit code 0
 * @returns the faults
 */
export async function faultsOfCommand(command, { cwd, env, faultsOf = () => [] }) {
  const [program, ...args] = command.split(' ');
  const { status, stdout, stderr } = await run(program, args, { cwd, env });
  return status === 0 ? faultsOf(stdout, stderr) : [`${command}: exit code ${status}`, stdout, stderr];
}
