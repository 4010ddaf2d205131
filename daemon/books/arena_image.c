/* SPDX-License-Identifier: MIT */
/* See arena_image.h. */
#include "daemon/books/arena_image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_MAGIC   UINT64_C(0x454c494653415301)
#define FILE_VERSION 1u
#define EXTENTS_MAX  65536u
#define ARENA_MAX    (UINT64_C(1) << 36)

struct file_header {
        uint64_t magic;
        uint32_t version, extents;
        uint64_t arena_size, length; /* length: of the file */
        uint64_t checksum;           /* of all that follows the header */
        char boot[ARENA_IMAGE_BOOT];
};

struct extent {
        uint64_t offset, length;
};

/* FNV-1a, by words. */
static uint64_t checksum(const char *bytes, size_t size) {
        uint64_t sum = UINT64_C(0xcbf29ce484222325), word;

        for (size_t i = 0; i < size; i += sizeof word) {
                word = 0;
                memcpy(&word, bytes + i, size - i < sizeof word ? size - i : sizeof word);
                sum = (sum ^ word) * UINT64_C(0x100000001b3);
        }
        return sum;
}

/* The arena's data, less what the undo log holds: between two batches that is nothing. */
static int find_extents(const struct arena *arena, struct extent *extents, uint32_t *n, uint64_t *bytes) {
        const struct arena_header *header = arena->header;
        const uint64_t begin = arena->at; /* in the file */
        off_t at = (off_t)begin, end;

        *n = 0;
        *bytes = 0;
        while ((at = lseek(arena->fd, at, SEEK_DATA)) >= 0 && (uint64_t)at < begin + arena->size) {
                uint64_t from = (uint64_t)at - begin, to;

                end = lseek(arena->fd, at, SEEK_HOLE);
                if (end < 0)
                        return -errno;
                to = (uint64_t)end - begin < arena->size ? (uint64_t)end - begin : arena->size;
                if (from >= header->undo_tags_offset && from < header->data_offset)
                        from = to < header->data_offset ? to : header->data_offset;
                else if (from < header->undo_tags_offset && to > header->undo_tags_offset)
                        to = header->undo_tags_offset, end = (off_t)(begin + to);
                at = end;
                if (from >= to)
                        continue;
                if (*n == EXTENTS_MAX)
                        return -EFBIG;
                extents[(*n)++] = (struct extent){from, to - from};
                *bytes += to - from;
        }
        return at >= 0 || errno == ENXIO ? 0 : -errno;
}

int arena_image_make(const struct arena *arena, const char boot[ARENA_IMAGE_BOOT], char **ret_bytes, size_t *ret_size) {
        struct extent *extents = malloc(EXTENTS_MAX * sizeof *extents);
        struct file_header header = {.magic = FILE_MAGIC, .version = FILE_VERSION, .arena_size = arena->size};
        uint64_t bytes;
        char *image = NULL, *at;
        int r;

        if (!extents)
                return -ENOMEM;
        r = find_extents(arena, extents, &header.extents, &bytes);
        if (r == 0) {
                header.length = sizeof header + header.extents * sizeof *extents + bytes;
                image = malloc(header.length);
                r = image ? 0 : -ENOMEM;
        }
        if (r < 0) {
                free(extents);
                return r;
        }
        memcpy(header.boot, boot, sizeof header.boot);
        at = image + sizeof header;
        memcpy(at, extents, header.extents * sizeof *extents);
        at += header.extents * sizeof *extents;
        for (uint32_t i = 0; i < header.extents; i++) {
                memcpy(at, arena->base + extents[i].offset, extents[i].length);
                at += extents[i].length;
        }
        free(extents);
        header.checksum = checksum(image + sizeof header, header.length - sizeof header);
        memcpy(image, &header, sizeof header);
        *ret_bytes = image;
        *ret_size = header.length;
        return 0;
}

int arena_image_read(const char *bytes, size_t size, const char boot[ARENA_IMAGE_BOOT]) {
        struct file_header header;
        struct extent extent;
        size_t at;
        int fd;

        if (size < sizeof header)
                return -EBADMSG;
        memcpy(&header, bytes, sizeof header);
        if (header.magic != FILE_MAGIC || header.length != size || header.extents > EXTENTS_MAX ||
            header.arena_size > ARENA_MAX || size - sizeof header < header.extents * sizeof extent)
                return -EBADMSG;
        if (header.version != FILE_VERSION)
                return -EPROTONOSUPPORT;
        if (header.checksum != checksum(bytes + sizeof header, size - sizeof header))
                return -EBADMSG;
        if (memcmp(header.boot, boot, sizeof header.boot) != 0)
                return -ESTALE;
        fd = memfd_create("spanalloc-books", MFD_CLOEXEC);
        if (fd < 0)
                return -errno;
        at = sizeof header + header.extents * sizeof extent;
        if (ftruncate(fd, (off_t)header.arena_size) < 0)
                goto fail;
        for (uint32_t i = 0; i < header.extents; i++) {
                memcpy(&extent, bytes + sizeof header + i * sizeof extent, sizeof extent);
                if (extent.length > size - at || extent.offset > header.arena_size ||
                    extent.length > header.arena_size - extent.offset)
                        goto fail;
                if (pwrite(fd, bytes + at, extent.length, (off_t)extent.offset) != (ssize_t)extent.length)
                        goto fail;
                at += extent.length;
        }
        return fd;

fail:
        close(fd);
        return -EBADMSG;
}
