import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';

const root = join(import.meta.dirname, '..');

/** Which folders of a house import from which others; the files at its door wire them together, and don't count. */
function pathsBetweenRooms(house: string): string[] {
  const files = readdirSync(join(root, house), { recursive: true, encoding: 'utf8' }).filter((file) =>
    /^(?!.*\.spec\.ts$).*\.ts$/.test(file),
  );
  const roomOf = (file: string) => (file.includes(sep) ? file.split(sep)[0] : undefined);
  const paths = files.flatMap((file) => {
    const source = readFileSync(join(root, house, file), 'utf8');
    const imports = [...source.matchAll(/\b(?:from|import\() ?'(\.[^']+)'/g)].map(([, path = '']) => path);
    return imports.flatMap((path) => {
      const [from, to] = [roomOf(file), roomOf(join(dirname(file), path))];
      return from === undefined || to === undefined || from === to ? [] : [`${from} knows ${to}`];
    });
  });
  return [...new Set(paths)];
}

/** Rooms that can be come back to. */
function circlesIn(paths: readonly string[]): string[] {
  const known = new Map<string, string[]>();
  for (const path of paths) {
    const [from = '', to = ''] = path.split(' knows ');
    known.set(from, [...(known.get(from) ?? []), to]);
  }
  const reaches = (from: string, goal: string, seen = new Set<string>()): boolean =>
    (known.get(from) ?? []).some((room) => {
      if (room === goal) return true;
      if (seen.has(room)) return false;
      return reaches(room, goal, seen.add(room));
    });
  return [...known.keys()].filter((room) => reaches(room, room));
}

describe('the rooms of CONTRIBUTING.md', () => {
  it.each(['libs/oneid-logout/src', 'src'])('know each other one way: %s', (house) => {
    const paths = pathsBetweenRooms(house);
    expect(paths.length).toBeGreaterThan(5);
    expect(circlesIn(paths)).toEqual([]);
  });

  it('a circle would be found, however wide', () => {
    expect(circlesIn(['a knows b', 'b knows c', 'c knows a', 'd knows a'])).toEqual(['a', 'b', 'c']);
  });
});
