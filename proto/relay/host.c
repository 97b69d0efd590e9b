/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/host.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "relay/host_card.h"
#include "relay/host_descriptor.h"
#include "relay/host_limits.h"
#include "relay/host_member.h"
#include "relay/host_queue.h"
#include "relay/host_receipt.h"
#include "relay/host_record.h"
#include "relay/host_remove.h"
#include "relay/host_state.h"
#include "relay/host_sweep.h"

struct relay_host *relay_host_new(const struct relay_host_config *config)
{
    struct relay_host *host = calloc(1, sizeof *host);
    if (host == NULL) {
        return NULL;
    }
    host->config = *config;
    relay_cache_init(&host->cache, config->spent_lru != 0 ? config->spent_lru : LIMIT_SPENT_LRU,
                     &host->removals);
    return host;
}

void relay_host_free(struct relay_host *host)
{
    if (host != NULL) {
        relay_cache_fini(&host->cache);
        price_fini(&host->prices);
        secret_wipe(&host->card, sizeof host->card);
        free(host);
    }
}

enum err relay_host_load(struct relay_host *host, struct turn *turn)
{
    uint64_t arrival = 0;
    uint64_t queues = 0;
    uint64_t members = 0;
    uint64_t gone = 0;
    enum err err = relay_meta_get(turn, "relay.arrival", &arrival);
    if (err == ERR_OK) {
        err = relay_meta_get(turn, "relay.queues", &queues);
    }
    if (err == ERR_OK) {
        err = relay_meta_get(turn, "relay.members", &members);
    }
    if (err == ERR_OK) {
        err = relay_meta_get(turn, "relay.queues_gone", &gone);
    }
    if (err == ERR_OK && (queues > UINT32_MAX || members > UINT32_MAX || gone > queues)) {
        err = ERR_CORRUPT;
    }
    if (err == ERR_OK) {
        err = host_sweep_load(host, turn);
    }
    if (err == ERR_OK) {
        err = host_limits_load(host, turn);
    }
    if (err == ERR_OK) {
        err = host_remove_load(host, turn);
    }
    if (err == ERR_OK) {
        err = host_card_load(host, turn);
    }
    if (err != ERR_OK) {
        return err;
    }
    /* Numbers begin with 1. The rest of the block that was reserved last is left out. */
    host->arrival_next = arrival == 0 ? 1 : arrival;
    host->arrival_end = host->arrival_next;
    host->queues = (uint32_t)queues;
    host->members = (uint32_t)members;
    host->queues_gone = (uint32_t)gone;
    env_random(turn->env, &host->cache.salt, sizeof host->cache.salt);
    price_fini(&host->prices);
    price_init(&host->prices, turn->env);
    return ERR_OK;
}

/* The requests of those who own nothing here: open, on an anonymous link, or sealed. */
static enum err dispatch_open(struct relay_host *host, struct turn *turn,
                              const struct relay_peer *peer, uint8_t kind, struct slice body,
                              struct writer *reply)
{
    switch (kind) {
    case RELAY_QUEUE_DEPOSIT:
        return host_queue_deposit(host, turn, peer, body, reply);
    case RELAY_RECORD_GET:
        return host_record_get(host, turn, body, reply);
    case RELAY_RECORD_POP:
        return host_record_pop(host, turn, body, reply);
    case RELAY_DESCRIPTOR_GET:
        return host_descriptor_get(host, turn, body, reply);
    default:
        relay_reply_write(reply, &(struct relay_reply){.err = ERR_UNSUPPORTED});
        return ERR_OK;
    }
}

static enum err dispatch(struct relay_host *host, struct turn *turn, const struct relay_peer *peer,
                         uint8_t kind, struct slice body, struct writer *reply)
{
    switch (kind) {
    case RELAY_MEMBER_JOIN:
        return host_member_join(host, turn, peer, body, reply);
    case RELAY_MEMBER_LEAVE:
        return host_remove_leave(host, turn, peer, body, reply);
    case RELAY_QUEUE_REGISTER:
        return host_queue_register(host, turn, peer, body, reply);
    case RELAY_QUEUE_ATTACH:
        return host_queue_attach(host, turn, peer, body, reply);
    case RELAY_QUEUE_PUSH:
        return ERR_PROTOCOL; /* a relay's own */
    case RELAY_QUEUE_ACK:
        return host_queue_ack(host, turn, peer, body, reply);
    case RELAY_QUEUE_VOID:
        return host_queue_void(host, turn, peer, body, reply);
    case RELAY_RECORD_PUT:
        return host_record_put(host, turn, peer, body, reply);
    case RELAY_RECORD_STATUS:
        return host_record_status(host, turn, peer, body, reply);
    case RELAY_DESCRIPTOR_PUT:
        return host_descriptor_put(host, turn, peer, body, reply);
    case RELAY_CARD:
        return host_card_get(host, body, reply);
    case RELAY_SEALED:
        return host_card_sealed(host, turn, peer, body, dispatch_open, reply);
    default:
        return dispatch_open(host, turn, peer, kind, body, reply);
    }
}

enum err relay_host_request(struct relay_host *host, struct turn *turn,
                            const struct relay_peer *peer, uint8_t kind, struct slice body,
                            struct writer *reply)
{
    enum err err = dispatch(host, turn, peer, kind, body, reply);
    if (err == ERR_OK && reply->err != ERR_OK) {
        return ERR_BUG; /* the caller's buffer is smaller than LIMIT_FRAME */
    }
    return err;
}

enum err relay_host_stats(struct relay_host *host, struct turn *turn,
                          struct relay_host_stats *stats)
{
    (void)turn;
    *stats = (struct relay_host_stats){.members = host->members,
                                       .queues = host->queues - host->queues_gone,
                                       .attached = host->attached};
    return ERR_OK;
}

/* --- what the other host_ files do --- */

void relay_host_link_closed(struct relay_host *host, uint64_t link)
{
    host_reader_link_closed(host, link);
}

enum err relay_host_next_answer(struct relay_host *host, struct turn *turn, struct relay_answer *to,
                                struct writer *reply)
{
    return host_receipt_next(host, turn, to, reply);
}

bool relay_host_is_reader(struct relay_host *host, uint64_t link)
{
    return relay_cache_by_link(&host->cache, link) != NULL;
}

enum err relay_host_next_push(struct relay_host *host, struct turn *turn,
                              bool (*may_send)(void *ctx, uint64_t link), void *ctx, uint64_t *link,
                              struct writer *body)
{
    return host_reader_next_push(host, turn, may_send, ctx, link, body);
}

enum err relay_host_tick(struct relay_host *host, struct turn *turn)
{
    enum err err = host_sweep_tick(host, turn);
    return err == ERR_OK ? host_card_tick(host, turn) : err;
}

uint64_t relay_host_deadline(const struct relay_host *host)
{
    uint64_t sweep = host_sweep_deadline(host);
    uint64_t card = host_card_deadline(host);
    return sweep < card ? sweep : card;
}

enum err relay_host_invite(struct relay_host *host, struct turn *turn, unsigned days,
                           uint8_t code[static 32])
{
    return host_member_invite(host, turn, days, code);
}

enum err relay_host_members(struct relay_host *host, struct turn *turn,
                            const uint8_t after[static SEAL_NAME], struct relay_host_member *out,
                            size_t cap, size_t *count)
{
    return host_member_list(host, turn, after, out, cap, count);
}

enum err relay_host_waiting(struct relay_host *host, struct turn *turn,
                            struct relay_host_cursor *cursor, struct relay_host_waiting *out,
                            size_t cap, size_t *count)
{
    return host_member_waiting(host, turn, cursor, out, cap, count);
}

enum err relay_host_remove(struct relay_host *host, struct turn *turn,
                           const uint8_t name[static RELAY_NAME_SHORT])
{
    uint8_t whole[SEAL_NAME];
    enum err err = host_member_find(turn, name, whole);
    return err == ERR_OK ? host_remove_member(host, turn, whole) : err;
}

struct relay_limits relay_host_limits(const struct relay_host *host)
{
    return host->limits;
}

enum err relay_host_set_limits(struct relay_host *host, struct turn *turn,
                               const struct relay_limits *limits)
{
    return host_limits_set(host, turn, limits);
}

enum err relay_host_fresh(struct relay_host *host, struct turn *turn, struct bep44_item *item)
{
    return host_descriptor_fresh(host, turn, item);
}

enum err relay_host_announce(struct relay_host *host, struct turn *turn,
                             uint8_t at[static SEAL_NAME], struct bep44_item *item, bool *got)
{
    return host_descriptor_announce(host, turn, at, item, got);
}
