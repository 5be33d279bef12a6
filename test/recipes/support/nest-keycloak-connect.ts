// Stands in for the package nest-keycloak-connect, with the part of its interface that the recipe uses. The package
// itself is not installed, because its peer dependencies end at NestJS 10 (2.0.0-alpha.3: at NestJS 11).
import { type CanActivate, type DynamicModule, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Module, SetMetadata, UnauthorizedException } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { type Request } from 'express';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const UNPROTECTED = 'unprotected';
const OPTIONS = 'KEYCLOAK_CONNECT_OPTIONS';

interface KeycloakConnectOptions {
  readonly authServerUrl: string;
  readonly realm: string;
  readonly clientId: string;
  readonly secret: string;
}

@Module({})
export class KeycloakConnectModule {
  static register(options: KeycloakConnectOptions): DynamicModule {
    const provider = { provide: OPTIONS, useValue: options };
    return { module: KeycloakConnectModule, global: true, providers: [provider], exports: [provider] };
  }
}

/** AuthGuard lets every request through, and sets no `request.user`. */
export const Public = () => SetMetadata(UNPROTECTED, true);

/** Verifies the bearer token, and puts its claims into `request.user`. */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    @Inject(OPTIONS) private readonly options: KeycloakConnectOptions,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const where = [context.getClass(), context.getHandler()];
    if (this.reflector.getAllAndOverride<boolean | undefined>(UNPROTECTED, where)) return true;
    const request = context.switchToHttp().getRequest<Request & { user?: unknown }>();
    const issuer = `${this.options.authServerUrl}/realms/${this.options.realm}`;
    const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`));
    try {
      const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
      request.user = (await jwtVerify(token, keys, { issuer })).payload;
      return true;
    } catch {
      throw new UnauthorizedException();
    }
  }
}
