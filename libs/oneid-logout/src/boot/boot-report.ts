import { Injectable } from '@nestjs/common';
import { Logger } from '../logger.js';
import { BootSettings } from './boot-settings.js';
import { GlobalGuards } from './global-guards.js';
import { GuardedRoutes } from './guarded-routes.js';
import { OwnRoutes, type Registration } from './own-routes.js';
import { ProviderQuestion } from './provider-question.js';
import { RegistrationNotice } from './registration-notice.js';
import { settingsWarnings } from './settings-warnings.js';

/** What the log says at boot: the URIs to register at OneID, and what would not work. It stops no boot. */
@Injectable()
export class BootReport {
  constructor(
    private readonly settings: BootSettings,
    private readonly routes: OwnRoutes,
    private readonly notice: RegistrationNotice,
    private readonly guarded: GuardedRoutes,
    private readonly guards: GlobalGuards,
    private readonly question: ProviderQuestion,
  ) {}

  /** Call this before Nest mounts the routes. */
  beforeRoutes(): void {
    this.routes.beforeRoutes();
  }

  async write(registration: Registration): Promise<void> {
    const logger = new Logger('OneIdLogout');
    this.notice.announce(registration);
    for (const warning of [
      ...settingsWarnings(this.settings),
      ...this.guarded.warnings(),
      ...(await this.guards.warnings(registration)),
    ])
      logger.warn(warning);
    this.question.start();
  }

  close(): void {
    this.question.close();
  }
}

/** The providers of this folder. */
export const bootProviders = [BootReport, OwnRoutes, RegistrationNotice, GuardedRoutes, GlobalGuards, ProviderQuestion];
