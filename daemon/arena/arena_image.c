/* SPDX-License-Identifier: MIT */
/* See arena_image.h. */
#include "daemon/arena/arena_image.h"

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

int arena_image_of_copy(const struct arena_copy *copy, const char boot[ARENA_IMAGE_BOOT], char **ret_bytes,
                        size_t *ret_size) {
        struct file_header header = {.magic = FILE_MAGIC,
                                     .version = FILE_VERSION,
                                     .extents = copy->extent_count,
                                     .arena_size = copy->size,
                                     .length = sizeof header + copy->extent_count * sizeof *copy->extents};
        char *image, *at;

        for (uint32_t i = 0; i < copy->extent_count; i++)
                header.length += copy->extents[i].length;
        image = malloc(header.length);
        if (!image)
                return -ENOMEM;
        memcpy(header.boot, boot, sizeof header.boot);
        at = image + sizeof header;
        memcpy(at, copy->extents, copy->extent_count * sizeof *copy->extents);
        at += copy->extent_count * sizeof *copy->extents;
        for (uint32_t i = 0; i < copy->extent_count; i++) {
                const struct arena_extent *extent = &copy->extents[i];

                memcpy(at, copy->base + extent->offset, extent->length);
                at += extent->length;
                /* There is one of each, not two. */
                madvise(copy->base + extent->offset, extent->length, MADV_DONTNEED);
        }
        header.checksum = checksum(image + sizeof header, header.length - sizeof header);
        memcpy(image, &header, sizeof header);
        *ret_bytes = image;
        *ret_size = header.length;
        return 0;
}

int arena_image_make(const struct arena *arena, const char boot[ARENA_IMAGE_BOOT], char **ret_bytes, size_t *ret_size) {
        struct arena_copy copy;
        int r;

        r = arena_copy_init(&copy, arena);
        if (r == 0)
                r = arena_copy_go_on(&copy, arena, UINT64_MAX);
        if (r == 0)
                r = arena_image_of_copy(&copy, boot, ret_bytes, ret_size);
        arena_copy_deinit(&copy);
        return r;
}

static int write_at(int fd, const char *bytes, struct arena_extent extent) {
        ssize_t n;

        for (uint64_t done = 0; done < extent.length; done += (uint64_t)n) {
                n = pwrite(fd, bytes + done, extent.length - done, (off_t)(extent.offset + done));
                if (n <= 0)
                        return n < 0 ? -errno : -EIO;
        }
        return 0;
}

int arena_image_read(const char *bytes, size_t size, const char boot[ARENA_IMAGE_BOOT]) {
        struct file_header header;
        struct arena_extent extent;
        size_t at;
        int fd, r;

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
        r = ftruncate(fd, (off_t)header.arena_size) < 0 ? -errno : 0;
        for (uint32_t i = 0; i < header.extents && r == 0; i++) {
                memcpy(&extent, bytes + sizeof header + i * sizeof extent, sizeof extent);
                if (extent.length > size - at || extent.offset > header.arena_size ||
                    extent.length > header.arena_size - extent.offset)
                        r = -EBADMSG;
                else
                        r = write_at(fd, bytes + at, extent);
                at += extent.length;
        }
        if (r < 0) {
                close(fd);
                return r;
        }
        return fd;
}
