/* SPDX-License-Identifier: Apache-2.0
 *
 * methods: the one table of the control interface. It feeds the server, petrelctl, the man page
 * and tests. docs/protocol/09-control.md.
 *
 * METHOD(name, where, whose, mutates, since): where is HOST (answered by the I/O thread), TURN (a
 * turn of the engine) or QUERY (a worker with a read transaction). whose is NODE or ACCOUNT: the
 * latter takes `account` (a number; without it, the first account) beside its own parameters, and a
 * method that mutates takes a client_id (bin 16). PARAM(method, name, type, required): types STR,
 * BIN, UINT, BOOL. RESULT(method, name, type, what it says): MAPS is an array of maps, whose fields
 * are RESULTs of "method[]".
 */
#ifndef PETREL_CONTROL_METHODS_H
#define PETREL_CONTROL_METHODS_H

#define CONTROL_API     1 /* version of this table */
#define CONTROL_API_MIN 1 /* oldest that is still answered */

#define CONTROL_METHODS(METHOD)                                                                    \
    METHOD("hello", HOST, NODE, false, 1)                                                          \
    METHOD("daemon.stop", HOST, NODE, false, 1)                                                    \
    METHOD("daemon.status", TURN, NODE, false, 1)                                                  \
    METHOD("dht.status", HOST, NODE, false, 1)                                                     \
    METHOD("account.create", TURN, NODE, true, 1)                                                  \
    METHOD("account.unlock", TURN, ACCOUNT, false, 1)                                              \
    METHOD("account.lock", TURN, ACCOUNT, false, 1)                                                \
    METHOD("account.passphrase", TURN, ACCOUNT, false, 1)                                          \
    METHOD("backup.read", QUERY, ACCOUNT, false, 1)                                                \
    METHOD("restore.put", TURN, ACCOUNT, false, 1)                                                 \
    METHOD("restore.end", TURN, ACCOUNT, true, 1)                                                  \
    METHOD("account.rekey", TURN, ACCOUNT, true, 1)                                                \
    METHOD("account.dht", TURN, ACCOUNT, true, 1)                                                  \
    METHOD("account.list", TURN, NODE, false, 1)                                                   \
    METHOD("account.remove", TURN, ACCOUNT, true, 1)                                               \
    METHOD("account.show", QUERY, ACCOUNT, false, 1)                                               \
    METHOD("account.words", QUERY, ACCOUNT, false, 1)                                              \
    METHOD("invite.create", TURN, ACCOUNT, true, 1)                                                \
    METHOD("contact.add", TURN, ACCOUNT, true, 1)                                                  \
    METHOD("contact.list", QUERY, ACCOUNT, false, 1)                                               \
    METHOD("contact.block", TURN, ACCOUNT, true, 1)                                                \
    METHOD("contact.verify", TURN, ACCOUNT, true, 1)                                               \
    METHOD("contact.resolve", TURN, ACCOUNT, false, 1)                                             \
    METHOD("request.list", QUERY, ACCOUNT, false, 1)                                               \
    METHOD("request.accept", TURN, ACCOUNT, true, 1)                                               \
    METHOD("message.send", TURN, ACCOUNT, true, 1)                                                 \
    METHOD("message.history", QUERY, ACCOUNT, false, 1)                                            \
    METHOD("message.delete", TURN, ACCOUNT, true, 1)                                               \
    METHOD("message.read", TURN, ACCOUNT, true, 1)                                                 \
    METHOD("device.invite", TURN, ACCOUNT, true, 1)                                                \
    METHOD("device.link", TURN, ACCOUNT, true, 1)                                                  \
    METHOD("device.list", QUERY, ACCOUNT, false, 1)                                                \
    METHOD("device.remove", TURN, ACCOUNT, true, 1)                                                \
    METHOD("event.subscribe", HOST, ACCOUNT, false, 1)                                             \
    METHOD("event.ack", TURN, ACCOUNT, false, 1)                                                   \
    METHOD("relay.use", TURN, ACCOUNT, true, 1)                                                    \
    METHOD("relay.leave", TURN, ACCOUNT, true, 1)                                                  \
    METHOD("relay.status", TURN, ACCOUNT, false, 1)                                                \
    METHOD("relay.audit", QUERY, ACCOUNT, false, 1)                                                \
    METHOD("relay.verify", TURN, NODE, false, 1)                                                   \
    METHOD("relay.invite", TURN, NODE, true, 1)                                                    \
    METHOD("relay.members", TURN, NODE, false, 1)                                                  \
    METHOD("relay.waiting", TURN, NODE, false, 1)                                                  \
    METHOD("relay.remove", TURN, NODE, true, 1)                                                    \
    METHOD("relay.limits", TURN, NODE, false, 1)

/* contact: an ID, the beginning of one (8 characters of its bech32m data or more), or a local name,
 * whichever fits exactly one contact. */
#define CONTROL_PARAMS(PARAM)                                                                      \
    PARAM("hello", "api", UINT, false)                                                             \
    PARAM("account.create", "passphrase", STR, false)                                              \
    PARAM("account.create", "words", STR, false)                                                   \
    PARAM("account.create", "another", BOOL, false)                                                \
    PARAM("account.create", "restore", BOOL, false)                                                \
    PARAM("account.unlock", "passphrase", STR, false)                                              \
    PARAM("account.passphrase", "passphrase", STR, false)                                          \
    PARAM("account.passphrase", "new", STR, false)                                                 \
    PARAM("account.passphrase", "remove", BOOL, false)                                             \
    PARAM("account.passphrase", "credential", BOOL, false)                                         \
    PARAM("account.dht", "on", BOOL, true)                                                         \
    PARAM("backup.read", "after", STR, false)                                                      \
    PARAM("restore.put", "records", BIN, true)                                                     \
    PARAM("account.remove", "now", BOOL, false)                                                    \
    PARAM("contact.add", "link", STR, true)                                                        \
    PARAM("contact.add", "name", STR, false)                                                       \
    PARAM("contact.add", "text", STR, false)                                                       \
    PARAM("contact.list", "after", UINT, false)                                                    \
    PARAM("contact.block", "contact", STR, true)                                                   \
    PARAM("contact.verify", "contact", STR, true)                                                  \
    PARAM("contact.verify", "number", STR, false)                                                  \
    PARAM("contact.resolve", "contact", STR, true)                                                 \
    PARAM("request.accept", "contact", STR, true)                                                  \
    PARAM("request.accept", "name", STR, false)                                                    \
    PARAM("message.send", "contact", STR, true)                                                    \
    PARAM("message.send", "text", STR, true)                                                       \
    PARAM("message.history", "contact", STR, true)                                                 \
    PARAM("message.history", "before", UINT, false)                                                \
    PARAM("message.history", "limit", UINT, false)                                                 \
    PARAM("message.delete", "contact", STR, true)                                                  \
    PARAM("message.delete", "order", UINT, true)                                                   \
    PARAM("message.read", "contact", STR, true)                                                    \
    PARAM("message.read", "order", UINT, false)                                                    \
    PARAM("device.link", "link", STR, true)                                                        \
    PARAM("device.remove", "device", STR, true)                                                    \
    PARAM("event.subscribe", "name", STR, false)                                                   \
    PARAM("event.subscribe", "since", UINT, false)                                                 \
    PARAM("event.ack", "name", STR, true)                                                          \
    PARAM("event.ack", "cursor", UINT, true)                                                       \
    PARAM("relay.use", "address", STR, true)                                                       \
    PARAM("relay.use", "code", STR, false)                                                         \
    PARAM("relay.use", "second", BOOL, false)                                                      \
    PARAM("relay.leave", "relay", STR, true)                                                       \
    PARAM("relay.audit", "after", STR, false)                                                      \
    PARAM("relay.verify", "relay", STR, true)                                                      \
    PARAM("relay.verify", "queue", STR, true)                                                      \
    PARAM("relay.verify", "envelope", STR, true)                                                   \
    PARAM("relay.verify", "receipt", STR, true)                                                    \
    PARAM("relay.invite", "days", UINT, false)                                                     \
    PARAM("relay.members", "after", STR, false)                                                    \
    PARAM("relay.waiting", "after", STR, false)                                                    \
    PARAM("relay.remove", "member", STR, true)                                                     \
    PARAM("relay.limits", "envelopes", UINT, false)                                                \
    PARAM("relay.limits", "mib", UINT, false)                                                      \
    PARAM("relay.limits", "days", UINT, false)

#define CONTROL_RESULTS(RESULT)                                                                    \
    RESULT("hello", "api", UINT, "version of the interface")                                       \
    RESULT("hello", "min", UINT, "oldest version that is still answered")                          \
    RESULT("hello", "version", STR, "version of petreld")                                          \
    RESULT("hello", "features", STRS, "what this daemon can do")                                   \
    RESULT("daemon.status", "version", STR, "version of petreld")                                  \
    RESULT("daemon.status", "node", STR, "this node's relay address, petrelnode1...@host:port")    \
    RESULT("daemon.status", "node_id", STR, "this node's ID alone")                                \
    RESULT("daemon.status", "account", STR, "none, locked or open")                                \
    RESULT("daemon.status", "id", STR, "the account's ID; missing without an account")             \
    RESULT("daemon.status", "relay", BOOL, "whether this node acts as a relay")                    \
    RESULT("daemon.status", "proxy", BOOL, "whether all links go out through a SOCKS proxy")       \
    RESULT("daemon.status", "members", UINT, "members of this relay")                              \
    RESULT("daemon.status", "queues", UINT, "queues on this relay")                                \
    RESULT("daemon.status", "links", UINT, "open links to other nodes")                            \
    RESULT("daemon.status", "outbox", UINT, "messages that are not acknowledged end to end yet")   \
    RESULT("daemon.status", "outbox_oldest", UINT,                                                 \
           "when the oldest of them was written, Unix ms; missing without one")                    \
    RESULT("daemon.status", "requests", UINT, "contact requests that wait")                        \
    RESULT("dht.status", "on", BOOL, "whether this node takes part in the DHT; else nothing more") \
    RESULT("dht.status", "nodes4", UINT, "nodes that it knows, IPv4,")                             \
    RESULT("dht.status", "good4", UINT, "and of them those that answered lately")                  \
    RESULT("dht.status", "nodes6", UINT, "likewise, IPv6")                                         \
    RESULT("dht.status", "good6", UINT, "likewise")                                                \
    RESULT("dht.status", "address4", STR, "what others say our address is; missing: not known")    \
    RESULT("dht.status", "address6", STR, "likewise, IPv6")                                        \
    RESULT("dht.status", "items", UINT, "items that it keeps for others")                          \
    RESULT("dht.status", "lookups", UINT, "lookups under way")                                     \
    RESULT("dht.status", "put", UINT, "descriptors of members that were put, with repetitions,")   \
    RESULT("dht.status", "put_failed", UINT, "of them those that nobody took,")                    \
    RESULT("dht.status", "put_waiting", UINT, "and those that wait for their turn")                \
    RESULT("dht.status", "put_last", UINT, "when one was taken last, Unix ms; missing: never")     \
    RESULT("dht.status", "kept", UINT, "when the nodes were kept last, Unix ms; missing: never")   \
    RESULT("account.create", "account", UINT, "its number")                                        \
    RESULT("account.create", "id", STR, "the new ID")                                              \
    RESULT("account.create", "words", STR, "the 24 recovery words")                                \
    RESULT("account.unlock", "account", UINT, "its number")                                        \
    RESULT("account.unlock", "id", STR, "the ID")                                                  \
    RESULT("account.lock", "account", UINT, "its number")                                          \
    RESULT("account.passphrase", "account", UINT, "its number")                                    \
    RESULT("account.passphrase", "opens", STR, "with: passphrase, key-file or credential")         \
    RESULT("backup.read", "records", BIN, "records of a backup")                                   \
    RESULT("backup.read", "words", STR, "the 24 recovery words; with the first part")              \
    RESULT("backup.read", "next", STR, "there is more: ask again with after = next")               \
    RESULT("restore.end", "account", UINT, "its number")                                           \
    RESULT("account.rekey", "account", UINT, "its number")                                         \
    RESULT("account.list", "accounts", MAPS, "the identities of this node")                        \
    RESULT("account.list[]", "account", UINT, "its number")                                        \
    RESULT("account.list[]", "state", STR, "open, locked, restoring or removing")                  \
    RESULT("account.list[]", "id", STR, "the ID; missing when it is locked")                       \
    RESULT("account.show", "id", STR, "the ID")                                                    \
    RESULT("account.show", "created", UINT, "Unix ms")                                             \
    RESULT("account.show", "dht", BOOL,                                                            \
           "whether its relays put it into the DHT, and it asks there")                            \
    RESULT("account.dht", "account", UINT, "its number")                                           \
    RESULT("account.dht", "on", BOOL, "as given")                                                  \
    RESULT("account.words", "words", STR, "the 24 recovery words")                                 \
    RESULT("invite.create", "link", STR, "petrel:...")                                             \
    RESULT("invite.create", "expires", UINT, "Unix ms")                                            \
    RESULT("contact.add", "id", STR, "the contact's ID")                                           \
    RESULT("contact.add", "state", STR, "requested or accepted")                                   \
    RESULT("contact.list", "contacts", MAPS, "all contacts")                                       \
    RESULT("contact.list", "more", BOOL, "there are others: ask again with after = next")          \
    RESULT("contact.list", "next", UINT, "with more: where the next page begins")                  \
    RESULT("contact.list[]", "id", STR, "the ID")                                                  \
    RESULT("contact.list[]", "name", STR, "local name, or empty")                                  \
    RESULT("contact.list[]", "state", STR, "resolving, requested, accepted, blocked")              \
    RESULT("contact.list[]", "verified", BOOL, "the safety number was compared")                   \
    RESULT("contact.list[]", "devices", UINT, "devices of theirs that we write to")                \
    RESULT("contact.list[]", "read", UINT,                                                         \
           "order of the newest message of theirs that was read; 0: none")                         \
    RESULT("contact.list[]", "unread", UINT, "messages of theirs behind it, 100 at most")          \
    RESULT("contact.list[]", "tokens", UINT, "deposit tokens in stock")                            \
    RESULT("contact.list[]", "way", STR, "forwarded, same-relay, no-relay, own-machine, unknown")  \
    RESULT("contact.list[]", "same_operator", BOOL, "both relays may have one operator")           \
    RESULT("contact.list[]", "trouble", STR,                                                       \
           "why the last request failed, or what was wrong with a receipt, or \"\"")               \
    RESULT("contact.list[]", "trouble_relay", STR, "the relay that it is about")                   \
    RESULT("contact.verify", "id", STR, "the contact's ID")                                        \
    RESULT("contact.verify", "number", STR, "60 digits")                                           \
    RESULT("contact.verify", "verified", BOOL, "whether it is marked as compared")                 \
    RESULT("contact.resolve", "id", STR, "who was asked for")                                      \
    RESULT("contact.resolve", "found", BOOL, "whether anybody knew")                               \
    RESULT("contact.resolve", "relay", STR,                                                        \
           "where they are: of what was made last; missing if not")                                \
    RESULT("contact.resolve", "list_version", UINT, "of the device list that it names; likewise")  \
    RESULT("contact.resolve", "created", UINT, "when they made it, Unix ms; likewise")             \
    RESULT("contact.resolve", "took", UINT, "until the last one had answered, ms")                 \
    RESULT("contact.resolve", "ways", MAPS,                                                        \
           "way (contact, relay, dht), result (found, off, or an error), took; period, items, "    \
           "wrong; relay, list_version, created")                                                  \
    RESULT("request.list", "requests", MAPS, "contact requests that wait")                         \
    RESULT("request.list[]", "id", STR, "who asks")                                                \
    RESULT("request.list[]", "text", STR, "a short text, or empty")                                \
    RESULT("request.list[]", "time", UINT, "Unix ms of arrival")                                   \
    RESULT("request.accept", "id", STR, "the contact's ID")                                        \
    RESULT("message.send", "message", STR, "the message's ID, 32 hex digits")                      \
    RESULT("message.send", "order", UINT, "its place in the history")                              \
    RESULT("message.history", "messages", MAPS, "oldest first")                                    \
    RESULT("message.history", "more", BOOL, "there are older ones")                                \
    RESULT("message.history[]", "message", STR, "the message's ID, 32 hex digits")                 \
    RESULT("message.history[]", "order", UINT, "place in the history")                             \
    RESULT("message.history[]", "from", STR, "ID of the author")                                   \
    RESULT("message.history[]", "mine", BOOL, "written by this account")                           \
    RESULT("message.history[]", "sent", UINT, "Unix ms, the author's clock")                       \
    RESULT("message.history[]", "received", UINT, "Unix ms of arrival; missing when mine")         \
    RESULT("message.history[]", "deposited", UINT,                                                 \
           "Unix ms, when our relay took it, its clock; missing when mine or not known")           \
    RESULT("message.history[]", "gap", BOOL,                                                       \
           "when it came, an earlier one had not come; likewise")                                  \
    RESULT("message.history[]", "state", STR,                                                      \
           "waiting, at-relay, delivered, failed; mirrored; received when theirs")                 \
    RESULT("message.history[]", "type", STR, "text, rekeyed, or unknown-N")                        \
    RESULT("message.history[]", "text", STR, "the text; of rekeyed: why a new session began")      \
    RESULT("message.delete", "order", UINT, "its place in the history, which none gets again")     \
    RESULT("message.read", "order", UINT, "up to which theirs were read")                          \
    RESULT("device.invite", "link", STR, "a link code, for one use")                               \
    RESULT("device.invite", "expires", UINT, "when its time is over, Unix ms")                     \
    RESULT("device.link", "id", STR, "the ID that this account is to be a device of")              \
    RESULT("device.link", "state", STR, "requested")                                               \
    RESULT("device.list", "devices", MAPS,                                                         \
           "our devices; the one that holds the identity is first")                                \
    RESULT("device.list[]", "device", STR, "its name: 16 hex digits of its key")                   \
    RESULT("device.list[]", "added", UINT, "when, Unix ms")                                        \
    RESULT("device.list[]", "this", BOOL, "it is this one")                                        \
    RESULT("device.list[]", "identity", BOOL, "it holds the identity")                             \
    RESULT("device.remove", "device", STR, "its name")                                             \
    RESULT("event.subscribe", "cursor", UINT, "the newest cursor; events follow as notifications") \
    RESULT("event.subscribe", "start", UINT, "the cursor behind which the stream begins")          \
    RESULT("relay.use", "relay", STR, "the relay's node ID")                                       \
    RESULT("relay.status", "address", STR, "the relay in use; missing without one")                \
    RESULT("relay.status", "state", STR, "none, connecting, joining, ready or failing")            \
    RESULT("relay.status", "trouble", STR, "the last error, or empty")                             \
    RESULT("relay.status", "parts", UINT, "one-time parts of the key bundle at the relay")         \
    RESULT("relay.status", "envelopes", UINT, "envelopes that may wait; missing before it said")   \
    RESULT("relay.status", "bytes", UINT, "bytes that may wait; likewise")                         \
    RESULT("relay.status", "days", UINT, "days that one is kept at most; likewise")                \
    RESULT("relay.status", "attached", UINT,                                                       \
           "when its queue was last attached, Unix ms, our clock; missing before")                 \
    RESULT("relay.status", "clock", UINT, "the relay's clock then, Unix ms")                       \
    RESULT("relay.status", "described", UINT,                                                      \
           "until when it has our descriptors, Unix ms; missing: none of the present list")        \
    RESULT("relay.status", "described_at", UINT,                                                   \
           "when it took the last one; missing: not since the start")                              \
    RESULT("relay.status", "others", MAPS,                                                         \
           "a second relay, and those that were left and are still read")                          \
    RESULT("relay.status[]", "address", STR, "its address")                                        \
    RESULT("relay.status[]", "relay", STR, "its node ID")                                          \
    RESULT("relay.status[]", "role", STR, "second, left (still read) or leaving")                  \
    RESULT("relay.status[]", "state", STR, "as for the main one, or leaving")                      \
    RESULT("relay.status[]", "trouble", STR, "the last error, or empty")                           \
    RESULT("relay.status[]", "since", UINT, "when it was left, Unix ms")                           \
    RESULT("relay.status[]", "envelopes", UINT, "as for the main one, likewise bytes and days")    \
    RESULT("relay.status[]", "bytes", UINT, "as for the main one")                                 \
    RESULT("relay.status[]", "days", UINT, "as for the main one")                                  \
    RESULT("relay.status[]", "attached", UINT, "as for the main one, likewise clock")              \
    RESULT("relay.status[]", "clock", UINT, "as for the main one")                                 \
    RESULT("relay.status[]", "described", UINT, "as for the main one, likewise described_at")      \
    RESULT("relay.status[]", "described_at", UINT, "as for the main one")                          \
    RESULT("relay.audit", "items", MAPS, "what relays signed for and did not deliver")             \
    RESULT("relay.audit", "next", STR, "there may be more: ask again with after = next")           \
    RESULT("relay.audit[]", "relay", STR, "node ID of the relay that signed")                      \
    RESULT("relay.audit[]", "address", STR, "its address then")                                    \
    RESULT("relay.audit[]", "contact", STR, "whom the message was for")                            \
    RESULT("relay.audit[]", "message", STR, "the message's ID, 32 hex digits")                     \
    RESULT("relay.audit[]", "state", STR, "waiting, missed, expired or given-up")                  \
    RESULT("relay.audit[]", "signed", UINT, "when the relay signed, Unix ms, its clock")           \
    RESULT("relay.audit[]", "until", UINT, "until when it is to keep it, likewise")                \
    RESULT("relay.audit[]", "heard", UINT, "the contact was heard then; missing: not since")       \
    RESULT("relay.audit[]", "queue", STR, "the contact's queue, hex")                              \
    RESULT("relay.audit[]", "envelope", STR, "BLAKE2b-256 of the envelope, hex")                   \
    RESULT("relay.audit[]", "receipt", STR, "what the relay signed, hex")                          \
    RESULT("relay.verify", "signed", UINT, "when the relay signed, Unix ms, its clock")            \
    RESULT("relay.verify", "until", UINT, "until when it is to keep it, likewise")                 \
    RESULT("relay.invite", "code", STR, "a single-use code for a new member")                      \
    RESULT("relay.invite", "expires", UINT, "Unix ms")                                             \
    RESULT("relay.members", "members", MAPS, "members of this relay, in the order of their names") \
    RESULT("relay.members", "next", STR, "there may be others: ask again with after = next")       \
    RESULT("relay.members[]", "member", STR,                                                       \
           "a name that only this relay gives it, 16 hex digits")                                  \
    RESULT("relay.members[]", "joined", UINT, "Unix ms")                                           \
    RESULT("relay.members[]", "queues", UINT, "queues that it has")                                \
    RESULT("relay.members[]", "records", UINT, "records that it has")                              \
    RESULT("relay.members[]", "descriptors", UINT, "descriptors that it has")                      \
    RESULT("relay.members[]", "removing", BOOL, "it is being removed")                             \
    RESULT("relay.waiting", "waiting", MAPS, "parts of what waits in queues, to be added up")      \
    RESULT("relay.waiting", "next", STR, "there may be more: ask again with after = next")         \
    RESULT("relay.waiting[]", "member", STR, "whose queue it is")                                  \
    RESULT("relay.waiting[]", "envelopes", UINT, "envelopes")                                      \
    RESULT("relay.waiting[]", "bytes", UINT, "their size")                                         \
    RESULT("relay.limits", "envelopes", UINT, "envelopes that may wait in a queue")                \
    RESULT("relay.limits", "mib", UINT, "and their size, MiB")                                     \
    RESULT("relay.limits", "days", UINT, "days that one is kept at most")

/* Events are notifications [2, "event", [map]]: cursor, type, time, account, data. */
#define CONTROL_EVENTS(EVENT)                                                                      \
    EVENT("message.received",                                                                      \
          "contact, message, order, text: a message arrived; no text: it was deleted since")       \
    EVENT("message.deleted", "contact, order: it was deleted here")                                \
    EVENT("message.at-relay", "contact, message: the recipient's relay has it on disk")            \
    EVENT("message.delivered", "contact, message: the recipient's device has it on disk")          \
    EVENT("message.failed", "contact, message, error: given up, and why")                          \
    EVENT("message.mirrored", "contact, message, order, text: another device of ours wrote it")    \
    EVENT("message.read", "contact, order: theirs were read up to there, here or elsewhere")       \
    EVENT("message.gap", "contact: messages of this contact are missing")                          \
    EVENT("message.skipped", "an envelope could not be dealt with, three times; the log says why") \
    EVENT("session.reset", "contact, order, why: a new session began, as the history says too")    \
    EVENT("request.received", "contact, text: somebody asks to be a contact")                      \
    EVENT("contact.accepted", "contact: the other side answered; messages flow")                   \
    EVENT("contact.devices",                                                                       \
          "contact, verified (yes or no): their device list names a device that it did not name")  \
    EVENT("contact.failed", "contact, error: what is wrong with it or its invitation")             \
    EVENT("contact.synced", "contact: it came from another device of ours")                        \
    EVENT("device.added", "device: a device of ours has joined, by a link code of this one")       \
    EVENT("device.linked", "id: this account is a device of that identity now")                    \
    EVENT("device.removed", "device: it is none of ours any more; it can be this one")             \
    EVENT("device.misused", "a used link code was presented again")                                \
    EVENT("invite.misused", "a used invitation was presented again")                               \
    EVENT("relay.ready", "relay: queue and key bundle are in place")                               \
    EVENT("relay.left",                                                                            \
          "relay, error: nothing of this account is there any more, as far as known")              \
    EVENT("relay.failing", "relay, error: the relay cannot be used at the moment")                 \
    EVENT("gap", "first: events before this cursor were trimmed")

#endif
