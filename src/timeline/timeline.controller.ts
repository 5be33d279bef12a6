import { Controller, type MessageEvent, Sse, UseGuards } from '@nestjs/common';
import { CurrentSession, SessionAliveGuard, SessionConnections, type SessionFacts } from 'nestjs-oneid-logout';
import { delayWhen, filter, map, merge, type Observable, of, share, takeUntil, tap, timer } from 'rxjs';
import { type Language } from '../html/language.js';
import { Lang } from '../pages/language.js';
import { type PageTexts, pageTexts } from '../pages/texts.js';
import { type Happening, Timeline } from './timeline.js';

/**
 * Milliseconds that the stream stays open after a logout. OneID gets its 200 after the session has ended, so the entry
 * about OneID's request comes late.
 */
const LAST_WORDS = 1_500;

/** The user's timeline as server-sent events: `session` with its id, each `entry`, and `over` with the reason. */
@Controller('timeline')
export class TimelineController {
  constructor(
    private readonly timeline: Timeline,
    private readonly connections: SessionConnections,
  ) {}

  @Sse()
  @UseGuards(SessionAliveGuard)
  watch(@CurrentSession() session: SessionFacts, @Lang() language: Language): Observable<MessageEvent> {
    const texts = pageTexts[language];
    let isOver = false;
    const over = this.connections.over(session).pipe(
      tap(() => (isOver = true)),
      share(),
    );
    return merge(
      of({ type: 'session', data: { id: session.id } }),
      this.timeline.of(session).pipe(
        filter(({ kind }) => !isOver || kind === 'told' || kind === 'obeyed'),
        map((happening) => ({ type: 'entry', data: entryOf(happening, texts) })),
      ),
      over.pipe(map((reason) => ({ type: 'over', data: { reason } }))),
    ).pipe(takeUntil(over.pipe(delayWhen((reason) => timer(reason === 'logged_out' ? LAST_WORDS : 0)))));
  }
}

function entryOf(happening: Happening, texts: PageTexts) {
  return {
    at: new Date(happening.at).toISOString(),
    kind: happening.kind,
    ...('channel' in happening && { channel: happening.channel }),
    text: textOf(happening, texts),
  };
}

function textOf(happening: Happening, texts: PageTexts): string {
  switch (happening.kind) {
    case 'signed_in':
      return texts.signInHappened(happening.device ?? texts.unknownDevice);
    case 'session_ended':
      return texts.sessionEnded(happening.device ?? texts.unknownDevice);
    case 'others_ended':
      return texts.othersEnded(happening.count);
    case 'told':
      return texts.told[happening.channel](happening.took);
    case 'obeyed':
      return texts.obeyed[happening.channel];
  }
}
