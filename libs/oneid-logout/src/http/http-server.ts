import { type Server } from 'node:http';
import { type HttpAdapterHost } from '@nestjs/core';

type AdapterHost = Pick<HttpAdapterHost, 'httpAdapter'>;

/** Does this process serve HTTP? An application context, for example of a command, does not. */
export function servesHttp({ httpAdapter }: AdapterHost): boolean {
  return (httpAdapter as HttpAdapterHost['httpAdapter'] | undefined) !== undefined;
}

/** Calls `run` as soon as the app listens. An app that never listens, such as a unit test, does not call it. */
export function whenListening({ httpAdapter }: AdapterHost, run: () => void): void {
  const adapter = httpAdapter as HttpAdapterHost['httpAdapter'] | undefined;
  // the server of another adapter may be no server of Node
  const server = adapter?.getHttpServer() as Partial<Server> | undefined;
  if (server?.listening) run();
  else server?.once?.('listening', run);
}
