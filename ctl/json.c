#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "ctl/json.h"

struct json {
        struct json_object *root;
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

struct json *json_free(struct json *json) {
        if (json) {
                json_object_put(json->root);
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

/* The array under `key`, made if need be. */
static struct json_object *array_under(struct json *json, const char *key) {
        struct json_object *array = NULL;

        if (json_object_object_get_ex(json->root, key, &array) && json_object_is_type(array, json_type_array))
                return array;
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
        struct json_object *object = array ? row_value(table, row, columns) : NULL;

        if (!object)
                return -ENOMEM;
        if (json_object_array_add(array, object) < 0) {
                json_object_put(object);
                return -ENOMEM;
        }
        return 0;
}

int json_add_table(struct json *json, const char *key, const struct table *table, const struct json_columns *columns) {
        int r = json_add_array(json, key);

        for (size_t row = 0; row < table->row_count && r == 0; row++)
                r = json_append_row(json, key, table, row, columns);
        return r;
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
        const char *text = json_object_to_json_string_ext(json->root, flags);

        if (!text)
                return -ENOMEM;
        if (fputs(text, stream) == EOF || fputc('\n', stream) == EOF || fflush(stream) == EOF)
                return -errno;
        return 0;
}
