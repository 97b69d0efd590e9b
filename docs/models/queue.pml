/* SPDX-License-Identifier: Apache-2.0
 *
 * queue: a message on its way from its writer to its reader, by the reader's relay, while
 * processes crash and links break. docs/protocol/04-relay.md, sections 4.6.2 to 4.6.6 and 4.9.3,
 * and docs/protocol/07-node.md, sections 7.4 and 7.5.
 *
 * A process is the core of one node (proto/node, proto/relay):
 *
 *   writer     message.send with its client_id, and the outbox: proto/node/command_message.c,
 *              outbox.c, outbox_deposit.c, pump.c
 *   forwarder  the writer's own relay, which passes requests on: proto/node/forwarder.c. When
 *              DIRECT is defined it stands for the writer's own link, and dies with the writer
 *   relay      the reader's relay: proto/relay/host_queue.c, host_reader.c
 *   reader     its inbox, and the acknowledgement to its relay: proto/node/inbox.c, home.c
 *   network    breaks links
 *
 * A turn is one atomic step: an input is taken, what is durable is changed, outputs are let out.
 * Nobody sees what is not committed, and outputs meet others in channels alone, so where it breaks
 * matters in two places only: between commit and outputs, where MAY_CRASH stands, and before the
 * commit, which is the same as before the turn, since a crash loses what waits to be taken. What is
 * durable is marked so; all else is set back by a crash.
 *
 * A link is a generation, gen[]. A crash of one end, or a break, makes the next one; each end hears
 * of it when it hears of it. What was sent in an earlier generation is taken, if the receiver has
 * it in its buffers, or lost, and what was sent in the present one can overtake it.
 *
 * What is abstracted: an envelope is the number of its entry; the session is the set of envelopes
 * that were opened (docs/models/healing.pml has sessions). A token is a number and is the key of
 * the relay's spent index together with the envelope. The way back of the end-to-end
 * acknowledgement is the same protocol with the roles exchanged, so it is one durable cell that the
 * reader's outbox fills and the writer reads. Numbers of all faults are bounded, by TROUBLE.
 *
 * What is left out: stamps, prices, refusals, full queues and disks, lifetimes (30 days), batches,
 * volatile envelopes, second queues, moving to another relay, a relay that lies.
 *
 * The macros at the #ifdefs below make variants that are wrong; docs/models/check.sh says which
 * property each of them breaks.
 */

#ifndef N
#define N 2 /* what the user writes */
#endif
#ifndef TROUBLE
#define TROUBLE 2 /* crashes and breaks */
#endif
#ifndef AGAIN
#define AGAIN 1 /* times that 24 h pass without an acknowledgement */
#endif

#ifdef NO_CLIENT_ID
#define E (N + 1) /* a call that is repeated makes an entry more */
#else
#define E N
#endif
#ifdef NO_RELAY_DEDUP
#define LOG (E + AGAIN + 2)
#else
#define LOG (E + AGAIN) /* each token once */
#endif

#define LW 0 /* writer - forwarder */
#define LF 1 /* forwarder - relay */
#define LD 2 /* reader - relay */

#define FAILED 0
#define STORED 1
#define ATTACH 0

#define BIT(i) (1 << (i))
#define HAS(set, i) ((set) >> (i) & 1)

chan to_f = [2] of {byte, byte, byte};         /* entry, token, generation */
chan from_f = [2] of {byte, byte};             /* answer, entry */
chan to_r = [2] of {byte, byte, byte, byte};   /* entry, token, generations of LW and LF */
chan from_r = [2] of {byte, byte};             /* entry that was stored, generation of LW */
chan to_d = [2] of {byte, byte};               /* number of the push, entry */
chan from_d = [3] of {byte, byte};             /* ATTACH or number acknowledged, generation */

byte gen[3] = 1;
byte trouble = TROUBLE;

/* Durable, at the writer. Entries that are neither sealed nor at the relay are gone. */
byte entries;
byte content[E];
byte sealed;
byte at_relay;
byte token[E]; /* 0: none yet */
byte tokens;   /* used so far */
byte unheard;  /* entries at the relay since the reader was heard */
byte acked;    /* entries that the reader has, as far as it said */
byte again = AGAIN;

/* Durable, at the reader's relay. */
byte logged;
byte log_entry[LOG];
byte waits; /* places in the log that were not acknowledged */
byte spent; /* tokens */

/* Durable, at the reader: the envelopes that its session has opened, how many of them without a
 * gap, and whether it owes an acknowledgement. At the writer's relay: the newest one. */
byte opened;
byte cum;
bool owed;
byte back;

/* What the two people know. */
byte calls; /* messages that the writer's daemon has told its user it has */
byte shown; /* messages that the reader's user was shown */

/* What must not be: see the properties at the end. */
bool doubled;
bool disordered;
bool believed;  /* "at relay", and the relay did not have it on disk */
bool forgotten; /* an entry was deleted that the reader did not have on disk */

/* Each process has a label `crash`. */
#define MAY_CRASH if :: trouble > 0 -> goto crash :: true fi

/* --- the writer --- */

byte under_way; /* entries whose deposit was not answered */
byte w_link;    /* generation of LW as the writer knows it; 0: none */
byte f_link;    /* of LF as the forwarder knows it; 0: none */
byte f_asked;   /* entries that were passed on and not answered, */
byte f_for;     /* and the generation of LW that they came on */
bool r_up = true;

/* What waits to be read is lost with a link, at the end that made it. */
inline writer_closed()
{
    do
    :: nempty(from_f) -> from_f?_, _
    :: empty(from_f) -> break
    od
}

inline forwarder_closed()
{
    do
    :: nempty(from_r) -> from_r?_, _
    :: empty(from_r) -> break
    od
}

inline forwarder_lost()
{
    gen[LF]++;
    f_link = 0;
    f_asked = 0;
    f_for = 0;
    do
    :: nempty(to_f) -> to_f?_, _, _
    :: empty(to_f) -> break
    od;
    forwarder_closed()
}

inline writer_crash()
{
    trouble--;
    gen[LW]++;
    w_link = 0;
    under_way = 0;
#ifdef DIRECT
    forwarder_lost();
#endif
    writer_closed()
}

inline first_of(set)
{
    e = 0;
    do
    :: !HAS(set, e) -> e++
    :: else -> break
    od
}

inline add_entry(what)
{
    content[entries] = what;
    sealed = sealed | BIT(entries);
    entries++
}

#ifdef MANY_UNDER_WAY
#define MAY_DEPOSIT (sealed & ~under_way) != 0 && nfull(to_f)
#else
#define MAY_DEPOSIT sealed != 0 && under_way == 0
#endif
#ifdef NO_CLIENT_ID
#define KNOWN_CALL false
#else
#define KNOWN_CALL entries > calls
#endif

#define QUIET                                                                                      \
    under_way == 0 && empty(to_f) && empty(from_f) && empty(to_r) && empty(from_r) &&              \
        empty(to_d) && empty(from_d)

active proctype writer()
{
    byte e;
    byte answer;
end:
    do
    /* message.send: stored, then answered. A user that was not answered calls again. */
    :: atomic {
           calls < N && (KNOWN_CALL || entries < E) ->
#ifdef USER_ACK_BEFORE_COMMIT
           calls++;
           MAY_CRASH;
           add_entry(calls - 1)
#else
           if
           :: KNOWN_CALL /* the first result, once more */
           :: else -> add_entry(calls)
           fi;
           MAY_CRASH;
           calls++
#endif
       }
    /* A deposit: the token is stored with the entry, then it goes out. */
    :: atomic {
           MAY_DEPOSIT && w_link == gen[LW] ->
           first_of(sealed & ~under_way);
           if
           :: token[e] == 0 ->
               tokens++;
               token[e] = tokens
           :: else
           fi;
           MAY_CRASH;
           under_way = under_way | BIT(e);
           to_f!e, token[e], w_link;
           e = 0
       }
    :: atomic {
           from_f?answer, e ->
           under_way = under_way & ~BIT(e);
           if
           :: answer == STORED && HAS(sealed, e) ->
               believed = believed || !HAS(spent, token[e]);
               sealed = sealed & ~BIT(e);
#ifdef DELETE_AT_RELAY
               forgotten = forgotten || !HAS(opened, e)
#else
               at_relay = at_relay | BIT(e);
               unheard = unheard | BIT(e)
#endif
           :: else
           fi;
           e = 0; answer = 0
       }
    /* The end-to-end acknowledgement. */
    :: atomic {
           back > acked ->
           acked = back;
           forgotten = forgotten || (BIT(acked) - 1 & ~opened) != 0;
           unheard = 0;
           sealed = sealed & ~(BIT(acked) - 1);
           at_relay = at_relay & ~(BIT(acked) - 1)
       }
    /* 24 h without one: the same bytes, with another token if the reader was there and has not got
     * it. Nothing is under way so long. */
    :: atomic {
           again > 0 && at_relay != 0 && QUIET ->
           again--;
           first_of(at_relay);
           at_relay = at_relay & ~BIT(e);
           sealed = sealed | BIT(e);
           token[e] = (HAS(unheard, e) -> token[e] : 0);
           e = 0
       }
    /* Hears that its link was closed, and has another one. */
    :: atomic {
           w_link != gen[LW] ->
           writer_closed();
           w_link = gen[LW];
#ifdef NO_REPEAT
           at_relay = at_relay | under_way;
           sealed = sealed & ~under_way;
#endif
           under_way = 0
       }
    :: atomic { trouble > 0 -> crash: writer_crash(); e = 0 }
    od
}

/* --- the writer's own relay --- */

active proctype forwarder()
{
    byte e;
    byte t;
    byte g;
end:
    do
    /* Is asked to pass something on: on a link that is opened for it, if there is none. */
    :: atomic {
           nempty(to_f) && (f_link == gen[LF] || !r_up) ->
           to_f?e, t, g;
           if
           :: g != gen[LW] /* lost with its link, */
           :: r_up -> /* or not: it can have been read before */
               f_asked = (g == f_for -> f_asked : 0) | BIT(e);
               f_for = g;
               to_r!e, t, g, f_link
           :: !r_up && g == gen[LW] -> from_f!FAILED, e
           fi;
           e = 0; t = 0; g = 0
       }
    :: atomic {
           from_r?e, g ->
           f_asked = (g == f_for -> f_asked & ~BIT(e) : f_asked);
           if
           :: g == gen[LW] -> from_f!STORED, e
           :: else /* the link to who is to be told is gone */
           fi;
           e = 0; g = 0
       }
    /* Hears that its link was closed: what was asked on it failed. */
    :: atomic {
           r_up && f_link != gen[LF] ->
           forwarder_closed();
           f_link = gen[LF];
           do
           :: f_asked != 0 && f_for == gen[LW] ->
               first_of(f_asked);
               f_asked = f_asked & ~BIT(e);
               from_f!FAILED, e
           :: else -> break
           od;
           e = 0;
           f_asked = 0;
           f_for = 0
       }
#ifndef DIRECT
    :: atomic {
           trouble > 0 ->
           trouble--;
           gen[LW]++;
           forwarder_lost()
       }
#endif
    od
}

/* --- the reader's relay --- */

byte r_link;   /* generation of LD that is attached; 0: none */
byte r_cursor; /* next place in the log to look at */
byte r_pushed; /* in this attachment */
byte r_acked;
byte r_window[LOG + 1]; /* place in the log of each push that is not acknowledged */

inline detach()
{
    r_link = 0;
    r_cursor = 0;
    r_acked = 0;
    do
    :: r_pushed > 0 ->
        r_window[r_pushed] = 0;
        r_pushed--
    :: else -> break
    od
}

inline relay_crash()
{
    trouble--;
    gen[LF]++;
    gen[LD]++;
    r_up = false;
    detach();
    do
    :: nempty(to_r) -> to_r?_, _, _, _
    :: nempty(from_d) -> from_d?_, _
    :: empty(to_r) && empty(from_d) -> break
    od
}

inline reply()
{
    if
    :: l == gen[LF] -> from_r!e, g
    :: else
    fi
}

#ifdef NO_RELAY_DEDUP
#define KNOWN_DEPOSIT (logged == LOG)
#else
#define KNOWN_DEPOSIT HAS(spent, t)
#endif

inline store()
{
    if
    :: KNOWN_DEPOSIT /* the answer of then */
    :: else ->
        spent = spent | BIT(t);
        log_entry[logged] = e;
        waits = waits | BIT(logged);
        logged++
    fi
}

inline take_deposit()
{
#ifdef ACK_BEFORE_COMMIT
    reply();
    MAY_CRASH;
    store();
#else
    store();
    MAY_CRASH;
    reply();
#endif
    e = 0; t = 0; g = 0; l = 0
}

#ifdef LATE_ATTACH
#define MAY_ATTACH true
#else
#define MAY_ATTACH (r_link <= l)
#endif

inline take_of_reader()
{
    if
    :: e == ATTACH && MAY_ATTACH ->
        detach();
        r_link = l
    :: e != ATTACH && (r_link == l && e <= r_pushed) ->
        do
        :: r_acked < e ->
            r_acked++;
            waits = waits & ~BIT(r_window[r_acked])
        :: else -> break
        od
    :: else /* refused */
    fi
}

active proctype relay()
{
    byte e;
    byte t;
    byte g;
    byte l;
end:
    do
    :: atomic { !r_up -> r_up = true }
    /* What came on the present link can be read before what came on an earlier one, and that is
     * lost, or not. */
    :: atomic {
           if
           :: to_r?e, t, g, l
           :: to_r??e, t, g, eval(gen[LF]) -> l = gen[LF]
           fi;
           if
           :: l != gen[LF] -> e = 0; t = 0; g = 0; l = 0
           :: true -> take_deposit()
           fi
       }
    :: atomic {
           if
           :: from_d?e, l
           :: from_d??e, eval(gen[LD]) -> l = gen[LD]
           fi;
           if
           :: l != gen[LD]
           :: true -> take_of_reader()
           fi;
           e = 0; l = 0
       }
    :: atomic { r_link != 0 && r_link != gen[LD] -> detach() }
    /* A push. */
    :: atomic {
           r_link != 0 && r_link == gen[LD] && r_cursor < logged && nfull(to_d) ->
           if
           :: HAS(waits, r_cursor) ->
               r_pushed++;
               r_window[r_pushed] = r_cursor;
               to_d!r_pushed, log_entry[r_cursor];
#ifdef DELETE_AT_PUSH
               waits = waits & ~BIT(r_cursor);
#endif
           :: else
           fi;
           r_cursor++
       }
    :: atomic { trouble > 0 && r_up -> crash: relay_crash(); e = 0; t = 0; g = 0; l = 0 }
    od
}

/* --- the reader --- */

byte d_link;

inline reader_closed()
{
    do
    :: nempty(to_d) -> to_d?_, _
    :: empty(to_d) -> break
    od
}

inline reader_crash()
{
    trouble--;
    gen[LD]++;
    d_link = 0;
    reader_closed()
}

/* An envelope that was not opened before is shown, with what is behind it. */
inline open()
{
    if
#ifndef NO_READER_DEDUP
    :: HAS(opened, e)
#endif
    :: else ->
        doubled = doubled || content[e] < shown;
        disordered = disordered || content[e] > shown;
        shown = (content[e] == shown -> shown + 1 : shown);
        opened = opened | BIT(e);
        do
        :: HAS(opened, cum) -> cum++
        :: else -> break
        od
    fi;
    owed = true
}

inline acknowledge()
{
    if
    :: d_link == gen[LD] -> from_d!number, d_link
    :: else /* lost */
    fi
}

active proctype reader()
{
    byte number;
    byte e;
end:
    do
    :: atomic {
           to_d?number, e ->
#ifdef READER_ACK_BEFORE_COMMIT
           acknowledge();
           MAY_CRASH;
           open();
#else
           open();
           MAY_CRASH;
           acknowledge();
#endif
           number = 0; e = 0
       }
    :: atomic { owed -> owed = false; back = cum }
    :: atomic {
           d_link != gen[LD] && r_up ->
           reader_closed();
           d_link = gen[LD];
           from_d!ATTACH, d_link
       }
    :: atomic {
           trouble > 0 ->
       crash:
           reader_crash();
#ifdef OWED_IN_MEMORY
           owed = false;
#endif
           number = 0; e = 0
       }
    od
}

active proctype network()
{
end:
    do
    :: trouble <= TROUBLE /* time passes; always true */
#ifndef DIRECT
    :: atomic { trouble > 0 -> trouble--; gen[LW]++ }
#endif
    :: atomic { trouble > 0 -> trouble--; gen[LF]++ }
    :: atomic { trouble > 0 -> trouble--; gen[LD]++ }
    od
}

/* --- properties --- */

/* What the user was told is stored is shown exactly once, and in order. */
ltl once { [] !doubled }
ltl order { [] !disordered }
/* The relay stores what is deposited with one token once. */
ltl dedup { [] (logged <= tokens) }
/* "At relay" is never said of what the relay has not on disk, */
ltl receipts { [] !believed }
/* and what is deleted at the writer the reader has on disk. */
ltl deletion { [] !forgotten }
/* The crashes end, so all that was stored arrives and is deleted. */
ltl arrival { <> [] (calls == N && shown == N && sealed == 0 && at_relay == 0 && waits == 0) }
