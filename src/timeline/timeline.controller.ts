import { Controller, type MessageEvent, Sse, UseGuards } from '@nestjs/common';
import { CurrentSession, SessionAliveGuard, SessionConnections, type SessionFacts } from 'nestjs-oneid-logout';
import { delay, map, merge, type Observable, share, takeUntil } from 'rxjs';
import { type Language } from '../html/language.js';
import { Lang } from '../pages/language.js';
import { type PageTexts, pageTexts } from '../pages/texts.js';
import { type Happening, Timeline } from './timeline.js';

/** The session ends before OneID has its answer; what is still told of that is only this: milliseconds. */
const LAST_WORDS = 1_500;

/** The timeline of whoever is looking, as server-sent events: `entry`, and `over` when their session is. */
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
    const over = this.connections.over(session).pipe(share());
    return merge(
      this.timeline.of(session).pipe(
        map((happening) => ({
          type: 'entry',
          data: { at: new Date(happening.at).toISOString(), kind: happening.kind, text: textOf(happening, texts) },
        })),
      ),
      over.pipe(
        map((reason) => ({
          type: 'over',
          data: { reason, title: texts.over, text: texts.overText[reason], signIn: texts.signInAgain },
        })),
      ),
    ).pipe(takeUntil(over.pipe(delay(LAST_WORDS))));
  }
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
