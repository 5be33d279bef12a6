import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** The ids of the user that runs a server in place of root; undefined when the tests do not run as root. */
export async function userIds(name: string): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const id = async (option: string) => Number((await promisify(execFile)('id', [option, name])).stdout);
  return { uid: await id('-u'), gid: await id('-g') };
}
