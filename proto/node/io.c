/* SPDX-License-Identifier: Apache-2.0 */
#include "node/io.h"

#include <stdlib.h>

#include "base/secret.h"

void node_outputs_free(struct node_outputs *outs)
{
    while (outs->first != NULL) {
        struct node_output *out = outs->first;
        outs->first = out->next;
        secret_wipe(&out->connect, sizeof out->connect);
        secret_wipe(out->data, out->len);
        free(out);
    }
    *outs = (struct node_outputs){.first = NULL};
}

void node_outputs_splice(struct node_outputs *to, struct node_outputs *from)
{
    if (from->first == NULL) {
        return;
    }
    if (to->last != NULL) {
        to->last->next = from->first;
    } else {
        to->first = from->first;
    }
    to->last = from->last;
    to->count += from->count;
    to->bytes += from->bytes;
    *from = (struct node_outputs){.first = NULL};
}
