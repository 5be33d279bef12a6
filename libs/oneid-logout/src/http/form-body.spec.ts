import { describe, expect, it } from '@jest/globals';
import { Readable } from 'node:stream';
import { FormBodyError, type FormRequest, readForm } from './form-body.js';

const headers = { 'content-type': 'application/x-www-form-urlencoded' };
const fields = async (request: Omit<FormRequest, 'headers'>) => [...(await readForm({ headers, ...request }))];
const tooLarge = new FormBodyError('The form is too large');
const brokeOff = new FormBodyError('The request ended before the form was complete');

describe('readForm', () => {
  it.each([
    undefined,
    '',
    'application/json',
    'text/plain',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencoded-not',
    ['application/x-www-form-urlencoded'],
  ])('refuses the content type %j', async (contentType) => {
    const request = { headers: { 'content-type': contentType }, body: { a: '1' } };

    await expect(readForm(request)).rejects.toEqual(
      new FormBodyError('The content type must be application/x-www-form-urlencoded'),
    );
  });

  it.each(['APPLICATION/X-WWW-FORM-URLENCODED', ' application/x-www-form-urlencoded ; charset=utf-8'])(
    'accepts the content type %j',
    async (contentType) => {
      expect([...(await readForm({ headers: { 'content-type': contentType }, body: { a: '1' } }))]).toEqual([
        ['a', '1'],
      ]);
    },
  );

  it('a question mark before the first name belongs to the name, as in a form that the host has parsed', async () => {
    const expected = [['?logout_token', 'a']];
    expect(await fields({ rawBody: Buffer.from('?logout_token=a') })).toEqual(expected);
    expect(await fields({ body: '?logout_token=a' })).toEqual(expected);
    expect(await fields({ raw: Readable.from([Buffer.from('?logout_token=a')]) })).toEqual(expected);
    expect(await fields({ body: { '?logout_token': 'a' } })).toEqual(expected);
  });

  it('uses the raw body rather than the parsed body', async () => {
    expect(await fields({ rawBody: Buffer.from('a=1&a=2'), body: { a: 'x' } })).toEqual([
      ['a', '1'],
      ['a', '2'],
    ]);
    expect(await fields({ rawBody: 'a=1', body: { a: 'x' } })).toEqual([['a', 'x']]);
  });

  it.each<[string, unknown, [string, string][]]>([
    [
      'strings',
      { a: '1', b: '' },
      [
        ['a', '1'],
        ['b', ''],
      ],
    ],
    [
      'a name given twice',
      { a: ['1', '2'] },
      [
        ['a', '1'],
        ['a', '2'],
      ],
    ],
    ['a list with one value, which comes from another field name', { a: ['1'] }, []],
    ['objects', { a: { b: '1' }, c: { 0: 'x' } }, []],
    ['other types', { a: 1, b: true, c: null, d: undefined, e: [1, null], f: [['x'], ['y']] }, []],
    ['an object without prototype', Object.assign(Object.create(null) as object, { a: '1' }), [['a', '1']]],
    [
      'text',
      'a=1&b=2',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    ['bytes', Buffer.from('a=1'), [['a', '1']]],
    ['a number', 7, []],
    ['nothing', {}, []],
  ])('reads a parsed body: %s', async (_name, body, expected) => {
    expect(await fields({ body })).toEqual(expected);
  });

  it('reads the stream when no parser has read it', async () => {
    const stream = () => Readable.from([Buffer.from('a=1&'), Buffer.from('b=2')]);

    expect(await fields({ raw: stream() })).toEqual([
      ['a', '1'],
      ['b', '2'],
    ]);
    expect([...(await readForm(Object.assign(stream(), { headers }) as unknown as FormRequest))]).toHaveLength(2);
    expect(await fields({ raw: Readable.from([]) })).toEqual([]);
  });

  it('reads nothing from a stream that a parser has read', async () => {
    const raw = Readable.from([Buffer.from('a=1')]);
    await raw.toArray();

    expect(await fields({ raw })).toEqual([]);
  });

  it('stops waiting for a stream that ends too early', async () => {
    const broken = new Readable({ read: () => undefined });
    const failed = new Readable({ read: () => undefined });
    const reading = [fields({ raw: broken }), fields({ raw: failed })];
    broken.destroy();
    failed.destroy(new Error('the connection is gone'));

    expect(await Promise.allSettled(reading)).toEqual([
      { status: 'rejected', reason: brokeOff },
      { status: 'rejected', reason: brokeOff },
    ]);
    await expect(fields({ raw: broken })).rejects.toEqual(brokeOff);
  });

  it('accepts 64 KiB and refuses more, from every source', async () => {
    const [most, more] = [Buffer.alloc(64 * 1024, 'a'), Buffer.alloc(64 * 1024 + 1, 'a')];

    for (const request of [
      { rawBody: most },
      { body: most },
      { body: most.toString() },
      { raw: Readable.from([most]) },
    ]) {
      expect(await fields(request)).toEqual([['a'.repeat(64 * 1024), '']]);
    }
    for (const request of [
      { rawBody: more },
      { body: more },
      { body: more.toString() },
      { raw: Readable.from([more]) },
    ]) {
      await expect(fields(request)).rejects.toEqual(tooLarge);
    }
  });

  it('drains the rest of a body that is too large', async () => {
    let sent = 0;
    const raw = new Readable({
      read() {
        setImmediate(() => this.push(sent++ < 20 ? Buffer.alloc(16 * 1024) : null));
      },
    });

    await expect(fields({ raw })).rejects.toEqual(tooLarge);
    expect([sent, raw.readableEnded]).toEqual([21, true]);
  });
});
