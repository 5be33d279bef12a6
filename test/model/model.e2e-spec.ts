import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../support/documents.js';
import { inTicks, readConstants } from './constants.mjs';
import { proofs, removals, steps } from './runs.mjs';

const models = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.pml'));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

function marksIn(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map(([, mark = '']) => mark))].sort();
}

const ofDocs = ['docs/liveness-proof.md', 'docs/liveness-assumptions.md'].map(read).join('');
const ofModels = models.map((file) => read(`test/model/${file}`)).join('');

describe('the models of liveness', () => {
  it('each mark of the argument stands in a model', () => {
    const marked = marksIn(ofDocs, /`([BGF]\d+)`/g);
    expect(marked.length).toBeGreaterThan(20);
    const known = marksIn(ofModels, /\b([BGF]\d+)\b/g);
    expect(marked.filter((mark) => !known.includes(mark))).toEqual([]);
  });

  it('each mark of a model stands in the argument', () => {
    const marked = marksIn(ofDocs, /`([BGF]\d+)`/g);
    expect(marksIn(ofModels, /\b([BGF]\d+)\b/g).filter((mark) => !marked.includes(mark))).toEqual([]);
  });

  it('each macro of a search stands in its model', () => {
    const all = { file: 'bounded.pml', macros: steps.all };
    const unread = [...proofs, ...Object.values(removals), all].flatMap(({ file, macros }) => {
      const model = read(`test/model/${file}`);
      return Object.keys(macros).filter((name) => !new RegExp(`\\b${name}\\b`).test(model));
    });
    expect(unread).toEqual([]);
  });

  it('each assumption that a search takes away is named in the table, and each name in the table is known', () => {
    const rows = read('docs/liveness-assumptions.md').match(/^\| .*$/gm) ?? [];
    const named = rows.flatMap((row) => marksIn(row.split(' | ').at(-1) ?? '', /`([\w-]+)`/g)).sort();
    const taken = Object.keys(removals).filter((name) => removals[name]?.assumption !== undefined);
    expect(taken.length).toBeGreaterThan(10);
    expect(named).toEqual(taken.sort());
  });

  it('the constants are those of the code', () => {
    expect(readConstants()).toMatchObject({
      ...{ MAX_COMMIT_LATENESS: 1_000, MAX_LOOK_DURATION: 1_000, MAX_CLOCK_STEP: 1_000, OVERLAP: 4_000 },
      ...{ TRUSTED_FOR: 1_800_000, REPLICA_RETENTION: 3_600_000, RENEW_AFTER: 600_000, SESSION_RETENTION: 600_000 },
      ...{ STATEMENT_TIMEOUT: 5_000, LARGEST_STALENESS: 60_000, LARGEST_ALLOWANCE: 1_800_000, CHECKS_AT_ONCE: 2 },
    });
  });

  it('the overlap has two seconds for a clock that is set ahead, beside a late commit and a slow look', () => {
    const { MAX_COMMIT_LATENESS, MAX_LOOK_DURATION, MAX_CLOCK_STEP, OVERLAP } = readConstants();
    expect(OVERLAP).toBe(MAX_COMMIT_LATENESS + MAX_LOOK_DURATION + (MAX_CLOCK_STEP + MAX_LOOK_DURATION));
    const { tick, macros } = inTicks(readConstants());
    expect(macros.OVERLAP * tick).toBe(OVERLAP);
  });

  // what the models leave out, because it takes minutes
  it('memory is never older than the declaration for which the wait counts', () => {
    const { RENEW_AFTER, TRUSTED_FOR, REPLICA_RETENTION, LARGEST_STALENESS, LARGEST_ALLOWANCE } = readConstants();
    expect(TRUSTED_FOR + LARGEST_STALENESS).toBeLessThan(REPLICA_RETENTION);
    expect(RENEW_AFTER + LARGEST_STALENESS + LARGEST_ALLOWANCE).toBeLessThan(REPLICA_RETENTION);
  });
});
