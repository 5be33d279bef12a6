import { type CanActivate, type ExecutionContext, ForbiddenException, Injectable } from '@nestjs/common';
import { type Request } from 'express';
import { isNavigation } from 'nestjs-oneid-logout';

/** The request shows no page to the user: it is a prefetch, an image, a script's `fetch`. */
export class NoNavigationError extends ForbiddenException {
  constructor() {
    super('A sign-in starts only when the browser shows this address.');
  }
}

/** Accepts only requests whose answer the browser shows as a page: no other request may sign a user in. */
@Injectable()
export class NavigationGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (!isNavigation(context.switchToHttp().getRequest<Request>())) throw new NoNavigationError();
    return true;
  }
}
