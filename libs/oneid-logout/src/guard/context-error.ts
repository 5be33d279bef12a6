import { type ExecutionContext } from '@nestjs/common';
import { type OneIdLogoutError } from '../oneid-logout.errors.js';

/**
 * An error of ours in the form that a context passes on to its clients: to all but HTTP's an exception of HTTP is an
 * internal error, or loses its reason. The packages are those that the context comes from.
 */
export async function errorFor(context: ExecutionContext, error: OneIdLogoutError): Promise<Error> {
  const body = error.getResponse() as object;
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
      // Apollo puts a code of its own in its place, such as UNAUTHENTICATED
      return Object.assign(error, { extensions: { ...body, code: error.code } });
    default:
      return error;
  }
}
