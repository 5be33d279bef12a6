import { Logger } from '../logger.js';
import { expressLayers } from './mounted-routes.js';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { type AbstractHttpAdapter, HttpAdapterHost } from '@nestjs/core';
import { type HttpAnswer, jsonAnswer, sendAnswer } from './http-answer.js';
import { isLibraryRoute } from './library-routes.js';

const FORM = 'application/x-www-form-urlencoded';

type Next = (error: unknown) => void;

type FastifyErrorHandler = (error: Error, request: unknown, reply: unknown) => unknown;

interface FastifyRoute {
  readonly url: string;
  errorHandler?: FastifyErrorHandler | undefined;
}

interface FastifyFormRequest {
  readonly routeOptions?: { readonly url?: unknown };
}

interface FastifyInstance {
  addHook(name: 'onRoute', hook: (route: FastifyRoute) => void): void;
  hasContentTypeParser(type: string | RegExp): boolean;
  addContentTypeParser(
    type: string,
    parser: (request: FastifyFormRequest, payload: unknown, done: (error: Error | null) => void) => void,
  ): void;
}

/**
 * The host's body parser runs before any controller. If it can't read a request to one of the library's routes, this
 * class answers 400 (Back-Channel Logout 1.0 §2.8). Otherwise the host's exception filter would choose another answer.
 */
@Injectable()
export class ParserErrors implements OnModuleInit {
  private readonly logger = new Logger('OneIdLogout');

  constructor(private readonly adapterHost: HttpAdapterHost) {}

  /** Call this before Nest mounts the routes: Fastify takes a route's error handler only when it mounts the route. */
  beforeRoutes(): void {
    const adapter = this.adapterHost.httpAdapter;
    if (adapter.getType() !== 'fastify') return;
    adapter.getInstance<FastifyInstance>().addHook('onRoute', (route) => {
      if (!isLibraryRoute(route.url)) return;
      const hosts = route.errorHandler;
      route.errorHandler = (error, request, reply) => {
        if (isParserError(error)) {
          sendAnswer(adapter, reply, this.refusal());
          return;
        }
        // Fastify gives a rethrown error to the app's error handler
        if (hosts === undefined) throw error;
        return hosts(error, request, reply);
      };
    });
  }

  onModuleInit(): void {
    // an application context without HTTP has no adapter
    const adapter = this.adapterHost.httpAdapter as HttpAdapterHost['httpAdapter'] | undefined;
    if (adapter?.getType() === 'fastify') acceptForms(adapter.getInstance<FastifyInstance>());
    if (adapter?.getType() === 'express') this.answerOnExpress(adapter);
  }

  private answerOnExpress(adapter: AbstractHttpAdapter): void {
    const isOurs = (path: string) =>
      expressLayers(adapter).some((layer) => isLibraryRoute(layer.route?.path) && layer.match(path));
    // Express takes a function of four parameters as an error handler; the host's own handler is mounted later
    adapter.use((error: unknown, request: { path: string }, response: unknown, next: Next) => {
      if (isParserError(error) && isOurs(request.path)) sendAnswer(adapter, response, this.refusal());
      else next(error);
    });
  }

  private refusal(): HttpAnswer {
    this.logger.warn(
      "Refused a logout request, because the app's body parser could not read it: logout_request_malformed",
    );
    return jsonAnswer(400, {
      error: 'invalid_request',
      error_description: 'The app cannot read the request body',
      code: 'logout_request_malformed',
    });
  }
}

/**
 * Fastify answers 415 to a form if the app has no parser for forms. The library's routes read the stream themselves, so
 * this parser lets their forms pass; other routes keep the 415.
 */
function acceptForms(instance: FastifyInstance): void {
  if (instance.hasContentTypeParser(FORM) || instance.hasContentTypeParser('*')) return;
  instance.addContentTypeParser(FORM, (request, _payload, done) => {
    const unsupported = { name: 'FastifyError', code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE', statusCode: 415 };
    const error = Object.assign(new Error('Unsupported Media Type'), unsupported);
    done(isLibraryRoute(request.routeOptions?.url) ? null : error);
  });
}

/** Is it an error of a body parser? The host itself handles the errors of its guards and middleware. */
function isParserError(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, type, name, status, statusCode } = error as Record<string, unknown>;
  const answered = Number(status ?? statusCode);
  if (!(answered >= 400 && answered < 500)) return false;
  // body-parser sets `type`, Fastify's parsers set `code`; Fastify's JSON parser sets neither, but throws a SyntaxError
  return typeof type === 'string' || String(code).startsWith('FST_ERR_CTP_') || name === 'SyntaxError';
}
