/* SPDX-License-Identifier: MIT */
/*
 * The option table, and the three places that fill a configuration through it.
 */
#include "daemon/spanallocd/config.h"

#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/nanoseconds.h"
#include "daemon/collector/collector.h"
#include "daemon/query/query_server.h"
#include "shm/segment.h"

#define CONFIG_FILE "/etc/spanalloc/spanallocd.conf"
#define CONFIG_DIR  "/etc/spanalloc/spanallocd.conf.d"

/* Each setter returns NULL, or what the value has to be. */
typedef const char *(*setter_fn)(struct config *config, const char *value);

static bool parse_number(const char *text, uint64_t max, uint64_t *ret) {
        unsigned long long value;
        char *end;

        errno = 0;
        value = strtoull(text, &end, 10);
        if (*text < '0' || *text > '9' || *end || errno || value > max)
                return false;
        *ret = value;
        return true;
}

static const char *set_system(struct config *config, const char *value) {
        config->scope = CONFIG_SYSTEM;
        return NULL;
}

static const char *set_user(struct config *config, const char *value) {
        config->scope = CONFIG_USER;
        return NULL;
}

static const char *set_path(char path[4096], const char *value) {
        if (value[0] != '/' || strlen(value) >= 4096)
                return "an absolute path";
        strcpy(path, value);
        return NULL;
}

static const char *set_runtime_dir(struct config *config, const char *value) {
        return set_path(config->runtime_dir, value);
}

static const char *set_state_dir(struct config *config, const char *value) {
        return set_path(config->state_dir, value);
}

static const char *set_state_interval(struct config *config, const char *value) {
        uint64_t seconds;

        if (!parse_number(value, 3600, &seconds) || seconds == 0)
                return "seconds, from 1 to 3600";
        config->state_ns = seconds * NS_PER_S;
        return NULL;
}

static const char *set_backend(struct config *config, const char *value) {
        static const char *const names[] = {
                [REACTOR_AUTO] = "auto", [REACTOR_POLL] = "poll", [REACTOR_URING] = "io_uring"};

        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                if (strcmp(value, names[i]) == 0) {
                        config->backend = (enum reactor_backend)i;
                        return NULL;
                }
        return "auto, poll or io_uring";
}

static const char *set_keep(struct config *config, const char *value) {
        uint64_t seconds;

        if (strcmp(value, "forever") == 0) {
                config->keep_ns = UINT64_MAX;
                return NULL;
        }
        if (!parse_number(value, 366 * 86400, &seconds))
                return "seconds, at most a year of them, or \"forever\"";
        config->keep_ns = seconds * NS_PER_S;
        return NULL;
}

static const char *set_ring_kib(struct config *config, const char *value) {
        uint64_t kib;

        if (!parse_number(value, 65536, &kib) || kib < 16)
                return "KiB, from 16 to 65536";
        config->ring_kib = (uint32_t)kib;
        return NULL;
}

static const char *set_fd_store(struct config *config, const char *value) {
        uint64_t n;

        if (!parse_number(value, 1000000, &n))
                return "a number, as of FileDescriptorStoreMax=";
        config->fd_store = (uint32_t)n;
        return NULL;
}

static const char *set_log_level(struct config *config, const char *value) {
        static const char *const names[] = {"error", "warning", "notice", "info", "debug"};

        for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
                if (strcmp(value, names[i]) == 0) {
                        config->log_level = (enum log_level)(LOG_LEVEL_ERROR + i);
                        return NULL;
                }
        return "error, warning, notice, info or debug";
}

enum { OPTION_HELP = 1000, OPTION_VERSION, OPTION_CONFIG, OPTION_FIRST };

#define LIMIT(member) offsetof(struct config, limits.member)
#define UID(kind)     offsetof(struct config, limits.uid_max[QUOTA_##kind])

/* All options.  An option with a value and a setter or a range may also stand in a configuration file, under the same name. */
static const struct {
        const char *name, *value, *help;
        setter_fn set;
        int id; /* 0: its place in the table */
        /* A number: where it goes, and what it may be.  max 0: none. */
        size_t number;
        uint64_t min, max;
} options[] = {
        {"system", NULL, "serve the whole machine, in /run/spanalloc (root's default)", set_system, .id = 0},
        {"user", NULL, "serve one user, in $XDG_RUNTIME_DIR/spanalloc (default of other users)", set_user, .id = 0},
        {"runtime-dir", "DIR", "the directory of ingest.sock, query.sock and the beacon", set_runtime_dir, .id = 0},
        {"state-dir", "DIR", "save books there, for a restart without a service manager that keeps them", set_state_dir,
         .id = 0},
        {"state-interval", "SECONDS", "how often they are saved (default 10)", set_state_interval, .id = 0},
        {"backend", "NAME", "auto (default), poll or io_uring", set_backend, .id = 0},
        {"keep", "SECONDS", "how long an ended process is shown (default 600), or forever", set_keep, .id = 0},
        {"fd-store", "N", "descriptors that the service manager keeps (default $FDSTORE)", set_fd_store, .id = 0},
        {"ring-kib", "N", "size of a thread's ring where the program does not ask for one (default 512)", set_ring_kib,
         .id = 0},
        {"max-processes", "N", "processes attached at once (default 4096)", NULL, .number = LIMIT(processes), .min = 1,
         .max = 100000},
        {"max-ended", "N", "ended processes shown (default 1024)", NULL, .number = LIMIT(ended), .min = 0,
         .max = 100000},
        {"max-threads", "N", "threads of one process (default 4096)", NULL, .number = LIMIT(threads), .min = 1,
         .max = SHM_LANES_MAX},
        {"max-names", "N", "names of spans of one process (default 16384)", NULL, .number = LIMIT(names), .min = 16,
         .max = SHM_NAMES_MAX},
        {"max-paths", "N", "paths of spans of one process (default 131072)", NULL, .number = LIMIT(paths), .min = 16,
         .max = SHM_PATHS_MAX},
        {"max-processes-per-uid", "N", "processes of one user other than root (default 1024)", NULL,
         .number = UID(PROCESSES), .min = 1, .max = 100000},
        {"max-memory-per-uid", "MIB",
         "memory for one user's processes (default a quarter of the machine's, or its cgroup's)", NULL,
         .number = UID(MEMORY), .min = 16, .max = 1 << 24},
        {"max-threads-per-uid", "N", "threads of one user's processes (default 32768)", NULL, .number = UID(THREADS),
         .min = 1, .max = 1 << 24},
        {"max-names-per-uid", "N", "names of spans of one user's processes (default 262144)", NULL,
         .number = UID(NAMES), .min = 1, .max = 1 << 28},
        {"max-paths-per-uid", "N", "paths of spans of one user's processes (default 1048576)", NULL,
         .number = UID(PATHS), .min = 1, .max = 1 << 28},
        {"max-records-per-pass", "N", "records of one user that one pass drains at most (default 262144)", NULL,
         .number = UID(RECORDS), .min = 256, .max = 1 << 28},
        {"max-connections", "N", "connections to query.sock (default 64)", NULL, .number = LIMIT(connections), .min = 1,
         .max = 4096},
        {"max-connections-per-uid", "N", "the same of one user (default 16)", NULL, .number = LIMIT(connections_uid),
         .min = 1, .max = 4096},
        {"log-level", "LEVEL", "error, warning, notice, info (default) or debug", set_log_level, .id = 0},
        {"config", "FILE", "read FILE only, and nothing in /etc/spanalloc", NULL, .id = OPTION_CONFIG},
        {"help", NULL, "print this", NULL, .id = OPTION_HELP},
        {"version", NULL, "print the version", NULL, .id = OPTION_VERSION},
};
#define OPTIONS (sizeof options / sizeof *options)

void config_print_help(FILE *file) {
        char left[64];

        fprintf(file, "Usage: spanallocd [OPTION...]\n\n"
                      "Collects what the spans of all attached programs allocate, and answers spanallocctl.\n"
                      "Runs in the foreground.\n\n");
        for (size_t i = 0; i < OPTIONS; i++) {
                snprintf(left, sizeof left, "--%s%s%s", options[i].name, options[i].value ? " " : "",
                         options[i].value ? options[i].value : "");
                fprintf(file, "  %-28s %s\n", left, options[i].help);
        }
        fprintf(file, "\nThe same names with a value may stand in " CONFIG_FILE " and\n" CONFIG_DIR
                      "/*.conf, one to a line: keep = 60\n");
}

bool config_option(size_t i, struct config_option *ret) {
        if (i >= OPTIONS)
                return false;
        *ret = (struct config_option){options[i].name, options[i].value, options[i].help};
        return true;
}

static void set_defaults(struct config *config) {
        *config = (struct config){
                .keep_ns = collector_options_default.keep_ns,
                .state_ns = collector_options_default.state_ns,
                .log_level = LOG_LEVEL_INFO,
                .limits =
                        {
                                .processes = collector_options_default.processes_max,
                                .ended = collector_options_default.keep_max,
                                .threads = shm_wish_default.lane_capacity,
                                .names = shm_wish_default.name_capacity,
                                .paths = shm_wish_default.path_capacity,
                                .connections = query_server_limits_default.connections,
                                .connections_uid = query_server_limits_default.connections_uid,
                                .uid_max =
                                        {
                                                [QUOTA_PROCESSES] = collector_options_default.uid_max[QUOTA_PROCESSES],
                                                [QUOTA_THREADS] = 32768,
                                                [QUOTA_NAMES] = 262144,
                                                [QUOTA_PATHS] = 1048576,
                                                [QUOTA_RECORDS] = 262144,
                                        },
                        },
        };
}

/* ----------------------------------------------------------------------------------------------------- files -- */

/* NULL, or what the value has to be; good until the next call. */
static const char *set_option(size_t option, struct config *config, const char *value) {
        static char wanted[64];
        uint64_t n;

        if (!options[option].max)
                return options[option].set(config, value);
        if (parse_number(value, options[option].max, &n) && n >= options[option].min) {
                *(uint64_t *)(void *)((char *)config + options[option].number) = n;
                return NULL;
        }
        snprintf(wanted, sizeof wanted, "a number from %llu to %llu", (unsigned long long)options[option].min,
                 (unsigned long long)options[option].max);
        return wanted;
}

struct file_context {
        struct config *config;
        char mistake[256];
};

static int on_pair(void *userdata, const char *section, const char *name, const char *value) {
        struct file_context *context = userdata;
        const char *wanted;

        if (context->mistake[0])
                return 1; /* only the first mistake is printed */
        if (section[0]) {
                snprintf(context->mistake, sizeof context->mistake,
                         "there is no section [%.64s]; write options above all sections", section);
                return 0;
        }
        for (size_t i = 0; i < OPTIONS; i++) {
                if (options[i].id || !options[i].value || strcmp(options[i].name, name) != 0)
                        continue;
                wanted = set_option(i, context->config, value);
                if (!wanted)
                        return 1;
                snprintf(context->mistake, sizeof context->mistake, "%.64s must be %s, not \"%.64s\"", name, wanted,
                         value);
                return 0;
        }
        snprintf(context->mistake, sizeof context->mistake,
                 "there is no option \"%.64s\"; `spanallocd --help` lists them", name);
        return 0;
}

static int load_file(struct config *config, const char *path, bool must_exist) {
        struct file_context context = {.config = config};
        struct stat st;
        int line;

        if (!must_exist && access(path, F_OK) < 0)
                return CONFIG_RUN;
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
                log_event(LOG_CONFIG, NULL, "%s: is a directory; name a file", path);
                return CONFIG_USAGE;
        }
        line = ini_parse(path, on_pair, &context);
        if (line == 0)
                return CONFIG_RUN;
        if (line < 0)
                log_event(LOG_CONFIG, NULL, "%s: cannot be read: %s", path, strerror(errno));
        else if (context.mistake[0])
                log_event(LOG_CONFIG, NULL, "%s:%d: %s", path, line, context.mistake);
        else
                log_event(LOG_CONFIG, NULL, "%s:%d: write \"name = value\"", path, line);
        return CONFIG_USAGE;
}

static int load_files(struct config *config) {
        glob_t found = {0};
        int r = load_file(config, CONFIG_FILE, false);

        if (r == CONFIG_RUN && glob(CONFIG_DIR "/*.conf", 0, NULL, &found) == 0)
                for (size_t i = 0; i < found.gl_pathc && r == CONFIG_RUN; i++)
                        r = load_file(config, found.gl_pathv[i], true);
        globfree(&found);
        return r;
}

/* ---------------------------------------------------------------------------------------------- command line -- */

static void make_long_options(struct option long_options[OPTIONS + 1]) {
        for (size_t i = 0; i < OPTIONS; i++)
                long_options[i] = (struct option){.name = options[i].name,
                                                  .has_arg = options[i].value ? required_argument : no_argument,
                                                  .val = options[i].id ? options[i].id : OPTION_FIRST + (int)i};
        long_options[OPTIONS] = (struct option){0};
}

/* One walk over the arguments.  `config` NULL: only searches for --help, --version and --config. */
static int walk(struct config *config, int argc, char *argv[], const char **ret_file) {
        struct option long_options[OPTIONS + 1];
        const char *wanted;
        int c;

        make_long_options(long_options);
        optind = 0; /* from the beginning, each time */
        while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
                if (c == '?')
                        return CONFIG_USAGE;
                if (c == OPTION_HELP || c == 'h') {
                        config_print_help(stdout);
                        return CONFIG_DONE;
                }
                if (c == OPTION_VERSION) {
                        printf("spanallocd %s\n", SPANALLOC_VERSION);
                        return CONFIG_DONE;
                }
                if (c == OPTION_CONFIG)
                        *ret_file = optarg;
                if (c < OPTION_FIRST || !config)
                        continue;
                wanted = set_option((size_t)(c - OPTION_FIRST), config, optarg);
                if (!wanted)
                        continue;
                fprintf(stderr, "spanallocd: --%s must be %s, not \"%s\"\n", options[c - OPTION_FIRST].name, wanted,
                        optarg);
                return CONFIG_USAGE;
        }
        if (optind < argc) {
                fprintf(stderr, "spanallocd: \"%s\" is no option; see `spanallocd --help`\n", argv[optind]);
                return CONFIG_USAGE;
        }
        return CONFIG_RUN;
}

int config_load(struct config *ret, int argc, char *argv[]) {
        struct config config;
        const char *file = NULL;
        int r;

        set_defaults(&config);
        r = walk(NULL, argc, argv, &file);
        if (r == CONFIG_RUN)
                r = file ? load_file(&config, file, true) : load_files(&config);
        if (r == CONFIG_RUN)
                r = walk(&config, argc, argv, &file);
        if (r == CONFIG_RUN)
                *ret = config;
        return r;
}
