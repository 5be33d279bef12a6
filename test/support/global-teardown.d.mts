/** Stops what `global-setup.mjs` has started. */
export default function stop(): Promise<void>;
