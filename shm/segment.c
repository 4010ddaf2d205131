/* SPDX-License-Identifier: MIT */
#include "shm/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

const struct shm_wish shm_wish_default = {
        .name_capacity = 16384,
        .path_capacity = 131072,
        .close_capacity = 1024,
        .lane_capacity = SHM_LANES_MAX,
        .ring_records = 8192,
        .ring_lanes = 32,
};

static uint32_t power_of_two(uint32_t n) {
        uint32_t p = 1;

        while (p < n && p < (1u << 31))
                p <<= 1;
        return p;
}

static uint64_t page_up(uint64_t n) {
        /* 64 KiB, so that regions also begin on pages where these are larger. */
        return (n + 0xffff) & ~UINT64_C(0xffff);
}

int shm_geometry_init(struct shm_geometry *ret, const struct shm_wish *wish) {
        struct shm_geometry g = {
                .name_capacity = wish->name_capacity,
                .path_capacity = wish->path_capacity,
                .close_capacity = wish->close_capacity,
                .lane_capacity = wish->lane_capacity,
                .ring_lanes = power_of_two(wish->ring_lanes),
        };

        if (!g.name_capacity || g.name_capacity > SHM_NAMES_MAX || !g.path_capacity ||
            g.path_capacity > SHM_PATHS_MAX || g.close_capacity > SHM_CLOSES_MAX || !g.lane_capacity ||
            g.lane_capacity > SHM_LANES_MAX || wish->ring_lanes > SHM_LANES_MAX)
                return -EINVAL;

        if (wish->ring_records >= SHM_RING_RECORDS_MAX)
                g.ring_records = SHM_RING_RECORDS_MAX;
        else if (wish->ring_records <= SHM_RING_RECORDS_MIN)
                g.ring_records = SHM_RING_RECORDS_MIN;
        else
                g.ring_records = power_of_two(wish->ring_records);

        g.names_offset = page_up(sizeof(struct shm_header));
        g.paths_offset = page_up(g.names_offset + (uint64_t)g.name_capacity * sizeof(struct shm_name));
        g.closes_offset = page_up(g.paths_offset + (uint64_t)g.path_capacity * sizeof(struct shm_path));
        g.origins_offset = page_up(g.closes_offset + (uint64_t)g.close_capacity * sizeof(struct shm_close));
        g.lanes_offset = g.origins_offset;
        g.rings_offset = page_up(g.lanes_offset + (uint64_t)g.lane_capacity * sizeof(struct shm_lane));
        g.segment_size = page_up(shm_ring_offset(&g, g.lane_capacity));
        *ret = g;
        return 0;
}

int shm_geometry_check(const struct shm_geometry *g) {
        const struct shm_wish wish = {
                .name_capacity = g->name_capacity,
                .path_capacity = g->path_capacity,
                .close_capacity = g->close_capacity,
                .lane_capacity = g->lane_capacity,
                .ring_records = g->ring_records,
                .ring_lanes = g->ring_lanes,
        };
        struct shm_geometry made;
        int r;

        r = shm_geometry_init(&made, &wish);
        if (r < 0)
                return r;
        return made.segment_size == g->segment_size && made.ring_records == g->ring_records &&
                               made.ring_lanes == g->ring_lanes && made.names_offset == g->names_offset &&
                               made.paths_offset == g->paths_offset && made.closes_offset == g->closes_offset &&
                               made.origins_offset == g->origins_offset && made.lanes_offset == g->lanes_offset &&
                               made.rings_offset == g->rings_offset
                       ? 0
                       : -EINVAL;
}

int shm_segment_create(int *ret_fd, const struct shm_geometry *g, uint64_t process, uint32_t options) {
        const struct shm_header header = {
                .magic = SHM_MAGIC,
                .version = SHM_VERSION,
                .options = options,
                .process = process,
                .geometry = *g,
        };
        ssize_t n;
        int fd, r;

        fd = memfd_create("spanalloc", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return -errno;
        if (ftruncate(fd, (off_t)g->segment_size) < 0)
                goto fail;
        n = pwrite(fd, &header, sizeof header, 0);
        if (n < 0)
                goto fail;
        if (n != (ssize_t)sizeof header) {
                close(fd);
                return -ENOSPC;
        }
        if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
                goto fail;
        *ret_fd = fd;
        return 0;

fail:
        r = -errno;
        close(fd);
        return r;
}

int shm_segment_set_counting(int fd, enum shm_counting counting) {
        uint32_t word = counting;
        ssize_t n = pwrite(fd, &word, sizeof word, offsetof(struct shm_header, counting));

        return n < 0 ? -errno : n == (ssize_t)sizeof word ? 0 : -ENOSPC;
}

int shm_segment_check_fd(int fd, uint64_t size, uint64_t *ret_size) {
        struct statfs fs;
        struct stat st;
        int seals;

        seals = fcntl(fd, F_GET_SEALS);
        if (seals < 0)
                return -EBADF;
        if ((seals & SEALS) != SEALS || (seals & F_SEAL_WRITE))
                return -EPERM;
        if (fstat(fd, &st) < 0)
                return -errno;
        /* A memfd of huge pages can have all seals that are checked above.  But its owner can punch a hole into
         * it, and without a free huge page a later access there ends in SIGBUS. */
        if (fstatfs(fd, &fs) < 0)
                return -errno;
        if (fs.f_type == HUGETLBFS_MAGIC)
                return -EPERM;
        if (st.st_size <= 0 || (size && (uint64_t)st.st_size != size))
                return -EBADF;
        *ret_size = (uint64_t)st.st_size;
        return 0;
}

int shm_segment_map(void **ret_map, int fd, uint64_t size) {
        void *map;

        map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
        if (map == MAP_FAILED)
                return -errno;
        madvise(map, size, MADV_DONTDUMP);
        *ret_map = map;
        return 0;
}
