/* SPDX-License-Identifier: MIT */
/*
 * The writing half: a bounded buffer, frames around messages, and values.
 */
#include "daemon/wire/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_FIRST 512u
/* A buffer that once held a large answer does not keep the memory for the small ones that follow. */
#define BUFFER_KEEP (UINT32_C(64) << 10)

void wire_buffer_deinit(struct wire_buffer *buffer) {
        free(buffer->data);
        *buffer = WIRE_BUFFER_INIT(buffer->limit);
}

void *wire_buffer_reserve(struct wire_buffer *buffer, size_t size) {
        size_t need, allocated;
        unsigned char *data;

        if (buffer->error < 0)
                return NULL;

        if (buffer->size > buffer->limit || size > buffer->limit - buffer->size) {
                buffer->error = -EMSGSIZE;
                return NULL;
        }

        need = buffer->size + size;
        if (need > buffer->allocated) {
                allocated = buffer->allocated > 0 ? buffer->allocated : BUFFER_FIRST;
                while (allocated < need)
                        allocated *= 2;
                if (allocated > buffer->limit)
                        allocated = buffer->limit;

                data = realloc(buffer->data, allocated);
                if (!data) {
                        buffer->error = -ENOMEM;
                        return NULL;
                }
                buffer->data = data;
                buffer->allocated = allocated;
        }

        return buffer->data + buffer->size;
}

int wire_buffer_append(struct wire_buffer *buffer, const void *bytes, size_t size) {
        void *to;

        if (size == 0)
                return buffer->error;

        to = wire_buffer_reserve(buffer, size);
        if (!to)
                return buffer->error;

        memcpy(to, bytes, size);
        buffer->size += size;
        return 0;
}

void wire_buffer_consume(struct wire_buffer *buffer, size_t size) {
        if (size == 0)
                return;

        if (size < buffer->size) {
                memmove(buffer->data, buffer->data + size, buffer->size - size);
                buffer->size -= size;
        } else {
                buffer->size = 0;
                if (buffer->allocated > BUFFER_KEEP)
                        wire_buffer_deinit(buffer);
        }
}

size_t wire_begin(struct wire_buffer *buffer) {
        static const unsigned char header[WIRE_HEADER];
        size_t mark = buffer->size;

        wire_buffer_append(buffer, header, sizeof(header));
        return mark;
}

int wire_end(struct wire_buffer *buffer, size_t mark) {
        unsigned char *header;
        size_t size;
        int r = buffer->error;

        if (r < 0) {
                wire_cancel(buffer, mark);
                return r;
        }

        size = buffer->size - mark - WIRE_HEADER;
        if (size > UINT32_MAX) {
                wire_cancel(buffer, mark);
                return -EMSGSIZE;
        }

        header = buffer->data + mark;
        for (size_t i = 0; i < WIRE_HEADER; i++)
                header[i] = (unsigned char)(size >> (8 * i));
        return 0;
}

void wire_cancel(struct wire_buffer *buffer, size_t mark) {
        buffer->size = mark;
        buffer->error = 0;
}

int wire_frame(const void *bytes, size_t size, size_t max, const void **ret_message, size_t *ret_size) {
        const unsigned char *header = bytes;
        size_t length = 0;

        if (size < WIRE_HEADER)
                return 0;

        for (size_t i = 0; i < WIRE_HEADER; i++)
                length |= (size_t)header[i] << (8 * i);
        if (length == 0 || length > max)
                return -EMSGSIZE;
        if (size - WIRE_HEADER < length)
                return 0;

        *ret_message = header + WIRE_HEADER;
        *ret_size = length;
        return 1;
}

/* ---------------------------------------------------------------------------------------------------- writing -- */

/* A table has a few hundred thousand values, nearly all of them of one or two bytes: so they are written without
 * msgpack-c, in the shortest form, with one check for room. */
static inline bool has_room(const struct wire_buffer *buffer, size_t size) {
        return buffer->error == 0 && buffer->size + size <= buffer->allocated && buffer->size + size <= buffer->limit;
}

static inline unsigned char *room(struct wire_buffer *buffer, size_t size) {
        unsigned char *at = has_room(buffer, size) ? buffer->data + buffer->size : wire_buffer_reserve(buffer, size);

        if (at)
                buffer->size += size;
        return at;
}

static inline void put_byte(struct wire_buffer *buffer, unsigned char byte) {
        unsigned char *at = room(buffer, 1);

        if (at)
                *at = byte;
}

/* A head and a number of so many bytes, the highest first. */
static inline void put_number(struct wire_buffer *buffer, unsigned char head, uint64_t value, size_t bytes) {
        unsigned char *at = room(buffer, 1 + bytes);

        if (!at)
                return;
        *at = head;
        for (size_t i = bytes; i > 0; i--, value >>= 8)
                at[i] = (unsigned char)value;
}

void wire_put_nil(struct wire_buffer *buffer) {
        put_byte(buffer, 0xc0);
}

void wire_put_bool(struct wire_buffer *buffer, bool value) {
        put_byte(buffer, value ? 0xc3 : 0xc2);
}

void wire_put_long_uint(struct wire_buffer *buffer, uint64_t value) {
        if (value < 128)
                put_byte(buffer, (unsigned char)value);
        else if (value <= UINT8_MAX)
                put_number(buffer, 0xcc, value, 1);
        else if (value <= UINT16_MAX)
                put_number(buffer, 0xcd, value, 2);
        else if (value <= UINT32_MAX)
                put_number(buffer, 0xce, value, 4);
        else
                put_number(buffer, 0xcf, value, 8);
}

static uint64_t number_at(const void *base, uint16_t offset) {
        uint64_t value;

        memcpy(&value, (const char *)base + offset, sizeof(value));
        return value;
}

void wire_put_uints(struct wire_buffer *buffer, const void *base, const uint16_t *offsets, size_t count) {
        const size_t most = WIRE_PACKED_NUMBER * count;
        unsigned char *at = NULL;

        /* Near the limit one after another, as it may be that they fit. */
        if (buffer->size <= buffer->limit && most <= buffer->limit - buffer->size)
                at = has_room(buffer, most) ? buffer->data + buffer->size : wire_buffer_reserve(buffer, most);
        if (!at) {
                for (size_t i = 0; i < count; i++)
                        wire_put_uint(buffer, number_at(base, offsets[i]));
                return;
        }
        for (size_t i = 0; i < count; i++)
                at = wire_pack_uint(at, number_at(base, offsets[i]));
        buffer->size = (size_t)(at - buffer->data);
}

void wire_put_int(struct wire_buffer *buffer, int64_t value) {
        if (value >= 0)
                wire_put_uint(buffer, (uint64_t)value);
        else if (value >= -32)
                put_byte(buffer, (unsigned char)value);
        else if (value >= INT8_MIN)
                put_number(buffer, 0xd0, (uint64_t)value, 1);
        else if (value >= INT16_MIN)
                put_number(buffer, 0xd1, (uint64_t)value, 2);
        else if (value >= INT32_MIN)
                put_number(buffer, 0xd2, (uint64_t)value, 4);
        else
                put_number(buffer, 0xd3, (uint64_t)value, 8);
}

/* At most 31 bytes, as two parts that overlap: a call takes longer. */
static inline void copy_short(unsigned char *to, const char *from, size_t size) {
        if (size >= 16) {
                memcpy(to, from, 16);
                memcpy(to + size - 16, from + size - 16, 16);
        } else if (size >= 8) {
                memcpy(to, from, 8);
                memcpy(to + size - 8, from + size - 8, 8);
        } else if (size >= 4) {
                memcpy(to, from, 4);
                memcpy(to + size - 4, from + size - 4, 4);
        } else {
                for (size_t i = 0; i < size; i++)
                        to[i] = (unsigned char)from[i];
        }
}

void wire_put_text_n(struct wire_buffer *buffer, const char *text, size_t size) {
        unsigned char *at;

        if (size < 32) {
                at = room(buffer, 1 + size);
                if (!at)
                        return;
                *at = (unsigned char)(0xa0 | size);
                copy_short(at + 1, text, size);
                return;
        }
        if (size <= UINT8_MAX)
                put_number(buffer, 0xd9, size, 1);
        else if (size <= UINT16_MAX)
                put_number(buffer, 0xda, size, 2);
        else
                put_number(buffer, 0xdb, size, 4);
        at = room(buffer, size);
        if (at)
                memcpy(at, text, size);
}

void wire_put_array(struct wire_buffer *buffer, uint32_t count) {
        if (count < 16)
                put_byte(buffer, (unsigned char)(0x90 | count));
        else if (count <= UINT16_MAX)
                put_number(buffer, 0xdc, count, 2);
        else
                put_number(buffer, 0xdd, count, 4);
}

void wire_put_map(struct wire_buffer *buffer, uint32_t count) {
        if (count < 16)
                put_byte(buffer, (unsigned char)(0x80 | count));
        else if (count <= UINT16_MAX)
                put_number(buffer, 0xde, count, 2);
        else
                put_number(buffer, 0xdf, count, 4);
}

/* An array 32: a shorter head could not be patched. */
size_t wire_begin_array(struct wire_buffer *buffer) {
        static const unsigned char head[] = {0xdd, 0, 0, 0, 0};
        size_t mark = buffer->size;

        wire_buffer_append(buffer, head, sizeof(head));
        return mark;
}

void wire_end_array(struct wire_buffer *buffer, size_t mark, uint32_t count) {
        if (buffer->error < 0)
                return;

        for (size_t i = 0; i < sizeof(count); i++)
                buffer->data[mark + 1 + i] = (unsigned char)(count >> (24 - 8 * i));
}
