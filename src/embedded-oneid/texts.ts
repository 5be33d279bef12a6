import { type InEveryLanguage } from '../html/language.js';

/** The texts of the embedded OneID's pages. */
export interface OneIdTexts {
  readonly demo: string;
  readonly signIn: string;
  readonly to: (app: string) => string;
  readonly username: string;
  readonly password: string;
  readonly wrongPassword: string;
  readonly account: string;
  readonly signedInAs: string;
  readonly yourApps: string;
  readonly noApps: string;
  readonly otherApps: string;
  readonly allApps: string;
  readonly logOut: string;
  readonly confirm: string;
  readonly leaveApps: string;
  readonly leaveNoApps: string;
  readonly howToTell: string;
  readonly both: string;
  readonly backchannel: string;
  readonly frontchannel: string;
  readonly yes: string;
  readonly no: string;
  readonly stillSignedIn: string;
  readonly nothingChanged: string;
  readonly loggingOut: string;
  readonly loggingOutText: string;
  readonly goOn: string;
  readonly loggedOut: string;
  readonly noSession: string;
  readonly error: string;
  readonly startAgain: string;
}

export const oneIdTexts: InEveryLanguage<OneIdTexts> = {
  en: {
    demo: 'A demo of OneID, run by the app on your own machine.',
    signIn: 'Sign in with OneID',
    to: (app) => `to continue to ${app}`,
    username: 'Username',
    password: 'Password',
    wrongPassword: 'Wrong username or password.',
    account: 'Your OneID account',
    signedInAs: 'Signed in as',
    yourApps: 'Apps that you signed in to with this login:',
    noApps: 'No app yet.',
    otherApps: 'Your other apps:',
    allApps: 'Apps that sign in with OneID:',
    logOut: 'Log out',
    confirm: 'Do you want to log out?',
    leaveApps: 'You will be logged out of these apps:',
    leaveNoApps: 'You will be logged out of OneID. No app is signed in.',
    howToTell: 'How should OneID tell the apps?',
    both: 'Both channels, as OneID does',
    backchannel: 'Back-channel only: server to server, with a signed token',
    frontchannel: 'Front-channel only: through this browser, in an iframe',
    yes: 'Log out',
    no: 'Stay signed in',
    stillSignedIn: 'You are still signed in at OneID',
    nothingChanged: 'OneID has changed nothing. The app that you came from may have ended its own session.',
    loggingOut: 'Logging you out',
    loggingOutText: 'OneID is telling your apps. This takes a moment.',
    goOn: 'Go on',
    loggedOut: 'You are logged out',
    noSession: 'OneID has no session for this browser.',
    error: 'OneID reports an error',
    startAgain: 'Start again',
  },
  vi: {
    demo: 'OneID bản demo, chạy ngay trên máy của bạn.',
    signIn: 'Đăng nhập bằng OneID',
    to: (app) => `để tiếp tục vào ${app}`,
    username: 'Tên đăng nhập',
    password: 'Mật khẩu',
    wrongPassword: 'Sai tên đăng nhập hoặc mật khẩu.',
    account: 'Tài khoản OneID của bạn',
    signedInAs: 'Tài khoản:',
    yourApps: 'Ứng dụng đã đăng nhập trong phiên này:',
    noApps: 'Chưa có ứng dụng nào.',
    otherApps: 'Các ứng dụng khác của bạn:',
    allApps: 'Các ứng dụng đăng nhập bằng OneID:',
    logOut: 'Đăng xuất',
    confirm: 'Bạn có muốn đăng xuất không?',
    leaveApps: 'Bạn sẽ bị đăng xuất khỏi:',
    leaveNoApps: 'Bạn sẽ đăng xuất khỏi OneID. Chưa có ứng dụng nào đăng nhập.',
    howToTell: 'OneID báo cho ứng dụng qua kênh nào?',
    both: 'Cả hai kênh, như OneID thật',
    backchannel: 'Chỉ back-channel: máy chủ tới máy chủ, bằng token có chữ ký',
    frontchannel: 'Chỉ front-channel: qua trình duyệt này, trong một iframe',
    yes: 'Đăng xuất',
    no: 'Không đăng xuất',
    stillSignedIn: 'Bạn vẫn đăng nhập tại OneID',
    nothingChanged: 'OneID không thay đổi gì. Ứng dụng bạn vừa rời có thể đã tự kết thúc phiên của nó.',
    loggingOut: 'Đang đăng xuất',
    loggingOutText: 'OneID đang báo cho các ứng dụng. Vui lòng chờ trong giây lát.',
    goOn: 'Tiếp tục',
    loggedOut: 'Bạn đã đăng xuất',
    noSession: 'Trình duyệt này không có phiên OneID nào.',
    error: 'OneID báo lỗi',
    startAgain: 'Bắt đầu lại',
  },
};
