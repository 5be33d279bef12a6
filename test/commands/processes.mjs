// Runs commands as processes, and prints one line for each check.
import { spawn } from 'node:child_process';

/** Milliseconds. */
const TIMEOUT = 120_000;
let failed = 0;

export const failures = () => failed;

export async function check(name, work) {
  try {
    await work();
    console.log(`✓ ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`✗ ${name}\n${error instanceof Error ? error.message : error}`);
  }
}

/** Does work for each item, two at once: a command that starts keeps one processor busy. */
export async function twoAtOnce(items, work) {
  const waiting = [...items];
  const workThrough = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await work(next);
  };
  await Promise.all([workThrough(), workThrough()]);
}

export function expectEqual(actual, expected, what) {
  if (actual !== expected) throw new Error(`${what}: expected ${expected}, got ${actual}`);
}

/** Starts a command in a new process group, so that a signal can reach all its processes. */
export function run(command, args, env) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, detached: true });
  const chunks = { stdout: [], stderr: [], all: [] };
  for (const stream of ['stdout', 'stderr']) {
    child[stream].on('data', (chunk) => {
      chunks[stream].push(chunk);
      chunks.all.push(chunk);
    });
  }
  const exit = new Promise((resolve) => child.on('close', resolve));
  const output = (stream = 'all') => Buffer.concat(chunks[stream]).toString();
  return { child, exit, output };
}

export async function until(condition) {
  const deadline = Date.now() + TIMEOUT;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('it took too long');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function answers(url, process) {
  const deadline = Date.now() + TIMEOUT;
  for (;;) {
    const response = await fetch(url).catch(() => undefined);
    if (response !== undefined) return response;
    if (process.child.exitCode !== null || Date.now() > deadline) throw new Error(`no answer:\n${process.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
