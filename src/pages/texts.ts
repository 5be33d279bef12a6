import { type LogoutChannel, type RejectionReason } from 'nestjs-oneid-logout';
import { type InEveryLanguage } from '../html/language.js';

/** The texts of the app's pages. */
export interface PageTexts {
  readonly signsInWith: string;
  readonly signedOut: string;
  readonly whatThisIs: string;
  readonly tryThis: readonly string[];
  readonly signIn: string;
  readonly signInAgain: string;
  readonly signedIn: string;
  readonly as: string;
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
  readonly logOutHint: string;
  readonly logOutHere: string;
  readonly logOutHereHint: string;
  readonly timeline: string;
  readonly timelineHint: string;
  readonly connectionLost: string;
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
  readonly openOther: (app: string) => string;
  readonly overText: Readonly<Record<'logged_out' | 'unconfirmed' | 'expired' | 'idle' | 'unknown', string>>;
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
      | 'transaction'
      | 'noNavigation'
      | 'code'
      | 'overtaken'
      | 'idToken'
      | 'notNow'
      | 'unreachable'
      | 'unusable'
      | 'internal',
      string
    >
  >;
  readonly refusedByOneId: (error: string) => string;
  /** @param fault the app's setting that does not fit OneID, and how */
  readonly misconfigured: (fault: string) => string;
}

export const pageTexts: InEveryLanguage<PageTexts> = {
  en: {
    signsInWith: 'Signs in with OneID at',
    signedOut: 'You are signed out',
    whatThisIs:
      'This app signs you in with OneID. When you log out at OneID, or in another app of this login, this app logs you out too: at once, on every replica, for good.',
    tryThis: [
      'Sign in here (demo, password demo).',
      'Open the second app in a second window and sign in there: you are already signed in at OneID.',
      'Log out of one app, or at OneID, and watch the other app.',
    ],
    signIn: 'Sign in with OneID',
    signInAgain: 'Sign in again',
    signedIn: 'You are signed in',
    as: 'User:',
    openOther: (app) => `Open ${app} in a second window`,
    sessions: 'Your sessions',
    thisOne: 'this one',
    unknownDevice: 'unknown device',
    since: 'since',
    until: 'until',
    end: 'End',
    endWhat: (device) => `End the session on ${device}`,
    endOthers: 'End all others',
    noOthers: 'You have no other sessions.',
    logOut: 'Log out',
    logOutHint: 'here, at OneID, and in every app of this login',
    logOutHere: 'Log out here only',
    logOutHereHint: 'this app does not log you out at OneID',
    timeline: 'What OneID told this app, and when the session ended',
    timelineHint: 'Live. Leave this page open and log out somewhere else.',
    connectionLost: 'The app does not answer. This page tries again…',
    needsScript: 'The timeline needs JavaScript. The rest of the page works without it.',
    goodbye: 'You are logged out',
    goodbyeText: 'This session is over, here and at OneID.',
    goodbyeHere:
      'This session is over. This app has not logged you out at OneID, so you may still be signed in there and in the other apps of this login.',
    startAgain: 'Start again',
    back: 'Back',
    account: 'What this app knows about you',
    knownFacts: 'The library stores these facts about your session. They never change.',
    factNames: {
      sub: 'You, at OneID (sub)',
      sid: 'This browser login (sid)',
      issuer: 'OneID (iss)',
      registeredAt: 'Signed in',
      expiresAt: 'Ends at the latest',
    },
    refusedTitle: 'Sign in to see this page',
    refused: {
      logged_out: 'You have been logged out.',
      unconfirmed: 'This app was away for a while, so OneID must confirm that you are still signed in.',
      expired: 'Your session has expired.',
      idle: 'Your session is over, because you did not use it for a long time.',
      unknown: 'This app does not know your session. It may have ended long ago.',
      missing: 'You are not signed in.',
      ambiguous: 'Your browser sent sessions of different users. Log out, then sign in again.',
    },
    over: 'Your session is over',
    overText: {
      logged_out: 'You have been logged out.',
      unconfirmed: 'This app was away for a while, so OneID must confirm that you are still signed in.',
      expired: 'The session has expired.',
      idle: 'You did not use the session for a long time.',
      unknown: 'This app does not know the session any more.',
    },
    obeyed: {
      backchannel: 'This app ended the session: OneID told it to, over the back-channel.',
      frontchannel: 'This app ended the session: OneID’s page told it to, over the front-channel.',
      app: 'This app ended the session: you logged out here.',
      admin: 'This app ended the session: you ended it, here or on another device, or an administrator did.',
      idle: 'This app ended the session for good: you did not use it for a long time.',
      replaced: 'This app ended the session: this browser has signed in again.',
      unconfirmed: 'This app ended the session: it was away for a while and may have missed a logout.',
    },
    told: {
      backchannel: (ms) =>
        `OneID told this app: POST /backchannel_logout, a signed token. The app answered 200 after ${ms} ms.`,
      frontchannel: (ms) =>
        `OneID’s page told this app, in an iframe of a browser: GET /frontchannel_logout. The app answered 200 after ${ms} ms.`,
    },
    signInHappened: (device) => `You signed in on ${device}.`,
    sessionEnded: (device) => `You ended the session on ${device}.`,
    othersEnded: (count) => `You ended all other sessions (${count}).`,
    failed: 'That did not work',
    failures: {
      crossSite: 'A page of another site asked for this, so the app did nothing.',
      unavailable: 'This is not possible now. Please try again in a few minutes.',
      other: 'Page not found.',
    },
    notSignedIn: 'The sign-in did not work',
    signInFailures: {
      transaction: 'This sign-in did not start in this browser, is too old, or has already been used.',
      noNavigation: 'A sign-in starts only when the browser shows this address.',
      code: 'OneID does not accept this sign-in any more.',
      overtaken: 'You were logged out while you signed in.',
      idToken: 'This app could not verify the ID token from OneID.',
      notNow: 'Sign-in is not possible now. Please try again in a few minutes.',
      unreachable: 'This app could not reach OneID. Please try again in a few minutes.',
      unusable: 'OneID gave an answer that this app cannot use.',
      internal: 'An error happened in this app.',
    },
    refusedByOneId: (error) => `OneID did not sign you in: ${error}`,
    misconfigured: (fault) => `The settings of this app do not fit OneID. Its operator has to change them: ${fault}.`,
  },
  vi: {
    signsInWith: 'Đăng nhập bằng OneID tại',
    signedOut: 'Bạn chưa đăng nhập',
    whatThisIs:
      'Ứng dụng này đăng nhập bằng OneID. Khi bạn đăng xuất tại OneID, hoặc từ bất kỳ ứng dụng nào khác trong cùng phiên OneID, ứng dụng này cũng đăng xuất bạn: ngay lập tức, trên mọi replica, và vĩnh viễn.',
    tryThis: [
      'Đăng nhập tại đây (tài khoản demo, mật khẩu demo).',
      'Mở ứng dụng thứ hai bên cạnh và đăng nhập: OneID đã biết bạn.',
      'Đăng xuất khỏi một ứng dụng, hoặc tại OneID, rồi quan sát ứng dụng kia.',
    ],
    signIn: 'Đăng nhập bằng OneID',
    signInAgain: 'Đăng nhập lại',
    signedIn: 'Bạn đã đăng nhập',
    as: 'Tài khoản:',
    openOther: (app) => `Mở ${app} bên cạnh`,
    sessions: 'Các phiên của bạn',
    thisOne: 'phiên này',
    unknownDevice: 'thiết bị không xác định',
    since: 'từ',
    until: 'đến',
    end: 'Kết thúc',
    endWhat: (device) => `Kết thúc phiên trên ${device}`,
    endOthers: 'Kết thúc mọi phiên khác',
    noOthers: 'Bạn không đăng nhập ở thiết bị nào khác.',
    logOut: 'Đăng xuất',
    logOutHint: 'ở đây và tại OneID, tức là khỏi mọi ứng dụng trong phiên này',
    logOutHere: 'Chỉ đăng xuất ở đây',
    logOutHereHint: 'ứng dụng này không đăng xuất bạn tại OneID',
    timeline: 'OneID báo gì, và ứng dụng thực hiện khi nào',
    timelineHint: 'Cập nhật trực tiếp. Cứ để trang này mở và đăng xuất ở nơi khác.',
    connectionLost: 'Ứng dụng không trả lời. Đang thử lại…',
    needsScript: 'Dòng thời gian cần JavaScript; các chức năng khác thì không.',
    goodbye: 'Bạn đã đăng xuất',
    goodbyeText: 'Phiên này đã kết thúc, ở đây và tại OneID.',
    goodbyeHere:
      'Phiên này đã kết thúc. Ứng dụng này không đăng xuất bạn tại OneID, nên có thể bạn vẫn đăng nhập ở đó và ở các ứng dụng khác.',
    startAgain: 'Về trang chủ',
    back: 'Quay lại',
    account: 'Thông tin ứng dụng lưu về bạn',
    knownFacts: 'Dữ liệu của phiên này, đúng như thư viện lưu; không bao giờ thay đổi.',
    factNames: {
      sub: 'Bạn, tại OneID (sub)',
      sid: 'Phiên OneID của trình duyệt này (sid)',
      issuer: 'OneID (iss)',
      registeredAt: 'Đăng nhập lúc',
      expiresAt: 'Hết hạn lúc',
    },
    refusedTitle: 'Hãy đăng nhập để xem trang này',
    refused: {
      logged_out: 'Bạn đã bị đăng xuất.',
      unconfirmed: 'Ứng dụng đã gián đoạn một lúc, nên OneID cần xác nhận bạn vẫn đang đăng nhập.',
      expired: 'Phiên của bạn đã hết hạn.',
      idle: 'Phiên của bạn đã kết thúc, vì bạn không sử dụng trong thời gian dài.',
      unknown: 'Không tìm thấy phiên của bạn, hoặc phiên đã kết thúc từ lâu.',
      missing: 'Bạn chưa đăng nhập.',
      ambiguous: 'Trình duyệt đã gửi phiên của nhiều người dùng. Hãy đăng xuất rồi đăng nhập lại.',
    },
    over: 'Phiên của bạn đã kết thúc',
    overText: {
      logged_out: 'Bạn đã bị đăng xuất khỏi ứng dụng này.',
      unconfirmed: 'Ứng dụng đã gián đoạn một lúc, nên OneID cần xác nhận bạn vẫn đang đăng nhập.',
      expired: 'Phiên đã hết hạn.',
      idle: 'Bạn đã không sử dụng phiên này trong thời gian dài.',
      unknown: 'Không còn tìm thấy phiên này.',
    },
    obeyed: {
      backchannel: 'Ứng dụng đã thực hiện: phiên kết thúc theo thông báo của OneID qua back-channel.',
      frontchannel: 'Ứng dụng đã thực hiện: phiên kết thúc theo thông báo từ trang của OneID qua front-channel.',
      app: 'Ứng dụng đã kết thúc phiên: bạn đăng xuất tại đây.',
      admin: 'Ứng dụng đã kết thúc phiên theo yêu cầu của bạn, ở đây hoặc trên thiết bị khác, hoặc của quản trị viên.',
      idle: 'Ứng dụng đã kết thúc hẳn phiên: bạn đã không sử dụng phiên này trong thời gian dài.',
      replaced: 'Ứng dụng đã kết thúc phiên: trình duyệt này vừa đăng nhập lại.',
      unconfirmed: 'Ứng dụng đã kết thúc phiên: ứng dụng đã gián đoạn một lúc và có thể đã bỏ lỡ một lần đăng xuất.',
    },
    told: {
      backchannel: (ms) =>
        `OneID đã báo: POST /backchannel_logout, bằng token có chữ ký. Ứng dụng trả 200 sau ${ms} ms.`,
      frontchannel: (ms) =>
        `Trang của OneID đã báo, trong iframe của một trình duyệt: GET /frontchannel_logout. Ứng dụng trả 200 sau ${ms} ms.`,
    },
    signInHappened: (device) => `Bạn đã đăng nhập trên ${device}.`,
    sessionEnded: (device) => `Bạn đã kết thúc phiên trên ${device}.`,
    othersEnded: (count) => `Bạn đã kết thúc mọi phiên khác (${count}).`,
    failed: 'Không thực hiện được',
    failures: {
      crossSite: 'Yêu cầu đến từ một trang web khác nên không được thực hiện.',
      unavailable: 'Hiện chưa thực hiện được, vui lòng thử lại sau ít phút.',
      other: 'Không tìm thấy trang.',
    },
    notSignedIn: 'Đăng nhập không thành công',
    signInFailures: {
      transaction: 'Lần đăng nhập này không bắt đầu từ trình duyệt này, đã quá cũ, hoặc đã được dùng.',
      noNavigation: 'Chỉ có thể đăng nhập khi trình duyệt mở địa chỉ này.',
      code: 'OneID không còn chấp nhận lần đăng nhập này.',
      overtaken: 'Bạn đã bị đăng xuất trong lúc đang đăng nhập.',
      idToken: 'Không xác minh được ID token do OneID cấp.',
      notNow: 'Hiện chưa đăng nhập được, vui lòng thử lại sau ít phút.',
      unreachable: 'Hiện không kết nối được với OneID, vui lòng thử lại sau ít phút.',
      unusable: 'OneID trả về phản hồi không hợp lệ.',
      internal: 'Đã xảy ra lỗi.',
    },
    refusedByOneId: (error) => `OneID không cho bạn đăng nhập: ${error}`,
    misconfigured: (fault) => `Cấu hình của ứng dụng không khớp với OneID. Người vận hành cần sửa: ${fault}.`,
  },
};
