/*
 * The writing half: a bounded buffer, frames around messages, and values packed by msgpack-c.
 */
#include "daemon/wire/wire.h"

#include <errno.h>
#include <msgpack.h>
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

static int put_bytes(void *data, const char *bytes, size_t size) {
        return wire_buffer_append(data, bytes, size);
}

static msgpack_packer packer(struct wire_buffer *buffer) {
        msgpack_packer packer;

        msgpack_packer_init(&packer, buffer, put_bytes);
        return packer;
}

void wire_put_nil(struct wire_buffer *buffer) {
        msgpack_packer pk = packer(buffer);

        msgpack_pack_nil(&pk);
}

void wire_put_bool(struct wire_buffer *buffer, bool value) {
        msgpack_packer pk = packer(buffer);

        if (value)
                msgpack_pack_true(&pk);
        else
                msgpack_pack_false(&pk);
}

void wire_put_uint(struct wire_buffer *buffer, uint64_t value) {
        msgpack_packer pk = packer(buffer);

        msgpack_pack_uint64(&pk, value);
}

void wire_put_int(struct wire_buffer *buffer, int64_t value) {
        msgpack_packer pk = packer(buffer);

        msgpack_pack_int64(&pk, value);
}

void wire_put_text(struct wire_buffer *buffer, const char *text) {
        wire_put_text_n(buffer, text, text ? strlen(text) : 0);
}

void wire_put_text_n(struct wire_buffer *buffer, const char *text, size_t size) {
        msgpack_packer pk = packer(buffer);

        msgpack_pack_str(&pk, size);
        if (size > 0)
                msgpack_pack_str_body(&pk, text, size);
}

void wire_put_array(struct wire_buffer *buffer, uint32_t count) {
        msgpack_packer pk = packer(buffer);

        msgpack_pack_array(&pk, count);
}

void wire_put_map(struct wire_buffer *buffer, uint32_t count) {
        msgpack_packer pk = packer(buffer);

        msgpack_pack_map(&pk, count);
}

/* An array 32, by hand: msgpack-c picks the shortest head, which could not be patched. */
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
