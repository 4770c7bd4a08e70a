/* The whole exchange: a master and its workers, with failures, workers that are given up and begin
 * again, refusals, a stop and checkpoints.
 *
 *   spin -run exchange.pml                  every run ends well: no deadlock, nothing lost
 *   spin -run -f -ltl all_end exchange.pml  every run ends
 *
 * Each name is that of the function of src/exchange that it stands for. What the suite `proof`
 * shows of mailbox and bell is taken for granted here: a change of a mailbox is one step, and who
 * sleeps on it wakes. Left out: exchanges that are a pull and a letter, and what is in the letters.
 *
 *   -DWORKERS=3 -DLETTERS=1   how many, and how many letters each
 *   -DFAILURES=1              so many workers may fail, anywhere
 *   -DHANGS=1                 so many may stand still, until they are given up or for ever
 *   -DGIVE_UPS=1              so many may be given up without a reason
 *   -DRESTARTS=1              so many may begin again after any of these
 *   -DLACKS=1                 so many of these may find no thread
 *   -DFAILURE_STOPS           workers.on_failure = "stop"
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
#ifndef HANGS
#define HANGS 0
#endif
#ifndef GIVE_UPS
#define GIVE_UPS 0
#endif
#ifndef RESTARTS
#define RESTARTS 0
#endif
#ifndef LACKS
#define LACKS 0
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

#if GIVE_UPS > 0 || HANGS > 0
#define IS_WATCHED 1
#else
#define IS_WATCHED 0
#endif

#define LIVES (WORKERS * (RESTARTS + 1))
#define heir_of(b) ((b) + WORKERS)  /* the next life of the same worker */
#define worker_of(b) ((b) % WORKERS)

mtype = {idle, posted, answered, left, closed, withdrawn, abandoned};  /* Mailbox::State */
mtype = {values, restart, no_more};                         /* Mailbox::Reply */

/* Of each life, the first ones of all workers first. */
mtype state[LIVES] = idle;
mtype kind[LIVES] = values;
byte mark_in[LIVES];    /* Mailbox::mark, until its worker has laid down */
bool begins[LIVES];     /* Visit::begin, else a letter */
bool has_heir[LIVES];   /* Mailbox::heir */
bool is_over[LIVES], is_given_up[LIVES], stands_still[LIVES];
byte letters[LIVES];    /* letters of the life that were answered, and of those before it */
byte current[WORKERS];  /* Lives::current */
bool fate;              /* Team::fate_ is locked */
bool rung;              /* the bell, since the master began to look around: Bell::ring, wait */
bool stop;              /* Team::request_stop */
byte started = WORKERS + 2 + IS_WATCHED, ended;  /* threads */
bool master_ended;

byte out[LIVES];        /* letters sent that were not absorbed, refused or turned away */

/* What may still happen. */
byte may_throw = FAILURES, may_hang = HANGS, may_give_up = GIVE_UPS, may_restart = RESTARTS;
byte may_lack = LACKS;
bool master_may_throw = MASTER_FAILS;
bool may_refuse = REFUSALS;
byte checkpoints_left = CHECKPOINTS;
bool master_failed, stopped;

/* Deposits: each inline is one call under its mutex. */
byte mark;
bool checkpoint, is_last, owes[WORKERS], gone[WORKERS];
byte failed[WORKERS];    /* lives that have failed: what they leave counts for nothing */
byte served[WORKERS];    /* letters */
byte steps[WORKERS];     /* Master::steps_: what the last letter had behind it */
byte in_center[WORKERS]; /* letters that the center of the checkpoint has seen */
byte left_with[WORKERS]; /* one more than the letters of a replica that its first life has left */
#define is_whole (!owes[0] && !owes[WORKERS / 2] && !owes[WORKERS - 1])
#define is_gathering (checkpoint && !is_whole)

inline begin(last) {
  d_step {
    checkpoint = true;
    is_last = last;
    mark++;
    i = 0;
    do
    :: i < WORKERS ->
      owes[i] = !gone[i];
      in_center[i] = served[i];
      assert(owes[i] || left_with[i] == 0 || left_with[i] == served[i] + 1);
      seat_mark[i] = mark;
      i++
    :: else -> break
    od;
    i = 0
  }
}
/* The replica has so many letters behind it. Of a first life, the center has as many. */
inline put(b, count) {
  assert(b >= WORKERS || count == in_center[b]);
  owes[worker_of(b)] = false
}
#ifdef MISTAKE_HEARS_THE_DEAD
#define counts(b) true
#else
#define counts(b) (failed[worker_of(b)] == (b) / WORKERS)
#endif
#ifdef MISTAKE_IGNORES_MARKS
inline lay_down(b, count) { skip }
#else
inline lay_down(b, count) {
  d_step {
    if
    :: counts(b) && mark_in[b] == mark && owes[worker_of(b)] -> put(b, count)
    :: else
    fi;
    mark_in[b] = 0
  }
}
#endif
#ifdef MISTAKE_LEAVES_NOTHING
inline leave_replica(b, count) { skip }
#else
inline leave_replica(b, count) {
  d_step {
    if
    :: counts(b) ->
      gone[worker_of(b)] = true;
      if :: b < WORKERS -> left_with[worker_of(b)] = count + 1 :: else fi;
      if :: owes[worker_of(b)] -> put(b, count) :: else fi
    :: else
    fi
  }
}
#endif
inline give_up_unless_last() {
  if :: !is_last -> checkpoint = false; forget_debts() :: else fi
}
inline forget_debts() {
  owes[0] = false;
  owes[WORKERS / 2] = false;
  owes[WORKERS - 1] = false
}
#ifdef MISTAKE_LOSES_NOBODY
inline bequeath(w) { skip }
inline lose(w) { skip }
#else
inline bequeath(w) { d_step { gone[w] = true; owes[w] = false; left_with[w] = 0 } }
inline lose(w) {
  d_step {
    if :: owes[w] -> give_up_unless_last() :: else fi;
    owes[w] = false;
    gone[w] = true;
    left_with[w] = 0;
    failed[w]++
  }
}
#endif
inline note_failure(b) {  /* Deposits::fail */
  d_step {
    failed[worker_of(b)]++;
    gone[worker_of(b)] = false;
    left_with[worker_of(b)] = 0;
    if :: mark_in[b] == mark && owes[worker_of(b)] -> give_up_unless_last() :: else fi
  }
}

/* Mailbox. */
inline change_to_posted(b, is_letter) {  /* Mailbox::post */
  d_step {
    begins[b] = !is_letter;
    assert(state[b] != posted && state[b] != answered && state[b] != left);
    if
    :: state[b] == idle -> state[b] = posted; out[b] = out[b] + is_letter
    :: else
    fi
  }
}
#ifdef MISTAKE_RINGS_NOT
inline ring() { skip }
#else
inline ring() { rung = true }
#endif
inline release(b) {
  d_step {
    assert(state[b] != posted && state[b] != left);
    if :: state[b] == answered -> state[b] = idle :: else fi
  }
}
inline leave(b, to_heir) {
#ifdef MISTAKE_LEAVES_AT_ONCE
  atomic { has_heir[b] = to_heir; state[b] = left };
#else
  atomic { state[b] != posted -> has_heir[b] = to_heir; state[b] = left };
#endif
  ring()
}
inline answer(b, w, reply) {
  d_step {
    assert(state[b] == posted);
    kind[b] = reply;
    mark_in[b] = seat_mark[w];
    seat_mark[w] = 0;
    state[b] = answered
  }
}
#define is_over_for_good(b) (state[b] == left || state[b] == abandoned)
#define withdrew(b) (state[b] == withdrawn || state[b] == abandoned)  /* Mailbox::is_given_up */
#ifdef MISTAKE_CLOSES_WHO_IS_WITHDRAWN
inline close(b) { if :: !is_over_for_good(b) -> state[b] = closed :: else fi }
#else
inline close(b) { if :: state[b] != left && !withdrew(b) -> state[b] = closed :: else fi }
#endif

/* Team */
inline lock() { atomic { !fate -> fate = true } }
inline unlock() { fate = false }

/* Whether a life may follow: steps have to be left, and the run not to be stopped. */
inline make_sequel(b) {
  atomic {
    if
    :: may_restart > 0 && !stop && letters[b] < LETTERS ->
      may_restart--;
      letters[heir_of(b)] = letters[b];
      current[worker_of(b)] = heir_of(b);
      heir = true
    :: else -> heir = false
    fi
  }
}
#ifdef FAILURE_STOPS
inline settle(b) {
  lose(worker_of(b));
  stop = true
}
#else
#ifdef MISTAKE_FORGETS_THE_FAILURE
inline note_failed(b) { skip }
#else
inline note_failed(b) { note_failure(b) }
#endif
inline settle(b) {
  note_failed(b);
  if
  :: atomic { heir -> started++; run Worker(heir_of(b)) }
  :: atomic { heir && may_lack > 0 -> may_lack--; is_over[heir_of(b)] = true };  /* start_heir */
    bequeath(worker_of(b));
    leave(heir_of(b), false)
  :: atomic { !heir } -> bequeath(worker_of(b))
  fi
}
#endif
/* A worker. Worker::wait_for_reply */
inline wait_for_reply(b) {
  d_step {
    state[b] != posted;
    is_closed = state[b] == closed || withdrew(b) ||
                (state[b] == answered && kind[b] == no_more);
    kind[b] = values
  }
}
inline lay_down_as_posted(b) {
  if
  :: atomic { mark_in[b] > 0 -> lay_down(b, count) }
  :: atomic { mark_in[b] == 0 }
  fi
}
/* While it reads, computes or steps. One that is given up may never move again. */
inline may_fail(b) {
  if
  :: may_throw > 0 -> may_throw--; goto throws
  :: may_hang > 0 -> may_hang--; stands_still[b] = true; goto hangs
  :: is_given_up[b] -> goto hangs
  :: true
  fi
}

proctype Worker(byte me) {
  byte count = letters[me];
  bool is_closed, heir;
  bool has_begun = me < WORKERS, had_last;
  do
  :: atomic { count == LETTERS || is_closed || stop || withdrew(me) -> break }  /* run */
  :: atomic { !(count == LETTERS || is_closed || stop || withdrew(me)) ->
      may_fail(me);  /* its data, or the making of it */
      if
      :: has_begun -> change_to_posted(me, true)
      :: else -> change_to_posted(me, false)  /* begin_again */
      fi };
    ring();
    atomic { may_fail(me); /* its gradient */ wait_for_reply(me) };
    lay_down_as_posted(me);
    atomic {
      if
      :: !has_begun && !is_closed -> release(me); has_begun = true
      :: has_begun && !is_closed -> may_fail(me);  /* its step */ release(me); count++; letters[me] = count
      :: is_closed
      fi
    }
  od;
  atomic {
    if
    :: !is_closed && count < LETTERS -> leave_replica(me, count)  /* Worker::leave(Stage::step) */
    :: else
    fi
  };
#ifdef LAST_LETTER
  if
  :: atomic { !is_closed && has_begun -> change_to_posted(me, true) }; ring();
    wait_for_reply(me);
    lay_down_as_posted(me);
    atomic { if :: !is_closed -> release(me); had_last = true :: else fi }
  :: atomic { is_closed || !has_begun }
  fi;
#endif
  atomic {
    if
    :: !is_closed && count == LETTERS -> leave_replica(me, count + had_last)
    :: else
    fi
  };
  lock();  /* Team::end */
  if
  :: atomic { is_over[me] }
  :: atomic { !is_over[me] -> is_over[me] = true } -> leave(me, false)
  fi;
  atomic { unlock(); ended++; goto end };
throws:
#ifndef MISTAKE_LEAVES_AT_ONCE
  state[me] != posted;  /* ~Worker */
#endif
  atomic {  /* lay_down_if_owed: unless the device is lost */
    if
    :: state[me] == answered && mark_in[me] > 0 -> lay_down(me, count)
    :: true
    fi
  };
  lock();  /* Team::fail */
  if
  :: atomic { is_over[me] }
  :: atomic { !is_over[me] -> is_over[me] = true };
    make_sequel(me);
    settle(me);
    leave(me, heir)
  fi;
  atomic { unlock(); ended++; goto end };
hangs:
  atomic { is_given_up[me] -> ended++ };
end:
  skip
}

/* Master::look_at */
inline look_at(w) {
  do
  :: is_over_for_good(seat[w]) && has_heir[seat[w]] ->
    seat[w] = heir_of(seat[w]);
    if :: master_failed -> close(seat[w]) :: else fi
  :: is_over_for_good(seat[w]) && !has_heir[seat[w]] -> looked[w] = left; break
  :: else -> looked[w] = state[seat[w]]; break
  od
}

/* Master::have_all_left */
inline look_around() {
  d_step {
    all_left = true;
    i = 0;
    do
    :: i < WORKERS ->
      look_at(i);
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

/* Master::absorb, refuse, begin_again */
inline serve(w) {
  if
  :: atomic { begins[seat[w]] -> answer(seat[w], w, restart) }
  :: atomic { !begins[seat[w]] && may_refuse ->
      may_refuse = false; out[seat[w]]--; served[w]++; answer(seat[w], w, restart) }
  :: atomic { !begins[seat[w]] ->
      out[seat[w]]--; served[w]++;
      assert(letters[seat[w]] >= steps[w]); steps[w] = letters[seat[w]];  /* note_exchange */
      answer(seat[w], w, values) }
  fi
}

#ifdef SYNCHRONOUS
/* A round is of all or, once the run is being stopped, of none: Master::turn_away */
inline serve_round() {
  do
  :: i < WORKERS ->
    if
    :: looked[i] == posted && stopped && some_left ->
      out[seat[i]] = out[seat[i]] - !begins[seat[i]]; answer(seat[i], i, no_more)
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
  byte seat[WORKERS];  /* lives */
  byte seat_mark[WORKERS];
  byte i, ready;
  bool all_left, some_left;
  d_step { do :: i < WORKERS -> seat[i] = i; i++ :: else -> i = 0; break od };
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
  atomic { ended++; master_ended = true; goto end };
fails:
  forget_the_look();
  master_failed = true;
  stop = true;  /* Team's on_failure */
#ifndef MISTAKE_CLOSES_NOTHING
  do
  :: atomic { i < WORKERS -> close(seat[i]); i++ }
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
  atomic { ended++; master_ended = true };
end:
  skip
}

proctype Main() {
  if
  :: atomic { stop = true; ended++ }
  :: atomic { ended++ }
  fi
}

#if IS_WATCHED
/* Mailbox::withdraw */
#ifdef MISTAKE_WAITS_AFTER_THE_END
#define can_withdraw(b) (state[b] == idle || state[b] == answered)
#else
#define can_withdraw(b) (state[b] == idle || state[b] == answered || state[b] == closed)
#endif
/* Team::give_up of a life. */
inline give_up(b) {
  lock();
#ifdef MISTAKE_DECIDES_TOO_EARLY
  early = letters[b];
#endif
  if
  :: atomic { is_over[b] || !can_withdraw(b) }
  :: atomic { !is_over[b] && can_withdraw(b) ->
      state[b] = withdrawn;
      is_over[b] = true;
      is_given_up[b] = true };
    make_sequel(b);
#ifdef MISTAKE_DECIDES_TOO_EARLY
    atomic { if :: heir -> letters[heir_of(b)] = early :: else fi };
#endif
    settle(b);
    atomic { assert(state[b] == withdrawn); has_heir[b] = heir; state[b] = abandoned };
    ring()
  fi;
  heir = false;
  unlock()
}

#define stands(w) (stands_still[current[w]] && !is_given_up[current[w]])
/* Whoever joins the team looks after it. */
proctype Watchdog() {
  byte b, early;
  bool heir;
  do
  :: atomic { master_ended -> ended++; break }
  :: atomic { may_give_up > 0 -> may_give_up--;
      if :: b = current[0] :: b = current[WORKERS / 2] :: b = current[WORKERS - 1] fi };
    give_up(b); b = 0
  :: atomic { stands(0) && can_withdraw(current[0]) -> b = current[0] }; give_up(b); b = 0
  :: atomic { stands(WORKERS / 2) && can_withdraw(current[WORKERS / 2]) ->
      b = current[WORKERS / 2] }; give_up(b); b = 0
  :: atomic { stands(WORKERS - 1) && can_withdraw(current[WORKERS - 1]) ->
      b = current[WORKERS - 1] }; give_up(b); b = 0
  od
}
#endif

ltl all_end { <> (ended == started) }

init {
  byte w;
  atomic {
    w = 0;
    do :: w < WORKERS -> current[w] = w; run Worker(w); w++ :: else -> break od;
    run Master();
#if IS_WATCHED
    run Watchdog();
#endif
    run Main()
  }
  ended == started;
  d_step {
    w = 0;
    do
    :: w < LIVES ->
      assert(is_over_for_good(w) || w > current[worker_of(w)]);
      assert(master_failed || is_given_up[w] || out[w] == 0);
      w++
    :: else -> break
    od;
    assert(master_failed || (checkpoint && is_last && is_whole))
  }
}
