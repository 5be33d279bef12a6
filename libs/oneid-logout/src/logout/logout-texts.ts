export type Language = 'en' | 'vi';

interface Text {
  readonly title: string;
  readonly text: string;
}

interface ActionText extends Text {
  /** On its button or link. */
  readonly action: string;
}

interface QuestionText extends ActionText {
  /** On the link of whoever does not want to. */
  readonly cancel: string;
}

/** What people read on the library's own pages. */
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
      text: 'Another page may have asked for this. If it was not you, cancel.',
      action: 'Log out',
      cancel: 'Cancel',
    },
    notLoggedOut: { title: 'Not logged out', text: 'You could not be logged out just now. Please try again.' },
    loggedOutHereOnly: {
      title: 'Logged out here only',
      text: 'You are logged out here, but OneID could not be reached to log you out there.',
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
 * The language of our pages: what the app asks OneID for; else Vietnamese where the browser prefers it to English
 * (RFC 9110 §12.5.4).
 *
 * @param uiLocales as in `vi en`
 * @param acceptLanguage as in `vi-VN, en;q=0.8`
 */
export function languageOf(uiLocales: string | undefined, acceptLanguage: string | string[] | undefined): Language {
  const asked = uiLocales?.split(' ').map(primaryOf).find(isLanguage);
  if (asked !== undefined) return asked;
  // of no header, too: its one range is of no language
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
  // who takes any language takes the default
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

/** 0 for what is no weight, too: a range that nobody can read is none. */
function weightOf(parameters: readonly string[]): number {
  if (parameters.length === 0) return 1;
  const weight = /^\s*q=(0\.\d{0,3}|1(?:\.0{0,3})?)\s*$/i.exec(parameters.join(';'))?.[1];
  return weight === undefined ? 0 : Number(weight);
}
