import { type ServerResponse } from 'node:http';
import { type Answer, plain, send } from './answer.js';
import { type Wait } from './deliver.js';
import { type EndpointPath } from './endpoint-paths.js';

/** A fault that replaces the answer of an endpoint. `reset` comes before `hang`, and `hang` before an answer. */
export interface Trouble {
  /**
   * OneID's database fails. The revocation endpoint then leaves the token alive: Hydra v1.11 answers 401 `invalid_client`,
   * and v2 answers 200. Every other endpoint answers 500.
   */
  databaseDown?: boolean;
  /** Cuts the connection without an answer. */
  reset?: boolean;
  /** `true`: never answers. `'body'`: sends status, headers and body, but never ends the body. */
  hang?: boolean | 'body';
  /** Milliseconds to wait before the fault. With `delayMs` alone, the ordinary answer follows. */
  delayMs?: number;
  /** By default 302 with `redirectTo`, otherwise 200 with a body and 500 without a body. */
  status?: number;
  /** Sent unchanged. */
  body?: string | Uint8Array;
  /** Sends this many spaces, without a Content-Length. */
  bodyBytes?: number;
  /** Headers of the answer, beside `Location`. */
  headers?: Readonly<Record<string, string>>;
  /** `Location` of the answer. */
  redirectTo?: string;
  /** Number of requests that get this fault; by default all requests until `heal()`. */
  times?: number;
}

/** The troubles in force, by path. */
export class Troubles {
  readonly #byPath = new Map<string, { trouble: Trouble; left: number }[]>();

  set(path: EndpointPath, troubles: readonly Trouble[]): void {
    this.#byPath.set(
      path,
      troubles.map((trouble) => ({ trouble, left: trouble.times ?? Infinity })),
    );
  }

  clear(path?: EndpointPath): void {
    if (path === undefined) this.#byPath.clear();
    else this.#byPath.delete(path);
  }

  /** Returns the trouble for the next request to the path, and counts this request. */
  take(path: string): Trouble | undefined {
    const next = [...(this.#byPath.get(path) ?? []), ...(this.#byPath.get('*') ?? [])].find(({ left }) => left > 0);
    if (next) next.left -= 1;
    return next?.trouble;
  }
}

/** Applies the trouble. @returns false after a delay alone and with `databaseDown`, because an answer is still due */
export async function cause(trouble: Trouble, response: ServerResponse, wait: Wait): Promise<boolean> {
  if (trouble.delayMs !== undefined) await wait(trouble.delayMs);
  if (trouble.reset) {
    response.socket?.resetAndDestroy();
    return true;
  }
  if (trouble.hang === true) return true;
  const answer = answerOf(trouble);
  if (trouble.hang === 'body') response.writeHead(answer.status, answer.headers).write(answer.body || ' ');
  else if (trouble.bodyBytes !== undefined) sendSpaces(response, answer, trouble.bodyBytes);
  else if (isAnswer(trouble)) send(response, answer);
  else return false;
  return true;
}

const isAnswer = ({ status, body, headers, redirectTo, delayMs, databaseDown }: Trouble): boolean =>
  (delayMs === undefined && !databaseDown) || [status, body, headers, redirectTo].some((part) => part !== undefined);

function answerOf(trouble: Trouble): Answer {
  const { status, body, bodyBytes, headers, redirectTo } = trouble;
  const hasBody = body !== undefined || bodyBytes !== undefined || trouble.hang === 'body';
  const code = status ?? (redirectTo !== undefined ? 302 : hasBody ? 200 : 500);
  const location = redirectTo === undefined ? {} : { Location: redirectTo };
  return { status: code, headers: { ...location, ...headers }, body: body ?? plain(code).body };
}

function sendSpaces(response: ServerResponse, { status, headers }: Answer, bytes: number): void {
  response.writeHead(status, headers);
  const chunk = Buffer.alloc(64 * 1024, ' ');
  let left = bytes;
  const pump = (): void => {
    while (left > 0 && !response.destroyed) {
      const size = Math.min(left, chunk.length);
      left -= size;
      if (!response.write(chunk.subarray(0, size))) {
        response.once('drain', pump);
        return;
      }
    }
    response.end();
  };
  pump();
}
