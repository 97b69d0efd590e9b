/* SPDX-License-Identifier: Apache-2.0
 *
 * limits: every bound of the protocol and of its queues, in one place. The specification cites
 * these names. Sizes are bytes, times milliseconds, unless the name says otherwise.
 */
#ifndef PETREL_BASE_LIMITS_H
#define PETREL_BASE_LIMITS_H

#include <stdint.h>

#define LIMIT_SECOND_MS UINT64_C(1000)
#define LIMIT_MINUTE_MS (60 * LIMIT_SECOND_MS)
#define LIMIT_HOUR_MS   (60 * LIMIT_MINUTE_MS)
#define LIMIT_DAY_MS    (24 * LIMIT_HOUR_MS)

enum {
    /* links (docs/protocol/03-link.md) */
    LIMIT_RECORD_PAD = 256,        /* a record's plaintext is a multiple of this */
    LIMIT_RECORD = 65280,          /* largest plaintext of a record */
    LIMIT_FRAME = 65280 - 2,       /* largest frame: the record less its length field */
    LIMIT_REKEY_RECORDS = 65536,   /* records a direction between two rekeys */
    LIMIT_HANDSHAKE_MS = 10000,    /* a handshake must be complete after this */
    LIMIT_PROXY_MS = 25000,        /* the same before it begins, when a proxy is to connect */
    LIMIT_PROXY_WORD = 32,         /* longest user or password for it, bytes */
    LIMIT_HALF_OPEN = 512,         /* handshakes under way, all links together */
    LIMIT_HANDSHAKES_PER_PASS = 8, /* handshake messages answered per loop pass */
    LIMIT_LINK_CREDIT = 64,        /* frames that cost credit, unanswered, per direction */
    LIMIT_LINK_IDLE_MS = 120000,   /* a ping is sent after this silence */
    LIMIT_LINK_DEAD_MS = 30000,    /* and the link is closed this long after an unanswered ping */
    LIMIT_FRAME_DEPTH = 5,         /* nesting of a frame's body */
    LIMIT_HELLO_SOFTWARE = 32,     /* software text of a hello, UTF-8 bytes */
    LIMIT_HELLO_FIELDS = 16,       /* pairs of a hello, known and unknown */

    /* envelopes and queues (docs/protocol/04-relay.md) */
    LIMIT_ENVELOPE_CLASSES = 4,
    LIMIT_ENVELOPE = 61440,             /* the largest class */
    LIMIT_QUEUE_ENVELOPES = 65536,      /* per queue */
    LIMIT_QUEUE_MIB = 128,              /* per queue */
    LIMIT_QUEUE_ENVELOPES_MAX = 524288, /* what an operator may set instead */
    LIMIT_QUEUE_MIB_MAX = 65536,        /* likewise */
    LIMIT_PUSH_WINDOW = 64,             /* envelopes pushed and not acknowledged, per queue */
    LIMIT_TOKEN_EPOCH_DAYS = 32,        /* length of a token epoch */
    LIMIT_TOKEN_STOCK = 256,            /* tokens a correspondent should hold, */
    LIMIT_TOKEN_STOCK_MAX = 2048,       /* and at most, who spends so many in a day */
    LIMIT_TOKENS_PER_BODY = 64,         /* tokens that ride in one body at most */
    LIMIT_VOID_NONCES = 512,            /* tokens that one request voids */
    LIMIT_HELD_RANGES = 256,            /* ranges of tokens that a contact holds */
    LIMIT_STAMP_POP_BITS = 18,          /* price of a pop without load */
    LIMIT_STAMP_DEPOSIT_BITS = 20,      /* price of a deposit without load */
    LIMIT_STAMP_MINUTES = 10,           /* a stamp's minute may differ by this */
    LIMIT_STAMP_MARGIN = 2,             /* minutes of those that a sender keeps in hand */
    LIMIT_STAMP_BITS_MAX = 26,          /* a price above this is neither asked nor paid */
    LIMIT_PRICE_UNIT = 4096,            /* bytes of a stamped envelope that count once */
    LIMIT_PRICE_DEPOSIT_FREE = 16,      /* such units that a queue takes before the price rises */
    LIMIT_PRICE_DEPOSIT_HALF_MS = 21600000, /* half of them are forgotten after this */
    LIMIT_PRICE_POP_FREE = 2,               /* stamped pops of a record likewise */
    LIMIT_PRICE_POP_HALF_MS = 86400000,     /* and half of them */
    LIMIT_PRICE_SCARCITY = 4,               /* bits at most for how little is left */
    LIMIT_PRICE_TARGETS = 4096,             /* queues and records whose load is remembered */
    LIMIT_ONE_TIME_PARTS = 64,              /* one-time parts of a bundle */
    LIMIT_ONE_TIME_REFILL = 32, /* refilled when this many are left; at most so many a request */
    LIMIT_ONE_TIME_HOUR = 128,  /* new ones that a node makes in an hour, at most */
    LIMIT_RECORD_BODY = 8192,   /* body of a record */
    LIMIT_RECORD_PART = 2048,   /* one one-time part of a record */
    LIMIT_DESCRIPTOR = 992,     /* always exactly */
    LIMIT_DESCRIPTORS_AHEAD =
        10,                 /* periods of one identity that are signed, yesterday's included, */
    LIMIT_DESCRIPTORS = 13, /* and that a relay holds for a member, whose clock may be ahead */
    LIMIT_SPENT_LRU = 4 * 1024 * 1024,      /* nonces held in memory, all queues together */
    LIMIT_QUEUE_DAYS = 30,                  /* longest lifetime class */
    LIMIT_QUEUE_SPENT = 1024 * 1024,        /* index rows (stored and spent) of one queue */
    LIMIT_QUEUE_CACHE = 16384,              /* queues without a reader that are held in memory */
    LIMIT_QUEUE_SWEEP_MS = 86400000,        /* spent rows are looked through this often */
    LIMIT_VOLATILE_BYTES = 4 * 1024 * 1024, /* volatile envelopes on their way, all queues */
    LIMIT_MEMBER_QUEUES = 8,                /* queues of one member of a relay */
    LIMIT_MEMBER_RECORDS = 8,               /* records likewise */
    LIMIT_JOIN_CODE_DAYS = 7,               /* life of a relay's single-use join code */
    LIMIT_JOIN_CODE_DAYS_MAX = 30,          /* what an operator may give one */
    LIMIT_REMOVALS = 64,                    /* members that are being removed */
    LIMIT_TALLY_ROWS = 4096,                /* index rows that one look at what waits counts */
    LIMIT_POP_HOURS = 24,                   /* a pop is answered the same way this long */
    LIMIT_CARD_DAYS = 14,                   /* longest life of a relay card */
    LIMIT_CARD_NEW_DAYS = 7,                /* a relay makes a new one after this */
    LIMIT_CARD_SKEW_MS = 3600000,           /* how far its clock may be ahead of the reader's */
    LIMIT_CARD_FRESH_MS = 600000,           /* a forwarder hands a card on for so long */
    LIMIT_FORWARD_LINKS = 256,              /* other relays that a relay has links to */
    LIMIT_FORWARD_WAITING = 256,            /* forwarded requests that wait for such a link */
    LIMIT_FORWARD_RULES = 256,              /* relays and hosts that a policy names */
    LIMIT_FORWARD_BYTES = 4 * 1024 * 1024,  /* and their size */
    LIMIT_FORWARD_MEMBER = 32,              /* requests of one link that are passed on at a time */

    /* sessions (docs/protocol/05-session.md) */
    LIMIT_SKIP_JUMP = 2000,      /* messages skipped in one chain */
    LIMIT_SKIPPED_KEYS = 2000,   /* skipped keys a session */
    LIMIT_SKIPPED_DAYS = 37,     /* and their age */
    LIMIT_SESSIONS_PER_PAIR = 4, /* sessions with one device */
    LIMIT_ROUNDS_MINUTE = 16,    /* tokens whose envelope is tried with all contacts, in a minute */
    LIMIT_UNACKED = 1900,        /* sealed and unacknowledged messages a session */
    LIMIT_KEM_MESSAGES = 64,     /* contents after which a KEM exchange is due */
    LIMIT_SKIPPED_CHAINS = 8,    /* past chains whose header keys are kept and tried */
    LIMIT_ACK_BITMAP = 256,      /* bytes of an acknowledgement bitmap: 2,048 messages */
    LIMIT_BODY_TOKENS = 4096,    /* encoded deposit tokens in a body */
    LIMIT_BODY_ROUTE = 512,      /* encoded queue in a body */
    LIMIT_HEALING_MS = 3600000,  /* a contact's sessions are replaced once in this time at most */
    LIMIT_PREKEY_DAYS = 7,       /* a signed prekey is replaced after this */
    LIMIT_PREKEY_KEEP_DAYS = 37, /* and its secret kept this long after that */

    /* identities */
    LIMIT_DEVICES = 8,        /* entries of a device list */
    LIMIT_DEVICE_QUEUES = 2,  /* queues of an entry */
    LIMIT_DEVICE_LIST = 4096, /* encoded device list */
    LIMIT_CERTIFICATE = 512,  /* encoded device certificate */
    LIMIT_RELAYS = 3,         /* relays in a descriptor */
    LIMIT_RELAY_ENTRY = 124,  /* one of them, encoded */
    LIMIT_HOST = 64,          /* a relay's host name or address, text */
    LIMIT_INVITE_DAYS = 7,    /* an invitation's life */
    LIMIT_INVITE_LATE = 1,    /* days that who made it adds, since clocks differ */
    LIMIT_LINK_MINUTES = 15,  /* a link code's */
    LIMIT_CONTACTS = 65536,   /* per account */
    LIMIT_ACCOUNTS = 16,      /* identities of a node */
    LIMIT_HOMES = 4,          /* relays of an account: main, second, and left ones */
    LIMIT_REMOVAL_HOURS = 24, /* a removed account tries to reach its relays for so long */
    LIMIT_REQUESTS = 256,     /* contact requests waiting for the user */
    LIMIT_NAME = 64,          /* a local name of a contact, UTF-8 bytes */

    /* content */
    LIMIT_TEXT = 56 * 1024,         /* UTF-8 bytes of a text message */
    LIMIT_REQUEST_TEXT = 256,       /* UTF-8 bytes that come with a contact request */
    LIMIT_BATCH = 32,               /* contents in one envelope, */
    LIMIT_BATCH_CLASS = 2,          /* of this class at most: 16,384 bytes, */
    LIMIT_BATCH_TOKENS = 16,        /* by who has fewer tokens than this, */
    LIMIT_BATCH_SPAN_MS = 86400000, /* written within this time */

    /* storage (docs/protocol/08-at-rest.md) */
    LIMIT_KDF_OPS = 64,          /* Argon2id passes that an erase file may ask for */
    LIMIT_KDF_MEM_KIB = 1048576, /* and its memory, KiB */
    LIMIT_PASSPHRASE = 1024,     /* bytes of a passphrase */
    LIMIT_CREDENTIAL_MIN = 32,   /* bytes of a key that the service manager hands in, at least */
    LIMIT_CREDENTIAL = 1024,     /* and at most */

    /* outbox */
    LIMIT_OUTBOX_DAYS = 30,           /* kept until acknowledged, at most this long */
    LIMIT_OUTBOX_LOOK_MS = 3600000,   /* between looks at what nobody acknowledged */
    LIMIT_DHT_SAVED = 8196,           /* a saved table: 128 nodes of each family */
    LIMIT_RESOLVES = 4,               /* calls that wait for where somebody is */
    LIMIT_RESOLVE_MS = 25000,         /* after which they are answered with what there is */
    LIMIT_SEEKS = 32,                 /* keys that are looked up in the DHT at a time */
    LIMIT_RETRY_FIRST_MS = 2000,      /* first back-off */
    LIMIT_RETRY_MAX_MS = 3600000,     /* longest back-off */
    LIMIT_REQUEST_TIMEOUT_MS = 20000, /* a relay's answer to one request */
    LIMIT_FORWARD_TIMEOUT_MS =
        60000,                    /* the same through a forwarder, which may have to dial first */
    LIMIT_ACK_INTERVAL_MS = 1000, /* ack-only bodies: at most one in this time */

    /* what relays signed for and did not deliver */
    LIMIT_EVIDENCE_ROWS = 1024,        /* per account; the oldest go */
    LIMIT_EVIDENCE_DAYS = 90,          /* and those that are older */
    LIMIT_EVIDENCE_HEARD_MS = 3600000, /* who is heard so long after a receipt was there since */

    /* control (docs/protocol/09-control.md) */
    LIMIT_CONTROL_MESSAGE = 262144, /* one request or reply */
    LIMIT_CONTROL_CLIENTS = 64,
    LIMIT_CONTROL_INFLIGHT = 65536, /* bytes of events under way to one client */
    LIMIT_CLIENT_ID_DAYS = 7,       /* a client_id's result is remembered */
    LIMIT_EVENT_DAYS = 30,          /* events older are trimmed */
    LIMIT_EVENT_ROWS = 100000,      /* events above this many are trimmed */
    LIMIT_CONSUMERS = 64,           /* named event consumers */
    LIMIT_CONSUMER_NAME = 64,
    LIMIT_QUERY_ROWS = 1000,  /* rows of one read transaction */
    LIMIT_RPC_LINE = 1048576, /* bytes of a line that petrelctl rpc reads */
    LIMIT_RPC_BATCH = 256,    /* elements of a batch in it */
    LIMIT_RPC_CALLS = 32,     /* calls without an answer: no further line is read */

    /* turns (docs/architecture.md) */
    LIMIT_TURN_INPUTS = 512,
    LIMIT_TURN_BYTES = 4 * 1024 * 1024,
    LIMIT_TURN_MS = 10,
    LIMIT_CHANNEL_ITEMS = 4096,             /* between I/O and engine, each way */
    LIMIT_CHANNEL_BYTES = 16 * 1024 * 1024, /* likewise */
    LIMIT_TURN_ARENA = 64 * 1024 * 1024,    /* memory of one turn */
    LIMIT_FORGET_MS = 20000,                /* from the first deletion to the new keys */
    LIMIT_FORGET_RETRY_MS = 10000,          /* when the host could not keep a root */
    LIMIT_FORGET_ROWS = 128,                /* sealed again in a turn, at most, */
    LIMIT_FORGET_BYTES = 262144,            /* so many bytes of them, about, */
    LIMIT_FORGET_LOOKS = 2000,              /* out of so many that are looked at */
    LIMIT_SWEEP_ROWS = 500,                 /* rows that one tick's housekeeping touches */
    LIMIT_STAMP_SLICE = 16384,              /* stamp hashes tried in one turn */
};

#endif
