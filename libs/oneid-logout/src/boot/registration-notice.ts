import { Injectable } from '@nestjs/common';
import { Logger } from '../logger.js';
import { BootSettings } from './boot-settings.js';
import { OwnRoutes, type Registration } from './own-routes.js';

/** Without these, some providers leave out `sid` and `iss`, and a logout then names no login. */
const FLAGS =
  'and set backchannel_logout_session_required and frontchannel_logout_session_required to true, so that OneID names ' +
  'the login that has ended';

/** Logs the URIs to register at OneID, once at boot, with the paths at which the framework has mounted our routes. */
@Injectable()
export class RegistrationNotice {
  private readonly logger = new Logger('OneIdLogout');

  constructor(
    private readonly routes: OwnRoutes,
    private readonly settings: BootSettings,
  ) {}

  announce(registration: Registration): void {
    const backchannel = this.routes.pathOf(registration, 'backchannel');
    const frontchannel = this.routes.pathOf(registration, 'frontchannel');
    const callback = this.routes.pathOf(registration, 'callback');
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
}

/** The public URL without the callback path at its end: the origin and a proxy's prefix; else undefined. */
function publicBase(postLogoutRedirectUri: string, callback: string): string | undefined {
  const { origin, pathname } = new URL(postLogoutRedirectUri);
  return pathname.endsWith(callback) ? origin + pathname.slice(0, -callback.length) : undefined;
}
