import { type SqlParameter } from '../libs/oneid-logout/src/database/sql.js';
import { type SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { tokenHashOf } from '../libs/oneid-logout/src/rule/session-token.js';
import { digest, everyoneTargetsOf, targetOf } from '../libs/oneid-logout/src/rule/targets.js';

const exampleIssuer = 'https://oneid.example/';
const BATCH = 1000;

const SESSION_COLUMNS =
  'id, issuer, client_id, sid, sub, issued_at, registered_at, expires_at, ' +
  'target_session, target_sid, target_sub, id_token_hash, label';

export const sessionTokenOf = (n: number) => digest(['session', n]);
export const idOf = (n: number) => tokenHashOf(sessionTokenOf(n));
export const sidOf = (n: number) => `5f0c4a52-0000-4000-8000-${String(n).padStart(12, '0')}`;

/** Stores the sessions from one number to another, with tokens. With `loggedOut`, every tenth is logged out. */
export async function fill(
  database: SessionDatabase,
  from: number,
  to: number,
  {
    expired = false,
    issuer = exampleIssuer,
    loggedOut = true,
  }: { readonly expired?: boolean; readonly issuer?: string; readonly loggedOut?: boolean },
): Promise<void> {
  const { tables } = database;
  const now = Date.now();
  const clients = everyoneTargetsOf(issuer, 'app').map((target) => [issuer, 'app', target]);
  await insert(database, `${tables.clientTarget} (issuer, client_id, target)`, clients);
  const expiresAt = expired ? 1 : now + 30 * 24 * 60 * 60 * 1000;
  for (let start = from; start < to; start += BATCH) {
    const numbers = Array.from({ length: Math.min(BATCH, to - start) }, (_, n) => start + n);
    const sessions = numbers.map((n) => {
      const [id, sid, sub] = [idOf(n), sidOf(n), `user-${n}`];
      return [
        ...[id, issuer, 'app', sid, sub, Math.floor(now / 1000), now, expiresAt],
        ...[targetOf('session', issuer, id), targetOf('sid', issuer, sid), targetOf('sub', issuer, sub)],
        digest(['id token', n]),
        'Chromium on Linux',
      ];
    });
    const logouts = numbers
      .filter((n) => expired || (loggedOut && n % 10 === 0))
      .map((n) => {
        const target = targetOf('sid', issuer, sidOf(n));
        return [digest(['logout', n]), target, 'backchannel', now, now, expiresAt];
      });
    const tokens = numbers.map((n) => [idOf(n), 'x'.repeat(100), 'x'.repeat(100)]);
    await insert(database, `${tables.session} (${SESSION_COLUMNS})`, sessions);
    await insert(database, `${tables.logout} (id, target, channel, recorded_at, changed_at, keep_until)`, logouts);
    await insert(database, `${tables.sessionTokens} (session_id, id_token, refresh_token)`, tokens);
  }
}

async function insert(database: SessionDatabase, table: string, rows: readonly SqlParameter[][]): Promise<void> {
  if (rows.length === 0) return;
  const values = rows.map((row) => `(${row.map(() => '?').join(', ')})`).join(', ');
  const statement = `INSERT INTO ${table} VALUES ${values}`;
  await database.run(database.dialect.insertOrIgnore(statement), rows.flat());
}
