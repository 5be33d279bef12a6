import { type Attributes, type Span, type SpanContext, type SpanOptions, type Tracer } from '@opentelemetry/api';
import { LRUCache } from 'lru-cache';
import { InvalidLogoutTokenError } from '../oneid-logout.errors.js';
import { errorTypeOf } from './error-type.js';
import { ATTRIBUTES } from './instruments.js';
import { type OpenTelemetry } from './opentelemetry.js';
import { quietly } from '../watching.js';

/** How many recorded logouts the replica remembers with the span that recorded them. */
const REMEMBERED = 1_000;

/** The results of a revocation request that are no error. */
const REVOKED = ['revoked', 'no_endpoint'];

/** The spans of one registration. A span never holds a token, a `sid`, a `sub` or a session id. */
export class Spans {
  /** By the id of the logout. */
  private readonly recordedIn = new LRUCache<string, SpanContext>({ max: REMEMBERED });

  /** @param common the attributes of all spans */
  constructor(
    private readonly api: OpenTelemetry,
    private readonly tracer: Tracer,
    private readonly common: Attributes,
  ) {}

  /**
   * A check gets a span only inside a request that is being recorded: a trace of one check alone would tell nothing, and
   * a request that is not sampled then costs no span.
   */
  check<V extends { readonly alive: unknown } | { readonly reason: string }>(work: () => Promise<V>): Promise<V> {
    if (this.api.trace.getActiveSpan()?.isRecording() !== true) return work();
    return this.within('check session', {}, work, (span, verdict) => {
      span.setAttribute(ATTRIBUTES.checkResult, 'reason' in verdict ? verdict.reason : 'alive');
    });
  }

  backchannel<T>(work: () => Promise<T>): Promise<T> {
    return this.within('receive logout', { attributes: { [ATTRIBUTES.channel]: 'backchannel' } }, work);
  }

  /** The logouts were recorded in the span that is active now. Their revocations link to it. */
  rememberRecorded(logoutIds: readonly string[]): void {
    const context = this.api.trace.getActiveSpan()?.spanContext();
    if (context === undefined) return;
    for (const id of logoutIds) this.recordedIn.set(id, context);
  }

  /**
   * A background job asks the provider, so the span has no parent. It links to the span that recorded the logout, if this
   * process did that.
   *
   * @param logoutId looks the link up; no attribute has it
   * @param issuer its host is an attribute
   */
  revocation<A extends { readonly result: string }>(
    logoutId: string,
    issuer: string,
    work: () => Promise<A>,
  ): Promise<A> {
    const recordedIn = this.recordedIn.get(logoutId);
    const options: SpanOptions = {
      kind: this.api.SpanKind.CLIENT,
      root: true,
      attributes: { 'server.address': new URL(issuer).hostname },
      links: recordedIn === undefined ? [] : [{ context: recordedIn }],
    };
    return this.within('revoke refresh token', options, work, (span, { result }) => {
      span.setAttribute(ATTRIBUTES.revocationResult, result);
      if (!REVOKED.includes(result)) this.markFailed(span, result);
    });
  }

  /** Runs the work in a new span. A span processor of the app that throws changes nothing for the work. */
  private async within<T>(
    name: string,
    options: SpanOptions,
    work: () => Promise<T>,
    describe?: (span: Span, result: T) => void,
  ): Promise<T> {
    const attributes = { ...this.common, ...options.attributes };
    const span = quietly(() => this.tracer.startSpan(name, { ...options, attributes }));
    if (span === undefined) return work();
    const { context, trace } = this.api;
    try {
      const result = await context.with(trace.setSpan(context.active(), span), work);
      quietly(() => describe?.(span, result));
      return result;
    } catch (error) {
      quietly(() => {
        this.noteError(span, error);
      });
      throw error;
    } finally {
      quietly(() => {
        span.end();
      });
    }
  }

  /** A refused token is an answer like any other, so its span has an `error.type` but not the status of an error. */
  private noteError(span: Span, error: unknown): void {
    const errorType = errorTypeOf(error);
    // the code in place of the message, which may repeat what an unverified token says, or what a driver was given
    span.recordException({ name: error instanceof Error ? error.name : typeof error, message: errorType });
    if (error instanceof InvalidLogoutTokenError) span.setAttribute(ATTRIBUTES.errorType, errorType);
    else this.markFailed(span, errorType);
  }

  private markFailed(span: Span, errorType: string): void {
    span.setAttribute(ATTRIBUTES.errorType, errorType);
    span.setStatus({ code: this.api.SpanStatusCode.ERROR, message: errorType });
  }
}
