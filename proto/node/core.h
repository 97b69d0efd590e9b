/* SPDX-License-Identifier: Apache-2.0
 *
 * core: the node object, as the modules of proto/node see it. Nobody else includes this.
 *
 * Everything here can be rebuilt from the store (node_load). Who owns what:
 *   links.c     which links are open, requests of ours that wait
 *   account.c   identities of this node: keys, creation
 *   removal.c   an identity goes
 *   forget.c    what it overwrote or deleted is forgotten
 *   home.c      relays of ours: joining, queue
 *   moving.c    from one relay to another
 *   publish.c   key bundle and descriptors, at our own relays
 *   contact.c   people: their lists, accepting them
 *   devices.c   our own devices; mirror.c what they tell each other
 *   peers.c     devices of people: which there are, one that comes, one that goes
 *   healing.c   sessions with each of these
 *   finding.c   where people are, and their key bundles
 *   seek.c      the same in the DHT; resolve.c shows it; announce.c puts members' into it
 *   foreign.c   requests to relays where we own nothing
 *   forwarder.c our relay passes requests of members on
 *   outbox.c    messages out, until acknowledged end to end
 *   outbox_seal.c  what goes into their envelopes; outbox_deposit.c how they get to a relay
 *   evidence.c  what relays signed for and did not deliver; audit.c lists it
 *   outbox_batch.c several messages in one envelope
 *   pump.c      what to do next for each contact, and when
 *   inbox.c     envelopes in; first.c those that begin a session, taking.c what they change
 *   command.c   calls over the control interface
 */
#ifndef PETREL_NODE_CORE_H
#define PETREL_NODE_CORE_H

#include "node/cards.h"
#include "node/device.h"
#include "node/homes.h"
#include "node/io.h"
#include "node/links.h"
#include "node/mining.h"
#include "node/peer_rows.h"
#include "node/policy.h"
#include "node/rows.h"
#include "relay/host.h"

struct foreign;

/* A device of a contact with something to do. Idle ones have none and cost nothing. */
struct work {
    struct work *next;
    uint32_t peer;
    bool in_flight;     /* a request for it is unanswered */
    uint64_t due;       /* when to go on; UINT64_MAX: an event will say */
    uint32_t attempts;  /* failures in a row */
    enum err trouble;   /* the last failure; */
    uint64_t failed_ms; /* when that was, */
    unsigned ours;      /* and, when it was a link to a relay of ours, 1 + its slot */
    bool gave_up;       /* until the user does something */
    unsigned bits;      /* what its relay asked for a stamp; 0: the default */
    uint64_t head;      /* outbox entries below this order are at the relay */
    uint64_t ack_due;   /* when to send an ack-only body; UINT64_MAX: none owed */
    uint64_t acked_ms;  /* when the last one was made */
    uint64_t heal_due;  /* when a new session may begin; UINT64_MAX: none is wanted */
    bool unread;        /* something of theirs did not open: they are to hear that we are here */
    uint8_t knocked[SESSION_T]; /* session that something small was sent in, see outbox_send */
    bool ack_again;             /* look whether one is owed when the one that waits has left */
    bool second;                /* the deposit under way goes to their second queue; */
    struct sign_pk asked_relay; /* it, or the last one, went to this relay, */
    struct sign_pk asked_queue; /* and this queue there */
    uint64_t second_until;      /* their second queue is the first to be tried until then */
    bool other;                 /* it is the other queue's turn, as of so many failures */
    uint32_t other_at;
    bool lost;        /* their queues are gone: their descriptor may say where they are now; */
    bool absent;      /* our relay has none, and the DHT was not done; */
    bool found;       /* there was one, and their list is to be fetched; */
    bool newer;       /* another one came while a request was under way */
    uint64_t look_ms; /* next look at what the relay has and nobody acknowledged */
    uint64_t period;  /* of the descriptor that was asked for; */
    bool before;      /* the next one is that of the period before */
    struct mining mining;
    uint8_t seeks;           /* keys of theirs that are looked up in the DHT now; */
    uint64_t sought_ms;      /* the last time that they began to be, if we have a DHT */
    bool untroubled;         /* its row says that nothing stood in the way of foreign */
    struct foreign *foreign; /* what goes through our relay; owned, secret */
};

/* What an account is about to forget, and how far it is (forget.c). Secret memory. */
struct forget {
    struct seal_set noted; /* touched buckets, as the store has them; */
    uint64_t due;          /* when they get new keys, Unix ms; UINT64_MAX: there are none */
    struct seal_set cycle; /* buckets that have got one, and are not all sealed again; */
    size_t table;          /* this far: a place in a list of tables, */
    struct store_key at;   /* and the last row of it that was looked at */
    uint32_t former;       /* roots up to this generation are to be replaced */
    uint32_t asked;        /* generation of the root that the host is to keep; 0: none */
    uint8_t root[SEAL_KEY];
    uint64_t later; /* nothing is done before then, Unix ms; */
    uint64_t keep;  /* the host is to destroy the other roots then; UINT64_MAX: it has */
};

struct seek;
struct resolve;

/* Where our relay stands with putting its members' descriptors into the DHT. */
struct announcer {
    uint64_t due_ms;       /* Unix ms */
    uint64_t begun_ms;     /* this round; 0: none goes on */
    uint8_t at[SEAL_NAME]; /* name of the last one that was looked at */
};

struct forward_wait;

/* What our relay passes on for its members. */
struct forwarder {
    struct cards cards;           /* that members were given */
    struct forward_wait *waiting; /* oldest first; owned */
    size_t count;
    size_t bytes;
};

enum {
    WORK_SLOTS = 256,
    NODE_REPLY = LIMIT_FRAME - 64, /* largest body of a reply or push of our relay */
    INVITE_COUNTERS = 2,           /* tokens in an invitation: counter 1 deposits, counter 2 pops */
};

/* One identity of this node. Nothing that a relay or a contact sees is shared by two of them. */
struct account {
    struct account *next; /* of the node's list, in the order of their numbers */
    struct node *node;
    uint32_t number;        /* first in all its keys; from 1 */
    bool removing;          /* it leaves its relays; */
    bool removed;           /* now its rows go, and its keys are gone, */
    bool erased;            /* also those that the host had; */
    bool purged;            /* no row is left */
    uint64_t removing_ms;   /* since when, Unix ms */
    struct seal_keys *keys; /* NULL: locked */
    struct forget *forget;  /* when keys */
    struct sign_pk id;      /* when keys */
    bool hidden;            /* likewise: it has nothing to do with the DHT */
    bool linked;            /* likewise: this device does not hold the identity */
    uint32_t self; /* likewise: number of the contact that our other devices are; 0: none */
    struct home homes[LIMIT_HOMES];
    struct cards cards;      /* not shared: a relay could give each forwarder another key, */
    struct sign_pk cards_by; /* which is this relay of ours */
    struct work *work[WORK_SLOTS];
    size_t work_count;
    uint64_t news_next; /* as in the account's row, likewise these three */
    uint64_t rekey_next;
    uint64_t rekey_why;
    bool restoring;
    uint8_t swept[SEAL_NAME]; /* how far inbox_sweep is; zeros: at the beginning */
    struct tally rounds;      /* envelopes with a token that were tried with all, in a minute */
};

struct node {
    struct node_config config;
    char listen_host[LIMIT_HOST + 1];
    struct sign_pk id;
    struct sign_sk *sk; /* secret memory */
    struct links links;
    struct relay_host *relay; /* NULL when not a relay */
    struct account *accounts; /* owned */
    struct forwarder forwarder;
    struct announcer announcer;
    struct seek *seeks; /* owned */
    size_t seek_count;
    uint64_t last_seek;
    struct resolve *resolves; /* calls that wait; owned */
    uint32_t last_resolve;
    bool flushed;           /* the turn is at its end: what it did is done when another begins */
    unsigned mining_budget; /* stamp hashes that this turn may still try */
    uint64_t seen_ms;       /* what the clock said in the last turn */
    uint64_t last_tidy;     /* when events and client ids were trimmed last */
    uint64_t deadline;
    struct forward_policy forward; /* where our relay passes requests on to */
    uint8_t reply[NODE_REPLY]; /* under construction; wiped after use, last so that it costs nothing
                                  in a node that is no relay */
};

/* The work of this peer, made when there is none. NULL: out of memory. */
struct work *work_get(struct account *me, uint32_t peer);
struct work *work_find(const struct account *me, uint32_t peer);
void work_drop(struct account *me, uint32_t peer);
void work_drop_all(struct account *me);
/* Wants attention in this turn. */
void work_wake(struct work *work);
/* What it may have waited for has come: a link, an acknowledgement. A back-off goes on. */
void work_resume(struct work *work);
/* The user asks for it: as if nothing had failed before. */
void work_anew(struct work *work);
/* They were there at that time, by our clock. When that is not before the last failure, and nobody
 * asked us to wait, the back-off ends: a minute after that failure, or now. */
void work_heard(struct work *work, uint64_t when_ms);
/* Whether the last failure was that nobody was there. */
bool work_unreached(const struct work *work);
/* Notes a failure and sets due by exponential back-off with jitter, see work_delay. */
void work_fail(struct step *step, struct work *work, enum err trouble, uint64_t retry_after_ms);
/* Sends a request for the contact: in flight then. Without credit or a free place on the link it
 * goes on a second later. */
enum err work_request(struct work *work, struct step *step, struct node_link *link, uint8_t kind,
                      struct slice body, uint64_t order) PETREL_MUST_USE;
/* Delay before attempt n (from 1): doubles from LIMIT_RETRY_FIRST_MS to LIMIT_RETRY_MAX_MS, between
 * half and the whole of it. */
uint64_t work_backoff(struct step *step, uint32_t attempts);
/* The shortest of these delays. */
uint64_t work_pause(uint32_t attempts);
/* work_backoff, or what a relay asked for when that is longer, but never above LIMIT_RETRY_MAX_MS:
 * a relay must not be able to put us off for weeks. */
uint64_t work_delay(struct step *step, uint32_t attempts, uint64_t retry_after_ms);

/* account.c */
/* Finds all accounts, and opens those of which a root is given. */
enum err accounts_load(struct node *node, struct step *step, const struct node_root *roots,
                       size_t nroots) PETREL_MUST_USE;
void accounts_free(struct node *node);
/* NULL: no such account. */
struct account *account_find(const struct node *node, uint32_t number);
/* Its keys and all of it that is in memory only. */
void account_close(struct account *me);
/* The same, and its links. */
enum err account_shut(struct account *me, struct step *step) PETREL_MUST_USE;
/* The same, and takes it out of the list. */
void account_forget(struct account *me);
/* Opens it with R and goes on with what it had under way. ERR_CORRUPT: R opens nothing.
 * ERR_ROLLBACK: it is not the one that the store was committed under. */
enum err account_open(struct account *me, struct step *step,
                      const struct node_root *root) PETREL_MUST_USE;
/* A new one, open. seed: the identity's, or NULL. restoring: it does nothing before backup_end.
 * ERR_EXISTS: the number is taken. */
enum err account_create(struct node *node, struct step *step, const struct node_root *root,
                        const uint8_t *seed, bool restoring, struct account **me) PETREL_MUST_USE;
/* Our queues are others from now on: the list has to be made again, by the device that holds the
 * identity. The caller puts row. */
void account_queues_changed(struct account_row *row, uint64_t now_ms);
/* A number for a new contact. ERR_QUOTA: LIMIT_CONTACTS are there. */
enum err account_next_contact(struct account *me, struct step *step,
                              uint32_t *number) PETREL_MUST_USE;
/* A number for one more device of a contact, whose first one has the contact's: from LIMIT_CONTACTS
 * on, so that a contact with ever new devices takes nobody's place. ERR_QUOTA: none is left. */
enum err account_next_peer(struct account *me, struct step *step, uint32_t *number) PETREL_MUST_USE;
/* The identity's key pair, when account_row_holds. Wipe sk after use. */
void account_identity(const struct account_row *row, struct sign_pk *pk, struct sign_sk *sk);
/* The link key towards one relay: BLAKE2b(device seed, "petrel/1 link key" | node ID). */
void account_link_key(const struct account_row *row, const struct sign_pk *relay,
                      struct dh_sk *key);
/* What a session needs to know of us; slices borrow from row. Wipe self->dh after use. */
void account_pair_self(const struct account_row *row, struct pair_self *self);

/* announce.c */
enum err announce_progress(struct node *node, struct step *step) PETREL_MUST_USE;
uint64_t announce_deadline(const struct node *node);

/* seek.c */
enum {
    SEEK_KEYS = 2, /* of one person at a time */
};
/* The periods whose keys lead to somebody now: this one, and around midnight the one beside it. How
 * many. */
unsigned seek_periods(uint64_t now_ms, uint64_t periods[static SEEK_KEYS]);
/* Looks for the contact's descriptor, if there is a DHT, it is not done already, and there are not
 * too many of them. */
enum err seek_begin(struct account *me, struct step *step, struct work *work,
                    const struct peer_row *row) PETREL_MUST_USE;
enum err seek_item(struct node *node, struct step *step, uint64_t number,
                   const struct bep44_item *item) PETREL_MUST_USE;
void seek_done(struct node *node, struct step *step, uint64_t number);
void seek_free(struct node *node);
/* Looks for the descriptor of this period for resolve_item and resolve_sought. ERR_BACKPRESSURE:
 * there are LIMIT_SEEKS. ERR_BAD_KEY. */
enum err seek_resolve(struct node *node, struct step *step, const struct sign_pk *id,
                      uint64_t period, uint32_t way) PETREL_MUST_USE;

/* resolve.c */
/* A call that is to be answered later, and whom it asks for. */
struct resolve_call {
    uint64_t client;
    uint32_t number;
    struct sign_pk id;
};
/* Asks all at once. ERR_BACKPRESSURE: LIMIT_RESOLVES wait. */
enum err resolve_begin(struct account *me, struct step *step,
                       const struct resolve_call *call) PETREL_MUST_USE;
/* Sends what the link is for. STATE, ERR_NOT_FOUND: it is for nothing any more. */
enum err resolve_link_opened(struct node *node, struct step *step,
                             struct node_link *link) PETREL_MUST_USE;
void resolve_link_closed(struct node *node, struct step *step, const struct node_link *link,
                         enum err reason);
/* What our relay has answered. PEER: out of form. */
enum err resolve_reply(struct node *node, struct step *step, const struct node_link *link,
                       struct slice body) PETREL_MUST_USE;
void resolve_item(struct node *node, uint32_t way, const struct bep44_item *item);
void resolve_sought(struct node *node, struct step *step, uint32_t way);
/* Answers those of which nobody is waited for any more. */
enum err resolve_progress(struct node *node, struct step *step) PETREL_MUST_USE;
uint64_t resolve_deadline(const struct node *node);
/* The turn before this one has been committed. */
void resolve_committed(struct node *node);
/* See node_abandon. */
enum err resolve_abandon(struct node *node, struct step *step) PETREL_MUST_USE;
void resolve_free(struct node *node);

/* setback.c */
/* First thing that a turn does after its inputs: whether the clock was set back since the last one.
 * Our relay then looks at the clock too. */
bool setback_look(struct node *node, uint64_t now);

/* removal.c */
/* Begins: the account leaves its relays, which it tries for LIMIT_REMOVAL_HOURS at most; now: not
 * at all. Then all that it has here goes, its keys first. Goes on after a restart. */
enum err removal_begin(struct account *me, struct step *step, bool now) PETREL_MUST_USE;
/* What accounts_load found of one that was being removed. */
enum err removal_load(struct account *me, struct step *step) PETREL_MUST_USE;
/* Does what is due. *gone: nothing of it is left, and it is to be forgotten. */
enum err removal_progress(struct account *me, struct step *step, bool *gone) PETREL_MUST_USE;
/* The host has destroyed what opens its keys. */
void removal_erased(struct account *me);
uint64_t removal_deadline(const struct account *me);

/* forget.c */
/* Of an account that is opened: goes on where it was. */
enum err forget_load(struct account *me, struct step *step) PETREL_MUST_USE;
void forget_free(struct account *me);
/* Last thing that an account does in a turn: notes what was touched, does what is due. */
enum err forget_progress(struct account *me, struct step *step) PETREL_MUST_USE;
/* Roots up to this generation were sealed under another passphrase before: there will be another.
 */
void forget_former(struct account *me, uint32_t former);
/* The host has put this root beside the one in use, or could not. */
enum err forget_rooted(struct account *me, struct step *step, const struct node_root *root,
                       enum err result) PETREL_MUST_USE;
uint64_t forget_deadline(const struct account *me);

/* contact.c */
/* Tells clients of an event that is about one contact and nothing else; trouble: ERR_OK, or why. */
enum err contact_event(struct account *me, struct step *step, const struct contact_row *row,
                       const char *type, enum err trouble) PETREL_MUST_USE;
/* Puts the request that a new contact gets first. */
enum err contact_ask(struct account *me, struct step *step,
                     const struct contact_row *who) PETREL_MUST_USE;
/* The same, when it was given up unanswered and the user adds or writes again; else nothing. An
 * invitation that nobody would honour any more is forgotten then. Puts who when it changed. */
enum err contact_ask_again(struct account *me, struct step *step,
                           struct contact_row *who) PETREL_MUST_USE;
/* The user adds them again: what waits for any device of theirs is tried at once, as if nothing had
 * failed before. */
enum err contact_try_again(struct account *me, struct step *step,
                           const struct contact_row *who) PETREL_MUST_USE;
/* Tells clients what is wrong with this contact, and goes on. */
enum err contact_alarm(struct account *me, struct step *step, const struct contact_row *row,
                       enum err trouble) PETREL_MUST_USE;
/* Somebody else used the invitation of theirs by which we asked, or, with an id, the one that it
 * names, if that is it: tells clients, once. Puts row. */
enum err contact_invite_alarm(struct account *me, struct step *step, struct contact_row *row,
                              const uint8_t *id) PETREL_MUST_USE;
/* This contact used an invitation of ours that somebody else used too: tells its node, at once or,
 * since nothing goes out to who was not accepted, with the answer to its request. */
enum err contact_misused(struct account *me, struct step *step, uint32_t number,
                         const uint8_t id[INVITE_ID]) PETREL_MUST_USE;
/* Gives up until the user does something or the node starts, and tells clients, unless they were
 * told just that already and the user has done nothing since. Puts row. */
enum err contact_failed(struct account *me, struct step *step, struct work *work,
                        struct peer_row *row, enum err trouble) PETREL_MUST_USE;
/* Accepts a request: state, answer, event. */
enum err contact_accept(struct account *me, struct step *step,
                        struct contact_row *row) PETREL_MUST_USE;
/* Nothing of theirs is heard any more, and nothing goes to them. Puts row. */
enum err contact_block(struct account *me, struct step *step,
                       struct contact_row *row) PETREL_MUST_USE;
/* They are a contact from now on, by either's word: state, event, our list if we have other
 * devices. Puts row. */
enum err contact_became(struct account *me, struct step *step,
                        struct contact_row *row) PETREL_MUST_USE;
/* The user changed something about them: other devices hear of it. Puts row. */
enum err contact_changed(struct account *me, struct step *step,
                         struct contact_row *row) PETREL_MUST_USE;
/* Everything up to this order was read. Puts row, and tells clients. */
enum err contact_read(struct account *me, struct step *step, struct contact_row *row,
                      uint64_t order) PETREL_MUST_USE;
/* Encodes a word that says nothing to a contact. */
enum err contact_word(struct step *step, struct slice *word) PETREL_MUST_USE;
/* Writes to every contact who was not told yet where our queues are. */
enum err contact_announce(struct account *me, struct step *step) PETREL_MUST_USE;
/* Contacts who asked and wait for an answer. */
enum err contact_requests(struct account *me, struct step *step, uint64_t *count) PETREL_MUST_USE;
/* Asks again with a new session: what was sealed and not acknowledged is sealed anew. The old ones
 * stay to receive on. */
enum err contact_restart(struct account *me, struct step *step, struct work *work,
                         struct peer_row *row) PETREL_MUST_USE;
/* How a list stands to the one that is known of this contact. */
enum list_age {
    LIST_NEWER,
    LIST_OLDER,
    LIST_REVOKED, /* older, and this device of it is no longer in the known one */
};
/* The device list that is known of a contact (it has one), opened, in the turn's arena. LOCAL. */
enum err contact_list_known(struct step *step, const struct contact_row *row,
                            struct device_list **list) PETREL_MUST_USE;
enum err contact_list_age(struct step *step, const struct contact_row *row, struct slice list_bytes,
                          const struct device_list *list, unsigned device,
                          enum list_age *age) PETREL_MUST_USE;
/* Whether that is this very identity: its peers are our own other devices. */
bool contact_is_self(const struct account *me, const struct contact_row *who);
/* Gives a new session with this T a slot. What is in the outbox under a session that has to go for
 * it is sealed anew. The caller puts row and session. */
enum err contact_new_session(struct account *me, struct step *step, struct peer_row *row,
                             const uint8_t id[SESSION_T], uint8_t *slot) PETREL_MUST_USE;

/* devices.c */
/* What changes in our list beside our own queues. */
struct device_change {
    const struct device_entry *put; /* a device that is new or, by its certificate, elsewhere now */
    const struct device_entry *listed; /* what the list says of it now; NULL: it is new. Nothing is
                                          made when there is no room to say more than that */
    const struct sign_pk *remove;      /* signs the prekeys of one that goes */
};
/* A new version of our device list, when account_row_holds; change: or NULL. Contacts hear of a
 * change, and when our queues are others: where our record is, which a session that heals begins
 * with, they know from the list alone. Puts account. ERR_NO_RELAY: we have no queue. ERR_QUOTA,
 * ERR_TOO_LARGE: too many devices. */
enum err devices_list(struct account *me, struct step *step, struct account_row *account,
                      const struct device_change *change) PETREL_MUST_USE;
/* Where our own queues and record are. ERR_NO_RELAY. */
enum err devices_places(struct account *me, struct step *step,
                        struct device_entry *entry) PETREL_MUST_USE;
/* Whether one more device, with these keys (NULL: any), has a place in our list. ERR_NO_IDENTITY.
 * ERR_QUOTA. ERR_EXISTS: it has a key of one that is there. */
enum err devices_room(struct account *me, struct step *step,
                      const struct device_certificate *keys) PETREL_MUST_USE;
/* The stranger whose device row is used a link code of ours: it becomes one of ours, and its ID is
 * forgotten. entry: what its list says of it. Puts all but row's session. ERR_QUOTA. */
enum err devices_join(struct account *me, struct step *step, struct peer_row *row,
                      const struct device_entry *entry) PETREL_MUST_USE;
/* We asked to be a device of row's person, and this list of theirs names us: our own identity ends.
 * As peers_take_list otherwise; nothing when it does not, or we did not ask them. */
enum err devices_joined(struct account *me, struct step *step, struct peer_row *row,
                        struct slice list_bytes, bool *gone) PETREL_MUST_USE;
/* A newer list of our own person, verified. */
enum err devices_taken(struct account *me, struct step *step, struct slice list_bytes,
                       const struct device_list *list) PETREL_MUST_USE;
/* Queues and record of another device of ours are these by now. */
enum err devices_moved(struct account *me, struct step *step, const struct peer_row *row,
                       const struct device_entry *places) PETREL_MUST_USE;
/* The device whose prekeys this key signs is ours no more. ERR_NO_IDENTITY. */
enum err devices_remove(struct account *me, struct step *step,
                        const struct sign_pk *device) PETREL_MUST_USE;
/* Tells one contact our list, when there are other devices. */
enum err devices_tell(struct account *me, struct step *step,
                      const struct contact_row *who) PETREL_MUST_USE;
/* A slice of telling all of them. */
enum err devices_progress(struct account *me, struct step *step) PETREL_MUST_USE;

/* peers.c */
/* A newer list of a contact, as peers_take_list, of whom no peer is in hand. Puts who.
 * ERR_MALFORMED and the like. */
enum err peers_list(struct account *me, struct step *step, struct contact_row *who,
                    struct slice list_bytes) PETREL_MUST_USE;
/* A device of a contact that is new to us, under a number that is free (0: the next one); entry:
 * what its list of then says of it, or NULL: it is not known which device it is. Puts both.
 * ERR_QUOTA. */
enum err peers_add(struct account *me, struct step *step, struct contact_row *who, uint32_t number,
                   const struct device_entry *entry, uint64_t created_ms,
                   struct peer_row *row) PETREL_MUST_USE;
/* The peer that is this device. ERR_NOT_FOUND. */
enum err peers_find(struct account *me, struct step *step, const struct contact_row *who,
                    const struct device_entry *entry, struct peer_row *row) PETREL_MUST_USE;
/* Peers for all devices of the list that is known of a contact. Puts who. */
enum err peers_meet(struct account *me, struct step *step, struct contact_row *who) PETREL_MUST_USE;
/* One goes, with all that we had with it; what it had not acknowledged goes to the heirs. Puts who.
 */
enum err peers_remove(struct account *me, struct step *step, struct contact_row *who,
                      struct peer_row *row, const uint32_t *heirs, size_t nheirs) PETREL_MUST_USE;
/* Takes over a verified list of the person whose device row is, when it is not older than the one
 * that is known: peers come and go, and where their queues are. device: which entry it came from;
 * when it is not known which device row is, it is that one. An older list is passed over when that
 * device of it is in the known one too, else ERR_STALE: it was removed since. Puts row->who; the
 * caller puts row, unless *gone: the list does not name it. */
enum err peers_take_list(struct account *me, struct step *step, struct peer_row *row,
                         struct slice list_bytes, const struct device_list *list, unsigned device,
                         bool *gone) PETREL_MUST_USE;

/* finding.c */
/* Goes on finding the contact's key bundle. *ready: there is a session to send on. */
enum err finding_progress(struct account *me, struct step *step, struct work *work,
                          struct peer_row *row, bool *ready) PETREL_MUST_USE;
enum err finding_reply(struct account *me, struct step *step, struct work *work,
                       const struct link_request *request, struct slice body) PETREL_MUST_USE;
/* There is a session to send on, and it is known where: no search goes on. The work goes on at
 * once, when nothing is in flight. The caller puts row. */
void finding_over(struct work *work, struct peer_row *row);
/* A request of this kind came to nothing; 0: it is not known which. When it was for a search, the
 * queue that we know is tried in the meantime. */
void finding_failed(struct work *work, uint8_t kind);
/* Nobody was found in the DHT, or long ago, and no more lookups for them are under way. */
void finding_sought(struct step *step, struct work *work);
/* An item that the DHT has in the place of this period's descriptor of the contact: taken when it
 * is theirs and tells something new. */
enum err finding_item(struct account *me, struct step *step, struct work *work, uint64_t period,
                      const struct bep44_item *item) PETREL_MUST_USE;

/* foreign.c */
/* Opens the way to the relay at `to`. *ready: foreign_send may be called now; else an event or
 * work->due says when to look again. */
enum err foreign_open(struct account *me, struct step *step, struct work *work,
                      const struct address *to, bool *ready) PETREL_MUST_USE;
/* Sends (kind, body): in flight then. In the same turn as a foreign_open that said ready. */
enum err foreign_send(struct account *me, struct step *step, struct work *work,
                      const struct address *to, uint8_t kind, struct slice body,
                      uint64_t order) PETREL_MUST_USE;
/* Our relay's answer. request->kind: that of the inner request, whose reply is *body then; 0:
 * nothing is left to be done. An error other than LOCAL is our own relay's mistake. */
enum err foreign_reply(struct account *me, struct step *step, struct work *work,
                       struct link_request *request, struct slice *body) PETREL_MUST_USE;
/* Wipes and frees; NULL is fine. */
void foreign_free(struct foreign *foreign);

/* forwarder.c */
void forwarder_fini(struct forwarder *forwarder);
/* Takes another policy over, for requests that come from now on. */
void forwarder_policy(struct node *node, const struct forward_policy *policy);
/* A member's request on its link. An error other than LOCAL is the member's mistake. */
enum err forwarder_request(struct node *node, struct step *step, struct node_link *member,
                           const struct frame *frame) PETREL_MUST_USE;
/* The other relay's reply, on the link to it. */
enum err forwarder_reply(struct node *node, struct step *step, struct node_link *link,
                         const struct link_request *request, struct slice body) PETREL_MUST_USE;
/* A link that came in is closed: what waited for its sake is dropped. */
void forwarder_member_gone(struct node *node, uint64_t member);
/* A link to another relay opened, or got credit: what waits for it goes, as far as it has room. */
enum err forwarder_room(struct node *node, struct step *step,
                        struct node_link *link) PETREL_MUST_USE;
enum err forwarder_link_closed(struct node *node, struct step *step, const struct node_link *link,
                               enum err reason) PETREL_MUST_USE;

/* outbox.c */
/* Orders from here on are ack-only bodies, which have no place in the history. */
#define OUTBOX_ACKS (UINT64_C(1) << 63)

/* Loads who has entries that wait, and whom an acknowledgement is owed. */
enum err outbox_load(struct account *me, struct step *step) PETREL_MUST_USE;
/* Adds an entry at the end for each device of a contact; *order: its place, also in the history
 * when message: then our own other devices get a copy. */
enum err outbox_add(struct account *me, struct step *step, const struct contact_row *who,
                    struct slice content, bool message, uint64_t *order) PETREL_MUST_USE;
/* The same for one device alone, with its contact's history. */
enum err outbox_add_peer(struct account *me, struct step *step, struct peer_row *row,
                         struct slice content, bool message, uint64_t *order) PETREL_MUST_USE;
/* An entry of a device that is gone: for this one, unless it has it. */
enum err outbox_inherit(struct account *me, struct step *step, uint32_t peer, uint64_t order,
                        const struct outbox_row *entry) PETREL_MUST_USE;
bool outbox_is_request(const struct outbox_row *entry);
/* A request is as old as what was written behind it last: puts it so. */
enum err outbox_prolong(struct account *me, struct step *step, uint32_t peer, uint64_t order,
                        struct outbox_row *entry) PETREL_MUST_USE;
/* Takes an entry out for good, and all that is in its envelope. Its message has failed, unless the
 * relay has it: then it may still arrive, and does not when its time is over. */
enum err outbox_give_up(struct account *me, struct step *step, const struct peer_row *row,
                        uint64_t order, const struct outbox_row *entry,
                        enum err why) PETREL_MUST_USE;
/* Removes entries that session s (with T) says are acknowledged. */
enum err outbox_acked(struct account *me, struct step *step, const struct peer_row *row,
                      const struct session *s) PETREL_MUST_USE;
/* Whether what they acknowledge in this session is something else than what we sent under that
 * number: *another. Then nothing of that acknowledgement counts. */
enum err outbox_compare(struct account *me, struct step *step, const struct peer_row *row,
                        const struct session *s, const struct session_in *in,
                        bool *another) PETREL_MUST_USE;
/* Gives up all entries of a peer: what the relay does not have yet has failed. */
enum err outbox_clear(struct account *me, struct step *step, const struct peer_row *row,
                      enum err why) PETREL_MUST_USE;
/* The peer has another queue: tokens for the old one go, and all that was deposited and not
 * acknowledged is deposited again. */
enum err outbox_moved(struct account *me, struct step *step, uint32_t peer) PETREL_MUST_USE;
/* The next free place in the history with this contact. */
enum err outbox_next_order(struct account *me, struct step *step, const struct contact_row *who,
                           uint64_t *order) PETREL_MUST_USE;
/* Entries of all peers. */
enum err outbox_count(struct account *me, struct step *step, uint64_t *count) PETREL_MUST_USE;
/* When the oldest of them that is no acknowledgement was made, Unix ms, when that is before
 * *created_ms or that is 0. */
enum err outbox_oldest(struct account *me, struct step *step, uint64_t *created_ms) PETREL_MUST_USE;

/* Notes at its place in the history what became of a message, and tells clients; nothing for
 * content that has no place there. trouble: why it failed. */
enum err outbox_became(struct account *me, struct step *step, const struct contact_row *who,
                       uint64_t order, enum message_state state, enum err trouble) PETREL_MUST_USE;

/* outbox_seal.c */
/* Seals entry (content, or an ack-only body) on the session in slot; saves session, peer and what
 * goes along in a batch, but not the entry. ERR_NOT_NOW: too much is unacknowledged, or an ack-only
 * body is not owed. */
enum err outbox_seal(struct account *me, struct step *step, struct peer_row *row, uint8_t slot,
                     uint64_t order, struct outbox_row *entry) PETREL_MUST_USE;

/* outbox_deposit.c */
/* Seals the entry when it waits, then deposits it. */
enum err outbox_send(struct account *me, struct step *step, struct work *work, struct peer_row *row,
                     uint64_t order, struct outbox_row *entry) PETREL_MUST_USE;
/* The relay's answer to a deposit. */
enum err outbox_reply(struct account *me, struct step *step, struct work *work,
                      const struct link_request *request, struct slice body) PETREL_MUST_USE;

/* outbox_batch.c */
/* What goes into one envelope. */
struct outbox_batch {
    struct slice content;        /* of the body */
    size_t count;                /* of entries, from 1 */
    uint64_t order[LIMIT_BATCH]; /* of each; the first is the lead, whose row has the envelope */
};
/* The entry at order alone, or with those behind it that wait too, in `room` bytes at most: when we
 * hold few tokens for the contact. */
enum err outbox_batch_gather(struct account *me, struct step *step, uint32_t peer, uint64_t order,
                             const struct outbox_row *entry, size_t room,
                             struct outbox_batch *batch) PETREL_MUST_USE;
/* Notes at all but the lead that the lead's envelope, which was just sealed, holds them. */
enum err outbox_batch_sealed(struct account *me, struct step *step, uint32_t peer,
                             const struct outbox_batch *batch,
                             const struct outbox_row *lead) PETREL_MUST_USE;
/* The first entry from *order on that is in the envelope of lead. ERR_NOT_FOUND. */
enum err outbox_batch_next(struct account *me, struct step *step, uint32_t peer, uint64_t lead,
                           uint64_t *order, struct outbox_row *row) PETREL_MUST_USE;

/* pump.c */
/* Does what is due for each contact that has something to do. */
enum err pump_progress(struct account *me, struct step *step) PETREL_MUST_USE;
/* A link that carried requests for contacts is gone. */
void pump_link_closed(struct account *me, struct step *step, const struct node_link *link,
                      enum err err);
/* A relay of ours is attached (back), or is waited for no more (NULL): whoever waits for one that
 * passes requests on goes on, and within seconds what failed for want of that relay. */
void pump_relay_ready(struct account *me, struct step *step, const struct home *back);
/* An anonymous link is open: the contact that it is for goes on. */
void pump_link_opened(struct account *me, const struct node_link *link);

/* inbox.c */
/* An envelope from this relay of ours. */
enum err inbox_push(struct account *me, struct step *step, struct home *home,
                    struct slice body) PETREL_MUST_USE;
/* Forgets first envelopes that came before then (prekeys_horizon), LIMIT_SWEEP_ROWS at a time: the
 * secrets that opened them are gone. *more: call again. */
enum err inbox_sweep(struct account *me, struct step *step, uint64_t before,
                     bool *more) PETREL_MUST_USE;

/* command.c */
enum err command_run(struct node *node, struct step *step,
                     const struct node_input *input) PETREL_MUST_USE;
/* Forgets old client_ids, LIMIT_SWEEP_ROWS at a time; *more: call again. */
enum err command_tidy(struct step *step, bool *more) PETREL_MUST_USE;

#endif
