import Bowser from 'bowser';

/** The user's browser and system by name, as in `Firefox · Linux`; undefined when the header tells neither. */
export function deviceOf(userAgent: string | undefined): string | undefined {
  if (userAgent === undefined || userAgent === '') return undefined;
  const { browser, os } = Bowser.parse(userAgent);
  const known = [browser.name, os.name].filter((name) => name !== undefined && name !== '');
  return known.length === 0 ? undefined : known.join(' · ');
}
