/* SPDX-License-Identifier: MIT */
/*
 * Text gathered in memory and given to a pager if it is longer than the terminal.  What the text is made of is the
 * caller's.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"
#include "ctl/session/pager.h"

int pager_init(struct pager *pager) {
        *pager = (struct pager){0};
        pager->stream = open_memstream(&pager->text, &pager->size);
        return pager->stream ? 0 : -errno;
}

/* A reader that has seen enough is no error. */
static int write_text(int fd, const char *text, size_t size) {
        int r = write_all(fd, text, size);

        return r == -EPIPE ? 0 : r;
}

/* The pager's command; NULL if the text fits, or if no pager is wanted or possible. */
static const char *pager_command(const struct pager *pager, const struct options *options) {
        const char *command = getenv("PAGER");
        const char *term = getenv("TERM");
        struct winsize size;
        size_t lines = 0;

        if (options->no_pager || !isatty(STDOUT_FILENO) || !term || !strcmp(term, "dumb"))
                return NULL;
        if (command && (!*command || !strcmp(command, "cat")))
                return NULL;
        for (size_t i = 0; i < pager->size; i++)
                lines += pager->text[i] == '\n';
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_row || lines < size.ws_row)
                return NULL;
        return command ? command : "less";
}

static pid_t spawn(const char *command, int *ret_fd) {
        int pipes[2];
        pid_t pid;

        if (pipe(pipes) < 0)
                return -1;
        pid = fork();
        if (pid == 0) {
                dup2(pipes[0], STDIN_FILENO);
                close(pipes[0]);
                close(pipes[1]);
                setenv("LESS", "FRSX", 0);
                execl("/bin/sh", "sh", "-c", command, NULL);
                _exit(127);
        }
        close(pipes[0]);
        if (pid < 0)
                close(pipes[1]);
        else
                *ret_fd = pipes[1];
        return pid;
}

static int show_through(const char *command, const char *text, size_t size) {
        struct sigaction ignore = {.sa_handler = SIG_IGN}, pipe_was, int_was;
        int fd, status = 0;
        pid_t pid = spawn(command, &fd);

        if (pid < 0)
                return write_text(STDOUT_FILENO, text, size);
        /* Only now, so that the pager does not inherit it.  An interrupt is the pager's to handle. */
        sigaction(SIGPIPE, &ignore, &pipe_was);
        sigaction(SIGINT, &ignore, &int_was);
        write_text(fd, text, size);
        close(fd);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        sigaction(SIGPIPE, &pipe_was, NULL);
        sigaction(SIGINT, &int_was, NULL);
        /* No such pager: show it plainly. */
        if (WIFEXITED(status) && (WEXITSTATUS(status) == 127 || WEXITSTATUS(status) == 126))
                return write_text(STDOUT_FILENO, text, size);
        return 0;
}

int pager_show(struct pager *pager, const struct options *options) {
        const char *command;
        int r = 0;

        if (fclose(pager->stream) == EOF)
                r = -errno;
        if (r == 0) {
                command = pager_command(pager, options);
                r = command ? show_through(command, pager->text, pager->size)
                            : write_text(STDOUT_FILENO, pager->text, pager->size);
        }
        free(pager->text);
        *pager = (struct pager){0};
        return r;
}
