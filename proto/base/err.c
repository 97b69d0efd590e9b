/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

enum err_class err_class(enum err err)
{
    switch (err) {
#define ERR_CLASS_CASE(constant, code, class, name, message)                                       \
    case ERR_##constant:                                                                           \
        return ERR_CLASS_##class;
        ERR_TABLE(ERR_CLASS_CASE)
#undef ERR_CLASS_CASE
    default:
        return ERR_CLASS_PEER;
    }
}

const char *err_name(enum err err)
{
    switch (err) {
#define ERR_NAME_CASE(constant, code, class, name, message)                                        \
    case ERR_##constant:                                                                           \
        return name;
        ERR_TABLE(ERR_NAME_CASE)
#undef ERR_NAME_CASE
    default:
        return "unknown-error";
    }
}

const char *err_message(enum err err)
{
    switch (err) {
#define ERR_MESSAGE_CASE(constant, code, class, name, message)                                     \
    case ERR_##constant:                                                                           \
        return message;
        ERR_TABLE(ERR_MESSAGE_CASE)
#undef ERR_MESSAGE_CASE
    default:
        return "an error that this version does not know";
    }
}

enum err err_from_code(unsigned code)
{
    switch (code) {
#define ERR_FROM_CASE(constant, code, class, name, message)                                        \
    case code:                                                                                     \
        return ERR_##constant;
        ERR_TABLE(ERR_FROM_CASE)
#undef ERR_FROM_CASE
    default:
        return ERR_PROTOCOL;
    }
}
