export type Language = 'en' | 'vi';

interface Text {
  readonly title: string;
  readonly text: string;
}

interface ActionText extends Text {
  /** On its button or link. */
  readonly action: string;
}

/** What people read on the library's own pages. */
export interface LogoutTexts {
  readonly loggingOut: ActionText;
  readonly question: ActionText;
  readonly notLoggedOut: Text;
  readonly loggedOutHereOnly: Text;
}

export const logoutTexts: Readonly<Record<Language, LogoutTexts>> = {
  en: {
    loggingOut: { title: 'Logging out', text: 'You are being logged out.', action: 'Go on' },
    question: { title: 'Log out?', text: 'Do you want to log out?', action: 'Log out' },
    notLoggedOut: { title: 'Not logged out', text: 'You could not be logged out just now. Please try again.' },
    loggedOutHereOnly: {
      title: 'Logged out here only',
      text: 'You are logged out here, but OneID could not be reached to log you out there.',
    },
  },
  vi: {
    loggingOut: { title: 'Đang đăng xuất', text: 'Bạn đang được đăng xuất.', action: 'Tiếp tục' },
    question: { title: 'Đăng xuất?', text: 'Bạn có muốn đăng xuất không?', action: 'Đăng xuất' },
    notLoggedOut: { title: 'Chưa đăng xuất', text: 'Hiện chưa thể đăng xuất cho bạn. Vui lòng thử lại.' },
    loggedOutHereOnly: {
      title: 'Chỉ mới đăng xuất tại đây',
      text: 'Bạn đã đăng xuất tại đây, nhưng không kết nối được với OneID để đăng xuất ở đó.',
    },
  },
};

/**
 * The language of our pages: what the app asks OneID for; else Vietnamese where the browser prefers it to English
 * (RFC 9110 §12.5.4).
 *
 * @param uiLocales as in `vi en`
 * @param acceptLanguage as in `vi-VN, en;q=0.8`
 */
export function languageOf(uiLocales: string | undefined, acceptLanguage: string | string[] | undefined): Language {
  const asked = uiLocales?.split(' ').map(primaryOf).find(isLanguage);
  if (asked !== undefined) return asked;
  const weights = { en: 0, vi: 0 };
  for (const range of String(acceptLanguage ?? '').split(',')) {
    const [tag = '', ...parameters] = range.split(';');
    // who takes any language takes the default
    const language = tag.trim() === '*' ? 'en' : primaryOf(tag);
    if (isLanguage(language)) weights[language] = Math.max(weights[language], weightOf(parameters));
  }
  return weights.vi > weights.en ? 'vi' : 'en';
}

function primaryOf(tag: string): string {
  return tag.trim().split('-')[0]?.toLowerCase() ?? '';
}

function isLanguage(tag: string): tag is Language {
  return Object.hasOwn(logoutTexts, tag);
}

/** 0 for what is no weight: a range that nobody can read is none. */
function weightOf(parameters: readonly string[]): number {
  if (parameters.length === 0) return 1;
  const weight = /^\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*$/i.exec(parameters.join(';'))?.[1];
  return weight === undefined ? 0 : Number(weight);
}
