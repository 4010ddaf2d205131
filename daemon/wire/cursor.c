/* SPDX-License-Identifier: MIT */
/*
 * Reading in one pass, without a document: for answers of very many rows, each read once.
 *
 * Like the scan it checks each count and length before use, allocates nothing, and does not use msgpack-c.
 */
#include "daemon/wire/wire.h"

static uint64_t big_endian(const unsigned char *bytes, size_t size) {
        uint64_t value = 0;

        for (size_t i = 0; i < size; i++)
                value = value << 8 | bytes[i];
        return value;
}

/* The next `size` bytes of the head; NULL: there are not that many. */
static const unsigned char *take(struct wire_cursor *cursor, uint64_t size) {
        const unsigned char *bytes = cursor->at;

        if (size > cursor->left)
                return NULL;
        cursor->at += size;
        cursor->left -= (size_t)size;
        return bytes;
}

static bool read_uint(struct wire_cursor *cursor, size_t width, struct wire_item *ret) {
        const unsigned char *bytes = take(cursor, width);

        if (!bytes)
                return false;
        ret->type = WIRE_UINT;
        ret->u = big_endian(bytes, width);
        return true;
}

static bool read_int(struct wire_cursor *cursor, size_t width, struct wire_item *ret) {
        unsigned shift = 64 - 8 * (unsigned)width;

        if (!read_uint(cursor, width, ret))
                return false;
        ret->i = (int64_t)(ret->u << shift) >> shift;
        if (ret->i < 0)
                ret->type = WIRE_INT;
        else
                ret->u = (uint64_t)ret->i;
        return true;
}

static bool read_bytes(struct wire_cursor *cursor, enum wire_type type, uint64_t size, struct wire_item *ret) {
        const unsigned char *bytes = take(cursor, size);

        if (!bytes)
                return false;
        ret->type = type;
        ret->text = (const char *)bytes;
        ret->size = (size_t)size;
        return true;
}

static bool read_sized(struct wire_cursor *cursor, enum wire_type type, size_t width, size_t extra,
                       struct wire_item *ret) {
        const unsigned char *bytes = take(cursor, width);

        return bytes && read_bytes(cursor, type, big_endian(bytes, width) + extra, ret);
}

/* Each value within takes a byte at least. */
static bool read_container(struct wire_cursor *cursor, enum wire_type type, uint64_t count, struct wire_item *ret) {
        ret->type = type;
        ret->u = count;
        return count * (type == WIRE_MAP ? 2 : 1) <= cursor->left;
}

static bool read_counted(struct wire_cursor *cursor, enum wire_type type, size_t width, struct wire_item *ret) {
        const unsigned char *bytes = take(cursor, width);

        return bytes && read_container(cursor, type, big_endian(bytes, width), ret);
}

static bool read_typed(struct wire_cursor *cursor, unsigned char type, struct wire_item *ret) {
        switch (type) {
        case 0xc0:
                ret->type = WIRE_NIL;
                return true;
        case 0xc2:
        case 0xc3:
                ret->type = WIRE_BOOL;
                ret->u = type == 0xc3;
                return true;
        case 0xc4:
        case 0xc5:
        case 0xc6:
                return read_sized(cursor, WIRE_BYTES, (size_t)1 << (type - 0xc4), 0, ret);
        case 0xc7:
        case 0xc8:
        case 0xc9:
                return read_sized(cursor, WIRE_BYTES, (size_t)1 << (type - 0xc7), 1, ret);
        case 0xca:
        case 0xcb:
                return read_bytes(cursor, WIRE_FLOAT, UINT64_C(4) << (type - 0xca), ret);
        case 0xcc:
        case 0xcd:
        case 0xce:
        case 0xcf:
                return read_uint(cursor, (size_t)1 << (type - 0xcc), ret);
        case 0xd0:
        case 0xd1:
        case 0xd2:
        case 0xd3:
                return read_int(cursor, (size_t)1 << (type - 0xd0), ret);
        case 0xd4:
        case 0xd5:
        case 0xd6:
        case 0xd7:
        case 0xd8:
                return read_bytes(cursor, WIRE_BYTES, 1 + (UINT64_C(1) << (type - 0xd4)), ret);
        case 0xd9:
        case 0xda:
        case 0xdb:
                return read_sized(cursor, WIRE_TEXT, (size_t)1 << (type - 0xd9), 0, ret);
        case 0xdc:
        case 0xdd:
                return read_counted(cursor, WIRE_ARRAY, (size_t)2 << (type - 0xdc), ret);
        case 0xde:
        case 0xdf:
                return read_counted(cursor, WIRE_MAP, (size_t)2 << (type - 0xde), ret);
        default: /* 0xc1 is never used */
                return false;
        }
}

bool wire_cursor_next(struct wire_cursor *cursor, struct wire_item *ret) {
        const unsigned char *first = take(cursor, 1);

        *ret = (struct wire_item){.type = WIRE_NONE};
        if (!first)
                return false;
        if (*first <= 0x7f) {
                ret->type = WIRE_UINT;
                ret->u = *first;
                return true;
        }
        if (*first >= 0xe0) {
                ret->type = WIRE_INT;
                ret->i = (int8_t)*first;
                return true;
        }
        if (*first <= 0x8f)
                return read_container(cursor, WIRE_MAP, *first & 0x0f, ret);
        if (*first <= 0x9f)
                return read_container(cursor, WIRE_ARRAY, *first & 0x0f, ret);
        if (*first <= 0xbf)
                return read_bytes(cursor, WIRE_TEXT, *first & 0x1f, ret);
        return read_typed(cursor, *first, ret);
}

bool wire_cursor_skip(struct wire_cursor *cursor) {
        struct wire_item item;

        /* Nesting needs no stack: only how many values are still to come. */
        for (uint64_t left = 1; left > 0; left--) {
                if (!wire_cursor_next(cursor, &item))
                        return false;
                if (item.type == WIRE_ARRAY)
                        left += item.u;
                else if (item.type == WIRE_MAP)
                        left += 2 * item.u;
        }
        return true;
}
