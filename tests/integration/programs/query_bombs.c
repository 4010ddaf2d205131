/* SPDX-License-Identifier: MIT */
/*
 * query_bombs SOCKET ROUNDS: sends malformed messages to a collector's query socket: msgpack headers with counts larger
 * than the data, deep nesting, wrong lengths, random bytes, with and without a hello before them; each on a connection
 * of its own.  Prints how many were answered and how many connections were closed.  Ends with 1 if the collector
 * neither answers nor closes.
 */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *path;
static unsigned long answered, closed;

static int dial(void) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        strncpy(address.sun_path, path, sizeof address.sun_path - 1);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
                perror("query_bombs");
                exit(1);
        }
        return fd;
}

/* Reads until the collector has answered or closed; it must do one of the two. */
static void await(int fd) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char buf[65536];
        ssize_t n;

        if (poll(&p, 1, 10000) <= 0) {
                fputs("query_bombs: the collector neither answers nor closes\n", stderr);
                exit(1);
        }
        n = recv(fd, buf, sizeof buf, 0);
        if (n > 0)
                answered++;
        else
                closed++;
}

static void send_frame(int fd, const void *bytes, uint32_t size, uint32_t claimed) {
        unsigned char head[4] = {(unsigned char)claimed, (unsigned char)(claimed >> 8), (unsigned char)(claimed >> 16),
                                 (unsigned char)(claimed >> 24)};

        if (send(fd, head, 4, MSG_NOSIGNAL) == 4 && size)
                (void)!send(fd, bytes, size, MSG_NOSIGNAL);
}

/* [0, 1, "hello", {"protocol": 1, "client": "bomb"}] */
static const unsigned char hello[] = "\x94\x00\x01\xa5hello\x82\xa8protocol\x01\xa6"
                                     "client\xa4"
                                     "bomb";

static void throw_frame(int greet, const void *bytes, uint32_t size, uint32_t claimed) {
        int fd = dial();

        if (greet) {
                send_frame(fd, hello, sizeof hello - 1, sizeof hello - 1);
                await(fd);
        }
        send_frame(fd, bytes, size, claimed);
        if (claimed > size) /* else the rest is waited for, which is no fault */
                shutdown(fd, SHUT_WR);
        await(fd);
        close(fd);
}

static const struct bomb {
        const char *bytes;
        unsigned size;
} bombs[] = {
        {"\xdd\xff\xff\xff\xff", 5},                       /* array32 */
        {"\xdf\xff\xff\xff\xff", 5},                       /* map32 */
        {"\xc9\xff\xff\xff\xff\x01", 6},                   /* ext32 */
        {"\xdb\xff\xff\xff\xff", 5},                       /* str32 */
        {"\xc6\xff\xff\xff\xff", 5},                       /* bin32 */
        {"\x94\x00\x01\xa5spans\xdf\x7f\xff\xff\xff", 14}, /* in its place */
        {"\x94\x00\x01\xa5spans\x81\xa6"
         "filter\xdb\xff\xff\xff\xf0",
         22},
        {"\xc1", 1},                           /* never used */
        {"\x94\x00\x01\xa5spans\x80\xc0", 11}, /* something behind it */
        {"\x93\x00\x01\xa5spans", 9},          /* no params */
        {"\x94\x01\x01\xa5spans\x80", 10},     /* an answer */
        {"", 0},
};

int main(int argc, char **argv) {
        unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
        unsigned char noise[4096], deep[4096];

        if (argc < 2)
                return 2;
        path = argv[1];
        memset(deep, 0x91, sizeof deep);
        srandom(1);
        for (unsigned r = 0; r < rounds; r++)
                for (int greet = 0; greet < 2; greet++) {
                        for (unsigned b = 0; b < sizeof bombs / sizeof *bombs; b++)
                                throw_frame(greet, bombs[b].bytes, bombs[b].size, bombs[b].size);
                        throw_frame(greet, deep, sizeof deep, sizeof deep);
                        throw_frame(greet, NULL, 0, 0xffffffff);
                        throw_frame(greet, NULL, 0, 65537);
                        throw_frame(greet, deep, 10, 4000);
                        for (unsigned i = 0; i < sizeof noise; i++)
                                noise[i] = (unsigned char)random();
                        throw_frame(greet, noise, 1 + (uint32_t)random() % sizeof noise,
                                    1 + (uint32_t)random() % sizeof noise);
                }
        printf("answered %lu, closed %lu\n", answered, closed);
        return 0;
}
