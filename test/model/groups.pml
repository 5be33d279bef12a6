/*
 * Strict liveness, and the groups of statements: the guard's checks, the inserts of logouts, and the read of the
 * declarations share statements (store/gatherer.ts). The property: no request that arrives after OneID has its 200 is
 * let in.
 *
 * The number of requests is not limited: of the requests in a group, the model knows only whether one has arrived after
 * the 200. A macro NO_… takes one assumption or one measure away.
 */

#define NONE 255
#define GROUPS 3
/* CHECKS_AT_ONCE: how many groups of checks run at the same time, from LANES */

mtype = { free, open, sent, answered };

bool isCommitted;
bool hasAnswered;

/* ---- checks ---- */

typedef Group {
  mtype phase = free;
  bool hasLate;
  bool isSecondAttempt;
  bool sawLogout
}
Group check[GROUPS];
/* the group that new requests join */
byte joined = NONE;
byte running;
#ifdef NO_CUT
/* an answer that comes after its statement was given up; the next statement on this connection may take it for its own */
bool hasLeftover;
#endif

inline finish(g) {
  check[g].phase = free;
  check[g].hasLate = false;
  check[g].isSecondAttempt = false;
  check[g].sawLogout = false;
  joined = (joined == g -> NONE : joined);
  running--
}

inline choose(g, which) {
  if
  :: check[0].phase == which -> g = 0
  :: check[1].phase == which -> g = 1
  :: check[2].phase == which -> g = 2
  fi
}

active proctype Guard()
{
  byte g;
end:
  do
  /* G1: a request arrives, and joins the group that waits */
  :: atomic {
      joined != NONE ->
      check[joined].hasLate = check[joined].hasLate || hasAnswered;
      printf("STORY A request arrives (after the 200: %d) and joins group %d.\n", hasAnswered, joined)
    }
  /* or begins a group: there is none, or it is full or old */
  :: atomic {
      choose(g, free);
      check[g].phase = open;
      check[g].hasLate = hasAnswered;
      joined = g;
      printf("STORY A request arrives (after the 200: %d) and begins group %d.\n", hasAnswered, g);
      g = 0
    }
  /* G2: the group has a turn. It closes, and its statement is sent */
  :: atomic {
      running < CHECKS_AT_ONCE;
      choose(g, open);
      running++;
      check[g].phase = sent;
#ifndef NO_CLOSED_GROUP
      joined = (joined == g -> NONE : joined);
#endif
      printf("STORY The statement of group %d is sent.\n", g);
      g = 0
    }
  /* G3: the database answers from a snapshot that is newer than the statement */
  :: atomic {
      choose(g, sent);
      check[g].phase = answered;
      check[g].sawLogout = isCommitted;
#ifdef NO_NEW_SNAPSHOT
      /* or from one that the connection's transaction took earlier */
      if
      :: true
      :: check[g].sawLogout = false
      fi;
#endif
      printf("STORY The database answers group %d, the session is ended: %d.\n", g, check[g].sawLogout);
      g = 0
    }
  /* the answer arrives, however late */
  :: atomic {
      choose(g, answered);
#ifdef NO_CUT
      if
      :: hasLeftover -> check[g].sawLogout = false; hasLeftover = false
      :: true
      fi;
#endif
      if
      :: check[g].sawLogout && check[g].hasLate -> printf("STORY Group %d has its answer: 401.\n", g) /* V1: a request after the 200 is refused */
      :: check[g].sawLogout && !check[g].hasLate
      :: else -> printf("STORY Group %d has its answer: the requests are let in.\n", g); assert(!check[g].hasLate) /* V2: a request before the 200 is let in */
      fi;
      finish(g);
      g = 0
    }
  /* G4: an idle connection was gone: the group is asked once more */
  :: atomic {
      if
      :: choose(g, sent)
      :: choose(g, answered)
      fi;
      if
      :: !check[g].isSecondAttempt ->
        check[g].isSecondAttempt = true;
        check[g].phase = sent;
        check[g].sawLogout = false;
        printf("STORY The connection of group %d was gone, its statement is sent again.\n", g)
      :: else
      fi;
      g = 0
    }
  /* G5: the time limit, or an error: all requests of the group get 503 */
  :: atomic {
      if
      :: choose(g, sent)
      :: choose(g, answered)
      fi;
#ifdef NO_CUT
      hasLeftover = hasLeftover || (check[g].phase == answered && !check[g].sawLogout);
#endif
      finish(g);
      printf("STORY Group %d fails: 503.\n", g);
      g = 0
    }
  od
}

/* ---- logouts: two tokens, of which the second ends the session of the requests ---- */

mtype recording = free;
bool waitsForLogout;
bool hasLogoutRow;
bool isLate;

active proctype Recorder()
{
end:
  do
  /* a token arrives, of another session or of this one, and joins the group of inserts that waits, or begins it */
  :: atomic { recording == free -> recording = open; printf("STORY The logout of another session begins a group of inserts.\n") }
  :: atomic {
#ifdef NO_CLOSED_GROUP
      recording != answered && !waitsForLogout ->
#else
      (recording == free || recording == open) && !waitsForLogout ->
#endif
      recording = (recording == free -> open : recording);
      waitsForLogout = true;
      printf("STORY OneID sends the logout, which joins the group of inserts.\n")
    }
  /* G2: the rows of the statement are those of the callers that wait now */
  :: atomic {
      recording == open ->
      recording = sent;
      hasLogoutRow = waitsForLogout;
      printf("STORY The statement with the inserts is sent, this logout is in it: %d.\n", hasLogoutRow)
    }
  :: atomic {
      recording == sent ->
      recording = answered;
      isCommitted = isCommitted || hasLogoutRow;
      printf("STORY The inserts commit.\n")
    }
  /* the answer arrives: without bounded replicas, OneID gets its 200 now */
  :: atomic {
      recording == answered ->
      hasAnswered = hasAnswered || waitsForLogout;
      recording = free;
      waitsForLogout = false;
      hasLogoutRow = false;
      printf("STORY The group of inserts has its answer. OneID has a 200 for this logout: %d.\n", hasAnswered)
    }
#ifdef NO_ACKNOWLEDGED_COMMIT
  /* OneID gets its 200 before the commit */
  :: atomic { recording == sent && waitsForLogout -> hasAnswered = true; printf("STORY OneID gets its 200.\n") }
#endif
  /* the group fails. The database may still commit it, now or later; OneID gets 503 */
  :: atomic {
      recording == sent || recording == answered ->
      isLate = isLate || hasLogoutRow;
      recording = free;
      waitsForLogout = false;
      hasLogoutRow = false;
      printf("STORY The group of inserts fails: OneID gets 503.\n")
    }
  /* one row is refused: each caller's rows are inserted separately */
  :: atomic {
      recording == sent && hasLogoutRow -> printf("STORY The database refuses a row, so the logout is inserted alone.\n")
    }
  :: atomic { isLate -> isLate = false; isCommitted = true; printf("STORY A group that has failed commits after all.\n") }
  od
}
