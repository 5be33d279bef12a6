import { Injectable, Logger } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { type MountedRoutes, watchMountedRoutes } from '../http/mounted-routes.js';
import { ChannelSettings } from './channel-settings.js';

const CALLBACK = '/logout/callback';

/** Says at boot, once, which URIs to register at OneID: exact, for where the routes really are. */
@Injectable()
export class RegistrationNotice {
  private readonly logger = new Logger('OneIdLogout');
  private mounted: MountedRoutes = () => [];

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly settings: ChannelSettings,
  ) {}

  /** To be called before Nest mounts the routes. */
  beforeRoutes(): void {
    this.mounted = watchMountedRoutes(this.adapterHost.httpAdapter);
  }

  /** @param modulePath where `RouterModule` has put the registration that asks: there may be others */
  announce(modulePath: string): void {
    const backchannel = this.pathOf(modulePath, '/backchannel_logout');
    const frontchannel = this.pathOf(modulePath, '/frontchannel_logout');
    const callback = this.pathOf(modulePath, CALLBACK);
    if (backchannel === undefined || frontchannel === undefined || callback === undefined) return;

    const lines = this.settings.clients.map(({ clientId, postLogoutRedirectUri }) => {
      const base = publicBase(postLogoutRedirectUri, callback);
      if (base === undefined) {
        this.logger.warn(
          `postLogoutRedirectUri of ${clientId} does not lead to ${callback}: the browser's return will not be seen`,
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
    this.logger.log(`Register these URIs at OneID, character for character:\n${lines.join('\n')}`);
  }

  private pathOf(modulePath: string, suffix: string): string | undefined {
    const paths = this.mounted().filter((path) => path.endsWith(modulePath + suffix));
    // those of other registrations may end the same way, behind further segments
    return paths.sort((a, b) => a.length - b.length)[0];
  }
}

/** What stands before the callback's path in its public URL: the origin, and a proxy's prefix if there is one. */
function publicBase(postLogoutRedirectUri: string, callback: string): string | undefined {
  const { origin, pathname } = new URL(postLogoutRedirectUri);
  return pathname.endsWith(callback) ? origin + pathname.slice(0, -callback.length) : undefined;
}
