import { type Adapter, type AdapterFactory, type AdapterPayload } from 'oidc-provider';

interface Entry {
  model: string;
  id: string;
  payload: AdapterPayload;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

/**
 * oidc-provider's storage, in memory only. oidc-provider has such a storage too, but it prints a warning on the console
 * whenever it is used.
 */
export function memoryAdapter(): AdapterFactory {
  const entries = new Map<string, Entry>();

  return (model): Adapter => {
    const key = (id: string) => `${model}:${id}`;
    const alive = (entry: Entry | undefined) => (entry && entry.expiresAt > Date.now() ? entry.payload : undefined);
    const search = (matches: (payload: AdapterPayload) => boolean) =>
      [...entries.values()].filter((entry) => entry.model === model && matches(entry.payload));

    return {
      upsert(id, payload, expiresIn = Infinity) {
        entries.set(key(id), { model, id, payload, expiresAt: Date.now() + expiresIn * 1000 });
        return Promise.resolve();
      },
      find: (id) => Promise.resolve(alive(entries.get(key(id)))),
      findByUid: (uid) => Promise.resolve(alive(search((payload) => payload.uid === uid)[0])),
      findByUserCode: () => Promise.resolve(),
      consume(id) {
        const entry = entries.get(key(id));
        if (entry) {
          entry.payload.consumed = Math.floor(Date.now() / 1000);
        }
        return Promise.resolve();
      },
      destroy(id) {
        entries.delete(key(id));
        return Promise.resolve();
      },
      revokeByGrantId(grantId) {
        search((payload) => payload.grantId === grantId).forEach(({ id }) => entries.delete(key(id)));
        return Promise.resolve();
      },
    };
  };
}
