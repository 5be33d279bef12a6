import { type Readable } from 'node:stream';
import { parseParameters } from './parameters.js';

/** The parts of a request that {@link readForm} needs, on Express and on Fastify. */
export interface FormRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The unparsed body, present with Nest's option `rawBody: true`. */
  readonly rawBody?: unknown;
  /** The result of the host's body parser. */
  readonly body?: unknown;
  /** Node's request stream, on Fastify. On Express, the request itself is the stream. */
  readonly raw?: Readable;
}

/** Maximum size of a form, bytes: far more than a logout token needs. */
const MAX_SIZE = 64 * 1024;

export class FormBodyError extends Error {}

/**
 * Returns the fields of a form POST. Reads the raw body if the host keeps it, else the result of the host's parser,
 * else the request stream.
 *
 * @throws {FormBodyError} the content type is not a form, the form is too large, or the stream ended too early
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
  return parseParameters(body.toString('utf8'));
}

/** Accepts only values that a form can express: a string is one value, an array of strings is a repeated name. */
function fromParsed(body: unknown): URLSearchParams {
  if (typeof body === 'string') return parse(Buffer.from(body));
  if (Buffer.isBuffer(body)) return parse(body);
  const fields = new URLSearchParams();
  if (typeof body !== 'object' || body === null) return fields;
  for (const [name, value] of Object.entries(body)) {
    // Express parses `name[]=…` as an array of one under `name`, but the client sent another name: skip it
    if (Array.isArray(value) && value.length === 1) continue;
    for (const item of [value].flat() as unknown[]) if (typeof item === 'string') fields.append(name, item);
  }
  return fields;
}

/**
 * Keeps at most `MAX_SIZE` bytes. If the form is larger, reads it to the end and rejects only then: a client that is
 * still sending may miss the answer.
 */
function readStream(stream: Readable): Promise<Buffer> {
  if (stream.readableEnded) return Promise.resolve(Buffer.alloc(0));
  if (stream.destroyed) return Promise.reject(new FormBodyError('The request ended before the form was complete'));
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
    stream.once('error', () => reject(new FormBodyError('The request ended before the form was complete')));
    stream.once('close', () => reject(new FormBodyError('The request ended before the form was complete')));
  });
}
