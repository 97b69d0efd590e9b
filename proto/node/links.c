/* SPDX-License-Identifier: Apache-2.0 */
#include "node/links.h"

#include <stdlib.h>
#include <string.h>

#include "base/pack.h"
#include "base/secret.h"

enum {
    LINKS_FIRST_SLOTS = 64,
    LINKS_GRANT_AT = LIMIT_LINK_CREDIT / 2, /* frames handled before credit is granted again */
};

enum err links_init(struct links *links)
{
    *links = (struct links){.slot_count = LINKS_FIRST_SLOTS};
    links->slots = calloc(links->slot_count, sizeof(struct node_link *));
    return links->slots == NULL ? ERR_NO_MEMORY : ERR_OK;
}

static void link_free_memory(struct node_link *link)
{
    free(link->requests);
    free(link);
}

void links_fini(struct links *links)
{
    for (size_t i = 0; links->slots != NULL && i < links->slot_count; i++) {
        while (links->slots[i] != NULL) {
            struct node_link *link = links->slots[i];
            links->slots[i] = link->next;
            link_free_memory(link);
        }
    }
    free(links->slots);
    *links = (struct links){.slots = NULL};
}

static struct node_link **slot_of(const struct links *links, uint64_t id)
{
    /* Fibonacci hashing: link numbers are consecutive. */
    uint64_t h = id * UINT64_C(0x9e3779b97f4a7c15);
    return &links->slots[(size_t)(h >> 32) & (links->slot_count - 1)];
}

struct node_link *links_find(const struct links *links, uint64_t id)
{
    struct node_link *link = *slot_of(links, id);
    while (link != NULL && link->id != id) {
        link = link->next;
    }
    return link;
}

/* Twice as many chains. Without memory the chains just get longer. */
static void grow(struct links *links)
{
    struct links bigger = *links;
    bigger.slot_count = links->slot_count * 2;
    bigger.slots = calloc(bigger.slot_count, sizeof(struct node_link *));
    if (bigger.slots == NULL) {
        return;
    }
    for (size_t i = 0; i < links->slot_count; i++) {
        while (links->slots[i] != NULL) {
            struct node_link *link = links->slots[i];
            links->slots[i] = link->next;
            struct node_link **slot = slot_of(&bigger, link->id);
            link->next = *slot;
            *slot = link;
        }
    }
    free(links->slots);
    *links = bigger;
}

static struct node_link *add(struct links *links, uint64_t id, enum link_purpose purpose)
{
    struct node_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        return NULL;
    }
    if (links->count >= links->slot_count) {
        grow(links);
    }
    link->id = id;
    link->purpose = purpose;
    link->credit = LIMIT_LINK_CREDIT;
    struct node_link **slot = slot_of(links, id);
    link->next = *slot;
    *slot = link;
    links->count++;
    return link;
}

enum err links_opened_inbound(struct links *links, uint64_t id, const uint8_t hash[static 64])
{
    struct node_link *link = add(links, id, LINK_INBOUND);
    if (link == NULL) {
        return ERR_NO_MEMORY;
    }
    link->open = true;
    memcpy(link->hash, hash, sizeof link->hash);
    return ERR_OK;
}

void links_remove(struct links *links, uint64_t id)
{
    struct node_link **at = slot_of(links, id);
    while (*at != NULL && (*at)->id != id) {
        at = &(*at)->next;
    }
    struct node_link *link = *at;
    if (link == NULL) {
        return;
    }
    *at = link->next;
    links->count--;
    for (struct node_link **own = &links->own; *own != NULL; own = &(*own)->own_next) {
        if (*own == link) {
            *own = link->own_next;
            break;
        }
    }
    for (struct node_link **due = &links->grants; *due != NULL; due = &(*due)->grant_next) {
        if (*due == link) {
            *due = link->grant_next;
            break;
        }
    }
    link_free_memory(link);
}

/* What tells our own links apart. */
struct link_name {
    enum link_purpose purpose;
    uint32_t account;
    uint32_t peer;
    const struct address *address;
};

static struct node_link *find_own(const struct links *links, const struct link_name *name)
{
    struct node_link *link = links->own;
    while (link != NULL &&
           (link->purpose != name->purpose || link->account != name->account ||
            link->peer != name->peer || !address_equal(&link->address, name->address))) {
        link = link->own_next;
    }
    return link;
}

struct node_link *links_find_forward(const struct links *links, const struct address *address)
{
    const struct link_name name = {.purpose = LINK_FORWARD, .address = address};
    return find_own(links, &name);
}

size_t links_count(const struct links *links, enum link_purpose purpose)
{
    size_t n = 0;
    for (const struct node_link *link = links->own; link != NULL; link = link->own_next) {
        n += link->purpose == purpose;
    }
    return n;
}

/* The link of this name, or a new one under this key; key NULL: a fresh one. */
static enum err open_own(struct links *links, struct step *step, const struct link_name *name,
                         const struct dh_sk *key, struct node_link **out)
{
    *out = find_own(links, name);
    if (*out != NULL) {
        return ERR_OK;
    }
    struct node_link *link = add(links, LINKS_OWN_BIT | ++links->last_own, name->purpose);
    if (link == NULL) {
        return ERR_NO_MEMORY;
    }
    link->address = *name->address;
    link->account = name->account;
    link->peer = name->peer;
    link->used_ms = step_now(step);
    link->own_next = links->own;
    links->own = link;
    *out = link;
    struct dh_sk fresh;
    if (key == NULL) {
        env_random(step->turn->env, fresh.b, sizeof fresh.b);
    }
    bool public_only = name->purpose == LINK_FORWARD && !links->forward_private;
    enum err err =
        step_connect(step, link->id, name->address, key == NULL ? &fresh : key, public_only);
    secret_wipe(&fresh, sizeof fresh);
    return err;
}

enum err links_owner(struct links *links, struct step *step, uint32_t account,
                     const struct address *address, const struct dh_sk *key,
                     struct node_link **link)
{
    const struct link_name name = {.purpose = LINK_OWNER, .account = account, .address = address};
    return open_own(links, step, &name, key, link);
}

enum err links_forward(struct links *links, struct step *step, const struct address *address,
                       struct node_link **link)
{
    const struct link_name name = {.purpose = LINK_FORWARD, .address = address};
    return open_own(links, step, &name, NULL, link);
}

enum err links_anonymous(struct links *links, struct step *step, uint32_t account, uint32_t peer,
                         const struct address *address, struct node_link **link)
{
    const struct link_name name = {
        .purpose = LINK_ANONYMOUS, .account = account, .peer = peer, .address = address};
    return open_own(links, step, &name, NULL, link);
}

enum err links_resolve(struct links *links, struct step *step, uint32_t account, uint32_t name,
                       const struct address *address, struct node_link **link)
{
    const struct link_name own = {
        .purpose = LINK_RESOLVE, .account = account, .peer = name, .address = address};
    return open_own(links, step, &own, NULL, link);
}

enum err links_close_account(struct links *links, struct step *step, uint32_t account)
{
    struct node_link *next;
    for (struct node_link *link = links->own; link != NULL; link = next) {
        next = link->own_next;
        if (link->purpose != LINK_FORWARD && link->account == account) {
            enum err err = step_close(step, link->id, ERR_OK);
            if (err != ERR_OK) {
                return err;
            }
            links_remove(links, link->id);
        }
    }
    return ERR_OK;
}

bool links_busy(const struct node_link *link)
{
    return link->unanswered > 0;
}

/* One of the first n. */
static struct link_request *free_slot(struct node_link *link, size_t n)
{
    if (link->requests == NULL) {
        link->requests = calloc(LINK_REQUESTS, sizeof *link->requests);
    }
    for (size_t i = 0; link->requests != NULL && i < n; i++) {
        if (link->requests[i].id == 0) {
            return &link->requests[i];
        }
    }
    return NULL;
}

enum err links_request(struct node_link *link, struct step *step, uint8_t kind, struct slice body,
                       uint32_t peer, uint64_t order)
{
    /* What we pass on must not keep the link from its own business. */
    bool forward = kind == FRAME_RELAY_FORWARD;
    uint32_t kept = forward ? LINK_OWN_REQUESTS : 0;
    if (!link->open || link->credit <= kept) {
        return ERR_NOT_NOW;
    }
    struct link_request *request = free_slot(link, LINK_REQUESTS - kept);
    if (request == NULL) {
        return link->requests == NULL ? ERR_NO_MEMORY : ERR_NOT_NOW;
    }
    uint32_t id = link->last_id == UINT32_MAX ? 1 : link->last_id + 1;
    enum err err = step_send(step, link->id, kind, id, body);
    if (err != ERR_OK) {
        return err;
    }
    link->last_id = id;
    link->credit--;
    link->unanswered++;
    link->used_ms = step_now(step);
    *request =
        (struct link_request){.id = id,
                              .kind = kind,
                              .peer = peer,
                              .order = order,
                              .deadline = step_now(step) + (forward ? LIMIT_FORWARD_TIMEOUT_MS
                                                                    : LIMIT_REQUEST_TIMEOUT_MS)};
    return ERR_OK;
}

enum err links_answered(struct node_link *link, uint32_t id, uint8_t reply_kind,
                        struct link_request *out)
{
    for (size_t i = 0; id != 0 && link->requests != NULL && i < LINK_REQUESTS; i++) {
        struct link_request *request = &link->requests[i];
        if (request->id == id && request->kind + FRAME_REPLY == reply_kind) {
            *out = *request;
            request->id = 0;
            link->unanswered--;
            return ERR_OK;
        }
    }
    return ERR_PROTOCOL;
}

enum err links_received(struct links *links, struct node_link *link, uint8_t kind)
{
    if (!frame_costs_credit(kind)) {
        return ERR_OK;
    }
    /* The other side began with LIMIT_LINK_CREDIT, and every grant gave back what had come. */
    if (link->received == LIMIT_LINK_CREDIT) {
        return ERR_FLOW;
    }
    link->received++;
    if (link->received >= LINKS_GRANT_AT && !link->granting) {
        link->granting = true;
        link->grant_next = links->grants;
        links->grants = link;
    }
    return ERR_OK;
}

enum err links_grant(struct links *links, struct step *step)
{
    while (links->grants != NULL) {
        struct node_link *link = links->grants;
        uint8_t body[8];
        struct writer w = writer_of(body, sizeof body);
        pack_uint(&w, link->received);
        links->grants = link->grant_next;
        link->granting = false;
        link->received = 0;
        enum err err = step_send(step, link->id, FRAME_CREDIT, 0, writer_done(&w));
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

uint64_t links_deadline(const struct links *links)
{
    uint64_t first = UINT64_MAX;
    for (const struct node_link *link = links->own; link != NULL; link = link->own_next) {
        for (size_t i = 0; link->unanswered > 0 && i < LINK_REQUESTS; i++) {
            if (link->requests[i].id != 0) {
                first = earlier(first, link->requests[i].deadline);
            }
        }
    }
    return first;
}
