/** The languages of the pages; the default language comes first. */
export const LANGUAGES = { en: 'English', vi: 'Tiếng Việt' } as const;

export type Language = keyof typeof LANGUAGES;

/** One text, or set of texts, in every language. */
export type InEveryLanguage<T> = Readonly<Record<Language, T>>;

/** The language of the first BCP 47 tag that names one of ours; `vi` and `vi-VN` both count as Vietnamese. */
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
