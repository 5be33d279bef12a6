import { Injectable } from '@nestjs/common';
import { type ListedSession, LogoutService, type SessionFacts, SessionRegistry } from 'nestjs-oneid-logout';
import { handleOf } from '../pages/session-handle.js';
import { Timeline } from '../timeline/timeline.js';

/** One of a user's sessions, as a page may tell of it. */
export interface MySession {
  readonly handle: string;
  readonly device: string | undefined;
  readonly registeredAt: number;
  readonly expiresAt: number;
  /** Is it the one that asks? */
  readonly isThis: boolean;
}

/** A user's own sessions: which there are, and an end to them. */
@Injectable()
export class MySessions {
  constructor(
    private readonly registry: SessionRegistry,
    private readonly logout: LogoutService,
    private readonly timeline: Timeline,
  ) {}

  /** Those that live, the newest first; of very many the one that asks, and the newest. */
  async list(mine: SessionFacts): Promise<MySession[]> {
    return (await this.all(mine)).map((session) => ({
      handle: handleOf(session),
      device: session.label,
      isThis: session.id === mine.id,
      registeredAt: session.registeredAt,
      expiresAt: session.expiresAt,
    }));
  }

  /** Of a session that is not the user's nothing happens, and of one that has ended already. */
  async end(mine: SessionFacts, handle: string): Promise<void> {
    const session = (await this.all(mine)).find((candidate) => handleOf(candidate) === handle);
    if (session === undefined) return;
    await this.logout.end(session.id);
    this.timeline.add(mine, { kind: 'session_ended', device: session.label });
  }

  async endOthers(mine: SessionFacts): Promise<void> {
    const count = await this.logout.endOthers(mine);
    this.timeline.add(mine, { kind: 'others_ended', count });
  }

  private async all(mine: SessionFacts): Promise<ListedSession[]> {
    const { issuer, sub } = mine;
    if (sub === undefined) return [];
    const newest = await this.registry.listAlive({ issuer, sub });
    // only a session that was registered has an id, and then all the rest
    const isOld = mine.id !== undefined && newest.every(({ id }) => id !== mine.id);
    return isOld ? [...newest, mine as ListedSession] : newest;
  }
}
