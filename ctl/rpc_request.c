/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/rpc_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "ctl/json.h"

/* --- errors --- */

static const struct {
    enum rpc_code code;
    const char *message;
    const char *name; /* NULL: the error is not about the node, and has no data */
    const char *class_name;
} ERRORS[] = {
    {RPC_PARSE, "Parse error", NULL, NULL},
    {RPC_INVALID_REQUEST, "Invalid Request", NULL, NULL},
    {RPC_NO_METHOD, "Method not found", "unknown-method", "caller"},
    {RPC_INVALID_PARAMS, "Invalid params", NULL, NULL},
    {RPC_NO_DAEMON, "no petreld runs on this home", "no-daemon", "state"},
    {RPC_LOST, "the daemon closed the connection before it answered", "connection-lost", "local"},
    {RPC_NO_ANSWER, "the daemon does not answer in time", "no-answer", "local"},
};

json_t *rpc_error(enum rpc_code code, const char *detail)
{
    size_t i = 0;
    while (ERRORS[i].code != code) {
        i++;
    }
    json_t *message = detail == NULL ? NULL : json_sprintf("%s: %s", ERRORS[i].message, detail);
    if (message == NULL) { /* a detail about bytes that are no text need not be one */
        message = json_string(ERRORS[i].message);
    }
    json_t *error = json_pack("{s:i, s:o}", "code", (int)code, "message", message);
    json_t *data = ERRORS[i].name == NULL ? NULL
                                          : json_pack("{s:s, s:s}", "name", ERRORS[i].name, "class",
                                                      ERRORS[i].class_name);
    if (data != NULL) {
        json_object_set_new(error, "data", data);
    }
    return error;
}

/* The code under which JSON-RPC has an error of ours. */
static int code_of(uint32_t code)
{
    switch (code) {
    case ERR_UNKNOWN_METHOD:
        return RPC_NO_METHOD;
    case ERR_UNKNOWN_PARAM:
    case ERR_MISSING_PARAM:
    case ERR_BAD_TYPE:
        return RPC_INVALID_PARAMS;
    default:
        return (int)code;
    }
}

static json_t *error_object(const struct control_error *e)
{
    json_t *data = json_object();
    json_object_set_new(data, "name", json_stringn((const char *)e->name.p, e->name.len));
    json_object_set_new(data, "class",
                        json_stringn((const char *)e->class_name.p, e->class_name.len));
    if (e->retry_after_ms > 0) {
        json_object_set_new(data, "retry_after_ms", json_integer(e->retry_after_ms));
    }
    return json_pack("{s:i, s:o, s:o}", "code", code_of(e->code), "message",
                     json_stringn((const char *)e->message.p, e->message.len), "data", data);
}

json_t *rpc_error_of(enum err err, struct slice detail)
{
    uint8_t reply[1024];
    struct writer w = writer_of(reply, sizeof reply);
    struct control_message m;
    /* The daemon's own words, and its own way of adding a detail. */
    control_write_error(&w, 1, err, 0, detail);
    return control_read(writer_done(&w), &m) == ERR_OK ? rpc_error_from(m.error) : NULL;
}

json_t *rpc_error_from(struct slice map)
{
    struct control_error e;
    return control_error_read(map, &e) == ERR_OK ? error_object(&e)
                                                 : rpc_error(RPC_LOST, "its answer has no sense");
}

/* --- parameters --- */

static struct slice text_of(const json_t *value)
{
    return slice_of(json_string_value(value), json_string_length(value));
}

/* A whole number, or its digits: those of JavaScript end at 2^53, jansson's at 2^63. */
static enum err pack_number(const json_t *value, struct writer *w)
{
    char *end = NULL;
    const char *text = json_string_value(value);
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        pack_uint(w, (uint64_t)json_integer_value(value));
        return ERR_OK;
    }
    if (text == NULL || text[0] < '0' || text[0] > '9') {
        return ERR_BAD_TYPE;
    }
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno != 0 || end != text + json_string_length(value)) {
        return ERR_BAD_TYPE;
    }
    pack_uint(w, n);
    return ERR_OK;
}

/* Hexadecimal, as --json prints it. */
static enum err pack_bytes(const json_t *value, struct writer *w)
{
    struct slice hex = text_of(value);
    size_t len = 0;
    uint8_t *bytes = json_is_string(value) ? malloc(hex.len / 2 + 1) : NULL;
    enum err err = ERR_BAD_TYPE;
    if (bytes != NULL &&
        sodium_hex2bin(bytes, hex.len / 2 + 1, (const char *)hex.p, hex.len, NULL, &len, NULL) ==
            0 &&
        2 * len == hex.len) {
        pack_bin(w, bytes, len);
        err = ERR_OK;
    }
    free(bytes);
    return err;
}

static enum err pack_value(enum control_type type, const json_t *value, struct writer *w)
{
    switch (type) {
    case CONTROL_STR:
        if (!json_is_string(value)) {
            return ERR_BAD_TYPE;
        }
        pack_str_slice(w, text_of(value));
        return ERR_OK;
    case CONTROL_BIN:
        return pack_bytes(value, w);
    case CONTROL_UINT:
        return pack_number(value, w);
    case CONTROL_BOOL:
        if (!json_is_boolean(value)) {
            return ERR_BAD_TYPE;
        }
        pack_bool(w, json_is_true(value));
        return ERR_OK;
    }
    return ERR_BUG;
}

/* Encodes params (an object, or NULL) with what the caller need not give. *which names the
 * parameter that is wrong; it borrows from params or w. */
static enum err pack_params(json_t *params, uint64_t account, const struct control_method *method,
                            struct writer *w, struct slice *which)
{
    const char *key;
    json_t *value;
    bool add_account = method->whose == CONTROL_ACCOUNT && account > 0 &&
                       json_object_get(params, "account") == NULL;
    bool add_id = method->mutates && json_object_get(params, "client_id") == NULL;
    pack_map(w, (uint32_t)(json_object_size(params) + add_account + add_id));
    json_object_foreach(params, key, value)
    {
        *which = slice_of(key, strlen(key));
        const struct control_param *row = control_param_find(method, *which);
        if (row == NULL) {
            return ERR_UNKNOWN_PARAM;
        }
        pack_str(w, key);
        enum err err = pack_value(row->type, value, w);
        if (err != ERR_OK) {
            return err;
        }
    }
    if (add_account) {
        pack_str(w, "account");
        pack_uint(w, account);
    }
    if (add_id) {
        uint8_t client_id[CONTROL_CLIENT_ID];
        randombytes_buf(client_id, sizeof client_id);
        pack_str(w, "client_id");
        pack_bin(w, client_id, sizeof client_id);
    }
    *which = slice_of(NULL, 0);
    return w->err != ERR_OK ? ERR_TOO_LARGE : control_params_check(method, writer_done(w), which);
}

/* The parameters by name; NULL without any. false: they are in no form that a method takes. */
static bool params_by_name(json_t *element, json_t **params)
{
    json_t *given = json_object_get(element, "params");
    bool empty = given == NULL || (json_is_array(given) && json_array_size(given) == 0);
    *params = empty ? NULL : given;
    return empty || json_is_object(given);
}

/* --- requests --- */

static bool is_version_2(const json_t *version)
{
    return json_is_string(version) && strcmp(json_string_value(version), "2.0") == 0;
}

/* What is wrong with the request object; NULL: nothing. */
static const char *form_error(json_t *element)
{
    json_t *id = json_object_get(element, "id");
    json_t *params = json_object_get(element, "params");
    if (!json_is_object(element)) {
        return "a request is an object";
    }
    if (!is_version_2(json_object_get(element, "jsonrpc"))) {
        return "jsonrpc must be \"2.0\"";
    }
    if (!json_is_string(json_object_get(element, "method"))) {
        return "method must be a text";
    }
    if (id != NULL && !json_is_string(id) && !json_is_number(id) && !json_is_null(id)) {
        return "id must be a text, a number or null";
    }
    if (params != NULL && !json_is_object(params) && !json_is_array(params)) {
        return "params must be an object or an array";
    }
    return NULL;
}

json_t *rpc_request_read(json_t *element, uint64_t account, struct rpc_request *request,
                         struct writer *params)
{
    const char *wrong = form_error(element);
    json_t *id = json_object_get(element, "id");
    json_t *by_name = NULL;
    struct slice which = {0};
    *request = (struct rpc_request){0};
    if (wrong != NULL) {
        bool usable = json_is_string(id) || json_is_number(id);
        request->id = usable ? json_incref(id) : json_null();
        return rpc_error(RPC_INVALID_REQUEST, wrong);
    }
    request->id = json_incref(id);
    struct slice name = text_of(json_object_get(element, "method"));
    request->method = control_method_find(name);
    if (request->method == NULL) {
        return rpc_error_of(ERR_UNKNOWN_METHOD, name);
    }
    if (!params_by_name(element, &by_name)) {
        return rpc_error(RPC_INVALID_PARAMS, "parameters go by name, in an object");
    }
    enum err err = pack_params(by_name, account, request->method, params, &which);
    if (err != ERR_OK) {
        return rpc_error_of(err, which);
    }
    struct slice client_id;
    if (control_get_bin(writer_done(params), "client_id", &client_id)) {
        memcpy(request->client_id, client_id.p, sizeof request->client_id);
    }
    return NULL;
}

void rpc_request_fini(struct rpc_request *request)
{
    json_decref(request->id);
    request->id = NULL;
}
