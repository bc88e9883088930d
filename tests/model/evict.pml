/* The ring that evicts: producer and consumer take from one end
 * (devices/queue/ring.h, steps 1 to 4).
 *
 * The producer writes FRAMES frames into SLOTS slots, DEPTH of them in use, and
 * publishes now and then. The consumer claims one or two frames, sometimes
 * twice before it releases, and reads them.
 *
 * What must hold: no slot is written while it is read, what is read is what was
 * claimed, each frame is claimed or evicted and never both, order, at most
 * DEPTH frames are anybody's to take, and in the end each is accounted for.
 *
 * Each step is one access to a word that both share. Sequentially consistent:
 * that acquire and release are enough is argued in ring.h. */

#ifndef FRAMES
#define FRAMES 6
#endif
#ifndef DEPTH
#define DEPTH 1
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#define NONE 255

byte head, cursor; /* shared */
byte tail = NONE;  /* shared: the oldest frame that may be claimed */
byte slot[SLOTS];
byte writing = NONE; /* the slot that is being written */
bool evicted[FRAMES], claimed[FRAMES];
byte evictions, refusals, deliveries, written;
bool finished;

/* ---- producer ---- */

inline look_at_cursor() {
    tail_seen = cursor;
    assert(next - tail_seen <= DEPTH)
}

/* slot_is_free(): sets `is_free`. */
inline look_at_slot() {
    is_free = next - free_until < SLOTS;
    if
    :: is_free
    :: else ->
#ifdef TAIL_IGNORED
        free_until = tail_seen;
#else
#ifdef TAIL_FIRST
        free_until = early_tail;
#else
        free_until = tail;
#endif
        free_until = (free_until < tail_seen -> free_until : tail_seen);
#endif
        is_free = next - free_until < SLOTS
    fi
}

inline evict() {
    atomic {
        swapped = (cursor == tail_seen);
        if
        :: swapped ->
            assert(!claimed[cursor]);
            evicted[cursor] = true;
            cursor++;
            evictions++;
            tail_seen++
        :: else
        fi
    }
    if
    :: swapped
    :: else ->
        look_at_cursor();
        assert(next - tail_seen < DEPTH)
    fi
}

active proctype producer() {
    byte next, tail_seen, free_until, early_tail, i;
    bool is_free, swapped;

    for (i : 1 .. FRAMES) {
#ifdef TAIL_FIRST
        early_tail = tail;
#endif
        if
        :: next - tail_seen >= DEPTH -> look_at_cursor()
        :: else
        fi;
        look_at_slot();
        if
        :: !is_free -> refusals++
        :: else ->
            if
            :: next - tail_seen == DEPTH -> evict()
            :: else
            fi;
            writing = next % SLOTS;
            slot[next % SLOTS] = NONE; /* half written */
            slot[next % SLOTS] = next;
            writing = NONE;
            next++;
            written++;
            if
            :: head = next
            :: skip /* with the next batch */
            fi
        fi
    }
    head = next;
    finished = true
}

/* ---- consumer ---- */

/* aw_ring_pending(): sets `seen` and `at`. */
inline look() {
    seen = head;
    do
    :: true ->
        at = cursor;
        if
        :: at <= seen -> break
        :: else ->
            again = head;
            if
            :: again <= at -> seen = again; break
            :: else -> seen = again
            fi
        fi
    od
}

/* claim_evicting(): sets `from` and `count`, 0 if there is nothing. */
inline claim() {
    count = 0;
    look();
    if
    :: at < seen ->
#ifndef NOT_ANNOUNCED
#ifndef ANNOUNCED_LATE
        if
        :: held == 0 -> tail = at
        :: else
        fi;
#endif
#endif
        do
        :: at < seen && count == 0 ->
            if
            :: want = 1
            :: want = 2
            fi;
            want = (want < seen - at -> want : seen - at);
            atomic {
                if
                :: cursor == at ->
                    from = at;
                    count = want;
                    for (i : from .. from + count - 1) {
                        assert(!evicted[i] && !claimed[i]);
                        claimed[i] = true
                    }
                    cursor = at + want;
                    i = 0
                :: else -> at = cursor
                fi
            }
        :: at >= seen && count == 0 ->
            look();
            if
            :: at >= seen -> break
            :: else
            fi
        :: count > 0 -> break
        od;
        if
        :: held > 0
        :: held == 0 && count == 0 -> tail = NONE
        :: held == 0 && count > 0 ->
            oldest = from;
#ifndef NOT_ANNOUNCED
            tail = from
#endif
        fi
    :: else
    fi;
    held = held + count
}

inline read_one(index) {
    assert(writing != (index) % SLOTS);
    assert(slot[(index) % SLOTS] == index);
}

active proctype consumer() {
    byte seen, at, again, from, count, want, held, oldest, end, i;
    bool was_finished;

    do
    :: true ->
        was_finished = finished;
        claim();
        end = from + count;
        if
        :: held == 0 && was_finished -> break
        :: held == 0 && !was_finished
        :: held > 0 ->
            if
            :: count > 0 ->
                /* Twice, for each frame: it stays whole. */
                read_one(from);
                read_one(end - 1);
                read_one(from);
                read_one(end - 1)
            :: else
            fi;
            if
            :: count > 0 && held == count -> skip /* hold it, claim more */
            :: true ->
                /* The older claim alone, or all. */
                if
                :: count > 0 && held > count ->
#ifdef RELEASED_EARLY
                    tail = end;
#else
                    tail = from;
#endif
                    deliveries = deliveries + held - count;
                    held = count;
                    read_one(from);
                    read_one(end - 1)
                :: true
                fi;
                tail = NONE;
                deliveries = deliveries + held;
                held = 0
            fi
        fi
    od;
    assert(written == deliveries + evictions);
    assert(written + refusals == FRAMES);
    assert(cursor == head)
}
