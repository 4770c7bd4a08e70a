/* The whole exchange: a master and its workers, with failures, refusals, a stop and checkpoints.
 *
 *   spin -run exchange.pml                  every run ends well: no deadlock, nothing lost
 *   spin -run -f -ltl all_end exchange.pml  every run ends
 *
 * Each name is that of the function of src/exchange that it stands for. What the suite `proof`
 * shows of mailbox and bell is taken for granted here: a change of a mailbox is one step, and who
 * sleeps on it wakes.
 *
 *   -DWORKERS=3 -DLETTERS=1   how many, and how many letters each
 *   -DFAILURES=1              one of the workers may fail, anywhere
 *   -DMASTER_FAILS=1          the master may fail before any letter
 *   -DREFUSALS=1              one letter may be refused
 *   -DCHECKPOINTS=1           one may begin at any time, beside that of the end
 *   -DSYNCHRONOUS             rounds of all workers; else any letter that is there
 *   -DLAST_LETTER             a letter ends the run of each worker, as Algorithm::last_letter says
 *   -DMISTAKE_...             something is forgotten: exchange_model_test.py has them
 */

#ifndef WORKERS
#define WORKERS 3
#endif
#ifndef LETTERS
#define LETTERS 1
#endif
#ifndef FAILURES
#define FAILURES 0
#endif
#ifndef MASTER_FAILS
#define MASTER_FAILS 0
#endif
#ifndef REFUSALS
#define REFUSALS 0
#endif
#ifndef CHECKPOINTS
#define CHECKPOINTS 0
#endif

#ifdef SYNCHRONOUS
#define SYNCHRONY 1      /* who has left counts as ready */
#define NEEDED WORKERS   /* so many make a round */
#else
#define SYNCHRONY 0
#define NEEDED 1
#endif

mtype = {idle, posted, answered, left, closed};  /* Mailbox::State */
mtype = {values, restart, no_more};              /* Mailbox::Reply */

mtype state[WORKERS] = idle;
mtype kind[WORKERS] = values;
byte mark_in[WORKERS];  /* Mailbox::mark */
bool rung;              /* the bell, since the master began to look around: Bell::ring, wait */
bool stop;              /* Team::request_stop */
byte ended;             /* threads */

byte out[WORKERS];      /* letters sent that were not absorbed, refused or turned away */

/* What may still happen. */
byte may_throw = FAILURES;
bool master_may_throw = MASTER_FAILS;
bool may_refuse = REFUSALS;
byte checkpoints_left = CHECKPOINTS;
bool master_failed, stopped;

/* Deposits: each inline is one call under its mutex. */
byte mark;
bool checkpoint, is_last, owes[WORKERS], gone[WORKERS];
#define is_whole (!owes[0] && !owes[WORKERS / 2] && !owes[WORKERS - 1])
#define is_gathering (checkpoint && !is_whole)

inline begin(last) {
  d_step {
    checkpoint = true;
    is_last = last;
    mark++;
    i = 0;
    do
    :: i < WORKERS -> owes[i] = !gone[i]; seat_mark[i] = mark; i++
    :: else -> break
    od;
    i = 0
  }
}
#ifdef MISTAKE_IGNORES_MARKS
inline lay_down(w, m) { skip }
#else
inline lay_down(w, m) { d_step { if :: m == mark -> owes[w] = false :: else fi } }
#endif
#ifdef MISTAKE_LEAVES_NOTHING
inline leave_replica(w) { skip }
#else
inline leave_replica(w) { d_step { gone[w] = true; owes[w] = false } }
#endif
#ifdef MISTAKE_LOSES_NOBODY
inline lose(w) { skip }
#else
inline lose(w) { leave_replica(w) }
#endif

/* Mailbox. */
inline change_to_posted(w) {  /* Mailbox::post */
  d_step {
    out[w]++;
    assert(state[w] == idle || state[w] == closed);
    if :: state[w] == idle -> state[w] = posted :: else fi
  }
}
#ifdef MISTAKE_RINGS_NOT
inline ring() { skip }
#else
inline ring() { rung = true }
#endif
inline release(w) {
  d_step {
    assert(state[w] == answered || state[w] == idle || state[w] == closed);
    if :: state[w] == answered -> state[w] = idle :: else fi
  }
}
inline leave(w) {
#ifdef MISTAKE_LEAVES_AT_ONCE
  state[w] = left;
#else
  atomic { state[w] != posted -> state[w] = left };
#endif
  ring()
}
inline answer(w, reply) {
  d_step {
    assert(state[w] == posted);
    kind[w] = reply;
    mark_in[w] = seat_mark[w];
    seat_mark[w] = 0;
    state[w] = answered
  }
}
inline close(w) { d_step { if :: state[w] != left -> state[w] = closed :: else fi } }

/* A worker. Worker::wait_for_reply */
inline wait_for_reply(w) {
  d_step {
    state[w] != posted;
    is_closed = state[w] == closed || (state[w] == answered && kind[w] == no_more);
    kind[w] = values;
    seen = mark_in[w];
    mark_in[w] = 0
  }
}
inline lay_down_as_posted(w) {
  if
  :: atomic { seen > 0 -> lay_down(w, seen); seen = 0 }
  :: atomic { seen == 0 }
  fi
}
inline may_fail() {
  if
  :: may_throw > 0 -> may_throw--; goto throws
  :: true
  fi
}

proctype Worker(byte me) {
  byte letter, seen;
  bool is_closed;
  do
  :: atomic { letter == LETTERS || is_closed || stop -> break }  /* Worker::run */
  :: atomic { letter < LETTERS && !is_closed && !stop -> may_fail(); /* its data */ change_to_posted(me) };
    ring();
    atomic { may_fail(); /* its gradient */ wait_for_reply(me) };
    lay_down_as_posted(me);
    atomic {
      if
      :: is_closed
      :: else -> may_fail();  /* its step */ release(me); letter++
      fi
    }
  od;
  atomic {
    if
    :: !is_closed && letter < LETTERS -> leave_replica(me)  /* Worker::leave(Stage::step) */
    :: else
    fi
  };
#ifdef LAST_LETTER
  if
  :: atomic { !is_closed -> change_to_posted(me) }; ring();
    wait_for_reply(me);
    lay_down_as_posted(me);
    release(me)
  :: atomic { is_closed }
  fi;
#endif
  atomic {
    if
    :: !is_closed && letter == LETTERS -> leave_replica(me)  /* Worker::leave(Stage::nothing) */
    :: else
    fi
  };
  leave(me);  /* ~Worker */
  atomic { ended++; goto end };
throws:
  leave(me);                 /* ~Worker */
  atomic { lose(me); ended++ }  /* Team::report_failure */
end:
  skip
}

/* Master::have_all_left */
inline look_around() {
  d_step {
    all_left = true;
    i = 0;
    do
    :: i < WORKERS ->
      looked[i] = state[i];
      all_left = all_left && looked[i] == left;
      i++
    :: else -> break
    od;
    i = 0
  }
}

/* Master::heed: that of a stop is begun before anybody is passed over who has left because of it */
inline heed() {
  if
  :: stop && !stopped -> stopped = true; begin(true)
  :: !stop && !stopped && checkpoints_left > 0 && !is_gathering ->
    checkpoints_left--; begin(false)
  :: !stop || stopped
  fi
}
/* What is not used any more is no part of a state. */
inline forget_the_look() {
  d_step {
    do
    :: i < WORKERS -> looked[i] = idle; i++
    :: else -> break
    od;
    i = 0;
    ready = 0;
    all_left = false;
    some_left = false
  }
}

/* OrderPolicy::next: how many may be served; in rounds those count that have left. */
inline count_ready() {
  d_step {
    do
    :: i < WORKERS ->
      if
      :: looked[i] == posted -> ready++
      :: looked[i] == left -> some_left = true; ready = ready + SYNCHRONY
      :: else
      fi;
      i++
    :: else -> break
    od;
    i = 0;
    if :: all_left -> ready = 0 :: else fi
  }
}

/* Master::absorb, refuse */
inline serve(w) {
  if
  :: atomic { may_refuse -> may_refuse = false; out[w]--; answer(w, restart) }
  :: atomic { out[w]--; answer(w, values) }
  fi
}

#ifdef SYNCHRONOUS
/* A round is of all or, once the run is being stopped, of none: Master::turn_away */
inline serve_round() {
  do
  :: i < WORKERS ->
    if
    :: looked[i] == posted && stopped && some_left -> out[i]--; answer(i, no_more)
    :: looked[i] == posted && !(stopped && some_left) -> serve(i)
    :: else
    fi;
    i++
  :: else -> i = 0; break
  od
}
#else
inline serve_round() {
  if  /* any that is there */
  :: looked[0] == posted -> serve(0)
  :: looked[WORKERS / 2] == posted -> serve(WORKERS / 2)
  :: looked[WORKERS - 1] == posted -> serve(WORKERS - 1)
  fi
}
#endif

proctype Master() {
  mtype looked[WORKERS] = idle;
  byte seat_mark[WORKERS];
  byte i, ready;
  bool all_left, some_left;
  do
  :: true ->  /* Master::serve */
#ifdef MISTAKE_LOOKS_BEFORE_THE_BELL
    look_around();
    rung = false;
#else
    rung = false;
    look_around();
#endif
    atomic { heed(); count_ready() };
    if
    :: atomic { ready >= NEEDED && master_may_throw -> master_may_throw = false; goto fails }
    :: ready >= NEEDED -> serve_round(); forget_the_look()
    :: atomic { ready < NEEDED && all_left ->
        if :: !stopped -> begin(true) :: else fi;
        break }
    :: atomic { ready < NEEDED && !all_left -> forget_the_look(); rung }  /* Bell::wait */
    fi
  od;
  atomic { ended++; goto end };
fails:
  forget_the_look();
  master_failed = true;
  stop = true;  /* Team's on_failure */
#ifndef MISTAKE_CLOSES_NOTHING
  do
  :: i < WORKERS -> close(i); i++
  :: else -> i = 0; break
  od;
#endif
  do  /* Master::wait_until_all_have_left */
  :: true ->
    rung = false;
    look_around();
    if
    :: atomic { all_left -> break }
    :: atomic { !all_left -> forget_the_look(); rung }
    fi
  od;
  ended++;
end:
  skip
}

proctype Main() {
  if
  :: atomic { stop = true; ended++ }
  :: atomic { ended++ }
  fi
}

#define THREADS (WORKERS + 2)
ltl all_end { <> (ended == THREADS) }

init {
  byte w;
  atomic {
    w = 0;
    do :: w < WORKERS -> run Worker(w); w++ :: else -> break od;
    run Master();
    run Main()
  }
  ended == THREADS;
  d_step {
    w = 0;
    do
    :: w < WORKERS ->
      assert(state[w] == left);
      assert(master_failed || out[w] == 0);
      w++
    :: else -> break
    od;
    assert(master_failed || (checkpoint && is_last && is_whole))
  }
}
