import { EventEmitter } from 'node:events';
import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { type Request, type Response } from 'express';
import { type LogoutEvent, type SessionEvents, type SessionFacts } from 'nestjs-oneid-logout';
import { NEVER, of } from 'rxjs';
import { ChannelRequests } from './channel-requests.middleware.js';
import { type Happening, Timeline, type Told } from './timeline.js';

beforeAll(() => {
  jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
});

const session = (sub: string, sid = `sid of ${sub}`, issuer = 'https://oneid.example/'): SessionFacts => ({
  ...{ issuer, sub, sid, iat: 0, registeredAt: 0 },
});

const told = (sid: string): Told => ({ kind: 'told', channel: 'frontchannel', sid, at: 1, took: 2 });

function newTimeline(ended?: LogoutEvent): Timeline {
  return new Timeline({ ended: () => (ended ? of(ended) : NEVER) } as unknown as SessionEvents);
}

/** The entries that a page gets when it opens now. */
function seenBy(timeline: Timeline, facts: SessionFacts): Happening[] {
  const seen: Happening[] = [];
  timeline.of(facts).subscribe((happening) => seen.push(happening));
  return seen;
}

describe('P40: the timeline only watches', () => {
  const answered = (body: unknown, timeline: Timeline) => {
    const response = Object.assign(new EventEmitter(), { statusCode: 200 });
    const request = { method: 'POST', query: {}, body };
    new ChannelRequests(timeline).use(request as Request, response as unknown as Response, () => undefined);
    // an error here would reach the server's socket, and end the process
    response.emit('finish');
  };
  const claims = Buffer.from(JSON.stringify({ iss: 'https://oneid.example/', sid: 's' })).toString('base64url');

  test.each([
    ['an encrypted logout token', 'a.b.c.d.e'],
    ['a token that is no JSON', 'a.b.c'],
    ['no token', ''],
    ['a list', ['a', 'b']],
    ['nothing', undefined],
  ])('%s adds no entry, and no error', (_what, token) => {
    const timeline = newTimeline();
    const tell = jest.spyOn(timeline, 'tell');
    expect(() => answered({ logout_token: token }, timeline)).not.toThrow();
    expect(tell).not.toHaveBeenCalled();
  });

  test('a timeline that throws changes nothing', () => {
    const timeline = newTimeline();
    jest.spyOn(timeline, 'tell').mockImplementation(() => {
      throw new Error('the timeline is full');
    });
    expect(() => answered({ logout_token: `e30.${claims}.c` }, timeline)).not.toThrow();
  });

  test('an entry that cannot be added does not undo what it tells of', () => {
    const timeline = newTimeline();
    const broken = { issuer: 'https://oneid.example/', sub: 1n } as unknown as SessionFacts;
    expect(() => timeline.add(broken, { kind: 'others_ended', count: 1 })).not.toThrow();
  });
});

describe('the timeline', () => {
  test("shows the user's actions to this user only", () => {
    const timeline = newTimeline();
    const open = seenBy(timeline, session('bob'));
    timeline.add(session('alice'), { kind: 'signed_in', device: 'Firefox · Linux' });
    expect(seenBy(timeline, session('alice', 'another login'))).toEqual([
      { kind: 'signed_in', device: 'Firefox · Linux', at: expect.any(Number) },
    ]);
    expect(seenBy(timeline, session('bob'))).toEqual([]);
    expect(open).toEqual([]);
  });

  test("separates users of different issuers, and ignores the issuer's trailing slash", () => {
    const timeline = newTimeline();
    timeline.add(session('alice'), { kind: 'others_ended', count: 1 });
    expect(seenBy(timeline, session('alice', 'x', 'https://other.example/'))).toEqual([]);
    expect(seenBy(timeline, session('alice', 'x', 'https://oneid.example'))).toHaveLength(1);
  });

  test("shows OneID's requests for this login, and not for the user's other logins", () => {
    const timeline = newTimeline();
    const [here, there] = [session('alice', 'here'), session('alice', 'there')];
    const [seenHere, seenThere] = [seenBy(timeline, here), seenBy(timeline, there)];
    timeline.tell('https://oneid.example', told('here'));
    expect([seenHere, seenThere]).toEqual([[told('here')], []]);
  });

  test('stores nothing for unknown logins, so that they push out no other entries', () => {
    const timeline = newTimeline();
    timeline.add(session('alice'), { kind: 'others_ended', count: 1 });
    for (let n = 0; n < 1_000; n += 1) timeline.tell('https://oneid.example/', told(`made up ${n}`));
    expect(seenBy(timeline, session('alice'))).toHaveLength(1);
  });

  test('remembers the last twenty entries', () => {
    const timeline = newTimeline();
    for (let count = 1; count <= 30; count += 1) timeline.add(session('alice'), { kind: 'others_ended', count });
    const counts = seenBy(timeline, session('alice')).map((seen) => ('count' in seen ? seen.count : undefined));
    expect(counts).toEqual(Array.from({ length: 20 }, (_, n) => n + 11));
  });

  test('shows when the session was ended, and by which channel', () => {
    const timeline = newTimeline({ channel: 'backchannel', ends: () => true });
    expect(seenBy(timeline, session('alice'))).toEqual([
      { kind: 'obeyed', channel: 'backchannel', at: expect.any(Number) },
    ]);
  });
});
