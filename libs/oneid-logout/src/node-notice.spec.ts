import { describe, expect, it } from '@jest/globals';
import { nodeNotice } from './node-notice.js';

describe('nodeNotice', () => {
  it('names the end of the support of Node 20', () => {
    expect(nodeNotice('20.20.2')).toBe(
      'Node 20.20.2 has had no security fixes since 30 April 2026. This library supports Node 20 until 30 April 2027: ' +
        'move to Node 24 or later before that day.',
    );
  });

  it.each(['22.12.0', '24.21.0', '26.10.0'])('is undefined on Node %s', (version) => {
    expect(nodeNotice(version)).toBeUndefined();
  });
});
