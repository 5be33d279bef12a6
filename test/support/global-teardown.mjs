export default async function stop() {
  await globalThis.__POSTGRES__.stop();
}
