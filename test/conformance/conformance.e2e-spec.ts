import { describe, expect, it } from '@jest/globals';
import { conformance, rawPlaceholders, readable } from './document.mjs';
import { faultOf, lineOf, modules } from './modules.mjs';

it('every row of the requirements and every situation has a test, and docs/conformance.md names them', async () => {
  const { missing, text, written } = await conformance();
  expect(missing).toEqual([]);
  expect(written).toBe(text);
});

it('docs/conformance.md shows no placeholder of a test title', async () => {
  const { written } = await conformance();
  expect(rawPlaceholders(written)).toEqual([]);
});

it.each([
  ['takes %s with %d bytes, %j or %p', 'takes … with … bytes, … or …'],
  ['%s pinned per client, on $name', '… pinned per client, on …'],
  ['row $# of $client.id, %#: 100 %% of ${count + 1}', 'row … of …, …: 100 % of …'],
])('the title %j is made readable, and its placeholders are found', (title, expected) => {
  expect(readable(title)).toBe(expected);
  expect(rawPlaceholders(`fine\n${title}\n${expected}`)).toEqual([title]);
});

describe('npm run conformance', () => {
  const [[name, expected] = ['', '']] = Object.entries(modules);
  const page = `# Conformance\n\n${lineOf(name, expected)}\n`;

  it('a module passes if it shows what the page says', () => {
    expect(faultOf(name, expected, page)).toBeUndefined();
  });

  it.each([
    ['shows anything else', name, 'Session 2 alive.', page, `expected: ${expected}`],
    [
      'has another line in the page',
      name,
      expected,
      page.replace('alive', 'ended'),
      'docs/conformance.md has another line',
    ],
    ['has no line in the page', name, expected, '', 'docs/conformance.md has another line'],
    ['is in no list', 'oidcc-client-test-rp-new', 'The token gets 200.', page, 'expected: no such module'],
  ])('a module fails if it %s', (_what, module, observed, text, fault) => {
    expect(faultOf(module, observed, text)).toBe(fault);
  });
});
