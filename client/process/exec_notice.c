/* SPDX-License-Identifier: MIT */
/* Sends a hello of kind EXEC, without waiting for an answer, or leaves it in the segment; see exec_notice.h. */
#include "client/process/exec_notice.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "client/process/library.h"
#include "client/segment/attachments.h"
#include "client/segment/handshake.h"
#include "client/segment/lease.h"
#include "shm/handshake.h"

bool sa_root_is_eager(void) {
        const struct sa_api *leader = sa_forward();

        return leader ? leader->is_eager() : atomic_load(&sa_root.options) & SHM_OPTION_EAGER;
}

/* In the segment, where the collector finds it when it looks at the process again, or at its end. */
static void leave_in_segment(const struct shm_hello *hello, const char *path) {
        uint32_t epoch;
        struct sa_attachment *a = sa_attachment_get(&epoch);
        char text[sizeof a->header->exec.path] = {0};
        struct shm_exec *exec;

        if (!a)
                return;
        exec = &a->header->exec;
        memcpy(text, path, strnlen(path, sizeof text - 1));
        atomic_fetch_or(&exec->count, 1);
        shm_store(exec->flags, hello->flags);
        shm_store(exec->pid, hello->pid);
        shm_store_text(exec->path, text, sizeof text);
        atomic_fetch_add(&exec->count, 1);
        sa_attachment_put(a);
}

void sa_root_tell_exec(int32_t pid, const char *path, bool scrubbed) {
        const struct sa_api *leader = sa_forward();
        struct shm_hello hello = {
                .magic = SHM_HELLO_MAGIC,
                .version = SHM_VERSION,
                .kind = SHM_HELLO_EXEC,
                .flags = scrubbed ? SHM_HELLO_SCRUBBED : 0,
                .pid = pid,
        };
        struct sa_thread *self = &sa_self;
        int saved = errno, fd;

        if (leader) {
                leader->tell_exec(pid, path, scrubbed);
                return;
        }
        if (!sa_may_call(self)) {
                leave_in_segment(&hello, path);
                return;
        }
        strncpy(hello.path, path, sizeof hello.path - 1);
        if (sa_connect(sa_root.socket, &fd) == 0) {
                sa_call(SYS_sendto, fd, (long)&hello, sizeof hello, MSG_NOSIGNAL, 0, 0);
                sa_call(SYS_close, fd, 0, 0, 0, 0, 0);
        }
        errno = saved;
        sa_calls_end(self);
}
