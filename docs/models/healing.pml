/* SPDX-License-Identifier: Apache-2.0
 *
 * healing: two devices whose sessions break because one of them goes back to an earlier copy of its
 * store, and how they come to a common session again. docs/protocol/05-session.md, sections 4, 5, 7,
 * 9 and 11; docs/protocol/07-node.md, sections 7.3.1, 7.4 and 7.5; docs/decisions/0008 and 0021.
 *
 * What stands for what:
 *
 *   device   one account and its peer row: proto/node/healing.c (begin, newcomer, answered, told,
 *            used), inbox.c and taking.c (receive), first.c (a session of theirs), outbox_seal.c,
 *            pump.c and finding.c (send, acknowledge), with proto/pair/ratchet.c and sequence.c
 *   people   who write, copy a home, and put the copy back
 *   clock    an hour, and 24 h: only when nothing else can happen, since messages are faster
 *
 * A turn is one atomic step. The queue between two devices is a channel that loses and doubles
 * nothing: docs/models/queue.pml is about that. It does not go back with its reader: what was taken
 * from it is gone.
 *
 * What is abstracted. A chain is named by how its root came to be: 1, then two bits for each step of
 * the ratchet, the life of who made it (lives are counted by goings back), so two who drew different
 * ratchet keys are in different chains, under one header key. A message key is (session, chain, n),
 * n up to 7. Contents are numbers, and are their own hashes and ids. T is drawn as smaller or larger
 * than all before. A session keeps one past chain, and not two. Every envelope has a token that is
 * out. A bundle is always to be had. An envelope that is deposited again has no acknowledgement.
 *
 * What is left out: the KEM ratchet, more than one device of a person, batches, new keys at the
 * owner's word, restored accounts, expiry after 30 days, stamps, lost prekeys, and what the limits
 * on skipped keys drop.
 *
 * The macros at the #ifdefs below make variants that are wrong; docs/models/healing.checks says
 * which property each of them breaks.
 */

#ifndef WORDS_A
#define WORDS_A 1 /* that the first writes before its last one */
#endif
#ifndef WORDS_B
#define WORDS_B 0
#endif
#ifndef BACK
#define BACK 1 /* times that one of them goes back, */
#endif
#ifndef WHO
#define WHO 1 /* which is this one */
#endif
#ifndef QUEUE
#define QUEUE 2 /* envelopes under way in one direction; not fewer than entries that wait for an
                   acknowledgement, which a day deposits again in one step: Spin stops there */
#endif
#ifndef DAYS
#define DAYS 1 /* without a word, before the last ones */
#endif

#define SLOTS 4  /* LIMIT_SESSIONS_PER_PAIR */
#define OUT 4    /* entries of an outbox */
#define MADE 6   /* sessions: more is an endless loop of resets */
#define CONTENTS 14

#define BIT(i) (1 << (i))
#define HAS(set, i) ((set) >> (i) & 1)
#define OF(nibbles, seq) ((nibbles) >> (4 * (seq)) & 15)

typedef Session {
    byte id;    /* 0: the slot is free */
    int root;   /* chain of the newest step */
    bit due;    /* a sending step is */
    int sending;
    byte sent;  /* in that chain */
    byte pn;
    int chain;  /* receiving; 0: never heard */
    byte came;  /* numbers that were opened in it */
    int past;
    byte past_came;
    byte past_end;
    byte boot;
    byte seq;
    byte last;  /* our last content */
    byte acked; /* seqs */
    byte their_boot;
    int have;   /* contents of theirs, a nibble for each seq */
    bit owes
};

typedef Entry {
    byte content; /* 0: none */
    byte session; /* 0: waits */
    byte seq;
    int chain;
    byte n;
    byte pn;
    byte prev;
    byte boot;
    bit first;
    bit heard;    /* they were, since */
    bit again
};

typedef Home {
    Session s[SLOTS];
    Entry out[OUT];
    byte heard;
    byte retired;
    byte doubtful;
    byte begun;     /* 1 + slot */
    bit first_sent; /* and no answer yet */
    bit healed;     /* within the hour */
    bit unread;
    byte known;     /* sessions that they began */
    short got       /* contents of theirs in the history */
};

Home home[2];
Home copy; /* of WHO */

/* Under way to each of the two: session, first?, chain, n, pn, seq (0: acknowledges alone), content,
 * the one before, boot; and the acknowledgement: boot (0: none), seqs, content of the highest. */
chan queue[2] = [QUEUE] of {byte, bit, int, byte, byte, byte, byte, byte, byte, byte, byte, byte};

/* What no store has, so nothing goes back. */
byte made = 1;       /* sessions */
byte written;        /* contents */
byte rank[MADE + 1]; /* of T */
byte began[MADE + 1];
byte life[2];
short ever[2];       /* contents that each has had in its history */
byte in_chain[SLOTS];    /* how many n were used, in the chain that the copy has open */
byte words[2];
byte backs = BACK;
bit copied;
byte days = DAYS;
bit peace;           /* nobody goes back any more */
bit last_word[2];
short note;          /* contents REKEYED */

/* What must not be: see the properties at the end. */
bit unfounded; /* an entry was deleted as acknowledged that the other side never had */
bit reused;    /* two contents under one key */
bit hasty;     /* two resets in an hour */
bit apart;     /* in the end they send on two sessions */
bit ended;

/* --- sessions of one peer --- */

#define S home[i].s[k]
#define O home[i].out[k]
#define THERE(k) (home[i].s[k].id != 0)
#define ESTABLISHED (S.chain != 0)

/* Slot to send on, as in peer_row_slot: in `slot`, SLOTS: none. */
inline choose_slot()
{
    slot = SLOTS;
    for (k : 0 .. SLOTS - 1) {
        if
        :: THERE(k) && HAS(home[i].heard & ~home[i].retired, k) &&
           (slot == SLOTS || rank[S.id] < rank[home[i].s[slot].id]) -> slot = k
        :: else
        fi
    }
    if
    :: slot == SLOTS && home[i].begun > 0 -> slot = home[i].begun - 1
    :: else
    fi;
    k = 0
}

/* Entries that this session sealed, 0: any, wait again. */
inline unseal(which)
{
    for (j : 0 .. OUT - 1) {
        if
        :: home[i].out[j].session != 0 && (which == 0 || home[i].out[j].session == which) ->
            wait(j)
        :: else
        fi
    }
    j = 0
}

inline wait(e)
{
    home[i].out[e].session = 0;
    home[i].out[e].seq = 0;
    home[i].out[e].chain = 0;
    home[i].out[e].n = 0;
    home[i].out[e].pn = 0;
    home[i].out[e].prev = 0;
    home[i].out[e].boot = 0;
    home[i].out[e].first = 0;
    home[i].out[e].heard = 0;
    home[i].out[e].again = 0
}

inline clear(k)
{
    S.id = 0;
    S.root = 0;
    S.due = 0;
    S.sending = 0;
    S.sent = 0;
    S.pn = 0;
    S.chain = 0;
    S.came = 0;
    S.past = 0;
    S.past_came = 0;
    S.past_end = 0;
    S.boot = 0;
    S.seq = 0;
    S.last = 0;
    S.acked = 0;
    S.their_boot = 0;
    S.have = 0;
    S.owes = 0;
    home[i].heard = home[i].heard & ~BIT(k);
    home[i].retired = home[i].retired & ~BIT(k);
    home[i].doubtful = home[i].doubtful & ~BIT(k)
}

/* healing.c, slot_for and contact_new_session: in `slot`, for the session `fresh`. */
inline new_session(fresh)
{
    slot = SLOTS;
    for (k : 0 .. SLOTS - 1) { /* a free one, */
        if
        :: slot == SLOTS && !THERE(k) -> slot = k
        :: else
        fi
    }
    for (k : 0 .. SLOTS - 1) { /* else one that nobody answered, */
        if
        :: slot == SLOTS && !HAS(home[i].heard, k) && k + 1 != home[i].begun -> slot = k
        :: else
        fi
    }
    for (k : 0 .. SLOTS - 1) { /* else one that was given up, */
        if
        :: slot == SLOTS && HAS(home[i].retired, k) -> slot = k
        :: else
        fi
    }
    if /* else the one of the largest T. */
    :: slot == SLOTS ->
        slot = 0;
        for (k : 0 .. SLOTS - 1) {
            if
            :: rank[S.id] > rank[home[i].s[slot].id] -> slot = k
            :: else
            fi
        }
    :: else
    fi;
    k = slot;
    if
    :: THERE(k) -> unseal(S.id)
    :: else
    fi;
    clear(k);
    S.id = fresh;
    S.root = 1;
    S.boot = life[i] + 1
}

/* Deletes these sessions. */
inline drop(slots)
{
    for (k : 0 .. SLOTS - 1) {
        if
        :: THERE(k) && HAS(slots, k) ->
            unseal(S.id);
            clear(k)
        :: else
        fi
    }
}

inline add_entry()
{
    k = 0;
    do
    :: O.content != 0 -> k++
    :: else -> break
    od;
    assert(k < OUT && written < CONTENTS);
    written++;
    O.content = written;
    k = 0
}

#ifdef NO_HOURLY_LIMIT
#define MAY_BEGIN true
#else
#define MAY_BEGIN (!home[i].healed)
#endif

/* healing_begin: all sessions are given up, what was sealed waits, and a note says so. */
inline begin_anew()
{
    printf("%d: begins anew\n", i);
    hasty = hasty | home[i].healed;
    home[i].healed = 1;
    for (k : 0 .. SLOTS - 1) {
        if
        :: THERE(k) -> home[i].retired = home[i].retired | BIT(k)
        :: else
        fi
    }
    home[i].doubtful = 0;
    home[i].begun = 0;
    home[i].first_sent = 0;
    unseal(0);
    add_entry();
    note = note | BIT(written)
}

/* --- an envelope comes --- */

#define OPENS 1
#define REPLAY 2
#define UNREADABLE 3
#define DROPPED 4

/* ratchet.c, open_header, and what skipped.c keeps. In `what`. Only OPENS moves anything. */
inline open()
{
    if
    :: S.chain != 0 && S.chain >> 2 == m_chain >> 2 ->
        if
        :: HAS(S.came, m_n) -> what = REPLAY
        :: !HAS(S.came, m_n) && S.chain == m_chain ->
            S.came = S.came | BIT(m_n);
            what = OPENS
        :: else -> what = UNREADABLE /* they drew another ratchet key */
        fi
    :: !(S.chain != 0 && S.chain >> 2 == m_chain >> 2) && (S.chain == 0 || !S.due) &&
       S.root == m_chain >> 2 ->
        S.past = S.chain;
        S.past_came = S.came;
        S.past_end = m_pn;
        do
        :: S.came >> S.past_end != 0 -> S.past_end++
        :: else -> break
        od;
        S.chain = m_chain;
        S.root = m_chain;
        S.came = BIT(m_n);
        S.due = 1;
        what = OPENS
    :: else ->
        if
        :: S.past != 0 && S.past >> 2 == m_chain >> 2 ->
            if
            :: m_n >= S.past_end ->
#ifdef END_OF_CHAIN_IS_DROPPED
                what = DROPPED
#else
                what = UNREADABLE
#endif
            :: m_n < S.past_end && HAS(S.past_came, m_n) -> what = REPLAY
            :: m_n < S.past_end && !HAS(S.past_came, m_n) && S.past == m_chain ->
                S.past_came = S.past_came | BIT(m_n);
                what = OPENS
            :: else -> what = UNREADABLE
            fi
        :: else -> what = UNREADABLE
        fi
    fi
}

/* sequence.c: reset, behind, again. */
inline number()
{
    if
    :: S.their_boot != m_boot ->
        reset = S.their_boot != 0;
        S.their_boot = m_boot;
        S.have = 0
    :: else
    fi;
    if
    :: a_boot == S.boot && a_seqs != 0 ->
        j = 7;
        do
        :: !HAS(a_seqs, j) -> j--
        :: else -> break
        od;
#ifdef NO_ACK_HASH
        behind = j > S.seq;
#else
        behind = j > S.seq || (j == S.seq && a_top != S.last);
        for (e : 0 .. OUT - 1) {
            behind = behind || (home[i].out[e].content != 0 && home[i].out[e].session == S.id &&
                                home[i].out[e].seq == j && home[i].out[e].content != a_top)
        }
        e = 0;
#endif
        S.acked = (behind -> S.acked : S.acked | a_seqs);
        j = 0
    :: else
    fi;
    if
    :: m_seq > 0 ->
        again = OF(S.have, m_seq) == m_content;
        reset = reset || (OF(S.have, m_seq) != 0 && !again) ||
                (OF(S.have, m_seq) == 0 && m_seq > 1 && OF(S.have, m_seq - 1) != 0 &&
                 OF(S.have, m_seq - 1) != m_prev);
        S.have = S.have & ~(15 << (4 * m_seq)) | (m_content << (4 * m_seq));
        S.owes = 1
    :: else
    fi
}

/* taking.c: the session of slot k has opened it. */
inline take()
{
    slot = k;
    if /* healing_answered */
    :: home[i].begun == slot + 1 && !HAS(home[i].heard, slot) ->
        drop(home[i].retired & ~home[i].doubtful & ~BIT(slot))
    :: else
    fi;
    k = slot;
#ifndef NO_CROSSING
    if /* healing_used */
    :: m_seq > 0 && !again && HAS(home[i].doubtful, k) ->
        home[i].retired = home[i].retired & ~BIT(k);
        home[i].doubtful = home[i].doubtful & ~BIT(k)
    :: else
    fi;
#endif
    home[i].heard = home[i].heard | BIT(k);
    home[i].first_sent = 0;
    for (j : 0 .. OUT - 1) {
        home[i].out[j].heard = home[i].out[j].session != 0
    }
    j = 0;
    if
    :: m_seq > 0 && !HAS(home[i].got, m_content) ->
        home[i].got = home[i].got | BIT(m_content);
        ever[i] = ever[i] | BIT(m_content);
        if /* healing_told */
        :: HAS(note, m_content) ->
            if
#ifndef TOLD_IN_ANY_SESSION
            :: began[m_session] == i -> drop(home[i].retired & ~BIT(slot)) /* the two crossed */
            :: else ->
            if
#endif
            :: home[i].begun > 0 && !HAS(home[i].heard, home[i].begun - 1) ->
                drop(~(BIT(slot) | BIT(home[i].begun - 1)))
            :: else -> drop(~BIT(slot))
            fi
#ifndef TOLD_IN_ANY_SESSION
            fi
#endif
        :: else
        fi;
        k = slot
    :: else
    fi;
    if
    :: !behind -> /* outbox_acked */
        for (j : 0 .. OUT - 1) {
            if
            :: home[i].out[j].session == S.id && HAS(S.acked, home[i].out[j].seq) ->
                unfounded = unfounded || !HAS(ever[1 - i], home[i].out[j].content);
                home[i].out[j].content = 0;
                wait(j)
            :: else
            fi
        }
        j = 0
    :: else -> unseal(S.id)
    fi;
    if
    :: (reset || behind) && MAY_BEGIN -> begin_anew()
    :: else
    fi
}

/* first.c and healing_newcomer: a session that they began. In slot k. */
inline newcomer()
{
    new_session(m_session);
    home[i].known = home[i].known | BIT(m_session);
    e = slot;
#ifndef KEEP_BOTH_SESSIONS
    for (k : 0 .. SLOTS - 1) {
        if
        :: THERE(k) && k != e && !HAS(home[i].retired, k) ->
            unseal(S.id);
            if
            :: home[i].begun == k + 1 && !HAS(home[i].heard, k) /* the two cross */
            :: else ->
                home[i].retired = home[i].retired | BIT(k);
                home[i].doubtful = home[i].doubtful | BIT(k)
            fi
        :: else
        fi
    }
#endif
    k = e;
    e = 0
}

inline receive()
{
    queue[i]?m_session, m_first, m_chain, m_n, m_pn, m_seq, m_content, m_prev, m_boot, a_boot,
        a_seqs, a_top;
    k = 0;
    do
    :: k < SLOTS && S.id != m_session -> k++
    :: else -> break
    od;
    if
    :: k < SLOTS -> open()
    :: k == SLOTS && m_first && !HAS(home[i].known, m_session) ->
        newcomer();
        open()
    :: k == SLOTS && m_first && HAS(home[i].known, m_session) -> what = DROPPED
    :: k == SLOTS && !m_first -> what = UNREADABLE
    fi;
    printf("%d: session %d chain %d n %d content %d, ack of boot %d: %d, %d: %d\n", i, m_session,
        m_chain, m_n, m_content, a_boot, a_seqs, a_top, what);
    if
    :: what == OPENS ->
        number();
        take()
    :: what == REPLAY ->
#ifndef REPLAY_UNANSWERED
        S.owes = 1
#endif
    :: what == UNREADABLE ->
        if
        :: MAY_BEGIN -> begin_anew()
        :: else -> home[i].unread = 1
        fi
    :: what == DROPPED
    fi;
    what = 0; reset = 0; behind = 0; again = 0; slot = 0; k = 0;
    m_session = 0; m_first = 0; m_chain = 0; m_n = 0; m_pn = 0; m_seq = 0; m_content = 0;
    m_prev = 0; m_boot = 0; a_boot = 0; a_seqs = 0; a_top = 0
}

/* --- an envelope goes --- */

/* Body keys cover a nonce that is drawn for each envelope: who seals a number of a chain again,
 * after going back, has another key. */
#ifdef REUSE_AFTER_ROLLBACK
#define SAME_NONCE true
#else
#define SAME_NONCE false
#endif

/* Seals what m_content says, 0: nothing but an acknowledgement, in slot k. */
inline seal()
{
    if
    :: S.due ->
        S.pn = S.sent;
        S.root = S.root << 2 | life[i];
        S.sending = S.root;
        S.sent = 0;
        S.due = 0
    :: else
    fi;
    m_n = S.sent;
    S.sent++;
    assert(m_n < 8);
    if
    :: copied && i == WHO && copy.s[k].id == S.id && copy.s[k].sending == S.sending ->
        reused = reused || (m_n < in_chain[k] && SAME_NONCE);
        in_chain[k] = (m_n < in_chain[k] -> in_chain[k] : S.sent)
    :: else
    fi;
    m_session = S.id;
    m_first = began[S.id] == i && !ESTABLISHED;
    m_chain = S.sending;
    m_pn = S.pn;
    m_boot = S.boot;
    if
    :: m_content != 0 ->
        S.seq++;
        assert(S.seq < 7);
        m_seq = S.seq;
        m_prev = S.last;
        S.last = m_content
    :: else
    fi;
    for (j : 1 .. 6) {
        if
        :: OF(S.have, j) != 0 ->
            a_boot = S.their_boot;
            a_seqs = a_seqs | BIT(j);
            a_top = OF(S.have, j)
        :: else
        fi
    }
    j = 0;
    S.owes = 0
}

inline deposit()
{
    printf("%d: seals session %d chain %d n %d content %d first %d\n", i, m_session, m_chain, m_n,
        m_content, m_first);
    queue[1 - i]!m_session, m_first, m_chain, m_n, m_pn, m_seq, m_content, m_prev, m_boot, a_boot,
        a_seqs, a_top;
    m_session = 0; m_first = 0; m_chain = 0; m_n = 0; m_pn = 0; m_seq = 0; m_content = 0;
    m_prev = 0; m_boot = 0; a_boot = 0; a_seqs = 0; a_top = 0
}

/* finding.c: a session of ours. */
inline initiate()
{
    made++;
    assert(made <= MADE);
    began[made] = i;
    rank[made] = (smaller -> 100 - made : 100 + made);
    new_session(made);
    S.due = 1;
    home[i].begun = slot + 1;
    home[i].first_sent = 1
}

/* The oldest entry that waits. */
inline send()
{
    e = OUT;
    for (k : 0 .. OUT - 1) {
        if
        :: O.content != 0 && O.session == 0 &&
           (e == OUT || O.content < home[i].out[e].content) -> e = k
        :: else
        fi
    }
    choose_slot();
    if
    :: slot == SLOTS -> initiate()
    :: else
    fi;
    k = slot;
    m_content = home[i].out[e].content;
    seal();
    home[i].out[e].session = m_session;
    home[i].out[e].seq = m_seq;
    home[i].out[e].chain = m_chain;
    home[i].out[e].n = m_n;
    home[i].out[e].pn = m_pn;
    home[i].out[e].prev = m_prev;
    home[i].out[e].boot = m_boot;
    home[i].out[e].first = m_first;
    deposit();
    k = 0; e = 0; slot = 0; smaller = 0
}

/* pump.c, make_acks: one session at a time. */
inline acknowledge()
{
    choose_slot();
    e = SLOTS;
    for (k : 0 .. SLOTS - 1) {
        if
        :: e == SLOTS && THERE(k) && HAS(home[i].heard & ~home[i].retired, k) &&
           (S.owes || (home[i].unread && k == slot)) -> e = k
        :: else
        fi
    }
    k = e;
    home[i].unread = (e == SLOTS || e == slot -> 0 : home[i].unread);
    if
    :: e < SLOTS ->
        seal();
        deposit()
    :: else
    fi;
    k = 0; e = 0; slot = 0
}

#define WAITS_(i, e) (home[i].out[e].content != 0 && home[i].out[e].session == 0)
#define WAITS(i) (WAITS_(i, 0) || WAITS_(i, 1) || WAITS_(i, 2) || WAITS_(i, 3))
#define OWES_(i, k) (home[i].s[k].owes && HAS(home[i].heard & ~home[i].retired, k))
#define OWES(i) (home[i].unread || OWES_(i, 0) || OWES_(i, 1) || OWES_(i, 2) || OWES_(i, 3))
#define EMPTY(i)                                                                                   \
    (home[i].out[0].content == 0 && home[i].out[1].content == 0 && home[i].out[2].content == 0 &&  \
     home[i].out[3].content == 0)
#define QUIET                                                                                      \
    (empty(queue[0]) && empty(queue[1]) && !WAITS(0) && !WAITS(1) && !OWES(0) && !OWES(1))

proctype device(byte i)
{
    byte k, j, e, slot, what;
    bit reset, behind, again;
    byte m_session, m_n, m_pn, m_seq, m_content, m_prev, m_boot, a_boot, a_seqs, a_top;
    bit m_first, smaller;
    int m_chain;
end:
    do
    :: d_step { nempty(queue[i]) -> receive() }
    :: atomic {
           WAITS(i) && nfull(queue[1 - i]) ->
           if /* what T a session that it has to begin would have */
           :: smaller = 1
           :: smaller = 0
           fi;
           d_step { send() }
       }
    :: d_step { !WAITS(i) && OWES(i) && nfull(queue[1 - i]) -> acknowledge() }
    od
}

/* --- time --- */

/* pump.c, look: an entry that was not acknowledged in a day. */
inline look()
{
    home[i].healed = 0;
    if
    :: home[i].first_sent -> /* contact_restart */
        home[i].first_sent = 0;
        home[i].begun = 0;
        unseal(0)
    :: else
    fi;
    for (e : 0 .. OUT - 1) {
        if
        :: home[i].out[e].content != 0 && home[i].out[e].session != 0 && home[i].out[e].heard ->
            if
            :: home[i].out[e].again && MAY_BEGIN -> begin_anew()
            :: else ->
                home[i].out[e].again = 1;
                home[i].out[e].heard = 0;
                queue[1 - i]!home[i].out[e].session, home[i].out[e].first, home[i].out[e].chain,
                    home[i].out[e].n, home[i].out[e].pn, home[i].out[e].seq,
                    home[i].out[e].content, home[i].out[e].prev, home[i].out[e].boot, 0, 0, 0
            fi
        :: else
        fi
    }
    e = 0
}

inline current()
{
    choose_slot();
    if
    :: slot < SLOTS -> j = home[i].s[slot].id
    :: else -> j = 0
    fi
}

active proctype clock()
{
    byte i, k, j, e, slot;
    byte of_a;
end:
    do
    :: d_step {
           QUIET && (!EMPTY(0) || !EMPTY(1) || home[0].healed || home[1].healed) &&
               (days > 0 || last_word[0] && last_word[1]) ->
           days = (last_word[0] && last_word[1] -> days : days - 1);
           printf("a day\n");
           i = 0;
           look();
           i = 1;
           look();
           i = 0
       }
    :: d_step {
           QUIET && EMPTY(0) && EMPTY(1) && last_word[0] && last_word[1] && !ended ->
           i = 0;
           current();
           of_a = j;
           i = 1;
           current();
           apart = of_a != j || j == 0;
           ended = 1;
           i = 0; j = 0; of_a = 0; slot = 0
       }
    od
}

/* --- people --- */

inline put(to, from)
{
    for (k : 0 .. SLOTS - 1) {
        to.s[k].id = from.s[k].id;
        to.s[k].root = from.s[k].root;
        to.s[k].due = from.s[k].due;
        to.s[k].sending = from.s[k].sending;
        to.s[k].sent = from.s[k].sent;
        to.s[k].pn = from.s[k].pn;
        to.s[k].chain = from.s[k].chain;
        to.s[k].came = from.s[k].came;
        to.s[k].past = from.s[k].past;
        to.s[k].past_came = from.s[k].past_came;
        to.s[k].past_end = from.s[k].past_end;
        to.s[k].boot = from.s[k].boot;
        to.s[k].seq = from.s[k].seq;
        to.s[k].last = from.s[k].last;
        to.s[k].acked = from.s[k].acked;
        to.s[k].their_boot = from.s[k].their_boot;
        to.s[k].have = from.s[k].have;
        to.s[k].owes = from.s[k].owes
    }
    for (k : 0 .. OUT - 1) {
        to.out[k].content = from.out[k].content;
        to.out[k].session = from.out[k].session;
        to.out[k].seq = from.out[k].seq;
        to.out[k].chain = from.out[k].chain;
        to.out[k].n = from.out[k].n;
        to.out[k].pn = from.out[k].pn;
        to.out[k].prev = from.out[k].prev;
        to.out[k].boot = from.out[k].boot;
        to.out[k].first = from.out[k].first;
        to.out[k].heard = from.out[k].heard;
        to.out[k].again = from.out[k].again
    }
    k = 0;
    to.heard = from.heard;
    to.retired = from.retired;
    to.doubtful = from.doubtful;
    to.begun = from.begun;
    to.first_sent = from.first_sent;
    to.healed = from.healed;
    to.unread = from.unread;
    to.known = from.known;
    to.got = from.got
}

inline make_copy()
{
    printf("%d: makes a copy\n", i);
    put(copy, home[i]);
    copied = 1;
    for (k : 0 .. SLOTS - 1) {
        in_chain[k] = S.sent
    }
    k = 0
}

inline go_back()
{
    printf("%d: goes back\n", i);
    put(home[i], copy);
    backs--;
    life[i]++
}

proctype people(byte i)
{
    byte k;
end:
    do
    :: d_step { words[i] > 0 -> words[i]--; add_entry() }
    :: d_step { peace && words[i] == 0 && !last_word[i] -> last_word[i] = 1; add_entry() }
    :: d_step { i == WHO && !copied && backs > 0 && !peace -> make_copy() }
    :: d_step { i == WHO && copied && backs > 0 && !peace -> go_back() }
    :: d_step { i == WHO && !peace -> peace = 1 }
    od
}

/* They have met: the first began session 1, and the second has answered in it. */
init {
    byte i;
    atomic {
        rank[1] = 100;
        words[0] = WORDS_A;
#ifdef SILENT /* the first says no last word: it only acknowledges */
        last_word[0] = 1;
#endif
        words[1] = WORDS_B;
        for (i : 0 .. 1) {
            home[i].s[0].id = 1;
            home[i].s[0].root = 16;
            home[i].s[0].sent = 1;
            home[i].s[0].came = 1;
            home[i].s[0].boot = 1;
            home[i].s[0].their_boot = 1;
            home[i].heard = 1
        }
        home[0].begun = 1;
        home[0].s[0].sending = 4;
        home[0].s[0].chain = 16;
        home[0].s[0].due = 1;
        home[1].s[0].sending = 16;
        home[1].s[0].chain = 4;
        home[1].known = BIT(1);
        i = 0;
        run device(0);
        run device(1);
        run people(0);
        run people(1)
    }
}

/* --- properties --- */

/* What is told to be delivered was in the other one's history, */
ltl delivered { [] !unfounded }
/* no two contents have one key, */
ltl keys { [] !reused }
/* and sessions are replaced once in an hour. */
ltl hourly { [] !hasty }
/* When nobody goes back any more, all that waits gets through, */
ltl settled { <> ended }
/* and the two send on one session. */
ltl common { [] !apart }
