import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** A TCP port that is free on 127.0.0.1 at this moment: the preferred port, or any other when it is taken. */
export async function freePort(preferred = 0): Promise<number> {
  const server = createServer().listen(preferred, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if (preferred === 0) throw error;
    return freePort();
  }
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
