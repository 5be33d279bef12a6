/** The languages of the pages, the one for everybody else first. */
export const LANGUAGES = { en: 'English', vi: 'Tiếng Việt' } as const;

export type Language = keyof typeof LANGUAGES;

/** One text, or set of texts, in every language. */
export type InEveryLanguage<T> = Readonly<Record<Language, T>>;

/** The first of these that is a language of ours, as a tag of BCP 47: `vi` and `vi-VN` are the same. */
export function firstLanguage(tags: readonly (string | undefined)[]): Language | undefined {
  for (const tag of tags) {
    const language = tag?.toLowerCase().split('-')[0];
    if (isLanguage(language)) return language;
  }
  return undefined;
}

function isLanguage(tag: string | undefined): tag is Language {
  return tag !== undefined && Object.hasOwn(LANGUAGES, tag);
}
