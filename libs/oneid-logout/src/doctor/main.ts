#!/usr/bin/env node
import 'reflect-metadata';
import { run } from './run.js';

const { argv, env: environment, stdin, stdout, stderr } = process;

void run(argv.slice(2), { environment, stdin, columns: stdout.isTTY ? stdout.columns : undefined }).then((outcome) => {
  stderr.write(outcome.stderr);
  // the reader of the output may end first, as in `doctor | head`
  stdout.once('error', () => process.exit(outcome.exitCode));
  // a connection that the doctor has given up may still be open, so the process must not wait for it
  stdout.write(outcome.stdout, () => process.exit(outcome.exitCode));
});
