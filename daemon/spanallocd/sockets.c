/* SPDX-License-Identifier: MIT */
/*
 * A connect shows whether another daemon listens at the path: only a socket that does not answer is removed.
 */
#include "daemon/spanallocd/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/files.h"
#include "daemon/host/log.h"

#define BACKLOG 4096 /* a thousand programs may start at once */
#define USER    "spanalloc"
#define GROUP   "spanalloc"

static bool is_system(const struct config *config) {
        return config->scope == CONFIG_SYSTEM || (config->scope == CONFIG_AUTO && geteuid() == 0);
}

static int choose_dir(char dir[4096], const struct config *config) {
        const char *user_dir = getenv("XDG_RUNTIME_DIR");
        int n;

        if (config->runtime_dir[0])
                n = snprintf(dir, 4096, "%s", config->runtime_dir);
        else if (is_system(config))
                n = snprintf(dir, 4096, "/run/spanalloc");
        else if (user_dir && *user_dir == '/')
                n = snprintf(dir, 4096, "%s/spanalloc", user_dir);
        else {
                log_event(LOG_FAILED, NULL,
                          "XDG_RUNTIME_DIR is not set; %sstart `spanallocd --runtime-dir DIR`, and programs and "
                          "spanallocctl with SPANALLOC_SOCKET=DIR/ingest.sock",
                          geteuid() == 0 ? "start `spanallocd --system` for the whole machine; or " : "");
                return -ENOENT;
        }
        return n >= 4096 ? -ENAMETOOLONG : 0;
}

/* Programs trust the owner of the directory, so it must be trusted here.  Root serves in the collector's own, too: where no
 * service manager starts the collector as its own user. */
static bool may_own(uid_t uid) {
        const struct passwd *user;

        if (uid == geteuid() || uid == 0)
                return true;
        user = geteuid() == 0 ? getpwnam(USER) : NULL;
        return user && user->pw_uid == uid;
}

static int make_dir(const char *dir, mode_t mode) {
        struct stat st;

        if (mkdir(dir, mode) == 0)
                return chmod(dir, mode) < 0 ? -errno : 0; /* whatever the umask is */
        if (errno != EEXIST) {
                int r = -errno;

                log_event(LOG_FAILED, NULL, "cannot make %s: %s; make it, or give --runtime-dir DIR", dir,
                          strerror(-r));
                return r;
        }
        if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode)) {
                log_event(LOG_FAILED, NULL, "%s is no directory; give --runtime-dir DIR", dir);
                return -ENOTDIR;
        }
        if (!may_own(st.st_uid)) {
                log_event(LOG_FAILED, NULL,
                          "%s belongs to user %u; start `spanallocd --runtime-dir DIR`, and programs and spanallocctl "
                          "with SPANALLOC_SOCKET=DIR/ingest.sock",
                          dir, (unsigned)st.st_uid);
                return -EPERM;
        }
        if (st.st_mode & S_IWOTH) {
                log_event(LOG_FAILED, NULL, "every user may write to %s: chmod o-w, or give --runtime-dir DIR", dir);
                return -EPERM;
        }
        return 0;
}

/* One collector in a directory.  The lock is the kernel's, and ends with the process that holds it. */
static int lock_dir(struct sockets *sockets) {
        int r;

        sockets->lock_fd = open(sockets->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (sockets->lock_fd >= 0 && flock(sockets->lock_fd, LOCK_EX | LOCK_NB) == 0)
                return 0;
        r = -errno;
        if (r == -EWOULDBLOCK)
                log_event(LOG_FAILED, NULL, "another collector serves %s; stop it, or give another --runtime-dir",
                          sockets->dir);
        else
                log_event(LOG_FAILED, NULL, "cannot lock %s: %s; give --runtime-dir DIR", sockets->dir, strerror(-r));
        return r;
}

/* ---------------------------------------------------------------------------------------------------- sockets -- */

static int make_address(struct sockaddr_un *ret, const char *dir, const char *name) {
        *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
        if (snprintf(ret->sun_path, sizeof ret->sun_path, "%s/%s", dir, name) < (int)sizeof ret->sun_path)
                return 0;
        log_event(LOG_FAILED, NULL, "%s/%s is too long for a socket; give a shorter --runtime-dir", dir, name);
        return -ENAMETOOLONG;
}

/* True if the process that listens behind this connection has ended: for a moment the kernel keeps its socket open, if
 * its io_uring held it. */
static bool is_dead(int fd) {
        struct ucred cred;
        socklen_t size = sizeof cred;

        return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) == 0 && cred.pid > 0 && kill(cred.pid, 0) < 0 &&
               errno == ESRCH;
}

/* Removes a predecessor's socket.  -EADDRINUSE: a process still listens there. */
static int remove_stale(const struct sockaddr_un *address, int type) {
        struct stat st;
        int fd, r;

        if (lstat(address->sun_path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISSOCK(st.st_mode)) {
                log_event(LOG_FAILED, NULL, "%s is in the way and is no socket; remove it", address->sun_path);
                return -EEXIST;
        }
        fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        r = connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 ? -errno : 0;
        if (r == 0 && is_dead(fd))
                r = -ECONNREFUSED;
        close(fd);
        if (r == 0 || r == -EAGAIN || r == -EPROTOTYPE) {
                log_event(LOG_FAILED, NULL, "another collector serves %s; stop it, or give another --runtime-dir",
                          address->sun_path);
                return -EADDRINUSE;
        }
        return unlink(address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

static int cannot_listen(const struct sockaddr_un *address, int error) {
        log_event(LOG_FAILED, NULL, "cannot listen at %s: %s", address->sun_path, strerror(-error));
        return error;
}

static int listen_at(int *ret, struct socket_file *ret_file, const char *dir, const char *name, int type, mode_t mode) {
        struct sockaddr_un address;
        struct stat st;
        mode_t mask;
        int fd, r;

        r = make_address(&address, dir, name);
        if (r < 0)
                return r;
        r = remove_stale(&address, type);
        if (r < 0) /* of what is in the way it has spoken */
                return r == -EADDRINUSE || r == -EEXIST ? r : cannot_listen(&address, r);
        fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return cannot_listen(&address, -errno);
        /* By the mask and not by chmod: the directory's owner could have put a link there after bind. */
        mask = umask(0777 & ~mode);
        r = bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
        umask(mask);
        if (r == 0 && listen(fd, BACKLOG) < 0)
                r = -errno;
        if (r < 0) {
                close(fd);
                return cannot_listen(&address, r);
        }
        if (lstat(address.sun_path, &st) == 0)
                *ret_file = (struct socket_file){.device = st.st_dev, .inode = st.st_ino};
        *ret = fd;
        return 0;
}

/* On a whole machine each user may query its own processes; a group, where it exists, may query all. */
static void give_to_group(const char *dir) {
        const struct group *group = geteuid() == 0 ? getgrnam(GROUP) : NULL;
        struct sockaddr_un address;

        if (group && make_address(&address, dir, "query.sock") == 0 &&
            lchown(address.sun_path, (uid_t)-1, group->gr_gid) < 0)
                log_event(LOG_FAILED, NULL, "cannot give %s to the group " GROUP ": %s", address.sun_path,
                          strerror(errno));
}

/* The type of a descriptor's socket says which socket it is, whatever its unit is called. */
static void take_from_systemd(struct sockets *sockets, const int *fds, size_t count) {
        for (size_t i = 0; i < count; i++) {
                int *place = NULL, fd = fds[i];

                if (sd_is_socket(fd, AF_UNIX, SOCK_SEQPACKET, 1) > 0)
                        place = &sockets->ingest_fd;
                else if (sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0)
                        place = &sockets->query_fd;
                if (!place || *place >= 0) {
                        log_event(LOG_FAILED, NULL, "systemd handed over a descriptor that is no socket of ours");
                        close(fd);
                        continue;
                }
                (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
                *place = fd;
        }
}

static int open_missing(struct sockets *sockets, bool system) {
        int r = 0;

        if (sockets->ingest_fd < 0) {
                r = listen_at(&sockets->ingest_fd, &sockets->own_ingest, sockets->dir, "ingest.sock", SOCK_SEQPACKET,
                              system ? 0666 : 0600);
        }
        if (r == 0 && sockets->query_fd < 0) {
                r = listen_at(&sockets->query_fd, &sockets->own_query, sockets->dir, "query.sock", SOCK_STREAM,
                              system ? 0666 : 0600);
                if (r == 0 && system)
                        give_to_group(sockets->dir);
        }
        return r;
}

int sockets_open(struct sockets *ret, const struct config *config, const int *fds, size_t count) {
        struct sockets sockets = {.ingest_fd = -1, .query_fd = -1, .lock_fd = -1};
        bool system = is_system(config);
        int r;

        r = choose_dir(sockets.dir, config);
        if (r == 0)
                r = make_dir(sockets.dir, system ? 0755 : 0700);
        if (r == 0)
                r = lock_dir(&sockets);
        take_from_systemd(&sockets, fds, count);
        if (r == 0)
                r = open_missing(&sockets, system);
        if (r < 0) {
                sockets_unlink(&sockets);
                close_fd(sockets.ingest_fd);
                close_fd(sockets.query_fd);
                close_fd(sockets.lock_fd);
                return r;
        }
        *ret = sockets;
        return 0;
}

/* Removes only this process's own file: another socket may be there by now. */
static void unlink_own(const char *dir, const char *name, const struct socket_file *own) {
        struct sockaddr_un address;
        struct stat st;

        if (own->inode && make_address(&address, dir, name) == 0 && lstat(address.sun_path, &st) == 0 &&
            st.st_dev == own->device && st.st_ino == own->inode)
                unlink(address.sun_path);
}

void sockets_unlink(const struct sockets *sockets) {
        unlink_own(sockets->dir, "ingest.sock", &sockets->own_ingest);
        unlink_own(sockets->dir, "query.sock", &sockets->own_query);
}
