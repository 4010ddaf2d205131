/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <errno.h>
#include <spanalloc/spanalloc.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum statement { BEGIN, COMMIT, ROLLBACK, INSERT, REMEMBER, RECALL, FORGET, SEARCH, STATEMENTS };

static const char *const sql[STATEMENTS] = {
        [BEGIN] = "BEGIN",
        [COMMIT] = "COMMIT",
        [ROLLBACK] = "ROLLBACK",
        [INSERT] = "INSERT INTO entries (package, version, author, body) VALUES (?1, ?2, ?3, ?4)",
        [REMEMBER] = "INSERT OR REPLACE INTO packages (name, first, last) VALUES (?1, ?2, ?3)",
        [RECALL] = "SELECT first, last FROM packages WHERE name = ?1",
        [FORGET] = "DELETE FROM entries WHERE rowid BETWEEN ?1 AND ?2",
        [SEARCH] = "SELECT package, version, snippet(entries, 3, '', '', '...', 12), rank FROM entries"
                   " WHERE entries MATCH ?1 ORDER BY rank LIMIT ?2",
};

struct store {
        sqlite3 *db;
        sqlite3_stmt *statements[STATEMENTS];
};

static const char schema[] =
        "CREATE TABLE packages (name TEXT PRIMARY KEY, first INTEGER, last INTEGER) WITHOUT ROWID;"
        "CREATE VIRTUAL TABLE entries USING fts5 (package UNINDEXED, version UNINDEXED, author, body);";

int store_new(struct store **ret) {
        struct store *store = calloc(1, sizeof *store);
        int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX;
        int r;

        if (!store)
                return -EIO;
        r = sqlite3_open_v2(":memory:", &store->db, flags, NULL);
        if (r == SQLITE_OK)
                r = sqlite3_exec(store->db, schema, NULL, NULL, NULL);
        for (int i = 0; r == SQLITE_OK && i < STATEMENTS; i++)
                r = sqlite3_prepare_v3(store->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &store->statements[i], NULL);
        *ret = store;
        return r == SQLITE_OK ? 0 : -EIO;
}

struct store *store_free(struct store *store) {
        if (!store)
                return NULL;
        for (int i = 0; i < STATEMENTS; i++)
                sqlite3_finalize(store->statements[i]);
        sqlite3_close(store->db);
        free(store);
        return NULL;
}

const char *store_error(const struct store *store) {
        return store ? sqlite3_errmsg(store->db) : "out of memory";
}

/* Runs a statement that yields no row. */
static int run(struct store *store, enum statement which) {
        int r = sqlite3_step(store->statements[which]);

        sqlite3_reset(store->statements[which]);
        sqlite3_clear_bindings(store->statements[which]);
        return r == SQLITE_DONE ? 0 : -EIO;
}

static void bind_text(struct store *store, enum statement which, int index, const char *text) {
        sqlite3_bind_text(store->statements[which], index, text ? text : "", -1, SQLITE_STATIC);
}

static int forget(struct store *store, const char *package) {
        sqlite3_stmt *recall = store->statements[RECALL];
        int r;

        bind_text(store, RECALL, 1, package);
        r = sqlite3_step(recall);
        if (r == SQLITE_ROW) {
                SPANALLOC_SCOPE("forget");
                sqlite3_bind_int64(store->statements[FORGET], 1, sqlite3_column_int64(recall, 0));
                sqlite3_bind_int64(store->statements[FORGET], 2, sqlite3_column_int64(recall, 1));
                r = run(store, FORGET) == 0 ? SQLITE_DONE : SQLITE_ERROR;
        }
        sqlite3_reset(recall);
        return r == SQLITE_DONE ? 0 : -EIO;
}

static int insert(struct store *store, const struct changelog *changelog) {
        sqlite3_int64 first = 0;
        int r = 0;

        for (size_t i = 0; r == 0 && i < changelog->count; i++) {
                const struct entry *entry = &changelog->entries[i];

                bind_text(store, INSERT, 1, changelog->package);
                bind_text(store, INSERT, 2, entry->version);
                bind_text(store, INSERT, 3, entry->author);
                bind_text(store, INSERT, 4, entry->body);
                r = run(store, INSERT);
                if (i == 0)
                        first = sqlite3_last_insert_rowid(store->db);
        }
        if (r < 0)
                return r;
        bind_text(store, REMEMBER, 1, changelog->package);
        sqlite3_bind_int64(store->statements[REMEMBER], 2, first);
        sqlite3_bind_int64(store->statements[REMEMBER], 3, first + (sqlite3_int64)changelog->count - 1);
        return run(store, REMEMBER);
}

int store_put(struct store *store, const struct changelog *changelog) {
        int r = run(store, BEGIN);

        if (r == 0)
                r = forget(store, changelog->package);
        if (r == 0)
                r = insert(store, changelog);
        if (r == 0)
                return run(store, COMMIT);
        run(store, ROLLBACK);
        return r;
}

static char *column(sqlite3_stmt *statement, int index) {
        const unsigned char *text = sqlite3_column_text(statement, index);

        return strdup(text ? (const char *)text : "");
}

int store_search(struct store *store, const char *phrase, size_t limit, struct hit **ret, size_t *ret_count) {
        sqlite3_stmt *search = store->statements[SEARCH];
        struct hit *hits = calloc(limit, sizeof *hits);
        size_t count = 0;
        int r;

        if (!hits)
                return -EIO;
        bind_text(store, SEARCH, 1, phrase);
        sqlite3_bind_int64(search, 2, (sqlite3_int64)limit);
        while ((r = sqlite3_step(search)) == SQLITE_ROW && count < limit)
                hits[count++] = (struct hit){.package = column(search, 0),
                                             .version = column(search, 1),
                                             .excerpt = column(search, 2),
                                             .rank = sqlite3_column_double(search, 3)};
        sqlite3_reset(search);
        *ret = hits;
        *ret_count = count;
        return r == SQLITE_DONE ? 0 : -EIO;
}

void hits_free(struct hit *hits, size_t count) {
        for (size_t i = 0; i < count; i++) {
                free(hits[i].package);
                free(hits[i].version);
                free(hits[i].excerpt);
        }
        free(hits);
}
