import { type parseArgs, type ParseArgsConfig } from 'node:util';

type Options = NonNullable<ParseArgsConfig['options']>;

/** Prints one line, and ends the command with the exit code 2. */
export declare function refuse(reason: string): never;

/** @returns the values of the options on the command line; a wrong command line is refused */
export declare function readArguments<T extends Options>(
  options: T,
): ReturnType<typeof parseArgs<{ options: T }>>['values'];

/** @returns the number that the value of this option writes; other values are refused */
export declare function wholeNumber(name: string, value: string, least?: number): number;

/** Refuses these options if they are given: the command would not obey them. */
export declare function refuseUnused<T extends object>(
  values: T,
  names: readonly (keyof T & string)[],
  when: string,
): void;
