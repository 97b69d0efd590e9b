/* SPDX-License-Identifier: Apache-2.0
 *
 * err: the one table of errors, and whose fault each of them is.
 *
 * Policy branches on the class, never on a single code where a class will do. Codes are stable:
 * they travel in relay replies (docs/protocol/04-relay.md) and in control replies
 * (docs/protocol/09-control.md). PEER codes are 100-199, LOCAL 200-299, STATE 300-399,
 * CALLER 400-499.
 */
#ifndef PETREL_BASE_ERR_H
#define PETREL_BASE_ERR_H

#ifdef NDEBUG
#error "assertions guard our own invariants and stay on in every build"
#endif

#define PETREL_MUST_USE __attribute__((warn_unused_result))

/* Whose fault an error is, and with that what is done about it. */
enum err_class {
    ERR_CLASS_NONE,   /* no error */
    ERR_CLASS_PEER,   /* bytes or behaviour of somebody else: drop, count, answer, close */
    ERR_CLASS_LOCAL,  /* this machine: disk, memory, keys */
    ERR_CLASS_STATE,  /* a right request at the wrong time */
    ERR_CLASS_CALLER, /* a wrong request: bad argument, or a bug */
};

/* X(constant, code, class, stable name, sentence for people) */
#define ERR_TABLE(X)                                                                               \
    X(OK, 0, NONE, "ok", "no error")                                                               \
    X(MALFORMED, 100, PEER, "malformed", "the bytes do not have the form they must have")          \
    X(TOO_LARGE, 101, PEER, "too-large", "larger than the limit allows")                           \
    X(BAD_SIGNATURE, 102, PEER, "bad-signature", "the signature does not verify")                  \
    X(BAD_KEY, 103, PEER, "bad-key", "not a valid public key")                                     \
    X(DECRYPT, 104, PEER, "decrypt-failed", "decryption failed: wrong key or changed bytes")       \
    X(VERSION, 105, PEER, "wrong-version", "the other side speaks another protocol version")       \
    X(HANDSHAKE, 106, PEER, "bad-handshake", "the handshake failed")                               \
    X(PROTOCOL, 107, PEER, "protocol-violation", "a message that may not come at this point")      \
    X(BAD_TOKEN, 108, PEER, "bad-token", "unknown queue or record, or no valid admission")         \
    X(TOKEN_SPENT, 109, PEER, "token-spent", "this token was already used for something else")     \
    X(STAMP_TOO_CHEAP, 110, PEER, "stamp-too-cheap", "the stamp has too few zero bits")            \
    X(STAMP_STALE, 111, PEER, "stamp-stale", "the stamp is not of this time")                      \
    X(QUEUE_FULL, 112, PEER, "queue-full", "the queue is full; the sender keeps the message")      \
    X(NOT_FOUND, 113, PEER, "not-found", "no such thing here")                                     \
    X(REFUSED, 114, PEER, "refused", "refused by the policy of the other side")                    \
    X(QUOTA, 115, PEER, "quota-exceeded", "a quota of this relay is used up")                      \
    X(REPLAY, 116, PEER, "replay", "seen before")                                                  \
    X(UNSUPPORTED, 119, PEER, "unsupported", "the other side does not know this request")          \
    X(BAD_CHECKSUM, 120, PEER, "bad-checksum", "the checksum is wrong: a character was mistyped")  \
    X(EXPIRED, 122, PEER, "expired", "its time is over")                                           \
    X(TOO_FAR_AHEAD, 123, PEER, "too-far-ahead", "more messages are missing than may be skipped")  \
    X(LINK_CLOSED, 124, PEER, "link-closed", "the link was closed by the other side")              \
    X(TIMEOUT, 125, PEER, "timeout", "no answer in time")                                          \
    X(UNREACHABLE, 126, PEER, "unreachable", "the other node could not be reached")                \
    X(BAD_INVITE_CODE, 127, PEER, "bad-invite-code", "the relay does not know this invite code")   \
    X(STALE, 128, PEER, "stale", "older than what is already known")                               \
    X(NO_SESSION, 129, PEER, "no-session", "no session opens this message")                        \
    X(FLOW, 130, PEER, "no-credit", "sent without credit")                                         \
    X(NO_MEMORY, 200, LOCAL, "no-memory", "out of memory")                                         \
    X(IO, 201, LOCAL, "io-error", "reading or writing failed")                                     \
    X(DISK_FULL, 202, LOCAL, "disk-full", "the disk is full")                                      \
    X(MAP_FULL, 203, LOCAL, "map-full", "the database has reached its fixed size")                 \
    X(CORRUPT, 204, LOCAL, "corrupt", "stored data is damaged")                                    \
    X(WRONG_KEY, 205, LOCAL, "wrong-key", "the passphrase or key file does not open this home")    \
    X(SCHEMA_NEWER, 207, LOCAL, "schema-newer", "the database was written by a newer version")     \
    X(HOME_LOCKED, 208, LOCAL, "home-locked", "another petreld runs on this home")                 \
    X(CONFIG, 209, LOCAL, "bad-config", "the configuration is wrong")                              \
    X(ROLLBACK, 211, LOCAL, "rolled-back", "database and erase file are of different times")       \
    X(NO_CREDENTIAL, 212, LOCAL, "no-credential",                                                  \
      "the credential that opens it was not handed in")                                            \
    X(PROXY, 213, LOCAL, "proxy-failed", "the SOCKS proxy of this node does not do its work")      \
    X(NOT_NOW, 300, STATE, "not-now", "not possible at this moment")                               \
    X(NO_ACCOUNT, 301, STATE, "no-account", "this node has no account yet")                        \
    X(ACCOUNT_EXISTS, 302, STATE, "account-exists", "this node has an account already")            \
    X(ACCOUNT_LOCKED, 303, STATE, "account-locked", "the account is locked: passphrase needed")    \
    X(NO_RELAY, 304, STATE, "no-relay", "the account uses no relay yet")                           \
    X(UNKNOWN_CONTACT, 305, STATE, "unknown-contact", "no such contact")                           \
    X(CONTACT_BLOCKED, 306, STATE, "contact-blocked", "this contact is blocked")                   \
    X(NOT_ACCEPTED, 307, STATE, "not-accepted", "the contact was not accepted yet")                \
    X(EXISTS, 308, STATE, "already-exists", "it exists already")                                   \
    X(BACKPRESSURE, 309, STATE, "busy", "too much is under way; try again")                        \
    X(UNKNOWN_REQUEST, 310, STATE, "unknown-request", "no such contact request")                   \
    X(INVITE_USED, 311, STATE, "invite-used", "somebody else used this invitation")                \
    X(AMBIGUOUS, 312, STATE, "ambiguous", "more than one fits")                                    \
    X(NOT_RELAY, 313, STATE, "not-a-relay", "this node does not act as a relay")                   \
    X(EVENTS_TRIMMED, 314, STATE, "events-trimmed", "events before this cursor are gone")          \
    X(CLIENT_ID_REUSED, 315, STATE, "client-id-reused", "client_id was used for another call")     \
    X(UNKNOWN_MESSAGE, 316, STATE, "unknown-message", "no such message")                           \
    X(NO_IDENTITY, 317, STATE, "no-identity",                                                      \
      "only the device that holds the identity can do this")                                       \
    X(DEVICE_REMOVED, 318, STATE, "device-removed", "this device was removed from its person's")   \
    X(UNKNOWN_DEVICE, 319, STATE, "unknown-device", "no such device")                              \
    X(ARGUMENT, 400, CALLER, "bad-argument", "an argument is not valid")                           \
    X(UNKNOWN_METHOD, 401, CALLER, "unknown-method", "there is no such method")                    \
    X(UNKNOWN_PARAM, 402, CALLER, "unknown-parameter", "the method has no such parameter")         \
    X(MISSING_PARAM, 403, CALLER, "missing-parameter", "a parameter is missing")                   \
    X(BAD_TYPE, 404, CALLER, "bad-type", "a parameter has the wrong type or range")                \
    X(TEXT_TOO_LONG, 405, CALLER, "text-too-long", "the text is longer than 56 KiB")               \
    X(NO_SPACE, 406, CALLER, "buffer-too-small", "the output buffer is too small")                 \
    X(BAD_ID, 407, CALLER, "bad-id", "not a Petrel ID")                                            \
    X(BAD_INVITATION, 408, CALLER, "bad-invitation", "not a Petrel invitation")                    \
    X(BAD_ADDRESS, 409, CALLER, "bad-address", "not a relay address")                              \
    X(SELF, 410, CALLER, "own-id", "that is this account itself")                                  \
    X(BUG, 499, CALLER, "bug", "a bug in this program")

enum err {
#define ERR_ENUM(constant, code, class, name, message) ERR_##constant = (code),
    ERR_TABLE(ERR_ENUM)
#undef ERR_ENUM
};

/* The class of err; ERR_CLASS_PEER for a code that is not in the table (it came over a wire). */
enum err_class err_class(enum err err);
/* The stable name ("queue-full"); "unknown-error" for a code that is not in the table. */
const char *err_name(enum err err);
/* One sentence in plain words. */
const char *err_message(enum err err);
/* The err with this code; ERR_PROTOCOL for a code that is not in the table. */
enum err err_from_code(unsigned code);

#endif
