import { ValidateBy, ValidateIf, type ValidationError } from 'class-validator';

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

export const Predicate = (name: string, message: string, holds: (value: unknown) => boolean) =>
  ValidateBy({ name, validator: { validate: (value) => holds(value), defaultMessage: () => `$property ${message}` } });

export const EachOf = (name: string, message: string, holds: (value: unknown) => boolean) =>
  ValidateBy(
    {
      name,
      validator: { validate: (value) => holds(value), defaultMessage: () => `each value in $property ${message}` },
    },
    { each: true },
  );

/** May be left out or undefined. Not null: class-validator's own `IsOptional` would let it through to where it hurts. */
export const IsOptional = () => ValidateIf((_options, value) => value !== undefined);

/** TLS everywhere but on the developer's own machine. */
export const IsProviderUrl = () =>
  Predicate(
    'isProviderUrl',
    'must be an https URL without query, fragment or userinfo (http only on loopback)',
    (value) => isSecureUrl(value) && !value.includes('?'),
  );

export const IsEndpoint = () =>
  Predicate('isEndpoint', 'must be an https URL without fragment or userinfo (http only on loopback)', isSecureUrl);

export const IsRedirectUri = () =>
  Predicate('isRedirectUri', 'must be an http(s) URL without fragment or userinfo', isWebUrl);

/** Written out in full: what a browser would have to trim or guess at can't be equal character for character. */
function isWebUrl(value: unknown): value is string {
  if (typeof value !== 'string' || !/^https?:\/\/[^\s\\/?#@][^\s\\#]*$/i.test(value) || !URL.canParse(value))
    return false;
  const { username, password } = new URL(value);
  return username + password === '';
}

function isSecureUrl(value: unknown): value is string {
  if (!isWebUrl(value)) return false;
  const { protocol, hostname } = new URL(value);
  return protocol === 'https:' || LOOPBACK.has(hostname);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The options are checked as classes, and written as plain objects. */
export type Plain<T> = { [K in keyof T]: T[K] };

/** Lays what is given over the defaults; undefined means not given. */
export function fill<T extends object>(
  defaults: T,
  given: unknown,
  nested: Record<string, (value: unknown) => unknown>,
): T {
  if (!isRecord(given)) return given as T;
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined) Object.assign(defaults, { [name]: nested[name]?.(value) ?? value });
  }
  return defaults;
}

/** class-validator's findings, each option under its full name. */
export function faultLines(fault: ValidationError, path = ''): string[] {
  const isIndex = /^\d+$/.test(fault.property);
  const name = isIndex ? `${path}[${fault.property}]` : path === '' ? fault.property : `${path}.${fault.property}`;
  const own = Object.entries(fault.constraints ?? {}).map(([constraint, message]) => {
    if (constraint === 'whitelistValidation') return `${name} is not an option`;
    if (message.includes('nested property')) return `${name} must be an object`;
    return message.replace(fault.property, name);
  });
  return [...own, ...(fault.children ?? []).flatMap((child) => faultLines(child, name))];
}
