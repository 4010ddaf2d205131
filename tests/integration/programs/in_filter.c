/* SPDX-License-Identifier: MIT */
/*
 * Runs a program in a seccomp filter that libseccomp makes.  usage:
 *
 *     in_filter REST RULE... -- PROGRAM ARG...
 *
 * REST: allow, kill, log, trap, or the number of an errno, for each call that no rule is for.
 * RULE: CALL=ACTION, or a file of names, one a line, which are allowed; a line that begins with # is none.  A call that this
 *       processor does not have is left out.
 */
#include <ctype.h>
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t action_of(const char *text) {
        if (isdigit((unsigned char)*text))
                return SCMP_ACT_ERRNO(atoi(text));
        return !strcmp(text, "allow")  ? SCMP_ACT_ALLOW
               : !strcmp(text, "log")  ? SCMP_ACT_LOG
               : !strcmp(text, "trap") ? SCMP_ACT_TRAP
                                       : SCMP_ACT_KILL_PROCESS;
}

static int add(scmp_filter_ctx filter, const char *name, const char *action) {
        int call = seccomp_syscall_resolve_name(name), r;

        if (call == __NR_SCMP_ERROR || call < 0)
                return 0;
        r = seccomp_rule_add(filter, action_of(action), call, 0);
        return r == -EACCES || r == -EEXIST ? 0 : r; /* The same as the rest, or twice. */
}

static int add_file(scmp_filter_ctx filter, const char *path) {
        FILE *file = fopen(path, "re");
        char line[128];
        int r = 0;

        if (!file)
                return -errno;
        while (r == 0 && fgets(line, sizeof line, file)) {
                line[strcspn(line, " \n")] = '\0';
                if (*line && *line != '#')
                        r = add(filter, line, "allow");
        }
        fclose(file);
        return r;
}

int main(int argc, char **argv) {
        scmp_filter_ctx filter;
        int i, r = 0;

        if (argc < 4)
                return 125;
        filter = seccomp_init(action_of(argv[1]));
        for (i = 2; filter && r == 0 && i < argc && strcmp(argv[i], "--") != 0; i++) {
                char *equals = strchr(argv[i], '=');

                if (equals)
                        *equals = '\0';
                r = equals ? add(filter, argv[i], equals + 1) : add_file(filter, argv[i]);
        }
        if (!filter || r < 0 || i + 1 >= argc || (r = seccomp_load(filter)) < 0) {
                fprintf(stderr, "in_filter: %s\n", strerror(-r));
                return 125;
        }
        seccomp_release(filter);
        execvp(argv[i + 1], argv + i + 1);
        return 126;
}
