import { ValidateBy, ValidateIf, type ValidationError } from 'class-validator';

/** The names of this machine, as `URL` writes them: 127.0.0.0/8, ::1, and `localhost` with its subdomains (RFC 6761 §6.3). */
const LOOPBACK = /^(127\.\d+\.\d+\.\d+|\[::1\]|([^.]+\.)*localhost)\.?$/;

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

/** Allows a missing or undefined option, but not null: class-validator's `IsOptional` would accept null unchecked. */
export const IsOptional = () => ValidateIf((_options, value) => value !== undefined);

/** A provider's URL. `clientFaults` requires TLS: the client's `allowInsecureRequests` decides about it. */
export const IsProviderUrl = () =>
  Predicate(
    'isProviderUrl',
    'must be an https URL without query, fragment or userinfo (http only on loopback, or with allowInsecureRequests)',
    (value) => isWebUrl(value) && !value.includes('?'),
  );

export const IsEndpoint = () =>
  Predicate(
    'isEndpoint',
    'must be an https URL without fragment or userinfo (http only on loopback, or with allowInsecureRequests)',
    isWebUrl,
  );

export const IsRedirectUri = () =>
  Predicate('isRedirectUri', 'must be an http(s) URL without fragment or userinfo', isWebUrl);

/**
 * Is this an absolute http(s) URL without fragment and userinfo? Refuses a URL that a browser would trim or correct:
 * OneID compares the registered URL character for character.
 */
export function isWebUrl(value: unknown): value is string {
  if (typeof value !== 'string' || !/^https?:\/\/[^\s\\/?#@][^\s\\#]*$/i.test(value) || !URL.canParse(value))
    return false;
  const { username, password } = new URL(value);
  return username + password === '';
}

/** Is the connection to this URL protected: by TLS, or because it does not leave this machine? */
export function isSecureUrl(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || LOOPBACK.test(hostname);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Copies the given values into `defaults`; undefined counts as not given.
 *
 * @returns null instead of a value that is not an object: class-validator refuses null, but accepts an empty array
 */
export function fill<T extends object>(
  defaults: T,
  given: unknown,
  nested: Record<string, (value: unknown) => unknown>,
): T | null {
  if (!isRecord(given)) return null;
  for (const [name, value] of Object.entries(given)) {
    const convert = Object.hasOwn(nested, name) ? nested[name] : undefined;
    if (value !== undefined) Object.assign(defaults, { [name]: convert === undefined ? value : convert(value) });
  }
  return defaults;
}

/** class-validator's faults as lines, each with the full path of its option. */
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
