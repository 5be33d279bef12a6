import { describe, expect, it } from '@jest/globals';
import { HeldMemory, HeldPackets, sizeOf } from './held-packets.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const nothing = () => undefined;

describe('sizeOf', () => {
  it.each<[string, unknown, number]>([
    ['a text', 'x'.repeat(1000), 1064],
    ['a text outside ASCII', '日'.repeat(1000), 3064],
    ['a buffer', Buffer.alloc(1000), 1064],
    ['an array buffer', new ArrayBuffer(1000), 1064],
    ['a number', 7, 64],
    ['null', null, 64],
    ['an event with a text', ['say', 'x'.repeat(1000)], 3 * 64 + 1003],
    ['an object', { key: [1, 2] }, 5 * 64 + 3],
    ['many empty arrays', Array.from({ length: 1000 }, () => []), 1001 * 64],
  ])('S19: counts %s', (_what, packet, size) => {
    expect([sizeOf(packet, size), sizeOf(packet, size - 1)]).toEqual([size, undefined]);
  });

  it('S19: stops at the limit, also in a packet that is very long or very deep', () => {
    const deep: unknown = JSON.parse('['.repeat(5_000) + ']'.repeat(5_000));
    expect(sizeOf(deep, MIB)).toBe(5_000 * 64);
    expect(sizeOf(deep, 100)).toBeUndefined();
    expect(sizeOf(new Array(500_000).fill(0), MIB)).toBeUndefined();
  });
});

describe('HeldPackets', () => {
  it('S19: holds at most 1 MiB for a socket', () => {
    const held = new HeldPackets(new HeldMemory());
    const packet = 'x'.repeat(512 * KIB - 64);
    expect([1, 2].map(() => held.add(packet, nothing))).toEqual([true, true]);
    expect(held.add('', nothing)).toBe(false);
  });

  it('S19: holds at most 32 MiB for all sockets, until packets are released or dropped', () => {
    const memory = new HeldMemory();
    const packet = 'x'.repeat(MIB - 64);
    const full = Array.from({ length: 32 }, () => new HeldPackets(memory));
    for (const held of full) expect(held.add(packet, nothing)).toBe(true);
    const next = () => new HeldPackets(memory).add(packet, nothing);
    expect(next()).toBe(false);
    full[0]?.drop();
    full[0]?.drop();
    expect([next(), next()]).toEqual([true, false]);
    full[1]?.release();
    expect([next(), next()]).toEqual([true, false]);
  });

  it('releases the packets once, in their order, and none after a drop', () => {
    const heard: number[] = [];
    const held = new HeldPackets(new HeldMemory());
    for (const n of [1, 2, 3]) held.add('', () => heard.push(n));
    held.release();
    held.release();
    held.add('', () => heard.push(4));
    held.drop();
    held.release();
    expect(heard).toEqual([1, 2, 3]);
  });
});
