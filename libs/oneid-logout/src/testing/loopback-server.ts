import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';

/** An HTTP server on 127.0.0.1. */
export interface LoopbackServer {
  readonly origin: string;
  /** Sends the requests through a handler; a fault in it answers 500 with its message. */
  serve(handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>): void;
  close(): Promise<void>;
}

/** Listens on a port, 0 for any free one. */
export async function listen(port: number): Promise<LoopbackServer> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    serve(handle) {
      server.on('request', (request, response) => {
        handle(request, response).catch((error: unknown) => {
          if (response.headersSent || response.destroyed) response.destroy();
          else response.writeHead(500, { 'Content-Type': 'text/plain' }).end(String(error));
        });
      });
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
