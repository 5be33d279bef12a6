export type Language = 'en' | 'vi';

interface Text {
  readonly title: string;
  readonly text: string;
}

interface ActionText extends Text {
  /** Text of the button or link. */
  readonly action: string;
}

interface QuestionText extends ActionText {
  /** Text of the cancel link. */
  readonly cancel: string;
}

/** Texts of the library's own pages, for one language. */
export interface LogoutTexts {
  readonly loggingOut: ActionText;
  readonly question: QuestionText;
  readonly notLoggedOut: Text;
  readonly loggedOutHereOnly: Text;
}

export const logoutTexts: Readonly<Record<Language, LogoutTexts>> = {
  en: {
    loggingOut: { title: 'Logging out', text: 'You are being logged out.', action: 'Go on' },
    question: {
      title: 'Log out?',
      text: 'Another website may have asked for this logout. If you did not ask for it, choose Cancel.',
      action: 'Log out',
      cancel: 'Cancel',
    },
    notLoggedOut: { title: 'Not logged out', text: 'The app could not log you out. Please try again.' },
    loggedOutHereOnly: {
      title: 'Logged out here only',
      text: 'You are logged out here. The app could not reach OneID, so you may still be logged in there.',
    },
  },
  vi: {
    loggingOut: { title: 'Đang đăng xuất', text: 'Vui lòng chờ trong giây lát.', action: 'Tiếp tục' },
    question: {
      title: 'Đăng xuất?',
      text: 'Yêu cầu này có thể đến từ một trang khác. Nếu không phải bạn yêu cầu, hãy chọn Hủy.',
      action: 'Đăng xuất',
      cancel: 'Hủy',
    },
    notLoggedOut: { title: 'Chưa đăng xuất được', text: 'Hiện chưa đăng xuất được. Vui lòng thử lại.' },
    loggedOutHereOnly: {
      title: 'Mới chỉ đăng xuất tại đây',
      text: 'Bạn đã đăng xuất tại đây, nhưng không kết nối được với OneID để đăng xuất ở đó.',
    },
  },
};

/**
 * The language of the library's pages: the first one in `uiLocales` that the library has; else Vietnamese if the
 * browser prefers it to English (RFC 9110 §12.5.4); else English.
 *
 * @param uiLocales for example `vi en`
 * @param acceptLanguage for example `vi-VN, en;q=0.8`
 */
export function languageOf(uiLocales: string | undefined, acceptLanguage: string | string[] | undefined): Language {
  const asked = uiLocales?.split(' ').map(primaryOf).find(isLanguage);
  if (asked !== undefined) return asked;
  // a missing header becomes the text `undefined`, which matches no language
  const ranges = String(acceptLanguage).split(',').map(rangeOf);
  return bestOf('vi', ranges) > bestOf('en', ranges) ? 'vi' : 'en';
}

interface LanguageRange {
  readonly language: string;
  readonly weight: number;
}

function rangeOf(range: string): LanguageRange {
  const [, ...parameters] = range.split(';');
  const tag = range.replace(/;.*/s, '');
  // `*` accepts any language, so it counts as English, the default
  return { language: tag.trim() === '*' ? 'en' : primaryOf(tag), weight: weightOf(parameters) };
}

function bestOf(wanted: Language, ranges: readonly LanguageRange[]): number {
  return ranges.reduce((best, { language, weight }) => (language === wanted ? Math.max(best, weight) : best), 0);
}

function primaryOf(tag: string): string {
  return tag.trim().replace(/-.*/s, '').toLowerCase();
}

function isLanguage(tag: string): tag is Language {
  return Object.hasOwn(logoutTexts, tag);
}

/** A missing weight counts as 1. An invalid weight counts as 0, so the range is ignored. */
function weightOf(parameters: readonly string[]): number {
  if (parameters.length === 0) return 1;
  const weight = /^\s*q=(0\.\d{0,3}|1(?:\.0{0,3})?)\s*$/i.exec(parameters.join(';'))?.[1];
  return weight === undefined ? 0 : Number(weight);
}
