/* SPDX-License-Identifier: Apache-2.0
 *
 * hostname: what may stand for a host in an address: a DNS name, an IPv4 or an IPv6 literal, in one
 * canonical spelling each, so that equal hosts are equal text. RFC 1123 section 2.1, RFC 5952;
 * docs/protocol/06-identity.md, section 4. Resolves nothing.
 */
#ifndef PETREL_NODE_HOSTNAME_H
#define PETREL_NODE_HOSTNAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/limits.h"

enum hostname_kind {
    HOSTNAME_BAD,
    HOSTNAME_NAME, /* letters, digits, hyphens; labels of 1-63; the last one not all digits */
    HOSTNAME_IPV4,
    HOSTNAME_IPV6, /* without brackets, without a zone */
};

/* What text is, and its canonical spelling (lower case, RFC 5952) in out. out is untouched when
 * HOSTNAME_BAD. */
enum hostname_kind hostname_canonical(struct slice text, char out[static LIMIT_HOST + 1]);
/* The bytes of a literal; false when text is not one. */
bool hostname_ipv4(struct slice text, uint8_t out[static 4]);
bool hostname_ipv6(struct slice text, uint8_t out[static 16]);
/* Whether an address is not one of the public internet: private, loopback, link-local, shared,
 * multicast, reserved or unspecified (RFC 6890), also inside an IPv6 address that holds an IPv4 one
 * (mapped, NAT64, 6to4). */
bool hostname_ipv4_is_private(const uint8_t in[static 4]);
bool hostname_ipv6_is_private(const uint8_t in[static 16]);
/* The same of a canonical host; of names only localhost and what ends with it (RFC 6761). */
bool hostname_is_private(struct slice text);
/* Canonical text, NUL-terminated. */
void hostname_print_ipv4(const uint8_t in[static 4], char out[static LIMIT_HOST + 1]);
void hostname_print_ipv6(const uint8_t in[static 16], char out[static LIMIT_HOST + 1]);

#endif
