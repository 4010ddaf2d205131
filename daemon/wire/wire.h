/* SPDX-License-Identifier: MIT */
/*
 * Messages of the query socket: bytes that are written, checked and read.
 *
 * What lives here: a bounded buffer, framing, writing values, the scan that every foreign byte goes through, and
 * reading values.  What does not: sockets, and what the messages mean (docs/query-protocol.md).  Only this module
 * includes msgpack.h.
 *
 * A peer can send anything.  wire_scan() looks at each declared count before msgpack-c sees a byte, because its
 * decoder reserves memory for a count before it has read what is counted: five bytes could make it ask for 8 GiB.
 * wire_document_new() scans by itself, so there is no way around it.
 *
 * Threads: none of this is shared.
 */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WIRE_PROTOCOL       1u
#define WIRE_REQUEST_MAX    (UINT32_C(64) << 10) /* bytes of one message, without its length */
#define WIRE_ANSWER_MAX     (UINT32_C(64) << 20)
#define WIRE_DEPTH_MAX      16u   /* arrays and maps within one another */
#define WIRE_REQUEST_VALUES 1024u /* values in a request: far more than any method has params */
#define WIRE_HEADER         sizeof(uint32_t)

enum wire_message { WIRE_MESSAGE_REQUEST = 0, WIRE_MESSAGE_ANSWER = 1, WIRE_MESSAGE_NOTIFICATION = 2 };

/* ---------------------------------------------------------------------------------------------------- buffer -- */

/* A buffer that grows up to `limit`.  After an error all writes are dropped, and wire_end returns the error. */
struct wire_buffer {
        unsigned char *data;
        size_t size, allocated;
        size_t limit;
        int error; /* 0, -ENOMEM or -EMSGSIZE */
};
#define WIRE_BUFFER_INIT(max) ((struct wire_buffer){.limit = (max)})

void wire_buffer_deinit(struct wire_buffer *buffer);
int wire_buffer_append(struct wire_buffer *buffer, const void *bytes, size_t size);
/* Removes `size` bytes from the front, and frees memory once a large message is consumed. */
void wire_buffer_consume(struct wire_buffer *buffer, size_t size);
/* Makes room for `size` more bytes at data + size (for a read(2) that adds to .size itself).  NULL: no room. */
void *wire_buffer_reserve(struct wire_buffer *buffer, size_t size);

/* ---------------------------------------------------------------------------------------------------- framing -- */

/* Begins a framed message.  Returns a mark for wire_end or wire_cancel. */
size_t wire_begin(struct wire_buffer *buffer);
/* Writes the length.  On an error everything since the mark is taken back, the error is cleared and returned. */
int wire_end(struct wire_buffer *buffer, size_t mark);
void wire_cancel(struct wire_buffer *buffer, size_t mark);

/* Reads the frame at the front of a stream.  1: a whole message, in ret_message and ret_size (without its length; the
 * frame takes WIRE_HEADER more).  0: it is not complete.  -EMSGSIZE: it is, or will be, longer than `max`, or empty. */
int wire_frame(const void *bytes, size_t size, size_t max, const void **ret_message, size_t *ret_size);

/* ---------------------------------------------------------------------------------------------------- writing -- */

void wire_put_nil(struct wire_buffer *buffer);
void wire_put_bool(struct wire_buffer *buffer, bool value);
void wire_put_long_uint(struct wire_buffer *buffer, uint64_t value); /* any; wire_put_uint() is for all to use */
/* Here, since nearly all numbers of a table are one byte. */
static inline void wire_put_uint(struct wire_buffer *buffer, uint64_t value) {
        if (value < 128 && !buffer->error && buffer->size < buffer->allocated && buffer->size < buffer->limit)
                buffer->data[buffer->size++] = (unsigned char)value;
        else
                wire_put_long_uint(buffer, value);
}
void wire_put_int(struct wire_buffer *buffer, int64_t value);
/* So many numbers, which lie at these offsets of `base`: as wire_put_uint() of each, with one look at the room for all. */
void wire_put_uints(struct wire_buffer *buffer, const void *base, const uint16_t *offsets, size_t count);
void wire_put_text_n(struct wire_buffer *buffer, const char *text, size_t size);
/* NULL: empty.  Inline, so that the compiler computes the length of a key, which is a literal. */
static inline void wire_put_text(struct wire_buffer *buffer, const char *text) {
        wire_put_text_n(buffer, text, text ? strlen(text) : 0);
}
/* As many values are to follow; of a map: as many pairs of key and value. */
void wire_put_array(struct wire_buffer *buffer, uint32_t count);
void wire_put_map(struct wire_buffer *buffer, uint32_t count);
/* An array whose count is known only at its end.  Returns a mark for wire_end_array. */
size_t wire_begin_array(struct wire_buffer *buffer);
void wire_end_array(struct wire_buffer *buffer, size_t mark, uint32_t count);

/* Writing without a check for room, for very many values: the caller has reserved the room (wire_buffer_reserve), and
 * adds the length to .size.  Each returns the end of what it wrote. */
#define WIRE_PACKED_NUMBER 9u /* bytes that have to be there for a number, whatever it takes of them */

static inline unsigned char *wire_pack_uint(unsigned char *at, uint64_t value) {
        unsigned bytes, form;

        if (value < 128) {
                *at = (unsigned char)value;
                return at + 1;
        }
        /* One, two, four or eight bytes, the highest first; what is stored beyond them is of no value. */
        bytes = (unsigned)(71 - __builtin_clzll(value)) / 8;
        form = bytes > 1 ? 32u - (unsigned)__builtin_clz(bytes - 1) : 0;
        *at = (unsigned char)(0xcc + form);
        value = htobe64(value << (64 - (8u << form)));
        memcpy(at + 1, &value, sizeof(value));
        return at + 1 + (1u << form);
}

/* A text of at most 31 bytes. */
static inline unsigned char *wire_pack_key(unsigned char *at, const char *text, size_t size) {
        *at = (unsigned char)(0xa0 | size);
        memcpy(at + 1, text, size);
        return at + 1 + size;
}

/* Of so many pairs, 15 at most. */
static inline unsigned char *wire_pack_map(unsigned char *at, unsigned count) {
        *at = (unsigned char)(0x80 | count);
        return at + 1;
}

/* ---------------------------------------------------------------------------------------------------- reading -- */

/* Checks that `bytes` are exactly one whole object in which every count fits into the remaining bytes.  0, -EBADMSG, or
 * -ELOOP if it nests deeper than `max_depth`. */
int wire_scan(const void *bytes, size_t size, unsigned max_depth);

/* A decoded message; owns its memory and borrows nothing but `bytes`, which must outlive it (text points there). */
struct wire_document;
/* -EBADMSG and -ELOOP as above; -E2BIG: more than `values_max` values; -ENOMEM. */
int wire_document_new(struct wire_document **ret, const void *bytes, size_t size, size_t values_max);
struct wire_document *wire_document_free(struct wire_document *document);

enum wire_type {
        WIRE_NONE, /* no such element */
        WIRE_NIL,
        WIRE_BOOL,
        WIRE_UINT,
        WIRE_INT, /* below zero */
        WIRE_FLOAT,
        WIRE_TEXT,
        WIRE_BYTES,
        WIRE_ARRAY,
        WIRE_MAP,
};

/* A value in a document, by value; good as long as the document.  Every function takes WIRE_NONE too. */
struct wire_value {
        const void *object;
};
struct wire_value wire_root(const struct wire_document *document);
enum wire_type wire_type(struct wire_value value);
/* Elements of an array, pairs of a map, else 0. */
uint32_t wire_count(struct wire_value value);
struct wire_value wire_at(struct wire_value array, uint32_t index);
struct wire_value wire_key_at(struct wire_value map, uint32_t index);
struct wire_value wire_value_at(struct wire_value map, uint32_t index);
struct wire_value wire_get(struct wire_value map, const char *key);

/* These return whether the value is of that type and range; outputs are untouched if not. */
bool wire_get_bool(struct wire_value value, bool *ret);
bool wire_get_uint(struct wire_value value, uint64_t *ret);
bool wire_get_int(struct wire_value value, int64_t *ret);
/* Not terminated, and not known to be clean: it may hold zeros, controls and broken UTF-8. */
bool wire_get_text(struct wire_value value, const char **ret, size_t *ret_size);
bool wire_text_is(struct wire_value value, const char *text);
/* Copies text, terminated.  False when it is no text, holds a zero, or does not fit into `size`. */
bool wire_copy_text(struct wire_value value, char *buf, size_t size);

/* ------------------------------------------------------------------------------------------- reading in one pass -- */

/* A place in a message.  Values come one after another, a container before what it holds; nothing is allocated, and
 * no scan is needed before.  The message outlives what was read of it. */
struct wire_cursor {
        const unsigned char *at;
        size_t left;
};

struct wire_item {
        enum wire_type type;
        uint64_t u;       /* UINT; BOOL: 0 or 1; ARRAY: elements, MAP: pairs, which come next */
        int64_t i;        /* INT: always below zero */
        const char *text; /* TEXT and BYTES, as of wire_get_text */
        size_t size;
};

/* Reads the next value.  False: there is none, it is malformed, or it claims more elements than there are bytes. */
bool wire_cursor_next(struct wire_cursor *cursor, struct wire_item *ret);
/* Skips the next value with everything in it. */
bool wire_cursor_skip(struct wire_cursor *cursor);
