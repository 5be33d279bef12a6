import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Logger } from '../logger.js';
import { routePaths } from '../http/library-routes.js';
import { type MountedRoutes, watchMountedRoutes } from '../http/mounted-routes.js';
import { ChannelSettings } from './channel-settings.js';

/** Without these, some providers leave out `sid` and `iss`, and a logout then names no login. */
const FLAGS =
  'and set backchannel_logout_session_required and frontchannel_logout_session_required to true, so that OneID names ' +
  'the login that has ended';

/** Logs the URIs to register at OneID, once at boot, with the paths at which the framework has mounted our routes. */
@Injectable()
export class RegistrationNotice {
  private readonly logger = new Logger('OneIdLogout');
  private mounted: MountedRoutes = () => [];

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly settings: ChannelSettings,
  ) {}

  /** Call this before Nest mounts the routes: Fastify reports only routes that are mounted later. */
  beforeRoutes(): void {
    this.mounted = watchMountedRoutes(this.adapterHost.httpAdapter);
  }

  /** @param modulePath the path that `RouterModule` gives this registration; the app may have other registrations */
  announce(modulePath: string): void {
    const backchannel = this.pathOf(modulePath, routePaths.backchannel);
    const frontchannel = this.pathOf(modulePath, routePaths.frontchannel);
    const callback = this.pathOf(modulePath, routePaths.callback);
    if (backchannel === undefined || frontchannel === undefined || callback === undefined) return;

    const lines = this.settings.clients.map(({ clientId, postLogoutRedirectUri }) => {
      const base = publicBase(postLogoutRedirectUri, callback);
      if (base === undefined) {
        this.logger.warn(
          `The postLogoutRedirectUri of ${clientId} does not lead to ${callback}, so the library will not see when the browser comes back after a logout. Correct the option`,
        );
      }
      const origin = base ?? new URL(postLogoutRedirectUri).origin;
      return [
        `  client_id                 ${clientId}`,
        `  backchannel_logout_uri    ${origin}${backchannel}`,
        `  frontchannel_logout_uri   ${origin}${frontchannel}`,
        `  post_logout_redirect_uris ${postLogoutRedirectUri}`,
      ].join('\n');
    });
    this.logger.log(`Register these URIs at OneID, character for character:\n${lines.join('\n')}\n${FLAGS}`);
  }

  private pathOf(modulePath: string, route: string): string | undefined {
    const paths = this.mounted().filter((path) => path.endsWith(`${modulePath}/${route}`));
    // a path of another registration may have the same end after more segments, so the shortest path is ours
    return paths.sort((a, b) => a.length - b.length)[0];
  }
}

/** The public URL without the callback path at its end: the origin and a proxy's prefix; else undefined. */
function publicBase(postLogoutRedirectUri: string, callback: string): string | undefined {
  const { origin, pathname } = new URL(postLogoutRedirectUri);
  return pathname.endsWith(callback) ? origin + pathname.slice(0, -callback.length) : undefined;
}
