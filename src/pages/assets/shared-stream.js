/**
 * @typedef {{ type: 'begin' | 'entry' | 'over' | 'lost', data?: any }} Message
 * @typedef {(message: Message) => void} Receive
 */

/**
 * One stream for all tabs: over HTTP/1.1 a browser opens six connections to an app, a stream takes one for as long as its
 * page is open, and with the sixth tab nothing would come through any more, not even a logout. The tab that holds the lock
 * listens and tells the others; when it goes, the next one takes over. Where there are no locks (without https), each tab
 * listens for itself.
 *
 * @param {string} name of what is streamed
 * @param {(receive: Receive) => void} listen opens the stream
 * @param {Receive} receive is told, in every tab, what has come since the last `begin`
 */
export function shareStream(name, listen, receive) {
  if (!('locks' in navigator)) {
    listen(receive);
    return;
  }
  const channel = new BroadcastChannel(name);
  const me = crypto.randomUUID();
  /** @type {Message[] | undefined} */
  let told;

  channel.addEventListener('message', ({ data: { from, to, messages } }) => {
    if (from !== undefined && told !== undefined) channel.postMessage({ to: from, messages: told });
    if (messages !== undefined && (to === undefined || to === me)) messages.forEach(receive);
  });
  channel.postMessage({ from: me });

  void navigator.locks.request(name, () => {
    told = [];
    listen((message) => {
      told = message.type === 'begin' ? [message] : [...(told ?? []), message];
      receive(message);
      channel.postMessage({ messages: [message] });
    });
    // until the tab is closed, or leads elsewhere
    return new Promise(() => undefined);
  });
}
