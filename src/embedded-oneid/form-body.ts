import type { IncomingMessage } from 'node:http';
import { errors } from 'oidc-provider';

const LONGEST_BODY = 64 * 1024;

/** The fields of an urlencoded form. @throws errors.InvalidRequest for another type, or a body over 64 KiB */
export async function formBody(request: IncomingMessage): Promise<URLSearchParams> {
  if (!/^application\/x-www-form-urlencoded\b/i.test(request.headers['content-type'] ?? '')) {
    throw new errors.InvalidRequest('the content type must be application/x-www-form-urlencoded');
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > LONGEST_BODY) {
      throw new errors.InvalidRequest('the form is too long', 413);
    }
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString());
}
