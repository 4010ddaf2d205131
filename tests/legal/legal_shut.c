/* SPDX-License-Identifier: MIT */
/*
 * Puts a program into a seccomp filter, as service managers and containers do, and runs it.
 *
 *     legal_shut kill|errno|engine PROGRAM ARG...
 *
 * kill, errno: only what a small program does by itself is allowed, all else kills it or fails with EPERM.  engine: what
 * container engines forbid by default fails with EPERM, all else is allowed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int own[] = {
        SYS_execve,    SYS_brk,    SYS_arch_prctl,      SYS_mmap,         SYS_munmap,    SYS_mprotect,
        SYS_openat,    SYS_read,   SYS_pread64,         SYS_close,        SYS_fstat,     SYS_newfstatat,
        SYS_access,    SYS_futex,  SYS_set_tid_address, SYS_prlimit64,    SYS_getrandom, SYS_set_robust_list,
        SYS_rseq,      SYS_write,  SYS_exit_group,      SYS_exit,         SYS_getpid,    SYS_rt_sigaction,
        SYS_readlink,  SYS_mremap, SYS_madvise,         SYS_rt_sigreturn, SYS_lseek,     SYS_clock_gettime,
        SYS_nanosleep,
};
static const int forbidden[] = {
        SYS_add_key,        SYS_keyctl,         SYS_request_key,     SYS_bpf,
        SYS_mount,          SYS_umount2,        SYS_reboot,          SYS_kexec_load,
        SYS_init_module,    SYS_delete_module,  SYS_perf_event_open, SYS_userfaultfd,
        SYS_io_uring_setup, SYS_io_uring_enter, SYS_move_pages,      SYS_mbind,
        SYS_quotactl,       SYS_swapon,         SYS_unshare,         SYS_setns,
        SYS_pivot_root,     SYS_acct,
};

int main(int argc, char **argv) {
        struct sock_filter code[160];
        struct sock_fprog program = {.filter = code};
        const int *list = own;
        size_t length = sizeof own / sizeof *own;
        unsigned listed = SECCOMP_RET_ALLOW, rest = SECCOMP_RET_KILL_PROCESS;
        unsigned short n = 0;

        if (argc < 3)
                return 2;
        if (!strcmp(argv[1], "errno"))
                rest = SECCOMP_RET_ERRNO | EPERM;
        if (!strcmp(argv[1], "engine")) {
                list = forbidden;
                length = sizeof forbidden / sizeof *forbidden;
                listed = SECCOMP_RET_ERRNO | EPERM;
                rest = SECCOMP_RET_ALLOW;
        }
        code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
        for (size_t i = 0; i < length; i++) {
                code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)list[i], 0, 1);
                code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, listed);
        }
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, rest);
        program.len = n;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
            syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program)) {
                perror("legal_shut: seccomp");
                return 125;
        }
        execv(argv[2], argv + 2);
        perror("legal_shut: exec");
        return 126;
}
