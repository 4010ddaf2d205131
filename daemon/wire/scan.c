/* SPDX-License-Identifier: MIT */
/*
 * The check of every count before a decoder gets the bytes.
 *
 * No recursion, no allocation, no msgpack-c.  Each value takes a byte at least, so a count that is larger than the
 * remaining bytes is false, and a message that passes makes a decoder reserve a small multiple of its own size.
 */
#include "daemon/wire/scan.h"

#include <errno.h>

#include "daemon/wire/wire.h"

/* What follows the first byte of a value. */
struct shape {
        size_t head;     /* bytes of the value's own head, the first included */
        uint64_t body;   /* bytes of its body */
        uint64_t values; /* values within it */
        bool container;
        bool invalid;
};

static uint64_t big_endian(const unsigned char *bytes, size_t size) {
        uint64_t value = 0;

        for (size_t i = 0; i < size; i++)
                value = value << 8 | bytes[i];
        return value;
}

static struct shape shape_sized(const unsigned char *bytes, size_t left, size_t width, size_t extra) {
        if (left < 1 + width)
                return (struct shape){.invalid = true};

        return (struct shape){.head = 1 + width, .body = big_endian(bytes + 1, width) + extra};
}

static struct shape shape_container(const unsigned char *bytes, size_t left, size_t width, uint64_t each) {
        if (left < 1 + width)
                return (struct shape){.invalid = true};

        return (struct shape){.head = 1 + width, .values = big_endian(bytes + 1, width) * each, .container = true};
}

/* The bytes from 0xc0 to 0xdf, where the format has its types. */
static struct shape shape_typed(const unsigned char *bytes, size_t left) {
        unsigned char type = bytes[0];

        switch (type) {
        case 0xc0: /* nil */
        case 0xc2: /* false */
        case 0xc3: /* true */
                return (struct shape){.head = 1};
        case 0xc4: /* bin 8, 16, 32 */
        case 0xc5:
        case 0xc6:
                return shape_sized(bytes, left, (size_t)1 << (type - 0xc4), 0);
        case 0xc7: /* ext 8, 16, 32: a type byte stands before the body */
        case 0xc8:
        case 0xc9:
                return shape_sized(bytes, left, (size_t)1 << (type - 0xc7), 1);
        case 0xca: /* float 32, 64 */
        case 0xcb:
                return (struct shape){.head = 1, .body = UINT64_C(4) << (type - 0xca)};
        case 0xcc: /* uint 8 to 64 */
        case 0xcd:
        case 0xce:
        case 0xcf:
                return (struct shape){.head = 1, .body = UINT64_C(1) << (type - 0xcc)};
        case 0xd0: /* int 8 to 64 */
        case 0xd1:
        case 0xd2:
        case 0xd3:
                return (struct shape){.head = 1, .body = UINT64_C(1) << (type - 0xd0)};
        case 0xd4: /* fixext 1 to 16 */
        case 0xd5:
        case 0xd6:
        case 0xd7:
        case 0xd8:
                return (struct shape){.head = 1, .body = 1 + (UINT64_C(1) << (type - 0xd4))};
        case 0xd9: /* str 8, 16, 32 */
        case 0xda:
        case 0xdb:
                return shape_sized(bytes, left, (size_t)1 << (type - 0xd9), 0);
        case 0xdc: /* array 16, 32 */
        case 0xdd:
                return shape_container(bytes, left, (size_t)2 << (type - 0xdc), 1);
        case 0xde: /* map 16, 32 */
        case 0xdf:
                return shape_container(bytes, left, (size_t)2 << (type - 0xde), 2);
        default: /* 0xc1 is never used */
                return (struct shape){.invalid = true};
        }
}

static struct shape shape_of(const unsigned char *bytes, size_t left) {
        unsigned char type = bytes[0];

        if (type <= 0x7f || type >= 0xe0) /* small integers */
                return (struct shape){.head = 1};
        if (type <= 0x8f) /* fixmap */
                return (struct shape){.head = 1, .values = 2u * (type & 0x0f), .container = true};
        if (type <= 0x9f) /* fixarray */
                return (struct shape){.head = 1, .values = type & 0x0f, .container = true};
        if (type <= 0xbf) /* fixstr */
                return (struct shape){.head = 1, .body = type & 0x1f};

        return shape_typed(bytes, left);
}

int wire_scan_count(const void *message, size_t size, unsigned max_depth, size_t *ret_values) {
        uint64_t open[WIRE_SCAN_DEPTH]; /* values that are still to come, in each container around this place */
        const unsigned char *bytes = message;
        unsigned depth = 0;
        size_t values = 0;

        if (max_depth > WIRE_SCAN_DEPTH)
                max_depth = WIRE_SCAN_DEPTH;

        do {
                struct shape shape;

                if (size == 0)
                        return -EBADMSG;

                shape = shape_of(bytes, size);
                if (shape.invalid)
                        return -EBADMSG;

                bytes += shape.head;
                size -= shape.head;
                if (shape.body > size || shape.values > size)
                        return -EBADMSG;

                bytes += shape.body;
                size -= shape.body;
                values++;

                if (shape.container) {
                        if (depth == max_depth)
                                return -ELOOP;
                        open[depth++] = shape.values + 1; /* and itself, which is taken off below */
                }
                while (depth > 0 && --open[depth - 1] == 0)
                        depth--;
        } while (depth > 0);

        if (size > 0)
                return -EBADMSG;

        *ret_values = values;
        return 0;
}

int wire_scan(const void *bytes, size_t size, unsigned max_depth) {
        size_t values;

        return wire_scan_count(bytes, size, max_depth, &values);
}
