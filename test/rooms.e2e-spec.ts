import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

const root = join(import.meta.dirname, '..');

/** The rooms of each house from top to bottom, as in CONTRIBUTING.md. `door` and `ground` are files outside rooms. */
const houses: Readonly<Record<string, { readonly rooms: readonly string[]; readonly ground: readonly string[] }>> = {
  'libs/oneid-logout/src': {
    rooms: [
      ...['doctor', 'door', 'boot', 'channels', 'logout', 'connections', 'replicas', 'sessions', 'tokens', 'store'],
      ...['guard', 'provider', 'database', 'http', 'measures', 'rule', 'ground'],
    ],
    ground: [
      ...['background-job.ts', 'clock.ts', 'counted-warning.ts', 'logger.ts', 'node-notice.ts'],
      ...[
        'oneid-logout.errors.ts',
        'one-at-a-time.ts',
        'option-checks.ts',
        'own-context.ts',
        'random.ts',
        'recent-keys.ts',
        'watching.ts',
      ],
    ],
  },
};

interface Import {
  readonly from: string;
  readonly to: string;
}

function importsIn(house: string): Import[] {
  const folder = join(root, house);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.endsWith('spec.ts'),
  );
  return files.flatMap((file) => {
    const source = readFileSync(join(folder, file), 'utf8');
    const paths = [...source.matchAll(/\b(?:from|import\() ?'(\.[^']+)'/g)].map(([, path = '']) => path);
    return paths.map((path) => ({
      from: file.replaceAll(sep, '/'),
      to: relative(folder, join(folder, file, '..', path.replace(/\.js$/, '.ts'))).replaceAll(sep, '/'),
    }));
  });
}

/** Imports from one room into a room above it, or from a room that is not listed, as "file -> file". */
function upwardIn(imports: readonly Import[], { rooms, ground }: (typeof houses)[string]): string[] {
  const roomOf = (file: string) => {
    const [room = '', ...rest] = file.split('/');
    if (rest.length > 0) return room;
    return ground.includes(file) ? 'ground' : 'door';
  };
  const levelOf = (file: string) => rooms.indexOf(roomOf(file));
  return imports
    .filter(({ from, to }) => roomOf(from) !== roomOf(to) && (levelOf(from) >= levelOf(to) || levelOf(from) < 0))
    .map(({ from, to }) => `${from} -> ${to}`);
}

/** Names in a circle of imports. */
function circlesIn(imports: readonly Import[]): string[] {
  const known = new Map<string, string[]>();
  for (const { from, to } of imports) known.set(from, [...(known.get(from) ?? []), to]);
  const reaches = (from: string, goal: string, seen: Set<string>): boolean =>
    (known.get(from) ?? []).some((next) => {
      if (next === goal) return true;
      if (seen.has(next)) return false;
      return reaches(next, goal, seen.add(next));
    });
  return [...known.keys()].filter((name) => reaches(name, name, new Set()));
}

const between = (text: string): Import => {
  const [from = '', to = ''] = text.split(' -> ');
  return { from, to };
};

const TIME_AND_CHANCE =
  /\bset(Timeout|Interval|Immediate)\(|timers\/promises|\bDate\.now|\bnew Date\(\)|performance\.now|Math\.random|random(Bytes|UUID|Int|FillSync)|getRandomValues|AbortSignal\.timeout/;

describe('the rooms of CONTRIBUTING.md', () => {
  it.each(Object.entries(houses))('import only the rooms below them: %s', (house, rooms) => {
    // testing is a separate house, which the library does not import
    const imports = importsIn(house).filter(({ from }) => !from.startsWith('testing/'));
    expect(imports.length).toBeGreaterThan(100);
    expect(upwardIn(imports, rooms)).toEqual([]);
  });

  // the OneID must not share a fault with the library, but a stand-in must be the real guard with other answers
  it('of the testing room, only the stand-ins import other rooms: the guard and what it gives to handlers', () => {
    const outside = importsIn('libs/oneid-logout/src').filter(
      ({ from, to }) => from.startsWith('testing/') && !to.startsWith('testing/'),
    );
    expect([...new Set(outside.map(({ from, to }) => `${roomOf(from)} -> ${roomOf(to)}`))].sort()).toEqual([
      'testing/stand-ins -> guard',
      'testing/stand-ins -> oneid-logout.errors.ts',
      'testing/stand-ins -> rule',
    ]);
    function roomOf(file: string): string {
      const parts = file.split('/');
      return parts.length === 1 ? file : parts.slice(0, -1).join('/');
    }
  });

  it('in the testing room, only its door imports the stand-ins', () => {
    const imports = importsIn('libs/oneid-logout/src').filter(
      ({ from, to }) => to.startsWith('testing/stand-ins/') && !from.startsWith('testing/stand-ins/'),
    );
    expect(new Set(imports.map(({ from }) => from))).toEqual(new Set(['testing/index.ts']));
  });

  it('the library takes time and chance from clock.ts and random.ts only', () => {
    const house = 'libs/oneid-logout/src';
    const files = readdirSync(join(root, house), { recursive: true, encoding: 'utf8' }).filter(
      (file) => file.endsWith('.ts') && !file.endsWith('spec.ts') && !file.startsWith('testing'),
    );
    const found = files.filter((file) => TIME_AND_CHANCE.test(readFileSync(join(root, house, file), 'utf8')));
    expect(found.sort()).toEqual(['clock.ts', 'random.ts']);
  });

  it('P40: the library logs only through logger.ts, which a broken logger of the app cannot break', () => {
    const house = 'libs/oneid-logout/src';
    const files = readdirSync(join(root, house), { recursive: true, encoding: 'utf8' }).filter(
      (file) => file.endsWith('.ts') && !file.endsWith('spec.ts') && !file.startsWith('testing'),
    );
    const nests = /import \{[^}]*\bLogger\b[^}]*\} from '@nestjs\/common'|\bconsole\./;
    expect(files.filter((file) => nests.test(readFileSync(join(root, house, file), 'utf8')))).toEqual(['logger.ts']);
  });

  it.each(['libs/oneid-logout/src', 'src'])('no file of %s leads back to itself', (house) => {
    expect(circlesIn(importsIn(house))).toEqual([]);
  });

  it('the rooms of src import each other in one direction only', () => {
    const rooms = importsIn('src').map(({ from, to }) => ({
      from: from.split('/')[0] ?? '',
      to: to.split('/')[0] ?? '',
    }));
    const isRoom = (name: string) => !name.endsWith('.ts') && name !== '..';
    expect(circlesIn(rooms.filter(({ from, to }) => from !== to && isRoom(from) && isRoom(to)))).toEqual([]);
  });

  it('control: an upward import is found, also from the ground, to the door and from a new room', () => {
    const house = { rooms: ['door', 'above', 'below', 'ground'], ground: ['clock.ts'] };
    const upward = [
      'below/a.ts -> above/a.ts',
      'clock.ts -> below/a.ts',
      'above/a.ts -> module.ts',
      'new/a.ts -> below/a.ts',
    ];
    const downward = ['module.ts -> above/a.ts', 'above/a.ts -> clock.ts', 'above/a.ts -> above/b.ts'];
    expect(upwardIn([...upward, ...downward].map(between), house)).toEqual(upward);
  });

  it('control: a circle of any size is found', () => {
    expect(circlesIn(['a -> b', 'b -> c', 'c -> a', 'd -> a'].map(between))).toEqual(['a', 'b', 'c']);
  });
});
