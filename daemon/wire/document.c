/* SPDX-License-Identifier: MIT */
/*
 * Reading: a message that passed the scan, decoded by msgpack-c, behind this module's own handles.
 */
#include <errno.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/wire/scan.h"
#include "daemon/wire/wire.h"

struct wire_document {
        msgpack_unpacked unpacked;
};

int wire_document_new(struct wire_document **ret, const void *bytes, size_t size, size_t values_max) {
        struct wire_document *document;
        msgpack_unpack_return got;
        size_t values, offset = 0;
        int r;

        r = wire_scan_count(bytes, size, WIRE_DEPTH_MAX, &values);
        if (r < 0)
                return r;
        if (values > values_max)
                return -E2BIG;

        document = calloc(1, sizeof(*document));
        if (!document)
                return -ENOMEM;

        msgpack_unpacked_init(&document->unpacked);
        got = msgpack_unpack_next(&document->unpacked, bytes, size, &offset);
        if (got != MSGPACK_UNPACK_SUCCESS) {
                wire_document_free(document);
                return got == MSGPACK_UNPACK_NOMEM_ERROR ? -ENOMEM : -EBADMSG;
        }

        *ret = document;
        return 0;
}

struct wire_document *wire_document_free(struct wire_document *document) {
        if (!document)
                return NULL;

        msgpack_unpacked_destroy(&document->unpacked);
        free(document);
        return NULL;
}

static const msgpack_object *object_of(struct wire_value value) {
        return value.object;
}

static bool is(struct wire_value value, msgpack_object_type type) {
        return value.object && object_of(value)->type == type;
}

struct wire_value wire_root(const struct wire_document *document) {
        return (struct wire_value){&document->unpacked.data};
}

enum wire_type wire_type(struct wire_value value) {
        if (!value.object)
                return WIRE_NONE;

        switch (object_of(value)->type) {
        case MSGPACK_OBJECT_NIL:
                return WIRE_NIL;
        case MSGPACK_OBJECT_BOOLEAN:
                return WIRE_BOOL;
        case MSGPACK_OBJECT_POSITIVE_INTEGER:
                return WIRE_UINT;
        case MSGPACK_OBJECT_NEGATIVE_INTEGER:
                return WIRE_INT;
        case MSGPACK_OBJECT_FLOAT32:
        case MSGPACK_OBJECT_FLOAT64:
                return WIRE_FLOAT;
        case MSGPACK_OBJECT_STR:
                return WIRE_TEXT;
        case MSGPACK_OBJECT_BIN:
        case MSGPACK_OBJECT_EXT:
                return WIRE_BYTES;
        case MSGPACK_OBJECT_ARRAY:
                return WIRE_ARRAY;
        case MSGPACK_OBJECT_MAP:
                return WIRE_MAP;
        }
        return WIRE_NONE;
}

uint32_t wire_count(struct wire_value value) {
        if (is(value, MSGPACK_OBJECT_ARRAY))
                return object_of(value)->via.array.size;
        if (is(value, MSGPACK_OBJECT_MAP))
                return object_of(value)->via.map.size;
        return 0;
}

struct wire_value wire_at(struct wire_value array, uint32_t index) {
        if (!is(array, MSGPACK_OBJECT_ARRAY) || index >= object_of(array)->via.array.size)
                return (struct wire_value){NULL};

        return (struct wire_value){&object_of(array)->via.array.ptr[index]};
}

struct wire_value wire_key_at(struct wire_value map, uint32_t index) {
        if (!is(map, MSGPACK_OBJECT_MAP) || index >= object_of(map)->via.map.size)
                return (struct wire_value){NULL};

        return (struct wire_value){&object_of(map)->via.map.ptr[index].key};
}

struct wire_value wire_value_at(struct wire_value map, uint32_t index) {
        if (!is(map, MSGPACK_OBJECT_MAP) || index >= object_of(map)->via.map.size)
                return (struct wire_value){NULL};

        return (struct wire_value){&object_of(map)->via.map.ptr[index].val};
}

struct wire_value wire_get(struct wire_value map, const char *key) {
        uint32_t count = is(map, MSGPACK_OBJECT_MAP) ? wire_count(map) : 0;

        for (uint32_t i = 0; i < count; i++)
                if (wire_text_is(wire_key_at(map, i), key))
                        return wire_value_at(map, i);

        return (struct wire_value){NULL};
}

bool wire_get_bool(struct wire_value value, bool *ret) {
        if (!is(value, MSGPACK_OBJECT_BOOLEAN))
                return false;

        *ret = object_of(value)->via.boolean;
        return true;
}

bool wire_get_uint(struct wire_value value, uint64_t *ret) {
        if (!is(value, MSGPACK_OBJECT_POSITIVE_INTEGER))
                return false;

        *ret = object_of(value)->via.u64;
        return true;
}

bool wire_get_int(struct wire_value value, int64_t *ret) {
        if (is(value, MSGPACK_OBJECT_POSITIVE_INTEGER) && object_of(value)->via.u64 <= INT64_MAX)
                *ret = (int64_t)object_of(value)->via.u64;
        else if (is(value, MSGPACK_OBJECT_NEGATIVE_INTEGER))
                *ret = object_of(value)->via.i64;
        else
                return false;

        return true;
}

bool wire_get_text(struct wire_value value, const char **ret, size_t *ret_size) {
        if (!is(value, MSGPACK_OBJECT_STR))
                return false;

        /* msgpack-c has no pointer for an empty text. */
        *ret = object_of(value)->via.str.size > 0 ? object_of(value)->via.str.ptr : "";
        *ret_size = object_of(value)->via.str.size;
        return true;
}

bool wire_text_is(struct wire_value value, const char *text) {
        const char *found;
        size_t size;

        return wire_get_text(value, &found, &size) && size == strlen(text) && memcmp(found, text, size) == 0;
}

bool wire_copy_text(struct wire_value value, char *buf, size_t size) {
        const char *found;
        size_t length;

        if (!wire_get_text(value, &found, &length) || length >= size || memchr(found, 0, length))
                return false;

        memcpy(buf, found, length);
        buf[length] = 0;
        return true;
}
