/* SPDX-License-Identifier: MIT */
/* Sends a hello of kind EXEC, without waiting for an answer; see exec_notice.h. */
#include "client/exec_notice.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/library.h"
#include "shm/handshake.h"

bool sa_root_is_eager(void) {
        const struct sa_api *leader = sa_forward();

        return leader ? leader->is_eager() : atomic_load(&sa_root.options) & SHM_OPTION_EAGER;
}

void sa_root_tell_exec(int32_t pid, const char *path, bool scrubbed) {
        const struct sa_api *leader = sa_forward();
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct shm_hello hello = {
                .magic = SHM_HELLO_MAGIC,
                .version = SHM_VERSION,
                .kind = SHM_HELLO_EXEC,
                .flags = scrubbed ? SHM_HELLO_SCRUBBED : 0,
                .pid = pid,
        };
        int saved = errno, fd;

        if (leader) {
                leader->tell_exec(pid, path, scrubbed);
                return;
        }
        strncpy(hello.path, path, sizeof hello.path - 1);
        strcpy(address.sun_path, sa_root.socket);
        fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0) {
                if (syscall(SYS_connect, fd, &address, sizeof address) == 0)
                        syscall(SYS_sendto, fd, &hello, sizeof hello, MSG_NOSIGNAL, NULL, 0);
                syscall(SYS_close, fd);
        }
        errno = saved;
}
