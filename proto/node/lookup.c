/* SPDX-License-Identifier: Apache-2.0 */
#include "node/lookup.h"

#include <string.h>

static bool fits(const struct contact_row *row, struct slice text)
{
    char id[ID_TEXT];
    if (row->name.len > 0 && slice_equal(row->name, text)) {
        return true;
    }
    id_encode(row->id.b, id);
    return text.len >= LOOKUP_PREFIX && text.len < ID_TEXT && memcmp(id, text.p, text.len) == 0;
}

enum err lookup_contact(struct step *step, struct seal_keys *keys, struct slice text,
                        struct contact_row *row)
{
    struct sign_pk id;
    uint32_t number = 0;
    if (id_parse(text, &id) == ERR_OK) {
        enum err err = contact_row_find(step, keys, &id, &number);
        if (err != ERR_OK) {
            return err == ERR_NOT_FOUND ? ERR_UNKNOWN_CONTACT : err;
        }
        return contact_row_get(step, keys, number, row);
    }
    struct contact_row each = {.number = 0};
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = contact_row_next(step, keys, each.number, &each);
        if (err == ERR_OK && fits(&each, text)) {
            if (number != 0) {
                return ERR_AMBIGUOUS;
            }
            number = each.number;
        }
        arena_rewind(step->turn->arena, mark);
    }
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    return number == 0 ? ERR_UNKNOWN_CONTACT : contact_row_get(step, keys, number, row);
}

enum err lookup_name_taken(struct step *step, struct seal_keys *keys, struct slice name,
                           uint32_t number, bool *taken)
{
    struct contact_row each = {.number = 0};
    enum err err = ERR_OK;
    *taken = false;
    while (err == ERR_OK && !*taken) {
        struct arena_mark mark = arena_mark(step->turn->arena);
        err = contact_row_next(step, keys, each.number, &each);
        *taken =
            err == ERR_OK && each.number != number && name.len > 0 && slice_equal(each.name, name);
        arena_rewind(step->turn->arena, mark);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}
