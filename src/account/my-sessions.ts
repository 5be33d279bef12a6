import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { type ListedSession, LogoutService, type SessionFacts, SessionRegistry } from 'nestjs-oneid-logout';
import { Timeline } from '../timeline/timeline.js';

/** One of a user's sessions, as a page may tell of it. */
export interface MySession {
  /** Names it in a page's form. The id itself is a secret of the browser whose session it is. */
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

  /** Those that live, the newest first. */
  async list(mine: SessionFacts): Promise<MySession[]> {
    return (await this.all(mine)).map(({ id, label, registeredAt, expiresAt }) => ({
      handle: handleOf(id),
      device: label,
      isThis: id === mine.id,
      registeredAt,
      expiresAt,
    }));
  }

  /** @returns false when the user has no such session, or none that lives */
  async end(mine: SessionFacts, handle: string): Promise<boolean> {
    const session = (await this.all(mine)).find(({ id }) => handleOf(id) === handle);
    if (session === undefined) return false;
    await this.logout.end(session.id);
    this.timeline.add(mine, { kind: 'session_ended', device: session.label });
    return true;
  }

  async endOthers(mine: SessionFacts): Promise<void> {
    const count = await this.logout.endOthers(mine);
    this.timeline.add(mine, { kind: 'others_ended', count });
  }

  private async all({ issuer, sub }: SessionFacts): Promise<ListedSession[]> {
    return sub === undefined ? [] : this.registry.listAlive({ issuer, sub });
  }
}

function handleOf(id: string): string {
  return createHash('sha256').update(`handle of ${id}`).digest('hex').slice(0, 24);
}
