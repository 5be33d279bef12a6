/** The commit of the older version. */
export const OLDER_VERSION: string;
/** Takes the library's sources of a commit from git, once. @returns the URL of their folder */
export function olderLibrary(commit?: string): URL;
