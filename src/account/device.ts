import Bowser from 'bowser';

/** What somebody would call the device they sign in with, as in `Firefox on Linux`; undefined when nobody could tell. */
export function deviceOf(userAgent: string | undefined): string | undefined {
  if (userAgent === undefined || userAgent === '') return undefined;
  const { browser, os } = Bowser.parse(userAgent);
  const known = [browser.name, os.name].filter((name) => name !== undefined && name !== '');
  return known.length === 0 ? undefined : known.join(' on ');
}
