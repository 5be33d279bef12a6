// A command loads this file first. The command then sees another version of Node, or another better-sqlite3.
// PRETEND_NODE is the version of Node.
// PRETEND_SQLITE is `missing`, `other-node` (Node cannot load the addon), or the folder of another package.json for
// better-sqlite3. With such a folder, code that loads better-sqlite3 itself fails.
const Module = require('node:module');

const { PRETEND_NODE: node, PRETEND_SQLITE: sqlite } = process.env;

if (node !== undefined) Object.defineProperty(process, 'versions', { value: { ...process.versions, node } });

if (sqlite === 'other-node') {
  process.dlopen = () => {
    throw Object.assign(new Error('The module was compiled against a different Node.js version'), {
      code: 'ERR_DLOPEN_FAILED',
    });
  };
} else if (sqlite !== undefined) {
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, ...rest) {
    const [, path] = /(?:^|\/node_modules\/)better-sqlite3(\/.*)?$/.exec(request) ?? [];
    if (!/(?:^|\/node_modules\/)better-sqlite3(?:\/|$)/.test(request)) return resolve.call(this, request, ...rest);
    if (path === '/package.json' && sqlite !== 'missing') return `${sqlite}/package.json`;
    throw Object.assign(new Error(`better-sqlite3 was loaded: ${request}`), { code: 'MODULE_NOT_FOUND' });
  };
}
