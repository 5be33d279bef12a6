const SECURITY_FIXES_ENDED = '30 April 2026';
const SUPPORT_ENDS = '30 April 2027';

/**
 * Warns the operator about a version of Node without security fixes.
 *
 * @returns a sentence for the log, or undefined where Node still gets security fixes
 */
export function nodeNotice(version = process.versions.node): string | undefined {
  const major = parseInt(version, 10);
  if (major >= 22) return undefined;
  return (
    `Node ${version} has had no security fixes since ${SECURITY_FIXES_ENDED}. This library supports Node ${major} until ` +
    `${SUPPORT_ENDS}: move to Node 24 or later before that day.`
  );
}
