/* Who wakes whom: reader, bridge, loop (devices/queue/queue.h, waker.h;
 * pymod/bridge.c, queue.c, get.c).
 *
 * One queue. The reader publishes FRAMES frames, puts some wakes off, and may
 * end the queue. The bridge serves the ready list. The loop runs TASKS tasks
 * that get frames, and may be cancelled and time out at any moment: the first
 * BATCH frames at a time and no fewer, the others one by one. LEASES times, so
 * many claims are held for a while that nobody can take a frame.
 *
 * What must hold: when nothing moves any more, nobody waits once the queue has
 * ended, and who waits at the front could not take what it asks for; no frame
 * is taken twice; no more than one announcement is under way for each waiter's
 * sleep.
 *
 * Each step is one access to a word that two threads share; what the GIL
 * protects is done in one step. Sequentially consistent, as are the accesses
 * that decide who sees whom. -D of a name in tests/model/check plants a bug. */

#ifndef FRAMES
#define FRAMES 3
#endif
#ifndef TASKS
#define TASKS 2
#endif
#ifndef BATCH
#define BATCH 1
#endif
#ifndef LEASES
#define LEASES 0
#endif
#define GETS 2 /* that a task makes at most */

#define NEEDS(i) ((i) == 0 -> BATCH : 1)
#define PENDING  (head - taken)

byte head, taken; /* frames published, and taken */
bool exhausted;   /* !aw_queue_can_claim() */
bool ended;       /* aw_queue.outcome */
bool armed, listed, on_list, bell;
bool put_off;
byte posted; /* _wake() callbacks on the loop */
bool gil;

/* Tasks: what each is doing, and the list of waiters in order. */
mtype = {done, waiting, idle};
mtype task[TASKS] = idle;
bool resolved[TASKS]; /* its future */
bool woken[TASKS];    /* GetObject.woken */
bool timed_out[TASKS];
byte gets[TASKS];
byte first = TASKS, behind = TASKS; /* numbers of waiters; TASKS: none */

#define FIRST_TASK 3 /* the process behind reader, bridge and loop */

#define LOCK   atomic { !gil -> gil = true }
#define UNLOCK gil = false

/* ---- the waker ---- */

/* aw_waker_announce(), listing. */
inline announce_listing() {
    atomic { was_listed = listed; listed = true }
    if
    :: was_listed
    :: else ->
        atomic { was_empty = !on_list; on_list = true }
        if
        :: was_empty -> bell = true
        :: else
        fi
    fi
}

/* announce() of queue_reader.c. */
inline announce() {
    put_off = false;
    if
    :: !armed
    :: armed ->
        atomic { was_armed = armed; armed = false }
        if
        :: was_armed -> announce_listing()
        :: else
        fi
    fi
}

active proctype reader() {
    bool was_armed, was_listed, was_empty;
    byte i;

    for (i : 1 .. FRAMES) {
#ifdef ANNOUNCE_FIRST
        announce();
        head++
#else
        head++;
        if
        :: put_off = true /* too soon after the last wake */
#ifdef ANNOUNCE_EMPTY
        :: true ->
            if
            :: PENDING == 1 -> announce()
            :: else
            fi
#else
        :: announce()
#endif
        fi
#endif
    }
#ifndef PUT_OFF_FORGOTTEN
    if
    :: put_off -> announce() /* aw_queue_wake_due() */
    :: else
    fi;
#endif
    if
    :: skip /* the device stays open */
    :: true ->
#ifdef END_LATE
        announce();
        ended = true
#else
        ended = true;
        announce()
#endif
    fi
}

/* ---- the bridge ---- */

active proctype bridge() {
    bool found;

end:
    do
    :: bell ->
        LOCK;
        /* aw_waker_take(): silenced first. */
#ifndef SILENCED_LATE
        bell = false;
#endif
        atomic { found = on_list; on_list = false };
        if
        :: found ->
#ifndef UNLISTED_LATE
            listed = false;
#endif
            if
            :: first != TASKS -> posted++; assert(posted <= FRAMES + 2)
            :: else
            fi;
#ifdef UNLISTED_LATE
            UNLOCK;
            LOCK;
            listed = false;
#endif
        :: else
        fi;
#ifdef SILENCED_LATE
        bell = false;
#endif
        UNLOCK
    od
}

/* ---- the loop ---- */

/* aw_queue_arm_at(); sets `sleeps`. */
inline arm_at(seen) {
#ifdef LOOK_FIRST
    sleeps = (PENDING <= seen && !ended);
    if
    :: sleeps -> armed = true
    :: else
    fi
#else
    armed = true;
#ifdef COUNT_UNSEEN
    sleeps = (seen > 0 || PENDING <= seen);
#else
    sleeps = (PENDING <= seen);
#endif
    if
#ifdef COUNT_END_UNSEEN
    :: sleeps -> sleeps = (seen > 0 || !ended)
#else
    :: sleeps -> sleeps = !ended
#endif
    :: else
    fi;
    if
    :: !sleeps -> armed = false
    :: else
    fi
#endif
}

/* aw_queue_settle(). */
inline settle() {
    do
    :: first == TASKS || woken[first] -> break
    :: else ->
        if
        :: ended ->
            d_step {
                woken[first] = true;
                resolved[first] = true;
                if
                :: behind != TASKS ->
                    woken[behind] = true;
                    resolved[behind] = true
                :: else
                fi
            };
            break
        :: else ->
            pending = PENDING;
            if
            :: pending >= NEEDS(first) && !exhausted ->
                d_step { woken[first] = true; resolved[first] = true };
                break
            :: else ->
#ifdef COUNTED_ANEW
                pending = PENDING;
#endif
                arm_at(pending);
                if
                :: sleeps -> break
                :: else
                fi
            fi
        fi
    od
}

inline enlist(i) {
    d_step {
        task[i] = waiting;
        resolved[i] = false;
#ifndef WOKEN_KEPT
        woken[i] = false;
#endif
        if
        :: first == i || behind == i
        :: else ->
            if
            :: first == TASKS -> first = i
            :: else -> behind = i
            fi
        fi
    }
}

inline delist(i) {
    d_step {
        if
        :: first == i -> first = behind; behind = TASKS
        :: behind == i -> behind = TASKS
        :: else
        fi
    }
}

/* leave(): however it ended, whoever waits behind is looked after. */
inline leave(i, next_state) {
    delist(i);
    d_step {
        task[i] = next_state;
        woken[i] = false;
        resolved[i] = false;
        timed_out[i] = false
    };
    settle()
}

/* What there is, but no more than was asked for: at the end, or in time. */
inline take_rest(i) {
    d_step {
        if
        :: exhausted
        :: !exhausted && PENDING >= NEEDS(i) -> taken = taken + NEEDS(i)
        :: else -> taken = head
        fi
    }
}

/* get_send(): takes, or ends, or waits. */
inline step(i) {
    if
    :: PENDING >= NEEDS(i) && !exhausted ->
        taken = taken + NEEDS(i);
        gets[i]++;
        if
        :: gets[i] == GETS -> leave(i, done)
        :: else -> leave(i, idle)
        fi
    :: else ->
        if
        :: ended -> take_rest(i); leave(i, done)
        :: else ->
            if
            :: timed_out[i] -> take_rest(i); leave(i, done)
            :: else ->
                enlist(i);
                settle()
            fi
        fi
    fi
}

/* One thread, like all that hold the GIL: a process for what the bridge
 * scheduled and for the leases, and one for each task. */
active proctype loop() {
    bool sleeps;
    byte pending, leases = LEASES;

end:
    do
    :: atomic { posted > 0 && !gil -> gil = true };
        posted--;
        settle();
        UNLOCK
    :: atomic { leases > 0 && !exhausted && !gil -> gil = true };
        leases--;
        exhausted = true;
        UNLOCK
    :: atomic { exhausted && !gil -> gil = true }; /* aw_queue_settle() at its end */
        exhausted = false;
#ifndef LEASE_END_SILENT
        settle();
#endif
        UNLOCK
    od
}

active [TASKS] proctype run_task() {
    bool sleeps;
    byte pending, me = _pid - FIRST_TASK;
    bool patient;

    /* Who can be cancelled at any moment never waits for ever, and would hide
     * a lost wake-up. */
    if
    :: patient = true
    :: true
    fi;
end:
    do
    :: atomic {
            !gil && (task[me] == idle ||
                     (task[me] == waiting && resolved[me])) ->
            gil = true
        };
        step(me);
        UNLOCK
    :: atomic { !patient && !gil && task[me] == waiting -> gil = true };
        /* Cancelled. */
#ifdef WAKE_KEPT
        delist(me);
        d_step { task[me] = done; woken[me] = false; resolved[me] = false };
#else
        leave(me, done);
#endif
        UNLOCK
    :: atomic {
            !patient && !gil && task[me] == waiting && !timed_out[me] ->
            timed_out[me] = true;
            resolved[me] = true
        }
    od
}

/* ---- what must hold when nothing moves any more ---- */

active proctype rest() {
    byte i;

    timeout;
    assert(!gil);
    assert(taken <= head);
    for (i : 0 .. TASKS - 1) {
        /* A lost wake-up. */
        assert(!(task[i] == waiting && (ended || first == TASKS)));
        assert(!(first == i && PENDING >= NEEDS(i) && !exhausted));
    }
}
