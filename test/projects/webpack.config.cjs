// One file with all packages in it, as in Nest's docs of serverless apps.

/** Whether the app does not have a package. Nest and TypeORM name packages that they load only when an app uses them. */
function isAbsent(request, folder) {
  if (request.startsWith('.')) return false;
  try {
    require.resolve(request, { paths: [folder] });
    return false;
  } catch (error) {
    // after any other error the package is there, and the bundler has to find or to refuse it
    return error.code === 'MODULE_NOT_FOUND';
  }
}

module.exports = (options, { IgnorePlugin }) => ({
  ...options,
  externals: [],
  externalsPresets: { node: true },
  plugins: [...options.plugins, new IgnorePlugin({ checkResource: isAbsent })],
});
