import { type ExecutionContext } from '@nestjs/common';
import { type OneIdLogoutError } from '../oneid-logout.errors.js';

/**
 * Converts an error of this library into the error type of the context. Outside HTTP, clients would see an HTTP
 * exception as an internal error, or would not see its reason.
 *
 * @returns the error itself when the context has no such type, or when its package can't be loaded
 */
export async function errorFor(context: ExecutionContext, error: OneIdLogoutError): Promise<Error> {
  const body = error.getResponse() as object;
  // `import()` inside `try`: bundlers then accept that the package is missing
  try {
    switch (context.getType<string>()) {
      case 'ws': {
        const { WsException } = await import('@nestjs/websockets');
        return new WsException({ status: 'error', ...body });
      }
      case 'rpc': {
        const { RpcException } = await import('@nestjs/microservices');
        return new RpcException({ status: 'error', ...body });
      }
      case 'graphql':
        // Apollo replaces this code with its own, such as UNAUTHENTICATED
        return Object.assign(error, { extensions: { ...body, code: error.code } });
    }
  } catch {
    // an app with such a context has the package installed, but Jest without ES modules can't import it
  }
  return error;
}
