/* SPDX-License-Identifier: MIT */
/*
 * See state_file.h.
 *
 * The reactor copies an arena between batches, some in each turn, and the thread makes a file of the copy and writes it,
 * which may take as long as a disk takes.  One at a time: that much memory, and no more.
 */
#include "daemon/collector/state_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "daemon/arena/arena_image.h"
#include "daemon/collector/collector_private.h"
#include "daemon/collector/takeover.h"
#include "daemon/host/log.h"
#include "daemon/loop/reactor.h"

#define FILES_MAX 8192u /* that are read at the start */

struct job {
        char name[64];
        struct arena_copy copy; /* of books; the writer makes `bytes` of it */
        char *bytes;
        size_t size;
        uint64_t number, changes;
        enum process_end end;
        bool is_final;   /* How it ended was known, or would not be. */
        bool is_dropped; /* It is not to be written. */
        int result;
};

struct statefile {
        struct collector *collector;
        char dir[4096], boot[ARENA_IMAGE_BOOT];
        int dir_fd;
        uint64_t interval_ns;
        struct reactor_timer *timer, *copy_timer;
        struct reactor_watch *watch;
        int event_fd;
        struct job next_job; /* whose copy goes on in the next turn, where copy_timer is set */
        size_t next;         /* how many files of this round were done: the page, then each row */
        bool in_round;
        bool failed;    /* Something of this round was not saved. */
        bool is_logged; /* The log has a line on that, and no round has been without failure since. */
        uint64_t unreadable;

        pthread_t writer;
        bool has_writer;
        pthread_mutex_t lock;
        pthread_cond_t wake;
        struct job job;
        enum { JOB_NONE, JOB_GIVEN, JOB_DONE, JOB_END } stage;
};

/* ----------------------------------------------------------------------------------------------------- writing -- */

static int replace(int dir_fd, const char *name, const char *bytes, size_t size) {
        char fresh[80];
        int fd, r;

        snprintf(fresh, sizeof fresh, "%s.new", name);
        (void)unlinkat(dir_fd, fresh, 0);
        fd = openat(dir_fd, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        r = write_all(fd, bytes, size);
        if (r == 0 && fsync(fd) < 0)
                r = -errno;
        close(fd);
        if (r == 0 && renameat(dir_fd, fresh, dir_fd, name) < 0)
                r = -errno;
        if (r < 0)
                (void)unlinkat(dir_fd, fresh, 0);
        else
                (void)fsync(dir_fd);
        return r;
}

/* For a large one to give back memory takes longer than a slice of the reactor's. */
static int write_job(const struct statefile *statefile, struct job *job) {
        int r = job->copy.base && !job->is_dropped
                        ? arena_image_of_copy(&job->copy, statefile->boot, &job->bytes, &job->size)
                        : 0;

        arena_copy_deinit(&job->copy);
        if (r == 0 && !job->is_dropped)
                r = replace(statefile->dir_fd, job->name, job->bytes, job->size);
        free(job->bytes);
        job->bytes = NULL;
        return r;
}

static void *write_jobs(void *userdata) {
        struct statefile *statefile = userdata;
        const uint64_t one = 1;

        pthread_mutex_lock(&statefile->lock);
        for (;;) {
                while (statefile->stage != JOB_GIVEN && statefile->stage != JOB_END)
                        pthread_cond_wait(&statefile->wake, &statefile->lock);
                if (statefile->stage == JOB_END)
                        break;
                pthread_mutex_unlock(&statefile->lock);
                statefile->job.result = write_job(statefile, &statefile->job);
                pthread_mutex_lock(&statefile->lock);
                if (statefile->stage == JOB_GIVEN)
                        statefile->stage = JOB_DONE;
                (void)!write(statefile->event_fd, &one, sizeof one);
        }
        pthread_mutex_unlock(&statefile->lock);
        return NULL;
}

/* What cannot be saved does not keep the rest of the round from being saved.  One line, until a whole round works. */
static void fail(struct statefile *statefile, int error) {
        if (!statefile->is_logged)
                log_event(LOG_STATE, NULL, "cannot save the books in %s: %s; a restart would lose them", statefile->dir,
                          strerror(-error));
        statefile->failed = statefile->is_logged = true;
}

/* ---------------------------------------------------------------------------------------------------- rounds -- */

static uint64_t changes_of(const struct process *process) {
        return books_change_count(process->books);
}

/* How it ended is in the row, or never will be: its parent may wait for it long after it died. */
static bool is_final(const struct process *process) {
        return process->end != PROCESS_ALIVE && process_pidfd(process) < 0;
}

/* Books that were saved when they were final have no descriptor any more. */
static bool is_to_save(const struct process *process) {
        return process->books && books_fd(process->books) >= 0 &&
               (process->part->saved.changes != changes_of(process) || process->part->saved.end != process->end ||
                is_final(process));
}

static void saved(struct statefile *statefile, const struct job *job) {
        struct process *process = job->number ? processes_by_number(statefile->collector->processes, job->number)
                                              : NULL;

        if (!process) {
                if (job->number) /* forgotten meanwhile */
                        statefile_forget(statefile, job->number);
                return;
        }
        if (job->result < 0 || job->is_dropped)
                return;
        process->part->saved = (struct statefile_saved){.changes = job->changes, .end = job->end};
        if (job->is_final)
                books_close_fd(process->books);
}

static void begin_job(struct process *process, struct job *ret) {
        *ret = (struct job){.number = process->number, .end = process->end, .is_final = is_final(process)};
        snprintf(ret->name, sizeof ret->name, "books.%llu", (unsigned long long)process->number);
        takeover_relabel(process);
}

/* 0: the copy is whole; 1: it goes on; or -errno. */
static int go_on_with_copy(struct process *process, struct job *job, uint64_t end_ns) {
        const struct arena *arena = books_arena(process->books);
        int r = job->copy.base ? 0 : arena_copy_init(&job->copy, arena);

        if (r == 0)
                r = arena_copy_go_on(&job->copy, arena, end_ns);
        job->changes = changes_of(process);
        return r;
}

static int image_of_page(struct statefile *statefile, struct job *ret) {
        *ret = (struct job){.name = "collector"};
        return arena_image_make(handover_page(statefile->collector->handover), statefile->boot, &ret->bytes,
                                &ret->size);
}

/* The next row of this round that is to be saved, or NULL. */
static struct process *next_row(struct statefile *statefile) {
        const struct processes *processes = statefile->collector->processes;
        struct process *process;

        while ((process = processes_at(processes, statefile->next - 1))) {
                statefile->next++;
                if (is_to_save(process))
                        return process;
        }
        return NULL;
}

static void give(struct statefile *statefile, const struct job *job) {
        pthread_mutex_lock(&statefile->lock);
        statefile->job = *job;
        statefile->stage = JOB_GIVEN;
        pthread_cond_signal(&statefile->wake);
        pthread_mutex_unlock(&statefile->lock);
}

/* One slice of the copy of `process`.  It goes on in the next turn, or the writer has it. */
static void copy_some(struct statefile *statefile, struct process *process) {
        struct job *job = &statefile->next_job;
        int r = go_on_with_copy(process, job, reactor_slice_end());

        if (r > 0) {
                reactor_timer_set(statefile->copy_timer, reactor_now(statefile->collector->reactor));
                return;
        }
        if (r < 0)
                fail(statefile, r);
        job->is_dropped = r < 0;
        give(statefile, job);
        *job = (struct job){.number = 0};
}

/* Begins with the next file of this round.  False: the round is at its end. */
static bool give_next(struct statefile *statefile) {
        struct process *process;
        struct job job;
        int r;

        if (statefile->next == 0) {
                statefile->next = 1;
                r = image_of_page(statefile, &job);
                if (r == 0) {
                        give(statefile, &job);
                        return true;
                }
                fail(statefile, r);
        }
        process = next_row(statefile);
        if (process) {
                begin_job(process, &statefile->next_job);
                copy_some(statefile, process);
                return true;
        }
        statefile->is_logged = statefile->failed;
        return false;
}

static void on_copy_timer(void *userdata, uint64_t now_ns) {
        struct statefile *statefile = userdata;
        struct job *job = &statefile->next_job;
        struct process *process = processes_by_number(statefile->collector->processes, job->number);

        reactor_work(statefile->collector->reactor, "saving");
        if (process) {
                copy_some(statefile, process);
                return;
        }
        job->is_dropped = true; /* forgotten meanwhile */
        give(statefile, job);
        *job = (struct job){.number = 0};
}

static void on_timer(void *userdata, uint64_t now_ns) {
        struct statefile *statefile = userdata;

        reactor_work(statefile->collector->reactor, "saving");
        reactor_timer_set(statefile->timer, now_ns + statefile->interval_ns);
        if (statefile->in_round) /* the disk is slow */
                return;
        statefile->next = 0;
        statefile->failed = false;
        statefile->in_round = give_next(statefile);
}

static void on_done(void *userdata, int fd, unsigned events) {
        struct statefile *statefile = userdata;
        uint64_t n;

        reactor_work(statefile->collector->reactor, "saving");
        if (read(fd, &n, sizeof n) != sizeof n)
                return;
        pthread_mutex_lock(&statefile->lock);
        statefile->stage = JOB_NONE;
        pthread_mutex_unlock(&statefile->lock);
        if (statefile->job.result < 0)
                fail(statefile, statefile->job.result);
        saved(statefile, &statefile->job);
        statefile->in_round = give_next(statefile);
}

/* ------------------------------------------------------------------------------------------------------- reading -- */

static void read_boot(char boot[ARENA_IMAGE_BOOT]) {
        int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, boot, ARENA_IMAGE_BOOT - 1);

        close_fd(fd);
        memset(boot + (n > 0 ? n : 0), 0, ARENA_IMAGE_BOOT - (size_t)(n > 0 ? n : 0));
}

static int load_file(const struct statefile *statefile, const char *name) {
        struct stat st;
        char *bytes;
        int fd, r;

        fd = openat(statefile->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = fstat(fd, &st) < 0 ? -errno : 0;
        if (r == 0 && (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_size <= 0))
                r = -EBADMSG;
        if (r < 0) {
                close(fd);
                return r;
        }
        bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
        close(fd);
        if (bytes == MAP_FAILED)
                return -errno; /* no memory: the file may be good */
        r = arena_image_read(bytes, (size_t)st.st_size, statefile->boot);
        munmap(bytes, (size_t)st.st_size);
        return r;
}

static bool is_given(const struct handover_gift *gifts, size_t count, const char *name) {
        for (size_t i = 0; i < count; i++)
                if (!strcmp(gifts[i].name, name))
                        return true;
        return false;
}

static bool is_ours(const char *name) {
        unsigned long long number;
        int end = 0;

        return !strcmp(name, "collector") || (sscanf(name, "books.%llu%n", &number, &end) == 1 && !name[end] && number);
}

/* Removes a file whose contents are useless.  A file that failed for another reason stays for the next collector. */
static void drop_file(struct statefile *statefile, const char *name, int error) {
        bool is_useless = error == -ESTALE || error == -EPROTONOSUPPORT || error == -EBADMSG;

        if (error != -ESTALE)
                log_event(LOG_STATE, NULL, "cannot use %s/%s: %s; the collector %s it", statefile->dir, name,
                          error == -EPROTONOSUPPORT ? "it is of another version"
                          : error == -EBADMSG       ? "it is damaged, or has another owner"
                                                    : strerror(-error),
                          is_useless ? "removes" : "keeps");
        if (is_useless)
                (void)unlinkat(statefile->dir_fd, name, 0);
        statefile->unreadable += error != -ESTALE;
}

static bool is_leftover(const char *name) {
        unsigned long long number;
        int end = 0;

        return !strcmp(name, "collector.new") ||
               (sscanf(name, "books.%llu.new%n", &number, &end) == 1 && end && !name[end]);
}

static void load_one(struct statefile *statefile, const char *name, struct handover_gift **gifts, size_t *count) {
        struct handover_gift *more;
        char *copy;
        int fd = load_file(statefile, name);

        if (fd < 0) {
                drop_file(statefile, name, fd);
                return;
        }
        more = reallocarray(*gifts, *count + 1, sizeof **gifts);
        copy = more ? strdup(name) : NULL;
        if (more)
                *gifts = more;
        if (!copy) {
                close(fd);
                return;
        }
        (*gifts)[(*count)++] = (struct handover_gift){.name = copy, .fd = fd};
}

void statefile_load(struct statefile *statefile, struct handover_gift **gifts, size_t *count) {
        DIR *dir = fdopendir(openat(statefile->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        const size_t given = *count;
        const struct dirent *entry;

        while (dir && *count - given < FILES_MAX && (entry = readdir(dir)))
                if (is_leftover(entry->d_name)) /* of a collector that was killed while it wrote */
                        (void)unlinkat(statefile->dir_fd, entry->d_name, 0);
                else if (is_ours(entry->d_name) && !is_given(*gifts, given, entry->d_name)) {
                        load_one(statefile, entry->d_name, gifts, count);
                        collector_tell_busy(statefile->collector);
                }
        if (dir)
                closedir(dir);
}

uint64_t statefile_unreadable(const struct statefile *statefile) {
        return statefile ? statefile->unreadable : 0;
}

void statefile_forget(struct statefile *statefile, uint64_t number) {
        char name[64];

        snprintf(name, sizeof name, "books.%llu", (unsigned long long)number);
        (void)unlinkat(statefile->dir_fd, name, 0);
}

/* ----------------------------------------------------------------------------------------------- begin and end -- */

static int open_dir(struct statefile *statefile) {
        int r = mkdir(statefile->dir, 0700) < 0 && errno != EEXIST ? -errno : 0;

        if (r < 0)
                return r;
        statefile->dir_fd = open(statefile->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (statefile->dir_fd < 0)
                return -errno;
        /* Another collector would save other books under the same names. */
        return flock(statefile->dir_fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

static int start_writer(struct statefile *statefile) {
        struct reactor *reactor = statefile->collector->reactor;
        int r;

        statefile->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (statefile->event_fd < 0)
                return -errno;
        r = reactor_watch(reactor, &statefile->watch, statefile->event_fd, REACTOR_IN, on_done, statefile);
        if (r == 0)
                r = reactor_timer(reactor, &statefile->timer, on_timer, statefile);
        if (r == 0)
                r = reactor_timer(reactor, &statefile->copy_timer, on_copy_timer, statefile);
        if (r == 0)
                r = -pthread_create(&statefile->writer, NULL, write_jobs, statefile);
        if (r < 0)
                return r;
        statefile->has_writer = true;
        reactor_timer_set(statefile->timer, reactor_now(reactor) + statefile->interval_ns);
        return 0;
}

int statefile_new(struct statefile **ret, struct collector *collector, const char *dir, uint64_t interval_ns) {
        struct statefile *statefile = calloc(1, sizeof *statefile);
        int r;

        if (!statefile)
                return -ENOMEM;
        *statefile = (struct statefile){
                .collector = collector, .dir_fd = -1, .event_fd = -1, .interval_ns = interval_ns};
        pthread_mutex_init(&statefile->lock, NULL);
        pthread_cond_init(&statefile->wake, NULL);
        snprintf(statefile->dir, sizeof statefile->dir, "%s", dir);
        read_boot(statefile->boot);
        r = open_dir(statefile);
        if (r == 0)
                r = start_writer(statefile);
        if (r < 0) {
                log_event(LOG_STATE, NULL, "cannot keep books in %s: %s; give another --state-dir", dir, strerror(-r));
                statefile_free(statefile);
                return r;
        }
        *ret = statefile;
        return 0;
}

static void end_writer(struct statefile *statefile) {
        pthread_mutex_lock(&statefile->lock);
        statefile->stage = JOB_END;
        pthread_cond_signal(&statefile->wake);
        pthread_mutex_unlock(&statefile->lock);
        pthread_join(statefile->writer, NULL);
        arena_copy_deinit(&statefile->job.copy);
        arena_copy_deinit(&statefile->next_job.copy);
        free(statefile->job.bytes);
}

/* `r`: whether it could be copied. */
static void save_now(struct statefile *statefile, struct job *job, int r) {
        if (r == 0)
                r = write_job(statefile, job);
        if (r < 0)
                fail(statefile, r);
        arena_copy_deinit(&job->copy);
        free(job->bytes);
}

static void save_all(struct statefile *statefile) {
        const struct collector *collector = statefile->collector;
        struct process *process;
        struct job job = {0};

        if (!collector->handover)
                return;
        save_now(statefile, &job, image_of_page(statefile, &job));
        for (size_t i = 0; (process = processes_at(collector->processes, i)); i++) {
                if (!is_to_save(process))
                        continue;
                begin_job(process, &job);
                save_now(statefile, &job, go_on_with_copy(process, &job, UINT64_MAX));
                collector_tell_busy(collector);
        }
}

struct statefile *statefile_free(struct statefile *statefile) {
        if (!statefile)
                return NULL;
        if (statefile->has_writer) {
                end_writer(statefile);
                save_all(statefile);
        }
        reactor_unwatch(statefile->watch);
        reactor_timer_free(statefile->timer);
        reactor_timer_free(statefile->copy_timer);
        close_fd(statefile->event_fd);
        close_fd(statefile->dir_fd);
        pthread_mutex_destroy(&statefile->lock);
        pthread_cond_destroy(&statefile->wake);
        free(statefile);
        return NULL;
}
