import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../support/documents.js';
import { inTicks, readConstants } from './constants.mjs';

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
