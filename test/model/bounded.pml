/*
 * Bounded liveness. Replica A records one logout of one session and answers OneID. Replica B answers requests of this
 * session from memory, and follows the logouts in the database. The property: B lets in no request that arrives after
 * OneID has its 200.
 *
 * Each option of a `do` is one thing that can happen next. Nothing happens because it is due: a look, an answer or a
 * commit may come at once, late or never, and spin searches every order. So a lost nudge, a pause of a process and a
 * slow network need no events of their own. Where two moments are one event here, the comment says why this leaves out
 * no way to break the property.
 *
 * Time is not bounded: the model knows no times, only ages. An age counts ticks; one that has reached OLD stays OLD,
 * which is more than any limit. Ages by the database's clock may be negative: the clock may be set back.
 *
 * The constants come from the code, in ticks (test/model/constants.mjs). A marker such as B7 stands beside the sentence
 * of docs/liveness-proof.md that it models. A macro NO_… takes one assumption or one measure away; a macro OLD_… brings
 * a fault back that the model has found.
 */

#define NEVER 255

/* more than any step of the database's clock */
#ifdef STEPS
#define LARGEST_STEP 6
#else
#define LARGEST_STEP 0
#endif
/* older than any time that a look finds */
#define OLD (OVERLAP + SLOWEST_LOOK + 1 + LARGEST_STEP)
/* older than any look that memory trusts */
#define OLD_LOOK (STALENESS + ALLOWANCE + 1 + LARGEST_STEP / 2)

#define aged(age, limit) (age < limit -> age + 1 : limit)

/* ---- the database: the row of the logout, and of B's declaration ---- */

bool isCommitted;
/* by the database's clock: how old the time in the row is */
short changedAge;
bool hasDeclaration;
/* how many times the database's clock has been set */
byte steps;

/* ---- replica A ---- */

mtype = { idle, inserts, mustTouch, touches, recorded, waiting };
mtype writer = idle;
/* the statement for which A waits: since A sent it, and by the database's clock, since the time that it brings */
byte statementAge;
short stampAge;
/* since the logout was recorded */
byte waited;
byte longest;
bool hasAnswered;
#ifdef ORPHANS
/* an UPDATE that A has given up, but that the database may still commit */
bool hasOrphan;
short orphanAge;
#endif

/* ---- replica B ---- */

mtype = { starting, following, failing };
mtype mode = starting;
/* the last successful look: since it began; how far B's estimate of the database's clock is ahead of this clock */
bool hasLooked;
byte lookAge;
short lookLead;
/* the next look reads far enough back to find the logout */
bool isInReach;
bool isDeclaredHere;
/* memory: the session, in the current generation, and the logout */
bool knowsSession;
bool knowsLogout;
/* the look that is under way; and by the database's clock, since it has read this clock */
mtype = { none, isSent, hasSnapshot, hasRead };
mtype look = none;
byte sentAge;
bool foundLogout;
short readAge;
#ifdef QUESTIONS
/* the guard's question to the database that later requests may join: since it was asked; NEVER without a question */
byte questionAge = NEVER;
bool isQuestionBefore;
#endif
/*
 * Two moments of one tick are not equal: the first is older. This matters at the end of the wait, which is as long as
 * the largest staleness: what began in the tick in which the logout was recorded, but before it, is older than that.
 */
bool isLookBefore;
bool isSentBefore;
#define isWithin(age, limit, isBefore) (age < limit || (age == limit && !(isBefore && hasAnswered)))

#ifdef NO_DECLARATION
#define isDeclared true
#define isFound true
#else
#define isDeclared isDeclaredHere
#define isFound hasDeclaration
#endif

#ifdef NO_STALENESS
#define isFresh true
#else
#define isFresh isWithin(lookAge, TRUSTED_STALENESS, isLookBefore)
#endif

/* B3 */
#define isUsable (mode == following && isDeclared && isFresh)
#define isUsableInOutage (ALLOWANCE > 0 && hasLooked && isWithin(lookAge, (STALENESS + ALLOWANCE), isLookBefore))

inline dropQuestion() {
#ifdef QUESTIONS
  questionAge = NEVER;
  isQuestionBefore = false
#else
  skip
#endif
}

inline lose() {
  isDeclaredHere = false;
#ifndef OLD_SHARING
  dropQuestion() /* B15 */
#endif
}

inline forget() {
  knowsSession = false;
  knowsLogout = false
}

inline endLook() {
  look = none;
  sentAge = 0;
  isSentBefore = false;
  foundLogout = false;
  readAge = 0
}

/*
 * The end: the database says that the session is ended, memory does not hold it and can't get it any more. No request is
 * let in, so the search need not go on.
 */
#ifdef QUESTIONS
#define isOver (isCommitted && !knowsSession && questionAge == NEVER)
#else
#define isOver (isCommitted && !knowsSession)
#endif

/* ---- time ---- */

inline setClock(by) {
  steps++;
  changedAge = (isCommitted -> changedAge + by : 0);
  changedAge = (changedAge > OLD -> OLD : changedAge);
  stampAge = (writer == inserts || writer == touches -> stampAge + by : 0);
#ifdef ORPHANS
  orphanAge = (hasOrphan -> orphanAge + by : 0);
#endif
  lookLead = (hasLooked -> lookLead - by : 0);
  readAge = (look == hasRead -> readAge + by : 0);
  printf("STORY The database's clock is set by %d ticks.\n", by)
}

/*
 * B10: while a logout is on its way, because its statement is under way or a look may miss it, the clock is not set ahead
 * by more than the overlap has for it.
 */
#define LARGEST_UNNOTICED (CLOCK_STEP + LOOK_DURATION)
#ifdef NO_STEADY_CLOCK
#define isSteady true
#else
#define isSteady !(writer == inserts || writer == touches || (isCommitted && look == hasSnapshot && !foundLogout))
#endif
#ifdef NO_STEP_SEEN
#define mayStep (steps < 2)
#else
#define mayStep (steps < 1)
#endif

active proctype Time() provided (!isOver)
{
  bool stands;
#ifdef ALL_STEPS
  byte amount;
#endif
#ifdef NO_RUNNING_CLOCKS
  byte stood;
#endif
#ifdef NO_SAME_RATE
  bool isFast;
#endif
end:
  do
  :: atomic {
      true ->
      printf("STORY TICK\n");
#ifdef NO_RUNNING_CLOCKS
      if
      :: true
      :: stood < STALENESS + 1 -> stood++; stands = true; printf("STORY A tick, in which the clocks of B stand still.\n")
      fi;
#endif
      /* the clock of the database */
      changedAge = (isCommitted -> aged(changedAge, OLD) : 0);
#ifdef ORPHANS
      orphanAge = (hasOrphan -> aged(orphanAge, OLD) : 0);
#endif
      readAge = (look == hasRead -> readAge + 1 : 0);
      /* the clocks of A */
      if
      :: (writer == inserts || writer == touches) && statementAge < COMMIT_LATENESS -> statementAge++; stampAge++
      :: (writer == inserts || writer == touches) && statementAge >= COMMIT_LATENESS -> statementAge = COMMIT_LATENESS + 1; stampAge = OLD
      :: else
      fi;
      waited = (writer == waiting && waited < longest -> waited + 1 : waited);
      /* the clocks of B */
      if
      :: stands -> lookLead = (hasLooked -> lookLead - 1 : 0)
      :: else ->
        lookAge = (hasLooked -> aged(lookAge, OLD_LOOK) : 0);
        sentAge = (look != none -> sentAge + 1 : 0);
#ifdef QUESTIONS
        questionAge = (questionAge < JOINED_FOR -> questionAge + 1 : NEVER);
#endif
      fi;
      /* the time limit of a statement */
      if
      :: sentAge > SLOWEST_LOOK -> lose(); mode = failing; endLook()
      :: else
      fi;
      stands = false
    }
#ifdef NO_SAME_RATE
  :: atomic {
      writer == waiting && waited < longest && !isFast ->
      isFast = true;
      waited++;
      printf("STORY The clock of A counts a tick that has not passed.\n")
    }
#endif
#ifdef STEPS
  /* B9: the database's clock is set once */
  :: atomic {
      mayStep ->
#ifdef ALL_STEPS
      select (amount : 1 .. LARGEST_STEP);
      if
      :: amount <= LARGEST_UNNOTICED || isSteady -> setClock(amount)
      :: setClock(0 - amount)
      fi;
      amount = 0
#else
      if
      :: setClock(LARGEST_UNNOTICED)
      :: isSteady -> setClock(LARGEST_UNNOTICED + 1)
      :: isSteady -> setClock(LARGEST_STEP)
      :: setClock(0 - LARGEST_UNNOTICED)
      :: setClock(0 - LARGEST_UNNOTICED - 1)
      :: setClock(0 - LARGEST_STEP)
      fi
#endif
    }
#endif
  od
}

/* ---- replica A: LogoutRecorder.recordAll, touchUntilInTime; ReplicaBarrier.wait ---- */

/*
 * A sends a statement when the statement reads the clock for its row: a statement that reads it later is as one that A
 * sends later, but has less time to commit. A has the answer when the database commits: a later answer only makes A
 * wait longer, or touch the logout.
 */
inline execute(what) {
  writer = what;
  statementAge = 0;
  stampAge = 0
}

inline leave(next) {
  writer = next;
  statementAge = 0;
  stampAge = 0
}

inline write(age) {
  changedAge = age;
  isInReach = !hasLooked || changedAge - (lookAge - lookLead) <= OVERLAP
}

inline touchRow(age) {
  if
#ifdef OLD_TOUCH
  :: write(age)
#else
  :: age < changedAge -> write(age) /* B6 */
  :: else
#endif
  fi
}

#ifdef NO_TOUCH_OF_LATE
#define isInTime true
#else
#define isInTime (statementAge <= COMMIT_LATENESS)
#endif

inline finishInTime() {
  if
  :: isInTime ->
    /* B13 */
    leave(recorded);
    isLookBefore = hasLooked && lookAge == 0;
    isSentBefore = look != none && sentAge == 0;
#ifdef QUESTIONS
    isQuestionBefore = (questionAge == 0)
#endif
  :: else -> leave(mustTouch) /* V4: a commit comes too late */
  fi
}

active proctype Writer() provided (!isOver)
{
end:
  do
  :: atomic {
      /* OneID sends the token, or sends it again */
      writer == idle && !hasAnswered ->
      execute(inserts);
      printf("STORY OneID sends the logout. A inserts it, with the time of now.\n")
    }
  :: atomic {
      writer == inserts ->
      if
      :: !isCommitted ->
        isCommitted = true;
        write(stampAge); /* B5 */
        printf("STORY The INSERT commits.\n");
        finishInTime()
      :: else ->
        printf("STORY A learns that the logout is recorded already.\n");
#ifdef NO_TOUCH_OF_KNOWN
        finishInTime()
#else
        leave(mustTouch) /* B6 */
#endif
      fi
    }
  :: atomic {
      writer == mustTouch ->
      execute(touches);
      printf("STORY A touches the logout, with the time of now.\n")
    }
  :: atomic {
      writer == touches ->
      touchRow(stampAge);
      printf("STORY The UPDATE commits.\n");
      finishInTime()
    }
  :: atomic {
      /* A gives up: a time limit, a lost connection, a restart. OneID gets no 200, and may send the token again */
      writer != idle ->
#ifdef ORPHANS
      if
      :: writer == touches && !hasOrphan -> hasOrphan = true; orphanAge = stampAge
      :: true
      fi;
#endif
      leave(idle);
      waited = 0;
      longest = 0;
      printf("STORY A gives up, OneID gets 503.\n")
    }
#ifdef ORPHANS
  :: atomic {
      hasOrphan ->
      touchRow(orphanAge);
      hasOrphan = false;
      orphanAge = 0;
      printf("STORY The UPDATE commits that A has given up.\n")
    }
#endif
  :: atomic {
      writer == recorded ->
      /* B14 */
      if
#ifdef NO_WAIT
      :: longest = 0
#else
      :: hasDeclaration -> longest = WAITED_STALENESS
      :: else -> longest = 0
#endif
      fi;
      writer = waiting;
      printf("STORY A reads the declarations, and must wait for %d ticks.\n", longest)
    }
  :: atomic {
      writer == waiting && waited >= longest ->
      hasAnswered = true;
      writer = idle;
      waited = 0;
      longest = 0;
      printf("STORY OneID gets its 200.\n")
    }
  od
}

/* ---- replica B: LogoutFollower.look ---- */

/* how far the estimate is ahead of the clock that the look has read */
#define ahead (lookLead + readAge)
#ifdef NO_STEP_CHECK
#define hasStepped false
#else
#define hasStepped (ahead > CLOCK_STEP + sentAge || ahead < 0 - CLOCK_STEP - sentAge) /* B9 */
#endif
#ifdef NO_SLOW_LOOK
#define isSlow false
#else
#define isSlow (sentAge > LOOK_DURATION) /* B8 */
#endif

active proctype Follower() provided (!isOver)
{
  bool anew;
  bool stepped;
end:
  do
  :: atomic {
      /* B11 */
      look == none && !isDeclaredHere ->
      hasDeclaration = true;
      isDeclaredHere = true;
      printf("STORY B declares itself.\n")
    }
  :: atomic {
      look == none && isDeclared ->
      look = isSent;
      printf("STORY B sends a look.\n")
    }
  :: atomic {
      look == isSent ->
      look = hasSnapshot;
      foundLogout = isCommitted && hasLooked && isInReach; /* B7 */
      printf("STORY The database takes its snapshot for the look, which finds the logout: %d.\n", foundLogout)
    }
  :: atomic {
      /* B8: a database that reads its clock before the snapshot reads an earlier time, so the next look reads further back */
      look == hasSnapshot ->
      look = hasRead;
      readAge = 0;
      printf("STORY The look reads the database's clock.\n")
    }
  :: atomic {
      look == hasRead ->
      stepped = hasLooked && hasStepped;
      anew = !hasLooked || isSlow || stepped || !isFound || mode != following;
      if
      :: !isFound || (hasLooked && (isSlow || stepped)) -> lose()
      :: else
      fi;
      if
#ifdef NO_GENERATION
      :: anew -> knowsLogout = false
#else
      /* B16: what this look has found does not count: a session that is read later is read after its commit */
      :: anew -> forget()
#endif
      :: !anew && foundLogout -> knowsLogout = true
      :: else
      fi;
      mode = following;
      hasLooked = true;
#ifdef NO_AGE_FROM_SENDING
      lookAge = 0;
      isLookBefore = false;
      lookLead = 0 - readAge;
#else
      lookAge = sentAge; /* B4 */
      isLookBefore = isSentBefore;
      lookLead = sentAge - readAge;
#endif
      isInReach = isCommitted && changedAge - readAge <= OVERLAP;
      endLook();
      printf("STORY B has the answer of its look. It knows the logout: %d. Its memory begins anew: %d.\n", knowsLogout, anew);
      anew = false;
      stepped = false
    }
  :: atomic {
      /* a look fails: the database does not answer, or its answer is lost */
      look != none || isDeclaredHere || mode == following ->
      lose();
      mode = failing;
      endLook();
      printf("STORY A look of B fails.\n")
    }
  :: atomic {
      /* B stops or is killed, and starts again. Its row may be deleted, because the process has certainly ended */
      (hasDeclaration || mode != starting) ->
      hasDeclaration = false;
      lose();
      dropQuestion();
      mode = starting;
      hasLooked = false;
      lookAge = 0;
      isLookBefore = false;
      lookLead = 0;
      isInReach = false;
      forget();
      endLook();
      printf("STORY B restarts.\n")
    }
  od
}

/* ---- replica B: CachedSessionLookup.check ---- */

#define isAnsweredByMemory (isUsable && knowsSession)
#ifdef QUESTIONS
#define mayJoin (questionAge != NEVER && isDeclared && isWithin(questionAge, JOINED_FOR, isQuestionBefore)) /* B15 */
#else
#define mayJoin false
#endif

inline letIn() {
  if
  :: hasAnswered -> printf("STORY A request arrives, and B lets it in.\n"); assert(false)
  :: else -> skip /* V1: a request before the 200 is let in */
  fi
}

active proctype Guard() provided (!isOver)
{
end:
  do
  :: atomic { isAnsweredByMemory && !knowsLogout -> letIn() }
  :: atomic { isAnsweredByMemory && knowsLogout && hasAnswered -> skip } /* V2: memory refuses a request after the 200 */
  /*
   * B asks the database, which says that the session is alive. Memory has the session at once: that B has it later
   * would be kinder. An answer "ended" is not remembered.
   */
  :: atomic {
      !isAnsweredByMemory && !mayJoin && !isCommitted ->
      if
#ifdef NO_GENERATION
      :: knowsSession = true
#else
      :: isUsable -> knowsSession = true /* B1, B2 */
      :: else
#endif
      fi;
#ifdef QUESTIONS
      if
#ifdef OLD_SHARING
      :: questionAge = 0
#else
      :: isDeclared -> questionAge = 0
      :: else
#endif
      fi;
#endif
      printf("STORY A request arrives. B asks the database, which says that the session is alive.\n")
    }
  :: atomic { !isAnsweredByMemory && !mayJoin && isCommitted && hasAnswered -> skip } /* V3: the database refuses a request after the 200 */
#ifdef QUESTIONS
  /* the answer of an earlier question may still come, so that later requests join it */
  :: atomic { !isAnsweredByMemory && mayJoin -> letIn() }
  :: atomic { questionAge != NEVER -> dropQuestion() }
#endif
#if ALLOWANCE > 0
  /* the database fails, and does not answer the question */
  :: atomic { !isAnsweredByMemory && isUsableInOutage && knowsSession && !knowsLogout -> letIn() }
#endif
  od
}
