/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/host_limits.h"

#include <string.h>

/* STORE_META "relay.limits": envelopes u32 | MiB u32 | days u16, not sealed. */
enum {
    LIMITS_ROW = 4 + 4 + 2
};

static struct slice row_name(void)
{
    static const char name[] = "relay.limits";
    return slice_of(name, sizeof name - 1);
}

static bool in_range(const struct relay_limits *limits)
{
    return limits->envelopes >= 1 && limits->envelopes <= LIMIT_QUEUE_ENVELOPES_MAX &&
           limits->mib >= 1 && limits->mib <= LIMIT_QUEUE_MIB_MAX && limits->days >= 1 &&
           limits->days <= LIMIT_QUEUE_DAYS;
}

enum err host_limits_load(struct relay_host *host, struct turn *turn)
{
    struct relay_limits limits = {
        .envelopes = LIMIT_QUEUE_ENVELOPES, .mib = LIMIT_QUEUE_MIB, .days = LIMIT_QUEUE_DAYS};
    struct slice row;
    enum err err = store_get(turn->store, STORE_META, row_name(), &row);
    if (err == ERR_OK) {
        struct reader r = reader_of(row);
        limits.envelopes = reader_u32(&r);
        limits.mib = reader_u32(&r);
        limits.days = reader_u16(&r);
        err = reader_end(&r) == ERR_OK && in_range(&limits) ? ERR_OK : ERR_CORRUPT;
    }
    if (err == ERR_OK || err == ERR_NOT_FOUND) {
        host->limits = limits;
        err = ERR_OK;
    }
    return err;
}

enum err host_limits_set(struct relay_host *host, struct turn *turn,
                         const struct relay_limits *limits)
{
    uint8_t buf[LIMITS_ROW];
    struct writer w = writer_of(buf, sizeof buf);
    if (!in_range(limits)) {
        return ERR_ARGUMENT;
    }
    writer_u32(&w, limits->envelopes);
    writer_u32(&w, limits->mib);
    writer_u16(&w, limits->days);
    enum err err = store_put(turn->store, STORE_META, row_name(), writer_done(&w));
    if (err == ERR_OK) {
        host->limits = *limits;
        host->card.len = 0;                             /* it names them */
        memset(host->log_due, 0, sizeof host->log_due); /* with fewer days something may be over */
    }
    return err;
}

uint64_t host_limits_lifetime_ms(const struct relay_host *host, unsigned lifetime)
{
    uint64_t asked = queue_lifetime_ms(lifetime);
    uint64_t most = host->limits.days * LIMIT_DAY_MS;
    return asked < most ? asked : most;
}

uint64_t host_limits_bytes(const struct relay_host *host)
{
    return (uint64_t)host->limits.mib << 20;
}
