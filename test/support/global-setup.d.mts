/** Starts the PostgreSQL that npm installed, and creates RSA keys. The environment of this process gives them to the tests. */
export default function start(): Promise<void>;
