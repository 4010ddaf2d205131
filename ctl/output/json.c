/* SPDX-License-Identifier: MIT */
/*
 * Documents: objects, arrays and printing, over json-c.  The rows of a table on one line are written by json_rows.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "ctl/output/json_rows.h"

/* A table of which there are no objects yet: on one line it is written without, and only where it is to be laid out, or
 * something is added to it, they are made. */
struct later {
        struct later *next;
        struct json_object *array;
        struct json_rows *rows;
        const struct table *table;
        struct json_columns columns;
        bool is_made;
};

struct json {
        struct json_object *root;
        struct later *later;
};

/* Consumes `value` in any case. */
static int put(struct json_object *object, const char *key, struct json_object *value) {
        if (value && object && json_object_object_add(object, key, value) == 0)
                return 0;
        json_object_put(value);
        return -ENOMEM;
}

int json_new(struct json **ret, uint64_t time_ns, bool complete) {
        struct json *json = calloc(1, sizeof(*json));

        if (!json)
                return -ENOMEM;
        json->root = json_object_new_object();
        if (put(json->root, "schema", json_object_new_int(WIRE_SCHEMA)) < 0 ||
            put(json->root, "time_ns", json_object_new_uint64(time_ns)) < 0 ||
            put(json->root, "complete", json_object_new_boolean(complete)) < 0) {
                json_free(json);
                return -ENOMEM;
        }
        *ret = json;
        return 0;
}

static struct later *later_free(struct later *later) {
        struct later *next = later->next;

        json_object_put(later->array);
        json_rows_free(later->rows);
        free(later);
        return next;
}

struct json *json_free(struct json *json) {
        if (json) {
                json_object_put(json->root);
                while (json->later)
                        json->later = later_free(json->later);
                free(json);
        }
        return NULL;
}

static struct json_object *entry_value(const struct table_entry *entry) {
        struct json_object *array;

        if (entry->count == 1)
                return json_object_new_uint64(entry->values[0]);
        array = json_object_new_array();
        for (uint32_t i = 0; array && i < entry->count; i++)
                json_object_array_add(array, json_object_new_uint64(entry->values[i]));
        return array;
}

static struct json_object *map_value(const struct table_map *map) {
        struct json_object *object = json_object_new_object();

        for (size_t i = 0; object && i < map->count; i++)
                if (put(object, map->entries[i].name, entry_value(&map->entries[i])) < 0) {
                        json_object_put(object);
                        return NULL;
                }
        return object;
}

static struct json_object *cell_value(const struct table_cell *cell) {
        switch (cell->type) {
        case WIRE_COLUMN_UINT:
                return json_object_new_uint64(cell->u);
        case WIRE_COLUMN_INT:
                return json_object_new_int64(cell->i);
        case WIRE_COLUMN_BOOL:
                return json_object_new_boolean(cell->b);
        case WIRE_COLUMN_TEXT:
                return json_object_new_string(cell->text);
        case WIRE_COLUMN_MAP:
                return map_value(&cell->map);
        }
        return NULL;
}

static int fill_row(struct json_object *object, const struct table *table, size_t row,
                    const struct json_columns *columns) {
        bool all = !columns || !columns->count;
        size_t n = all ? table->column_count : columns->count;

        for (size_t i = 0; i < n; i++) {
                const char *name = all ? table->columns[i].name : columns->names[i];
                const struct table_cell *cell = table_at(table, row, all ? (int)i : table_column(table, name));

                if (cell && put(object, name, cell_value(cell)) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static struct json_object *row_value(const struct table *table, size_t row, const struct json_columns *columns) {
        struct json_object *object = json_object_new_object();

        if (object && fill_row(object, table, row, columns) < 0) {
                json_object_put(object);
                return NULL;
        }
        return object;
}

static int append_row(struct json_object *array, const struct table *table, size_t row,
                      const struct json_columns *columns) {
        struct json_object *object = row_value(table, row, columns);

        if (object && json_object_array_add(array, object) == 0)
                return 0;
        json_object_put(object);
        return -ENOMEM;
}

/* Makes the objects of the table that this array stands for, or of all for NULL. */
static int make_rows(const struct json *json, const struct json_object *array) {
        int r = 0;

        for (struct later *later = json->later; later && r == 0; later = later->next) {
                if (later->is_made || (array && array != later->array))
                        continue;
                json_object_set_serializer(later->array, NULL, NULL, NULL);
                later->is_made = true;
                for (size_t row = 0; row < later->table->row_count && r == 0; row++)
                        r = append_row(later->array, later->table, row, &later->columns);
        }
        return r;
}

/* The array under `key`, made if need be. */
static struct json_object *array_under(struct json *json, const char *key) {
        struct json_object *array = NULL;

        if (json_object_object_get_ex(json->root, key, &array) && json_object_is_type(array, json_type_array))
                return make_rows(json, array) == 0 ? array : NULL;
        return json_add_array(json, key) < 0 ? NULL : json_object_object_get(json->root, key);
}

int json_add_array(struct json *json, const char *key) {
        return put(json->root, key, json_object_new_array());
}

int json_append_text(struct json *json, const char *key, const char *value) {
        struct json_object *array = array_under(json, key);
        struct json_object *text = array ? json_object_new_string(value) : NULL;

        if (text && json_object_array_add(array, text) == 0)
                return 0;
        json_object_put(text);
        return -ENOMEM;
}

int json_append_texts(struct json *json, const char *key, const char *const *texts) {
        struct json_object *array = array_under(json, key), *object = json_object_new_object();

        for (; object && texts[0]; texts += 2)
                if (put(object, texts[0], json_object_new_string(texts[1])) < 0)
                        break;
        if (array && object && !texts[0] && json_object_array_add(array, object) == 0)
                return 0;
        json_object_put(object);
        return -ENOMEM;
}

int json_append_row(struct json *json, const char *key, const struct table *table, size_t row,
                    const struct json_columns *columns) {
        struct json_object *array = array_under(json, key);

        return array ? append_row(array, table, row, columns) : -ENOMEM;
}

static int write_later(struct json_object *array, struct printbuf *to, int level, int flags) {
        return json_rows_write(json_object_get_userdata(array), to);
}

int json_add_table(struct json *json, const char *key, const struct table *table, const struct json_columns *columns) {
        struct later *later = calloc(1, sizeof(*later));

        if (!later)
                return -ENOMEM;
        *later = (struct later){
                .array = json_object_new_array(), .rows = json_rows_new(table, columns), .table = table};
        if (columns)
                later->columns = *columns;
        if (!later->array || !later->rows || put(json->root, key, json_object_get(later->array)) < 0) {
                later_free(later);
                return -ENOMEM;
        }
        json_object_set_serializer(later->array, write_later, later->rows, NULL);
        later->next = json->later;
        json->later = later;
        return 0;
}

int json_add_row(struct json *json, const char *key, const struct table *table, size_t row,
                 const struct json_columns *columns) {
        return key ? put(json->root, key, row_value(table, row, columns)) : fill_row(json->root, table, row, columns);
}

static int put_in(struct json *json, const char *name, const char *key, struct json_object *value) {
        struct json_object *object = json->root;

        if (name && !json_object_object_get_ex(json->root, name, &object)) {
                object = json_object_new_object();
                if (put(json->root, name, object) < 0)
                        object = NULL;
        }
        return put(object, key, value);
}

int json_add_uint(struct json *json, const char *object, const char *key, uint64_t value) {
        return put_in(json, object, key, json_object_new_uint64(value));
}

int json_add_int(struct json *json, const char *object, const char *key, int64_t value) {
        return put_in(json, object, key, json_object_new_int64(value));
}

int json_add_text(struct json *json, const char *object, const char *key, const char *value) {
        return put_in(json, object, key, json_object_new_string(value));
}

int json_extend_last(struct json *json, const char *key, const char *name, int64_t value) {
        struct json_object *array = array_under(json, key);
        size_t n = array ? json_object_array_length(array) : 0;

        return n ? put(json_object_array_get_idx(array, n - 1), name, json_object_new_int64(value)) : -ENOMEM;
}

int json_print(const struct json *json, FILE *stream, enum json_mode mode) {
        int flags = JSON_C_TO_STRING_NOSLASHESCAPE |
                    (mode == JSON_PRETTY ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN);
        const char *text;

        if (mode == JSON_PRETTY && make_rows(json, NULL) < 0)
                return -ENOMEM;
        text = json_object_to_json_string_ext(json->root, flags);
        if (!text)
                return -ENOMEM;
        if (fputs(text, stream) == EOF || fputc('\n', stream) == EOF || fflush(stream) == EOF)
                return -errno;
        return 0;
}
