/* SPDX-License-Identifier: Apache-2.0
 *
 * nss_module: a module for nsswitch.conf, libnss_petreltest.so.2, that knows one name:
 * module.petrel.test is 127.0.0.1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <nss.h>
#include <stdint.h>
#include <string.h>

enum nss_status _nss_petreltest_gethostbyname4_r(const char *name, struct gaih_addrtuple **found,
                                                 char *buffer, size_t len, int *error,
                                                 int *host_error, int32_t *ttl);

enum nss_status _nss_petreltest_gethostbyname4_r(const char *name, struct gaih_addrtuple **found,
                                                 char *buffer, size_t len, int *error,
                                                 int *host_error, int32_t *ttl)
{
    static char known[] = "module.petrel.test";
    (void)ttl;
    if (strcmp(name, known) != 0) {
        *error = ENOENT;
        *host_error = HOST_NOT_FOUND;
        return NSS_STATUS_NOTFOUND;
    }
    if (*found == NULL) {
        if (len < sizeof **found) {
            *error = ERANGE;
            *host_error = NETDB_INTERNAL;
            return NSS_STATUS_TRYAGAIN;
        }
        *found = (struct gaih_addrtuple *)(void *)buffer;
    }
    memset(*found, 0, sizeof **found);
    (*found)->name = known;
    (*found)->family = AF_INET;
    (*found)->addr[0] = htonl(INADDR_LOOPBACK);
    return NSS_STATUS_SUCCESS;
}
