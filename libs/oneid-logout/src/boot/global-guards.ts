import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { ApplicationConfig, ContextIdFactory, HttpAdapterHost, ModuleRef } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { isObservable, lastValueFrom } from 'rxjs';
import { Clock } from '../clock.js';
import { BootSettings } from './boot-settings.js';
import { type OwnRoute, OwnRoutes, type Registration } from './own-routes.js';
import { standInRequest } from './stand-in-request.js';
import { limitsOf, throttleWarning } from './throttlers.js';

/** How long all guards together may take, milliseconds. The boot waits for them. */
const LONGEST = 1_000;

/**
 * Asks the app's global guards whether they let OneID through to the module's routes. It calls each guard with a request
 * that was never sent: no route runs, nothing is recorded, and a throttler counts nothing.
 *
 * Only a clear refusal counts: `false`, an HTTP exception of 3xx or 4xx, or an answer of the guard itself below 500, such
 * as a redirect to a sign-in. A guard that fails in another way, takes too long, looks at the caller's address, or reads
 * what middleware may put on the request, may decide otherwise about a real request, so no warning speaks of it.
 */
@Injectable()
export class GlobalGuards {
  constructor(
    private readonly config: ApplicationConfig,
    private readonly module: ModuleRef,
    private readonly adapterHost: HttpAdapterHost,
    private readonly routes: OwnRoutes,
    private readonly settings: BootSettings,
    private readonly clock: Clock,
  ) {}

  async warnings(registration: Registration): Promise<string[]> {
    const refusals = new Map<CanActivate['constructor'], string[]>();
    const throttlers: string[] = [];
    const end = new AbortController();
    const work = async () => {
      for (const route of this.routes.allOf(registration)) await this.tryRoute(route, refusals, throttlers, end.signal);
    };
    await this.within(LONGEST, work());
    end.abort();
    return [...[...refusals].map(([{ name }, routes]) => refusalWarning(name, routes)), ...throttlers];
  }

  private async tryRoute(
    route: OwnRoute,
    refusals: Map<CanActivate['constructor'], string[]>,
    throttlers: string[],
    end: AbortSignal,
  ): Promise<void> {
    const where = `${route.method} ${route.path}`;
    const sent = standInRequest(this.adapterHost.httpAdapter, route, this.origin);
    // three, as Nest gives them: the guards of GraphQL count the arguments
    const given = [sent.request, sent.response, this.next];
    const context = new ExecutionContextHost(given, route.controller, route.handler);
    // one after another, as Nest calls them: a guard may leave something on the request for the next one
    for (const guard of await this.guardsFor(sent.request)) {
      // the app runs by now, and its guards expect real requests
      if (end.aborted) return;
      const limits = limitsOf(guard);
      sent.readUnknown = false;
      // a guard that answers may leave its own verdict open: the strategies of passport that redirect do
      const answered = new Promise<number>((resolve) => (sent.onAnswer = resolve)).then(refusalIn);
      const status = await Promise.race([answered, refusalBy(limits?.guard ?? guard, context)]);
      if (sent.readUnknown as boolean) continue;
      const { constructor } = guard;
      if (status !== undefined)
        refusals.set(constructor, [...(refusals.get(constructor) ?? []), `${where} (${status})`]);
      // browsers ask the other routes, from their own addresses
      if (route.name === 'backchannel' && limits !== undefined && limits.found.length > 0)
        throttlers.push(throttleWarning(constructor.name, where, limits.found));
    }
  }

  /** Fastify has no `next`. */
  private get next(): (() => void) | undefined {
    return this.adapterHost.httpAdapter.getType() === 'express' ? () => undefined : undefined;
  }

  /** The app's public origin. */
  private get origin(): string {
    const [client] = this.settings.clients;
    return new URL(client?.postLogoutRedirectUri ?? 'https://localhost').origin;
  }

  /** The guards of `useGlobalGuards` and `APP_GUARD`; those of one request are made for it. */
  private async guardsFor(request: object): Promise<CanActivate[]> {
    const guards = [...this.config.getGlobalGuards()];
    const contextId = ContextIdFactory.create();
    this.module.registerRequestByContextId(request, contextId);
    for (const { token } of this.config.getGlobalRequestGuards()) {
      const guard = await this.module
        .resolve<CanActivate>(token as string, contextId, { strict: false })
        .catch(() => undefined);
      if (guard !== undefined) guards.push(guard);
    }
    return guards;
  }

  /** Waits for the work at most this long. If the work fails, because a guard can't be asked, the boot goes on. */
  private within(milliseconds: number, work: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.clock.after(milliseconds, resolve);
      void work.then(resolve, () => resolve()).finally(() => timer.cancel());
    });
  }
}

/** The status of a guard's refusal; undefined if it lets the request through, or may decide otherwise about a real one. */
async function refusalBy(guard: CanActivate, context: ExecutionContext): Promise<number | undefined> {
  try {
    const verdict: unknown = await guard.canActivate(context);
    return (isObservable(verdict) ? await lastValueFrom(verdict) : verdict) ? undefined : 403;
  } catch (error) {
    return statusOf(error);
  }
}

/** The status that the guard has answered with; undefined for a failure of the server, which may pass. */
function refusalIn(status: number): number | undefined {
  return status < 500 ? status : undefined;
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('getStatus' in error)) return undefined;
  const { getStatus } = error as { readonly getStatus: unknown };
  const status = typeof getStatus === 'function' ? (Reflect.apply(getStatus, error, []) as unknown) : undefined;
  return typeof status === 'number' && status >= 300 && status < 500 ? status : undefined;
}

function refusalWarning(guard: string, routes: readonly string[]): string {
  return (
    `${guard}, a global guard, refuses the requests that OneID, or a browser that OneID sends, makes to ` +
    `${routes.join(', ')}. They do not reach the module, so logouts are lost. Put your decorator that opens a route for ` +
    `${guard} beside the module's options, for example routeDecorators: [Public()].`
  );
}
