import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';

/** An HTTP server on 127.0.0.1. */
export interface LoopbackServer {
  readonly origin: string;
  /** Passes the requests to a handler. When the handler rejects, the answer is 500 with the error as text. */
  serve(handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>): void;
  close(): Promise<void>;
}

/** Listens on a port of 127.0.0.1; port 0 takes any free port. */
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
