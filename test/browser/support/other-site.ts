import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';

/** Another web site. The test writes its page. */
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

  /**
   * @returns the page's URL. On `localhost` it is a different site from the app. On `127.0.0.1` it is the same site,
   *   with another port
   */
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
