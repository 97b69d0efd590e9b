/* SPDX-License-Identifier: Apache-2.0 */
/* The table of BEP 42, which ID a node at an address may have, and cases that follow from its text.
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "dht/contact.h"
#include "lib/vectors.h"

#define FILE_NAME "dht/bep42.json"

static int check(const json_t *c)
{
    struct dht_address a = {.port = 6881};
    struct dht_id id;
    struct slice bytes = vectors_hex(c, "node_id");
    const char *ip = json_string_value(json_object_get(c, "ip"));
    int ok = bytes.len == DHT_ID && inet_pton(AF_INET, ip, a.ip) == 1;
    if (ok) {
        struct reader r = reader_of(bytes);
        reader_copy(&r, id.b, DHT_ID);
        ok = dht_id_fits(&id, &a) == json_is_true(json_object_get(c, "valid"));
    }
    vectors_free(bytes);
    return ok;
}

int main(void)
{
    json_t *root = vectors_load(FILE_NAME);
    static const char *const lists[] = {"tests", "derived"};
    for (size_t list = 0; list < sizeof lists / sizeof lists[0]; list++) {
        size_t i;
        json_t *c;
        json_array_foreach(json_object_get(root, lists[list]), i, c)
        {
            const char *why = json_string_value(json_object_get(c, "why"));
            vectors_case(FILE_NAME, why != NULL ? why : json_string_value(json_object_get(c, "ip")),
                         check(c));
        }
    }
    json_decref(root);
    return vectors_done();
}
