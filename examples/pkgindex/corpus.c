/* SPDX-License-Identifier: MIT */
#include "corpus.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum {
        FEW_FILES = 8,
        MADE_FILES = 96,
        INFLATED_MAX = 32 << 20, /* no changelog is that large: it is a bomb */
        GZIP_WINDOW = 16 + MAX_WBITS,
};

static const char *const verbs[] = {"Fix", "Update", "Drop", "Add", "Backport", "Refresh", "Disable", "Document"};
static const char *const things[] = {"memory leak in the parser",
                                     "segfault on empty input",
                                     "upstream patch for CVE-2021-3999",
                                     "Dutch translation of the debconf templates",
                                     "build with the next compiler",
                                     "autopkgtest on slow machines",
                                     "dependency on a transitional package",
                                     "watch file",
                                     "symbols file",
                                     "race between two readers"};
static const char *const people[] = {"Ada Example", "Bo Sample", "Chris Person", "Dana Maintainer", "Eve Uploader"};

static unsigned next_random(unsigned *seed) {
        *seed = *seed * 1103515245u + 12345u;
        return *seed >> 8;
}

#define PICK(list, seed) ((list)[next_random(seed) % (sizeof(list) / sizeof *(list))])

static int make_file(const char *path, unsigned number) {
        unsigned seed = number * 7919u + 1u, entries = 20 + next_random(&seed) % 400;
        gzFile file = gzopen(path, "wb9");

        if (!file)
                return errno ? -errno : -ENOMEM;
        for (unsigned i = entries; i > 0; i--) {
                gzprintf(file, "made-%u (%u.%u-1) unstable; urgency=medium\n\n", number, i / 16, i % 16);
                for (unsigned changes = 1 + next_random(&seed) % 6; changes > 0; changes--)
                        gzprintf(file, "  * %s %s. Closes: #%u.\n", PICK(verbs, &seed), PICK(things, &seed),
                                 100000 + next_random(&seed) % 900000);
                gzprintf(file, "\n -- %s <person@example.org>  Mon, 0%u Jan 20%02u 12:00:00 +0000\n\n",
                         PICK(people, &seed), 1 + i % 9, 1 + i % 25);
        }
        return gzclose(file) == Z_OK ? 0 : -EIO;
}

static int corpus_make(struct corpus *corpus) {
        const char *tmp = getenv("TMPDIR");
        char *directory;
        int r;

        if (asprintf(&directory, "%s/pkgindex.XXXXXX", tmp && tmp[0] ? tmp : "/tmp") < 0)
                return -ENOMEM;
        if (!mkdtemp(directory)) {
                r = -errno;
                free(directory);
                return r;
        }
        corpus->made_in = directory;
        corpus->files = calloc(MADE_FILES, sizeof *corpus->files);
        if (!corpus->files)
                return -ENOMEM;
        for (unsigned i = 0; i < MADE_FILES; i++) {
                if (asprintf(&corpus->files[i], "%s/%u.gz", directory, i) < 0) {
                        corpus->files[i] = NULL;
                        return -ENOMEM;
                }
                corpus->count++;
                r = make_file(corpus->files[i], i);
                if (r < 0)
                        return r;
        }
        return 0;
}

int corpus_find(struct corpus *corpus, bool make) {
        glob_t found = {0};
        int r = 0;

        *corpus = (struct corpus){0};
        if (make || glob("/usr/share/doc/*/changelog.Debian*.gz", 0, NULL, &found) != 0 || found.gl_pathc < FEW_FILES) {
                r = corpus_make(corpus);
        } else {
                corpus->files = calloc(found.gl_pathc, sizeof *corpus->files);
                for (size_t i = 0; corpus->files && i < found.gl_pathc; i++) {
                        corpus->files[i] = strdup(found.gl_pathv[i]);
                        if (!corpus->files[i])
                                break;
                        corpus->count++;
                }
                if (corpus->count < found.gl_pathc)
                        r = -ENOMEM;
        }
        globfree(&found);
        return r;
}

void corpus_deinit(struct corpus *corpus) {
        for (size_t i = 0; i < corpus->count; i++) {
                if (corpus->made_in)
                        unlink(corpus->files[i]);
                free(corpus->files[i]);
        }
        if (corpus->made_in)
                rmdir(corpus->made_in);
        free(corpus->made_in);
        free(corpus->files);
        *corpus = (struct corpus){0};
}

int corpus_read(struct bytes *ret, const char *file) {
        int fd = open(file, O_RDONLY | O_CLOEXEC), r = 0;
        struct stat st;
        struct bytes bytes = {0};
        ssize_t n = 1;

        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                r = -errno;
        else if (!(bytes.data = malloc((size_t)st.st_size + 1)))
                r = -ENOMEM;
        while (r == 0 && n > 0 && bytes.size < (size_t)st.st_size) {
                n = read(fd, bytes.data + bytes.size, (size_t)st.st_size - bytes.size);
                if (n < 0)
                        r = -errno;
                else
                        bytes.size += (size_t)n;
        }
        close(fd);
        if (r < 0)
                free(bytes.data);
        else
                *ret = bytes;
        return r;
}

static int grow(struct bytes *bytes, z_stream *stream) {
        size_t used = bytes->size - stream->avail_out, size = bytes->size ? 2 * bytes->size : 16384;
        unsigned char *data = size <= INFLATED_MAX ? realloc(bytes->data, size) : NULL;

        if (!data)
                return size <= INFLATED_MAX ? -ENOMEM : -EFBIG;
        bytes->data = data;
        bytes->size = size;
        stream->next_out = data + used;
        stream->avail_out = (unsigned)(size - used);
        return 0;
}

int corpus_inflate(struct bytes *ret, const struct bytes *compressed) {
        z_stream stream = {.next_in = compressed->data, .avail_in = (unsigned)compressed->size};
        struct bytes bytes = {0};
        int status = Z_OK, r = 0;

        if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
                return -ENOMEM;
        while (r == 0 && status == Z_OK) {
                if (stream.avail_out == 0)
                        r = grow(&bytes, &stream);
                if (r == 0)
                        status = inflate(&stream, Z_NO_FLUSH);
        }
        bytes.size -= stream.avail_out;
        inflateEnd(&stream);
        if (r == 0 && status != Z_STREAM_END)
                r = status == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
        if (r < 0)
                free(bytes.data);
        else
                *ret = bytes;
        return r;
}
