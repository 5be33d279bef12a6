import { describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from '../src/create-app.js';
import { Chapters } from '../src/demo/chapters.js';
import { Story } from '../src/demo/story.js';
import { freePort } from '../src/embedded-oneid/free-port.js';
import { OneId } from '../src/oneid/oneid.js';
import { readSettings } from '../src/settings.js';

describe('the demo', () => {
  test('every step has the expected result', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'demo-test-'));
    const PORT = String(await freePort());
    const settings = readSettings({ PORT, DATABASE_URL: `sqlite:${join(folder, 'sessions.sqlite')}` });
    const app = await createApp(settings, { logLevels: [] });
    await app.listen(settings.port, '127.0.0.1');
    const { embedded } = app.get(OneId);
    if (embedded === undefined) throw new Error('no embedded OneID');

    const lines: string[] = [];
    const story = new Story((line) => lines.push(line));
    await Chapters.tell(story, settings.baseUrl, embedded, join(folder, 'stopping.sqlite'));
    const asTold = story.end();
    await app.close();
    rmSync(folder, { recursive: true });

    expect(lines.filter((line) => line.includes('✗'))).toEqual([]);
    expect(lines.filter((line) => /^\n\d\. /.test(line))).toHaveLength(9);
    expect(asTold).toBe(true);
  });
});

describe('a story', () => {
  test('prints the steps that do not have the expected result', () => {
    const lines: string[] = [];
    const story = new Story((line) => lines.push(line));
    story.step('GET /me', '200', '200');
    story.step('GET /me again', '200', '401 logged_out');
    expect(story.end()).toBe(false);
    expect(lines.slice(1)).toEqual([
      `  ✗ ${'GET /me again'.padEnd(72)} 200   (expected: 401 logged_out)`,
      '\n2 steps, 1 as expected',
      '  not as expected: GET /me again',
    ]);
  });

  test('without steps counts as failed', () => {
    expect(new Story(() => undefined).end()).toBe(false);
  });
});
