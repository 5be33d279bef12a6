import pg from 'pg';
import { sqlDialects } from '../../libs/oneid-logout/src/database/sql-dialect.js';
import { type SessionLookup } from '../../libs/oneid-logout/src/guard/session-lookup.js';
import { type LogoutChannel } from '../../libs/oneid-logout/src/rule/logout.js';
import { type CheckedSession, withStoredTargets } from '../../libs/oneid-logout/src/rule/session.js';
import { endedBySql } from '../../libs/oneid-logout/src/store/rule-sql.js';

const { now } = sqlDialects.postgres;

const CHECK = `SELECT s.id, s.issuer, s.client_id, s.sid, s.sub, s.issued_at, s.registered_at, s.expires_at,
    s.target_session, s.target_sid, s.target_sub, CASE WHEN s.expires_at <= ${now} THEN 1 ELSE 0 END AS expired,
    ${endedBySql({ logout: 'oneid_logout', clientTarget: 'oneid_client_target' })} AS ended_by
  FROM oneid_session s WHERE s.id = $1`;

/** Each session of the bench has a `sid`. */
interface Row extends Readonly<Record<string, string | number | null>> {
  readonly target_session: string;
  readonly target_sid: string;
  readonly target_sub: string;
  readonly ended_by: LogoutChannel | null;
}

/**
 * Checks sessions without groups: pg's pool of ten connections sends one prepared statement for each check. The library
 * checked sessions with this statement before it grouped checks. Here it has no queue, no time limit, no proof that the
 * server is a primary, and no search for further session tokens.
 */
export function singleChecks(url: string): SessionLookup {
  const pool = new pg.Pool({ connectionString: url, max: 10 });
  const onlyById = () => Promise.reject(new Error('This server checks sessions by their token only'));
  return {
    async check(tokenHash) {
      const { rows } = await pool.query<Row>({ name: 'check', text: CHECK, values: [tokenHash] });
      return rows[0] && toCheckedSession(rows[0]);
    },
    endedBy: onlyById,
    knowsUser: onlyById,
    findUsers: onlyById,
  };
}

function toCheckedSession(row: Row): CheckedSession {
  const { target_session: session, target_sid: sid, target_sub: sub, ended_by: endedBy } = row;
  const facts = {
    id: String(row['id']),
    issuer: String(row['issuer']),
    clientId: String(row['client_id']),
    sid: String(row['sid']),
    sub: String(row['sub']),
    iat: Number(row['issued_at']),
    registeredAt: Number(row['registered_at']),
    expiresAt: Number(row['expires_at']),
  };
  return {
    session: withStoredTargets(facts, { session, sid, sub }),
    expired: Number(row['expired']) === 1,
    ...(endedBy !== null && { endedBy }),
  };
}
