import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';

/** A web site that is none of ours, with pages that the test writes. */
export class OtherSite {
  private html = '';

  private constructor(
    private readonly server: Server,
    private readonly port: number,
  ) {}

  static async start(): Promise<OtherSite> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const site = new OtherSite(server, (server.address() as AddressInfo).port);
    server.on('request', (_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(site.html);
    });
    return site;
  }

  /** @returns its address: on `localhost` another site than the app's, on `127.0.0.1` the same, on another port */
  page(html: string, host: 'localhost' | '127.0.0.1' = 'localhost'): string {
    this.html = `<!doctype html><title>Another site</title>${html}`;
    return `http://${host}:${this.port}/`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}
