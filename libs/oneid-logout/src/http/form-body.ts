import { type Readable } from 'node:stream';

/** As much of a request as reading a form takes, on Express and Fastify alike. */
export interface FormRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Nest's `rawBody: true`. */
  readonly rawBody?: unknown;
  /** Whatever the host's parser made of it. */
  readonly body?: unknown;
  /** Fastify's way to the stream. */
  readonly raw?: Readable;
}

/** Far more than a logout token takes: bytes. */
const MAX_SIZE = 64 * 1024;

export class FormBodyError extends Error {}

/**
 * The fields of a form POST, as sent: by the raw body where the host keeps it, else by what the host's parser made of
 * it, else by reading the stream.
 *
 * @throws {FormBodyError} not a form, or too large
 */
export async function readForm(request: FormRequest): Promise<URLSearchParams> {
  const contentType = request.headers['content-type'];
  const mediaType = typeof contentType === 'string' ? contentType.split(';')[0]?.trim().toLowerCase() : undefined;
  if (mediaType !== 'application/x-www-form-urlencoded') {
    throw new FormBodyError('The content type must be application/x-www-form-urlencoded');
  }
  if (Buffer.isBuffer(request.rawBody)) return parse(request.rawBody);
  if (request.body !== undefined && request.body !== null) return fromParsed(request.body);
  return parse(await readStream(request.raw ?? (request as unknown as Readable)));
}

function parse(body: Buffer): URLSearchParams {
  if (body.length > MAX_SIZE) throw new FormBodyError('The form is too large');
  return new URLSearchParams(body.toString('utf8'));
}

/** Only what a form can say: a string is one value, a list of strings the same name several times. */
function fromParsed(body: unknown): URLSearchParams {
  if (typeof body === 'string') return parse(Buffer.from(body));
  if (Buffer.isBuffer(body)) return parse(body);
  const fields = new URLSearchParams();
  if (typeof body !== 'object' || body === null) return fields;
  for (const [name, value] of Object.entries(body)) {
    // an array of one is Express's reading of `name[]=…`, another name
    if (Array.isArray(value) && value.length === 1) continue;
    for (const item of [value].flat() as unknown[]) if (typeof item === 'string') fields.append(name, item);
  }
  return fields;
}

/**
 * Keeps no more than a form may have, and lets the rest run by before it says so: clients that are still sending may
 * miss an answer.
 */
function readStream(stream: Readable): Promise<Buffer> {
  if (stream.readableEnded) return Promise.resolve(Buffer.alloc(0));
  if (stream.destroyed) return Promise.reject(new FormBodyError('The form broke off'));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_SIZE) chunks.push(chunk);
    });
    stream.once('end', () => {
      if (size <= MAX_SIZE) resolve(Buffer.concat(chunks));
      else reject(new FormBodyError('The form is too large'));
    });
    stream.once('error', () => reject(new FormBodyError('The form broke off')));
    stream.once('close', () => reject(new FormBodyError('The form broke off')));
  });
}
