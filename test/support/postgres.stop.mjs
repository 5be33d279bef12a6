import { rm } from 'node:fs/promises';

export default async function stop() {
  const { postgres, folder } = globalThis.__POSTGRES__;
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}
