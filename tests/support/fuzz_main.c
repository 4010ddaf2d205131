/* SPDX-License-Identifier: MIT */
/*
 * Drives LLVMFuzzerTestOneInput without a fuzzing engine: every corpus file, then random bytes and mutations of what
 * there is, for a bounded time.  With a fixed --seed it does the same each time; an input that crashes is reproduced by
 * giving its file, which is written before each call to the path of --save.
 *
 *     fuzz_NAME [--seconds N] [--runs N] [--seed N] [--save FILE] [FILE|DIRECTORY]...
 */
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 4096, INPUTS_MAX = 512 };

struct input {
        uint8_t data[INPUT_MAX];
        size_t size;
};

static struct input *inputs[INPUTS_MAX];
static size_t input_count;
static uint64_t state = 1;
static const char *save;
static volatile sig_atomic_t is_over; /* SIGTERM: ends early, and says how far it came */

static uint64_t next_random(void) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state;
}

static void run(const struct input *input) {
        /* A copy of just that size, so that the address sanitizer sees a read beyond it. */
        uint8_t *copy = malloc(input->size ? input->size : 1);
        FILE *file = save ? fopen(save, "wb") : NULL;

        if (file) {
                fwrite(input->data, 1, input->size, file);
                fclose(file);
        }
        if (!copy)
                abort();
        memcpy(copy, input->data, input->size);
        LLVMFuzzerTestOneInput(copy, input->size);
        free(copy);
}

static void load(const char *path) {
        struct input *input;
        struct dirent *entry;
        struct stat st;
        FILE *file;
        DIR *dir;
        char name[4096];

        if (stat(path, &st) < 0 || input_count == INPUTS_MAX)
                return;
        if (S_ISDIR(st.st_mode)) {
                dir = opendir(path);
                while (dir && (entry = readdir(dir))) {
                        if (entry->d_name[0] == '.')
                                continue;
                        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
                        load(name);
                }
                if (dir)
                        closedir(dir);
                return;
        }
        file = fopen(path, "rb");
        input = calloc(1, sizeof *input);
        if (file && input) {
                input->size = fread(input->data, 1, INPUT_MAX, file);
                inputs[input_count++] = input;
        }
        if (file)
                fclose(file);
}

static void make_random(struct input *input) {
        input->size = next_random() % (next_random() % 4 ? 64 : INPUT_MAX);
        for (size_t i = 0; i < input->size; i++)
                input->data[i] = (uint8_t)next_random();
}

static void mutate_once(struct input *input) {
        static const uint64_t edges[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, UINT64_MAX};
        size_t at = input->size ? next_random() % input->size : 0, width = (size_t)1 << next_random() % 4;
        uint64_t edge = edges[next_random() % (sizeof edges / sizeof *edges)];

        switch (next_random() % 5) {
        case 0:
                if (input->size)
                        input->data[at] ^= (uint8_t)(1u << next_random() % 8);
                break;
        case 1:
                if (input->size)
                        input->data[at] = (uint8_t)next_random();
                break;
        case 2:
                if (at + width <= input->size)
                        memcpy(input->data + at, &edge, width);
                break;
        case 3:
                input->size = at;
                break;
        default: { /* a stretch of another input, spliced in */
                const struct input *other = input_count ? inputs[next_random() % input_count] : input;
                size_t from = other->size ? next_random() % other->size : 0, n = other->size - from;

                if (n > INPUT_MAX - at)
                        n = INPUT_MAX - at;
                memmove(input->data + at, other->data + from, n);
                if (at + n > input->size)
                        input->size = at + n;
        }
        }
}

static void on_term(int signal) {
        is_over = 1;
}

static double seconds_now(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
        double seconds = 5, begun = seconds_now();
        uint64_t runs = UINT64_MAX, done = 0;
        struct input input;

        for (int i = 1; i < argc; i++) {
                if (!strcmp(argv[i], "--seconds") && i + 1 < argc)
                        seconds = atof(argv[++i]);
                else if (!strcmp(argv[i], "--runs") && i + 1 < argc)
                        runs = strtoull(argv[++i], NULL, 10);
                else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
                        state = strtoull(argv[++i], NULL, 10) | 1;
                else if (!strcmp(argv[i], "--save") && i + 1 < argc)
                        save = argv[++i];
                else
                        load(argv[i]);
        }
        signal(SIGTERM, on_term);
        for (size_t i = 0; i < input_count; i++, done++)
                run(inputs[i]);
        while (!is_over && done < runs && seconds_now() - begun < seconds) {
                for (int i = 0; i < 64; i++, done++) {
                        if (input_count && next_random() % 8) {
                                input = *inputs[next_random() % input_count];
                                for (uint64_t n = 1 + next_random() % 8; n > 0; n--)
                                        mutate_once(&input);
                        } else {
                                make_random(&input);
                        }
                        run(&input);
                }
        }
        printf("%" PRIu64 " inputs, %zu of them given\n", done, input_count);
        for (size_t i = 0; i < input_count; i++)
                free(inputs[i]);
        return 0;
}
