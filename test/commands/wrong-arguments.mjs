// A check of docs/testing.md that gets a wrong argument prints the reason in one line, and ends with exit code 2: a check
// that has run nothing must not look like one that has found nothing.
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, expectEqual, run, twoAtOnce } from './processes.mjs';

const typescript = ['--import', './test/support/typescript.mjs'];
const commands = {
  model: ['test/model/model.mjs'],
  simulate: [...typescript, 'test/simulation/main.ts'],
  sabotage: [...typescript, 'test/sabotage/main.ts'],
  mutate: ['test/mutation/run.mjs'],
  fuzz: ['test/fuzz/fuzz.mjs'],
  conformance: [...typescript, 'test/conformance/play.ts'],
  'test:nodes': ['test/node/check.mjs'],
};

const cases = [
  ['model', ['--nothing'], "Unknown option '--nothing'. The options are --story, --steps"],
  ['model', ['extra'], "Unexpected argument 'extra'. This command does not take positional arguments"],
  ['model', ['--story', 'nothing'], 'No counterexample has the name "nothing". The names are two-primaries, '],
  ['model', ['--story', 'constructor'], 'No counterexample has the name "constructor". '],
  ['model', ['--steps', 'many'], '--steps takes few or all, not "many"'],
  ['simulate', ['--nothing'], "Unknown option '--nothing'. "],
  ['simulate', ['--runs', '0'], '--runs takes a whole number from 1 on, not "0"'],
  ['simulate', ['--runs', 'x'], '--runs takes a whole number from 1 on, not "x"'],
  ['simulate', ['--runs', '-1'], "Option '--runs' argument is ambiguous. "],
  ['simulate', ['--from', 'x'], '--from takes a whole number from 1 on, not "x"'],
  ['simulate', ['--processes', '0'], '--processes takes a whole number from 1 on, not "0"'],
  ['simulate', ['--minutes', '0'], '--minutes takes a number above 0, not "0"'],
  ['simulate', ['--seed', ''], '--seed takes a whole number from 1 on, not ""'],
  ['simulate', ['--seed', '1', '--runs', '2'], '--runs has no effect with --seed'],
  ['simulate', ['--whole'], '--whole has no effect without --seed'],
  ['simulate', ['--fault', 'P24'], '--fault has no effect without --planted'],
  ['simulate', ['--planted', '--minutes', '1'], '--minutes has no effect with --planted'],
  [
    'simulate',
    ['--planted', '--fault', 'nothing-such'],
    'No planted fault has "nothing-such" in its name. The names: ',
  ],
  ['sabotage', ['--nothing'], "Unknown option '--nothing'. The options are --only, --sample, --seed"],
  ['sabotage', ['--only', 'NOPE'], 'No sabotage has the promise "NOPE". The promises: '],
  ['sabotage', ['--sample', '0'], '--sample takes a whole number from 1 on, not "0"'],
  ['sabotage', ['--sample', '1', '--seed', ''], '--seed takes a text'],
  ['sabotage', ['--seed', 'a'], '--seed has no effect without --sample'],
  ['mutate', ['--nothing'], "Unknown option '--nothing'. The options are --only"],
  ['mutate', ['--only', 'constructor'], 'No group has the name "constructor". The groups: rule, '],
  ['fuzz', ['--nothing'], "Unknown option '--nothing'. "],
  ['fuzz', ['--runs', '0'], '--runs takes a whole number from 1 on, not "0"'],
  ['fuzz', ['--seed', ''], '--seed takes a whole number, not ""'],
  ['fuzz', ['--target', 'cookies'], '--target has no effect without --coverage'],
  ['fuzz', ['--coverage', '--runs', '5'], '--runs has no effect with --coverage'],
  ['fuzz', ['--coverage', '--seconds', '0'], '--seconds takes a whole number from 1 on, not "0"'],
  ['fuzz', ['--coverage', '--target', 'nothing'], 'No target has the name "nothing". The names: accept-language, '],
  ['conformance', ['--nothing'], "Unknown option '--nothing'. This command takes no options"],
  ['test:nodes', ['--nothing'], 'npm run test:nodes takes --whole or 20, '],
  ['test:nodes', ['99'], 'npm run test:nodes takes --whole or 20, '],
];

export async function checkWrongArguments() {
  await twoAtOnce(cases, checkOne);
  for (const [missing, debianPackage] of [
    ['spin', 'spin'],
    ['cc', 'gcc'],
  ]) {
    await check(`npm run model without ${missing}: names the package`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'oneid-logout-path-'));
      // only asked whether it is there
      if (missing !== 'spin') symlinkSync('/bin/true', join(folder, 'spin'));
      const model = run(process.execPath, commands.model, { PATH: folder });
      expectEqual(await model.exit, 1, 'the exit code');
      rmSync(folder, { recursive: true });
      const expected = `npm run model needs the command ${missing}. On Debian: apt-get install ${debianPackage}\n`;
      expectEqual(model.output(), expected, 'the output');
    });
  }
}

async function checkOne([name, args, begin]) {
  await check(`npm run ${name} -- ${args.map((arg) => arg || "''").join(' ')}: one line, exit code 2`, async () => {
    const command = run(process.execPath, [...commands[name], ...args], {});
    expectEqual(await command.exit, 2, `the exit code of\n${command.output()}`);
    expectEqual(/^.+\n$/.test(command.output()) && command.output().startsWith(begin), true, command.output());
  });
}
