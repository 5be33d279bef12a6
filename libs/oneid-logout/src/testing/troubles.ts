import { type ServerResponse } from 'node:http';
import { type Answer, plain, send } from './answer.js';
import { type Wait } from './deliver.js';
import { type EndpointPath } from './endpoint-paths.js';

/** What goes wrong at an endpoint instead of its answer; the first that applies of reset, hang, answer. */
export interface Trouble {
  /** Cuts the connection without an answer. */
  reset?: boolean;
  /** `true` never answers; `'body'` sends status, headers and body, and never ends the body. */
  hang?: boolean | 'body';
  /** Milliseconds before the answer, also before the ordinary one when nothing else is given. */
  delayMs?: number;
  /** 302 for `redirectTo`, otherwise 200 with and 500 without a body. */
  status?: number;
  /** Sent as it is. */
  body?: string | Uint8Array;
  /** Sends this many spaces, without a Content-Length. */
  bodyBytes?: number;
  headers?: Readonly<Record<string, string>>;
  redirectTo?: string;
  /** How many requests it meets; all until `heal()` by default. */
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

  /** The trouble that the next request to the path meets, counted as met. */
  take(path: string): Trouble | undefined {
    const next = [...(this.#byPath.get(path) ?? []), ...(this.#byPath.get('*') ?? [])].find(({ left }) => left > 0);
    if (next) next.left -= 1;
    return next?.trouble;
  }
}

/** Does the damage; returns false when it was only a delay and the ordinary answer is still due. */
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

const isAnswer = ({ status, body, headers, redirectTo, delayMs }: Trouble): boolean =>
  delayMs === undefined || [status, body, headers, redirectTo].some((part) => part !== undefined);

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
