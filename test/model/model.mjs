// npm run model: searches the models of this folder exhaustively with spin, as they are and with one assumption or
// measure taken away. npm run model -- --story NAME tells the counterexample of one removal, --steps all sets the clock by every amount up to six ticks.
import { execFile, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readArguments, refuse } from '../support/arguments.mjs';
import { inTicks, readConstants } from './constants.mjs';
import { proofs, removals, steps } from './runs.mjs';

const run = promisify(execFile);

/** How many searches run at the same time, and how much memory each may use, megabytes. */
const AT_ONCE = 2;
const MEMORY = 1_900;
/** The deepest path of a search. The search fails when a path is longer. */
const DEPTH = 2_000_000;
const SHORTEST_DEPTH = 600;

const values = readArguments({ story: { type: 'string' }, steps: { type: 'string', default: 'few' } });
if (!Object.hasOwn(steps, values.steps)) refuse(`--steps takes few or all, not "${values.steps}"`);
if (values.story !== undefined && !Object.hasOwn(removals, values.story))
  refuse(`No counterexample has the name "${values.story}". The names are ${Object.keys(removals).join(', ')}`);

for (const [command, debianPackage] of [
  ['spin', 'spin'],
  ['cc', 'gcc'],
]) {
  if (spawnSync(command, ['--version']).error === undefined) continue;
  console.error(`npm run model needs the command ${command}. On Debian: apt-get install ${debianPackage}`);
  process.exit(1);
}

const { tick, macros: constants } = inTicks(readConstants());

async function search({ file, macros, shorterOverlap = 0 }) {
  const folder = mkdtempSync(join(tmpdir(), 'oneid-model-'));
  const started = performance.now();
  try {
    const all = { ...constants, ...macros, ...steps[values.steps] };
    if (shorterOverlap > 0) all.OVERLAP -= shorterOverlap;
    const flags = Object.entries(all).map(([name, value]) => (value === '' ? `-D${name}` : `-D${name}=${value}`));
    copyFileSync(fileURLToPath(new URL(file, import.meta.url)), join(folder, file));
    const within = { cwd: folder, maxBuffer: 64 * 1024 * 1024 };
    await run('spin', [...flags, '-a', file], within);
    const compiled = ['-O2', '-w', '-DSAFETY', '-DNOFAIR', `-DMEMLIM=${MEMORY}`];
    await run('cc', [...compiled, '-o', 'pan', 'pan.c'], within);
    const { stdout } = await run('./pan', ['-E', `-m${DEPTH}`, '-w22'], within);
    const isViolated = stdout.includes('assertion violated');
    let story = [];
    if (isViolated && values.story !== undefined) {
      // search again for a short path; when there is none this short, tell the long one
      await run('cc', [...compiled, '-DREACH', '-o', 'pan', 'pan.c'], within);
      const short = await run('./pan', ['-E', '-i', `-m${SHORTEST_DEPTH}`, '-w22'], within).catch(() => undefined);
      if (short?.stdout.includes('errors: 0')) await run('./pan', ['-E', `-m${DEPTH}`, '-w22'], within);
      const replay = await run('spin', [...flags, '-t', file], within).catch((error) => error);
      story = storyOf(String(replay.stdout));
    }
    const states = Number(/(\d+) states, stored/.exec(stdout)?.[1] ?? NaN);
    const megabytes = Number(/([\d.]+)\s+total actual memory usage/.exec(stdout)?.[1] ?? NaN);
    return {
      ...{ states, megabytes, isViolated, story, seconds: (performance.now() - started) / 1000 },
      isComplete:
        / errors: 0/.test(stdout) && !/max search depth|out of memory|Search not completed|memory limit/.test(stdout),
      missed: missedVisits(file, stdout),
      found: visitsIn(file).length,
      output: stdout,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The lines of a model with a mark V1, V2, …: states that a search must reach, otherwise it has proved nothing. */
function visitsIn(file) {
  const lines = readFileSync(new URL(file, import.meta.url), 'utf8').split('\n');
  return lines.flatMap((line, n) => (/\/\* V\d/.test(line) ? [n + 1] : []));
}

function missedVisits(file, output) {
  const unreached = [...output.matchAll(/\.pml:(\d+), state/g)].map(([, line]) => Number(line));
  return visitsIn(file).filter((line) => unreached.includes(line) && !isAssertion(output, line));
}

/** The assertion on a marked line may be reached only in part: spin then names the statement. */
function isAssertion(output, line) {
  return new RegExp(`\\.pml:${line}, state \\d+, "assert`).test(output);
}

function storyOf(output) {
  let ticks = 0;
  const lines = [];
  for (const [, line] of output.matchAll(/STORY (.*)/g)) {
    if (line === 'TICK') ticks += 1;
    else lines.push(`${String(ticks).padStart(4)}  ${line}`);
  }
  return lines;
}

async function inPairs(jobs) {
  const results = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < jobs.length) {
        const n = next++;
        results[n] = await jobs[n]();
      }
    }),
  );
  return results;
}

if (values.story !== undefined) {
  const { story } = await search(removals[values.story]);
  console.log(`The first column counts ticks of ${tick} ms.\n${story.join('\n')}`);
  process.exit(story.length > 0 ? 0 : 1);
}

const faults = [];
let states = 0;
const proved = await inPairs(
  proofs.map((proof) => async () => {
    const result = await search(proof);
    const { states, megabytes, seconds } = result;
    const size = `${states.toLocaleString('en')} states, ${megabytes.toFixed(0)} MB`;
    console.log(`${proof.name}: ${size}, ${seconds.toFixed(1)} s`);
    return result;
  }),
);
proofs.forEach(({ name, visits }, n) => {
  const result = proved[n];
  states += result.states;
  if (result.isViolated) faults.push(`${name}: a request after OneID's 200 is let in`);
  else if (!result.isComplete) faults.push(`${name}: the search is not complete\n${result.output}`);
  if (result.missed.length > 0) faults.push(`${name}: the search does not reach lines ${result.missed.join(', ')}`);
  if (result.found !== visits) faults.push(`${name}: the model has ${result.found} marks V, not ${visits}`);
});
const names = Object.keys(removals);
const removed = await inPairs(
  names.map((name) => async () => {
    const result = await search(removals[name]);
    const found = result.isViolated ? 'a counterexample' : 'NONE';
    console.log(`without ${name}: ${found}, ${result.seconds.toFixed(1)} s`);
    return result;
  }),
);
for (const name of names.filter((_, n) => !removed[n].isViolated)) {
  faults.push(`${name}: no counterexample, so the model does not need it`);
}
const isCounterexample = (name) => removed[names.indexOf(name)].isViolated;
const ofAssumptions = names.filter((name) => removals[name].assumption !== undefined);
const ofMeasures = names.filter((name) => removals[name].assumption === undefined);
const count = (list) => `${list.filter(isCounterexample).length} of ${list.length}`;

for (const fault of faults) console.error(fault);
console.log(
  `3 models in ${proofs.length} searches, ${states.toLocaleString('en')} states, a tick is ${tick} ms, ` +
    `${values.steps} steps of the clock: ` +
    `${faults.length === 0 ? 'no counterexample' : `${faults.length} faults`}; ${count(ofAssumptions)} assumptions and ` +
    `${count(ofMeasures)} measures taken away give one`,
);
process.exitCode = faults.length === 0 ? 0 : 1;
