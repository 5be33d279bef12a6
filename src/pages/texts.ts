import { type LogoutChannel, type RejectionReason, type SessionEnding } from 'nestjs-oneid-logout';
import { type InEveryLanguage } from '../html/language.js';

/** All that the app's pages say. */
export interface PageTexts {
  readonly signsInWith: string;
  readonly signedOut: string;
  readonly whatThisIs: string;
  readonly tryThis: readonly string[];
  readonly signIn: string;
  readonly signInAgain: string;
  readonly signedIn: string;
  readonly as: string;
  readonly details: string;
  readonly sessions: string;
  readonly thisOne: string;
  readonly unknownDevice: string;
  readonly since: string;
  readonly until: string;
  readonly end: string;
  readonly endWhat: (device: string) => string;
  readonly endOthers: string;
  readonly noOthers: string;
  readonly logOut: string;
  readonly logOutEverywhere: string;
  readonly logOutEverywhereHint: string;
  readonly logOutHere: string;
  readonly logOutHereHint: string;
  readonly timeline: string;
  readonly timelineHint: string;
  readonly needsScript: string;
  readonly goodbye: string;
  readonly goodbyeText: string;
  readonly goodbyeHere: string;
  readonly startAgain: string;
  readonly back: string;
  readonly account: string;
  readonly knownFacts: string;
  readonly factNames: Readonly<Record<'sub' | 'sid' | 'issuer' | 'registeredAt' | 'expiresAt', string>>;
  readonly refused: Readonly<Record<RejectionReason, string>>;
  readonly refusedTitle: string;
  readonly over: string;
  readonly overText: Readonly<Record<SessionEnding, string>>;
  readonly obeyed: Readonly<Record<LogoutChannel, string>>;
  readonly told: Readonly<Record<'backchannel' | 'frontchannel', (ms: number) => string>>;
  readonly signInHappened: (device: string) => string;
  readonly sessionEnded: (device: string) => string;
  readonly othersEnded: (count: number) => string;
  readonly failed: string;
  readonly failures: Readonly<Record<'crossSite' | 'unavailable' | 'other', string>>;
  readonly notSignedIn: string;
  readonly signInFailures: Readonly<
    Record<
      'transaction' | 'code' | 'overtaken' | 'idToken' | 'notNow' | 'unreachable' | 'unusable' | 'internal',
      string
    >
  >;
  readonly refusedByOneId: (error: string) => string;
}

export const pageTexts: InEveryLanguage<PageTexts> = {
  en: {
    signsInWith: 'Signs in with OneID at',
    signedOut: 'You are signed out',
    whatThisIs:
      'This app signs you in with OneID. When you log out at OneID, or from any other app of this login, it forgets you: at once, on every replica, for good.',
    tryThis: [
      'Sign in here (demo, password demo).',
      'Sign in to a second app with the same login: OneID’s page, at the bottom, leads there.',
      'Log out of one of them, or at OneID, and watch the other.',
    ],
    signIn: 'Sign in with OneID',
    signInAgain: 'Sign in again',
    signedIn: 'You are signed in',
    as: 'As',
    details: 'What this app knows of you',
    sessions: 'Your sessions',
    thisOne: 'this one',
    unknownDevice: 'unknown device',
    since: 'since',
    until: 'until',
    end: 'End',
    endWhat: (device) => `End the session on ${device}`,
    endOthers: 'End all others',
    noOthers: 'You are signed in nowhere else.',
    logOut: 'Log out',
    logOutEverywhere: 'Log out',
    logOutEverywhereHint: 'here and at OneID, so from every app of this login',
    logOutHere: 'Log out here only',
    logOutHereHint: 'OneID and the other apps keep you signed in',
    timeline: 'What OneID said, and when this app obeyed',
    timelineHint: 'Live. Leave this page open and log out somewhere else.',
    needsScript: 'The timeline needs JavaScript; all else works without.',
    goodbye: 'You are logged out',
    goodbyeText: 'This session is over, here and at OneID.',
    goodbyeHere: 'This session is over. OneID and the other apps of this login still know you.',
    startAgain: 'Start again',
    back: 'Back',
    account: 'What this app knows of you',
    knownFacts: 'The facts of this session, as the library keeps them. They never change.',
    factNames: {
      sub: 'You, at OneID (sub)',
      sid: 'This browser login (sid)',
      issuer: 'OneID (iss)',
      registeredAt: 'Signed in',
      expiresAt: 'Ends at the latest',
    },
    refusedTitle: 'This page is not for you just now',
    refused: {
      logged_out: 'You have been logged out.',
      expired: 'Your session has reached its end.',
      unknown: 'Your session is not known here, or is long over.',
      missing: 'You are not signed in.',
    },
    over: 'Your session is over',
    overText: {
      logged_out: 'You have been logged out, and this app has obeyed.',
      expired: 'It has reached its end.',
      unknown: 'It is not known here any more.',
      out_of_sync: 'This app can’t reach its store just now.',
      shutting_down: 'This app is being restarted.',
    },
    obeyed: {
      backchannel: 'This app obeyed: the session is over, as OneID said over the back-channel.',
      frontchannel: 'This app obeyed: the session is over, as OneID’s page said over the front-channel.',
      app: 'This app ended the session: you logged out here.',
      admin: 'This app ended the session, as you told it from a list of your sessions.',
      replaced: 'This app ended the session: this browser has signed in anew.',
    },
    told: {
      backchannel: (ms) => `OneID said it: POST /backchannel_logout, a signed token. It has its 200, after ${ms} ms.`,
      frontchannel: (ms) =>
        `OneID’s page said it, in an iframe of a browser: GET /frontchannel_logout. It has its 200, after ${ms} ms.`,
    },
    signInHappened: (device) => `You signed in, with ${device}.`,
    sessionEnded: (device) => `You ended the session on ${device}.`,
    othersEnded: (count) => `You ended all other sessions: ${count}.`,
    failed: 'That did not work',
    failures: {
      crossSite: 'This was asked for by a page of another site, so nothing was done.',
      unavailable: 'That is not possible just now, please wait a moment.',
      other: 'There is nothing here.',
    },
    notSignedIn: 'You are not signed in',
    signInFailures: {
      transaction: 'This sign-in was not started in this browser, is too old, or is used already.',
      code: 'OneID does not accept this sign-in any more.',
      overtaken: 'You were logged out while you signed in.',
      idToken: 'OneID’s word for who you are could not be believed.',
      notNow: 'Signing in is not possible just now, please wait a moment.',
      unreachable: 'OneID could not be reached just now, please wait a moment.',
      unusable: 'OneID gave an answer that this app can not use.',
      internal: 'Something went wrong here.',
    },
    refusedByOneId: (error) => `OneID did not sign you in: ${error}`,
  },
  vi: {
    signsInWith: 'Đăng nhập bằng OneID tại',
    signedOut: 'Bạn chưa đăng nhập',
    whatThisIs:
      'Ứng dụng này đăng nhập bằng OneID. Khi bạn đăng xuất tại OneID, hoặc từ bất kỳ ứng dụng nào khác của cùng lần đăng nhập, nó sẽ quên bạn: ngay lập tức, trên mọi bản sao, và mãi mãi.',
    tryThis: [
      'Đăng nhập ở đây (demo, mật khẩu demo).',
      'Đăng nhập vào ứng dụng thứ hai bằng cùng tài khoản: đi qua trang OneID, ở cuối trang này.',
      'Đăng xuất khỏi một ứng dụng, hoặc tại OneID, và xem ứng dụng kia.',
    ],
    signIn: 'Đăng nhập bằng OneID',
    signInAgain: 'Đăng nhập lại',
    signedIn: 'Bạn đang đăng nhập',
    as: 'Với tên',
    details: 'Ứng dụng này biết gì về bạn',
    sessions: 'Các phiên của bạn',
    thisOne: 'phiên này',
    unknownDevice: 'thiết bị không rõ',
    since: 'từ',
    until: 'đến',
    end: 'Kết thúc',
    endWhat: (device) => `Kết thúc phiên trên ${device}`,
    endOthers: 'Kết thúc mọi phiên khác',
    noOthers: 'Bạn không đăng nhập ở nơi nào khác.',
    logOut: 'Đăng xuất',
    logOutEverywhere: 'Đăng xuất',
    logOutEverywhereHint: 'ở đây và tại OneID, tức là khỏi mọi ứng dụng của lần đăng nhập này',
    logOutHere: 'Chỉ đăng xuất ở đây',
    logOutHereHint: 'OneID và các ứng dụng khác vẫn giữ bạn đăng nhập',
    timeline: 'OneID đã báo gì, và ứng dụng này tuân theo khi nào',
    timelineHint: 'Trực tiếp. Hãy để trang này mở và đăng xuất ở nơi khác.',
    needsScript: 'Dòng thời gian cần JavaScript; mọi thứ khác đều chạy được khi không có nó.',
    goodbye: 'Bạn đã đăng xuất',
    goodbyeText: 'Phiên này đã kết thúc, ở đây và tại OneID.',
    goodbyeHere: 'Phiên này đã kết thúc. OneID và các ứng dụng khác của lần đăng nhập này vẫn biết bạn.',
    startAgain: 'Bắt đầu lại',
    back: 'Quay lại',
    account: 'Ứng dụng này biết gì về bạn',
    knownFacts: 'Các dữ kiện của phiên này, đúng như thư viện lưu giữ. Chúng không bao giờ thay đổi.',
    factNames: {
      sub: 'Bạn, tại OneID (sub)',
      sid: 'Lần đăng nhập của trình duyệt này (sid)',
      issuer: 'OneID (iss)',
      registeredAt: 'Đăng nhập lúc',
      expiresAt: 'Kết thúc muộn nhất',
    },
    refusedTitle: 'Hiện bạn không xem được trang này',
    refused: {
      logged_out: 'Bạn đã được đăng xuất.',
      expired: 'Phiên của bạn đã hết hạn.',
      unknown: 'Ở đây không biết phiên của bạn, hoặc phiên đã kết thúc từ lâu.',
      missing: 'Bạn chưa đăng nhập.',
    },
    over: 'Phiên của bạn đã kết thúc',
    overText: {
      logged_out: 'Bạn đã được đăng xuất, và ứng dụng này đã tuân theo.',
      expired: 'Phiên đã hết hạn.',
      unknown: 'Ở đây không còn biết phiên này.',
      out_of_sync: 'Hiện ứng dụng này không kết nối được với kho dữ liệu của nó.',
      shutting_down: 'Ứng dụng này đang khởi động lại.',
    },
    obeyed: {
      backchannel: 'Ứng dụng này đã tuân theo: phiên kết thúc, như OneID báo qua back-channel.',
      frontchannel: 'Ứng dụng này đã tuân theo: phiên kết thúc, như trang của OneID báo qua front-channel.',
      app: 'Ứng dụng này đã kết thúc phiên: bạn đăng xuất tại đây.',
      admin: 'Ứng dụng này đã kết thúc phiên, theo yêu cầu của bạn từ danh sách phiên.',
      replaced: 'Ứng dụng này đã kết thúc phiên: trình duyệt này vừa đăng nhập lại.',
    },
    told: {
      backchannel: (ms) =>
        `OneID đã báo: POST /backchannel_logout, bằng token có chữ ký. OneID nhận được 200 sau ${ms} ms.`,
      frontchannel: (ms) =>
        `Trang của OneID đã báo, trong iframe của một trình duyệt: GET /frontchannel_logout. Nhận được 200 sau ${ms} ms.`,
    },
    signInHappened: (device) => `Bạn đã đăng nhập, bằng ${device}.`,
    sessionEnded: (device) => `Bạn đã kết thúc phiên trên ${device}.`,
    othersEnded: (count) => `Bạn đã kết thúc mọi phiên khác: ${count}.`,
    failed: 'Không thực hiện được',
    failures: {
      crossSite: 'Yêu cầu này đến từ trang của một site khác, nên không có gì được thực hiện.',
      unavailable: 'Hiện chưa thực hiện được, xin chờ một lát.',
      other: 'Ở đây không có gì.',
    },
    notSignedIn: 'Bạn chưa đăng nhập được',
    signInFailures: {
      transaction: 'Lần đăng nhập này không bắt đầu từ trình duyệt này, đã quá cũ, hoặc đã được dùng.',
      code: 'OneID không còn chấp nhận lần đăng nhập này.',
      overtaken: 'Bạn đã được đăng xuất trong lúc đang đăng nhập.',
      idToken: 'Không thể tin lời OneID về việc bạn là ai.',
      notNow: 'Hiện chưa đăng nhập được, xin chờ một lát.',
      unreachable: 'Hiện không kết nối được với OneID, xin chờ một lát.',
      unusable: 'OneID đưa ra câu trả lời mà ứng dụng này không dùng được.',
      internal: 'Ở đây đã xảy ra lỗi.',
    },
    refusedByOneId: (error) => `OneID không cho bạn đăng nhập: ${error}`,
  },
};
