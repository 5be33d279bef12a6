/*
 * Failover. Two database servers: one is the primary, the other its standby with synchronous replication. The primary
 * may be demoted and the other promoted, again and again. New connections lead to either server, and old ones still
 * lead where they led, so each statement may reach either server. Replica A records one logout and answers OneID. Replica B is bounded, and asks the database when
 * it may not use its memory, as a strict replica always does. The property: B lets in no request that arrives after
 * OneID has its 200.
 *
 * The times of the logouts are in bounded.pml. Here, a look on a primary finds each logout that this server has
 * committed. For clocks of two servers that differ, a failover is a step of the database's clock: bounded.pml, B9.
 * A macro NO_… takes one assumption or one measure away.
 */

#define NEVER 255
#define isWithin(age, limit, isBefore) (age < limit || (age == limit && !(isBefore && hasAnswered)))

/* ---- the servers ---- */

/* the role, and what this server shows to a statement */
/* 1: server 0 is the primary, 2: server 1, 3: both, 0: neither */
#ifdef GALERA
byte primaries = 3;
#else
byte primaries = 1;
#endif
#define isPrimary(server) ((primaries >> server) & 1)
bool hasLogout[2];
bool hasDeclaration[2];
/* what the standby has received, and shows later */
bool hasReceivedLogout[2];
bool hasReceivedDeclaration[2];

/* ---- replica A ---- */

mtype = { idle, sent, written, recorded, waiting };
mtype writer = idle;
byte waited;
byte longest;
bool hasAnswered;

/* ---- replica B ---- */

mtype = { starting, following, failing };
mtype mode = starting;
byte lookAge;
bool isLookBefore;
bool isDeclaredHere;
bool knowsSession;
bool knowsLogout;

/* the look that is under way; hasAnswer: the answer has the proof */
mtype = { none, asked, hasAnswer };
mtype look = none;
byte sentAge;
bool isSentBefore;
bool foundLogout;
bool foundDeclaration;
/* the guard has a question under way that it asked while memory was usable, and no generation has begun since */
bool asks;

/* F3: the proof, read by the same statement */
#ifdef NO_PROOF
#define proofOf(server) true
#else
#define proofOf(server) isPrimary(server)
#endif
#ifdef GALERA
/* F6: each node accepts writes, and a read waits until the node shows what the others have committed */
#ifdef NO_WAITING_NODE
#define shows(what, received, server) what[server]
#else
#define shows(what, received, server) (what[server] || received[server])
#endif
#else
#define shows(what, received, server) what[server]
#endif

#define isUsable (mode == following && isDeclaredHere && isWithin(lookAge, STALENESS, isLookBefore))
#define isOver (hasLogout[0] && hasLogout[1] && !knowsSession)

inline endLook() {
  look = none;
  sentAge = 0;
  isSentBefore = false;
  foundLogout = false;
  foundDeclaration = false
}

inline failLook() {
  isDeclaredHere = false;
  mode = failing;
  endLook()
}

inline forget() {
  knowsSession = false;
  knowsLogout = false;
  asks = false
}

active proctype Time() provided (!isOver)
{
end:
  do
  :: atomic {
      true ->
      waited = (writer == waiting && waited < longest -> waited + 1 : waited);
      lookAge = (mode != starting && lookAge <= STALENESS -> lookAge + 1 : lookAge);
      sentAge = (look != none && sentAge <= STALENESS -> sentAge + 1 : sentAge);
      printf("STORY TICK\n")
    }
  od
}

/* ---- the cluster ---- */

active proctype Cluster() provided (!isOver)
{
  byte s;
end:
  do
  /* the standby shows what it has received */
  :: atomic {
      if
      :: s = 0
      :: s = 1
      fi;
      if
      :: hasReceivedLogout[s] && !hasLogout[s] -> hasLogout[s] = true; printf("STORY Server %d shows the logout.\n", s)
      :: hasReceivedDeclaration[s] && !hasDeclaration[s] -> hasDeclaration[s] = true
      :: else
      fi;
      s = 0
    }
#ifndef GALERA
  /* F1: the primary is demoted, and follows the other server later */
  :: atomic {
      isPrimary(0) || isPrimary(1) ->
      s = (isPrimary(0) -> 0 : 1);
      primaries = primaries & ~(1 << s);
      printf("STORY Server %d is demoted.\n", s);
      s = 0
    }
  /* F2: a server is promoted. It first shows all that it has received */
  :: atomic {
#ifdef NO_FENCING
      !isPrimary(0) || !isPrimary(1) ->
#else
      !isPrimary(0) && !isPrimary(1) ->
#endif
      if
      :: !isPrimary(0) -> s = 0
      :: !isPrimary(1) -> s = 1
      fi;
      /* with synchronous replication, both have received each commit that was acknowledged */
      hasLogout[s] = hasLogout[s] || hasReceivedLogout[s];
      hasDeclaration[s] = hasDeclaration[s] || hasReceivedDeclaration[s];
      primaries = primaries | (1 << s);
#ifdef NO_SYNCHRONOUS
      /* the other server follows, and loses what only it has */
      if
      :: hasLogout[1 - s] && !hasLogout[s] -> hasLogout[1 - s] = false; hasReceivedLogout[1 - s] = false
      :: else
      fi;
      if
      :: hasDeclaration[1 - s] && !hasDeclaration[s] -> hasDeclaration[1 - s] = false; hasReceivedDeclaration[1 - s] = false
      :: else
      fi;
      hasReceivedLogout[1 - s] = hasLogout[s];
      hasReceivedDeclaration[1 - s] = hasDeclaration[s];
#endif
      printf("STORY Server %d is promoted.\n", s);
      s = 0
    }
#endif
  od
}

/* F4: a commit on the primary, visible when the other server has received it */
#define commit(shown, received, server) \
  shown[server] = true; \
  received[server] = true; \
  if \
  :: mayLose \
  :: reaches(server) -> received[1 - server] = true \
  :: else \
  fi
#ifdef NO_SYNCHRONOUS
#define mayLose true
#else
#define mayLose false
#endif
/* two primaries do not replicate to each other; the nodes of a Galera cluster do */
#ifdef GALERA
#define reaches(server) true
#else
#define reaches(server) !isPrimary(1 - server)
#endif

#define pick(server, condition) \
  if \
  :: condition(0) -> server = 0 \
  :: condition(1) -> server = 1 \
  fi
#ifdef NO_PROOF
#define hasProof true
#else
#define hasProof (primaries != 0)
#endif

active proctype Writer() provided (!isOver)
{
  byte s;
end:
  do
  :: atomic { writer == idle && !hasAnswered -> writer = sent; printf("STORY OneID sends the logout.\n") }
  /* F5: a standby refuses a write */
  :: atomic {
      writer == sent && primaries != 0 ->
      pick(s, isPrimary);
      commit(hasLogout, hasReceivedLogout, s);
      writer = written;
      printf("STORY Server %d commits the logout.\n", s);
      s = 0
    }
  :: atomic {
      writer == written ->
      writer = recorded;
      isLookBefore = mode != starting && lookAge == 0;
      isSentBefore = look != none && sentAge == 0;
      printf("STORY A has the answer: the logout is recorded.\n")
    }
  /* the read of the declarations proves its primary, too */
  :: atomic {
      writer == recorded && hasProof ->
      pick(s, proofOf);
      longest = (shows(hasDeclaration, hasReceivedDeclaration, s) -> STALENESS : 0);
      writer = waiting;
      printf("STORY A reads the declarations on server %d, and must wait for %d ticks.\n", s, longest);
      s = 0
    }
  :: atomic {
      writer == waiting && waited >= longest ->
      hasAnswered = true;
      writer = idle;
      waited = 0;
      longest = 0;
      printf("STORY OneID gets its 200.\n")
    }
  /* a refusal, a lost connection, a lost answer */
  :: atomic { writer != idle -> writer = idle; waited = 0; longest = 0; printf("STORY OneID gets 503.\n") }
  od
}

active proctype Follower() provided (!isOver)
{
  byte s;
  bool anew;
end:
  do
  :: atomic {
      look == none && !isDeclaredHere && primaries != 0 ->
      pick(s, isPrimary);
      commit(hasDeclaration, hasReceivedDeclaration, s);
      isDeclaredHere = true;
      printf("STORY B declares itself on server %d.\n", s);
      s = 0
    }
  :: atomic { look == none && isDeclaredHere -> look = asked; printf("STORY B sends a look.\n") }
  :: atomic {
      look == asked && hasProof ->
      pick(s, proofOf);
      look = hasAnswer;
      foundLogout = shows(hasLogout, hasReceivedLogout, s);
      foundDeclaration = shows(hasDeclaration, hasReceivedDeclaration, s);
      printf("STORY Server %d answers the look; the logout is in it: %d.\n", s, foundLogout);
      s = 0
    }
  :: atomic {
      look == hasAnswer ->
      anew = mode != following || !foundDeclaration;
      if
      :: !foundDeclaration -> isDeclaredHere = false
      :: else
      fi;
      if
      :: anew -> forget()
      :: !anew && foundLogout -> knowsLogout = true
      :: else
      fi;
      mode = following;
      lookAge = sentAge;
      isLookBefore = isSentBefore;
      endLook();
      printf("STORY B has the answer of its look. It knows the logout: %d. Its memory begins anew: %d.\n", knowsLogout, anew);
      anew = false
    }
  /* no answer, or one without the proof */
  :: atomic { look != none || isDeclaredHere || mode == following -> failLook(); printf("STORY A look of B fails.\n") }
  od
}

#define isAnsweredByMemory (isUsable && knowsSession)

active proctype Guard() provided (!isOver)
{
  byte s;
end:
  do
  :: atomic {
      isAnsweredByMemory && !knowsLogout ->
      if
      :: hasAnswered -> printf("STORY A request arrives, and B lets it in from memory.\n"); assert(false)
      :: else -> skip /* V1: memory lets a request in before the 200 */
      fi
    }
  :: atomic { isAnsweredByMemory && knowsLogout && hasAnswered -> skip } /* V2: memory refuses a request after the 200 */
  /* a request arrives while memory is usable; the database is asked later */
  :: atomic { isUsable && !knowsSession && !asks -> asks = true; printf("STORY A request arrives, and B asks the database.\n") }
  :: atomic { asks -> asks = false; printf("STORY B gets no answer: 503.\n") }
  /* the answer; or a request arrives and is answered at once. An answer without the proof is a 503 */
  :: atomic {
      !isAnsweredByMemory && hasProof ->
      pick(s, proofOf);
      if
      :: shows(hasLogout, hasReceivedLogout, s) && hasAnswered -> skip /* V3: the database refuses a request after the 200 */
      :: shows(hasLogout, hasReceivedLogout, s) && !hasAnswered
      :: else ->
        printf("STORY A request arrives. Server %d answers B that the session is alive, and B lets it in.\n", s);
        assert(!hasAnswered);
        if
        :: asks -> knowsSession = true /* V4: memory gets the session */
        :: else
        fi
      fi;
      asks = false;
      s = 0
    }
  od
}
