// The command lines of the checks. A wrong one ends the command with one line and the exit code 2.
import { parseArgs } from 'node:util';

export function refuse(reason) {
  console.error(reason);
  process.exit(2);
}

export function readArguments(options) {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    const names = Object.keys(options).map((name) => `--${name}`);
    const known = names.length === 0 ? 'This command takes no options' : `The options are ${names.join(', ')}`;
    if (error.code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') return refuse(error.message.replaceAll('\n', ' '));
    return refuse(`${error.message.split('. ')[0]}. ${known}`);
  }
}

export function wholeNumber(name, value, least = 1) {
  const number = Number(value);
  if (/^-?\d+$/.test(value) && Number.isSafeInteger(number) && number >= least) return number;
  const from = least === -Infinity ? '' : ` from ${least} on`;
  return refuse(`--${name} takes a whole number${from}, not "${value}"`);
}

export function refuseUnused(values, names, when) {
  const given = names.find((name) => values[name] !== undefined);
  if (given !== undefined) refuse(`--${given} has no effect ${when}`);
}
