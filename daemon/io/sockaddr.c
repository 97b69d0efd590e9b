/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/sockaddr.h"

#include <string.h>

#include "node/hostname.h"

bool sockaddr_is_private(const struct sockaddr *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof v4);
        return hostname_ipv4_is_private((const uint8_t *)&v4.sin_addr);
    }
    if (address->sa_family == AF_INET6) {
        memcpy(&v6, address, sizeof v6);
        return hostname_ipv6_is_private(v6.sin6_addr.s6_addr);
    }
    return true;
}

bool sockaddr_is_literal(const char *host)
{
    uint8_t bytes[16];
    struct slice text = slice_of(host, strlen(host));
    return hostname_ipv4(text, bytes) || hostname_ipv6(text, bytes);
}
