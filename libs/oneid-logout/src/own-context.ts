import { AsyncResource } from 'node:async_hooks';

/**
 * Runs work that belongs to no single request, such as a background job that a request has woken. Without it, the work
 * would inherit the request's asynchronous context (`AsyncLocalStorage`): traces would show it as a part of this request,
 * and it would run with the user and the tenant that the app keeps there.
 */
export class OwnContext extends AsyncResource {
  /** Create it outside of requests: the work runs in the context in which this object was created. */
  constructor() {
    super('OneIdLogout');
  }

  run<T>(work: () => T): T {
    return this.runInAsyncScope(work);
  }
}
