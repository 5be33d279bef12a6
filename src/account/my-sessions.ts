import { Injectable } from '@nestjs/common';
import { type ListedSession, type SessionFacts, SessionRegistry } from 'nestjs-oneid-logout';
import { Timeline } from '../timeline/timeline.js';

/** One of a user's sessions, as a page shows it. */
export interface MySession {
  /** Opens no session, so a page may contain it. */
  readonly id: string;
  readonly device: string | undefined;
  readonly registeredAt: number;
  readonly expiresAt: number;
  /** True for the session of the current request. */
  readonly isThis: boolean;
}

/** Lists and ends a user's own sessions. */
@Injectable()
export class MySessions {
  constructor(
    private readonly registry: SessionRegistry,
    private readonly timeline: Timeline,
  ) {}

  /** The live sessions, the newest first. The list is limited; an older current session is added at its end. */
  async list(mine: SessionFacts): Promise<MySession[]> {
    return (await this.all(mine)).map((session) => ({
      id: session.id,
      device: session.label,
      isThis: session.id === mine.id,
      registeredAt: session.registeredAt,
      expiresAt: session.expiresAt,
    }));
  }

  /** Ends the session with this id. Ignores an id that names no live session of the user. */
  async end(mine: SessionFacts, id: string): Promise<void> {
    const session = (await this.all(mine)).find((candidate) => candidate.id === id);
    if (session === undefined) return;
    await this.registry.end(session.id);
    this.timeline.add(mine, { kind: 'session_ended', device: session.label });
  }

  async endOthers(mine: SessionFacts): Promise<void> {
    const count = await this.registry.endOthers(mine);
    this.timeline.add(mine, { kind: 'others_ended', count });
  }

  private async all(mine: SessionFacts): Promise<ListedSession[]> {
    const { issuer, sub } = mine;
    if (sub === undefined) return [];
    const newest = await this.registry.listAlive({ issuer, sub });
    // only a registered session has an id; such a session has the other fields of a ListedSession too
    const isOld = mine.id !== undefined && newest.every(({ id }) => id !== mine.id);
    return isOld ? [...newest, mine as ListedSession] : newest;
  }
}
