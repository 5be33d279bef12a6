import { describe, expect, it } from '@jest/globals';
import { type AbstractHttpAdapter } from '@nestjs/core';
import { type HttpAnswer, jsonAnswer, sendAnswer } from './http-answer.js';

/** The calls of an adapter, in order. */
function send(type: string, answer: HttpAnswer): unknown[][] {
  const calls: unknown[][] = [];
  const note =
    (name: string) =>
    (...args: unknown[]) =>
      void calls.push([name, ...args.slice(1)]);
  const adapter = {
    getType: () => type,
    ...Object.fromEntries(['setHeader', 'appendHeader', 'status', 'end', 'reply'].map((name) => [name, note(name)])),
  } as unknown as AbstractHttpAdapter;
  const response = {
    removeHeader: (name: string) => void calls.push(['remove', name]),
    raw: { removeHeader: (name: string) => void calls.push(['remove raw', name]) },
  };
  sendAnswer(adapter, response, answer);
  return calls;
}

describe('sendAnswer', () => {
  const answer: HttpAnswer = {
    status: 200,
    headers: { 'X-One': '1' },
    cookies: ['a=1', 'b=2'],
    body: 'text',
    without: ['X-Frame-Options'],
  };
  const before = [
    ['remove', 'X-Frame-Options'],
    ['remove raw', 'X-Frame-Options'],
    ['setHeader', 'Cache-Control', 'no-store'],
    ['setHeader', 'X-One', '1'],
    ['appendHeader', 'Set-Cookie', 'a=1'],
    ['appendHeader', 'Set-Cookie', 'b=2'],
  ];

  it('ends the response directly on Express, so that no ETag causes a 304', () => {
    expect(send('express', answer)).toEqual([...before, ['status', 200], ['end', 'text']]);
  });

  it('uses reply() on Fastify and on unknown adapters', () => {
    expect(send('fastify', answer)).toEqual([...before, ['reply', 'text', 200]]);
    expect(send('other', answer)).toEqual([...before, ['reply', 'text', 200]]);
  });

  it('is never cached, and has an empty body by default', () => {
    const noStore = ['setHeader', 'Cache-Control', 'no-store'];
    expect(send('express', { status: 303 })).toEqual([noStore, ['status', 303], ['end', '']]);
    expect(send('fastify', { status: 303 })).toEqual([noStore, ['reply', '', 303]]);
  });
});

describe('jsonAnswer', () => {
  it('is JSON, with the given headers', () => {
    expect(jsonAnswer(503, { a: 1 }, { 'Retry-After': '5' })).toEqual({
      status: 503,
      headers: { 'Content-Type': 'application/json; charset=utf-8', 'Retry-After': '5' },
      body: '{"a":1}',
    });
  });
});
