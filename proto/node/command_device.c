/* SPDX-License-Identifier: Apache-2.0
 *
 * command_device: calls about our own devices. Those about link codes: command_contact.c.
 */
#include <string.h>

#include "node/command.h"

/* The device of ours that parameter "device" names, by its name or the beginning of it. */
static enum err named_device(struct call *c, struct sign_pk *device)
{
    struct slice text = slice_of(NULL, 0);
    struct contact_row self;
    struct device_list *list;
    unsigned found = 0;
    (void)params_str(c->params, "device", &text);
    if (c->me->self == 0 || text.len == 0) {
        return ERR_UNKNOWN_DEVICE;
    }
    enum err err = contact_row_get(c->step, c->me->keys, c->me->self, &self);
    if (err == ERR_OK) {
        err = contact_list_known(c->step, &self, &list);
    }
    if (err != ERR_OK) {
        return err;
    }
    for (unsigned i = 1; i < list->count; i++) { /* the first one signs the list */
        char name[DEVICE_NAME];
        device_name(list->entries[i].device.sign.b, name);
        if (text.len < sizeof name && memcmp(name, text.p, text.len) == 0) {
            *device = list->entries[i].device.sign;
            found++;
        }
    }
    return found == 1 ? ERR_OK : found == 0 ? ERR_UNKNOWN_DEVICE : ERR_AMBIGUOUS;
}

enum err call_device_remove(struct call *c)
{
    struct sign_pk device;
    char name[DEVICE_NAME];
    enum err err = c->me->linked ? ERR_NO_IDENTITY : named_device(c, &device);
    if (err == ERR_OK) {
        err = devices_remove(c->me, c->step, &device);
    }
    if (err == ERR_OK) {
        device_name(device.b, name);
        pack_map(&c->out, 1);
        result_text(&c->out, "device", name);
    }
    return err;
}
