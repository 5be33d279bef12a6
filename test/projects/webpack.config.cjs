// One file with all packages in it, as in Nest's docs of serverless apps.
const { IgnorePlugin } = require('webpack');

/** Packages that Nest and TypeORM load only when an app uses them. */
function isAbsent(request, context) {
  if (request.startsWith('.')) return false;
  try {
    require.resolve(request, { paths: [context] });
    return false;
  } catch {
    return true;
  }
}

module.exports = (options) => ({
  ...options,
  externals: [],
  plugins: [...options.plugins, new IgnorePlugin({ checkResource: isAbsent })],
});
