import assert from 'node:assert/strict';

for (const path of ['dist/index.js', 'dist/sessions/session.repository.js', 'src/index.js', 'testing/index.js']) {
  await assert.rejects(import(`nestjs-oneid-logout/${path}`), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' });
}
