#include "fake_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { NUMBER, TEXT };

struct key {
    const char* name;
    enum kind kind;
    size_t offset;
};

static const struct key keys[] = {
    {"interval_ms", NUMBER, offsetof(struct fake_config, interval_ms)},
    {"points", NUMBER, offsetof(struct fake_config, points)},
    {"batches", NUMBER, offsetof(struct fake_config, batches)},
    {"start_ms", NUMBER, offsetof(struct fake_config, start_ms)},
    {"stop_ms", NUMBER, offsetof(struct fake_config, stop_ms)},
    {"points_format", NUMBER, offsetof(struct fake_config, points_format)},
    {"only_lines", NUMBER, offsetof(struct fake_config, only_lines)},
    {"http", TEXT, offsetof(struct fake_config, http)},
    {"start_error", TEXT, offsetof(struct fake_config, start_error)},
    {"log", TEXT, offsetof(struct fake_config, log)},
    {"status", TEXT, offsetof(struct fake_config, status)},
};
#define KEY_COUNT (sizeof keys / sizeof *keys)

const char fake_config_sample[] =
    "# A batch of ten points ten times a second.\n"
    "interval_ms = 100\n"
    "points = 10\n";

const char fake_config_schema[] =
    "[{\"name\":\"interval_ms\",\"type\":\"integer\",\"default\":100,\"help\":\"one batch each\"}]";

struct report {
    char* buffer;
    uint64_t capacity;
    uint64_t length;
    unsigned count;
};

static void complain(struct report* report, unsigned line, const char* key, const char* why) {
    char text[256];
    const char* separator = report->count > 0 ? "\n" : "";
    const int size = snprintf(text, sizeof text, "%sline %u: %s: %s", separator, line, key, why);
    for (int i = 0; i < size && i < (int)sizeof text - 1; ++i) {
        if (report->buffer && report->length < report->capacity) report->buffer[report->length] = text[i];
        ++report->length;
    }
    ++report->count;
}

static char* trimmed(char* text) {
    while (*text == ' ' || *text == '\t') ++text;
    char* end = text + strlen(text);
    while (end > text && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r')) --end;
    *end = '\0';
    return text;
}

static const char* set_number(uint64_t* member, const char* value) {
    char* end = NULL;
    if (*value < '0' || *value > '9') return "is not a whole number";
    *member = strtoull(value, &end, 10);
    return *end ? "is not a whole number" : NULL;
}

static const char* set_text(char* member, char* value) {
    const size_t size = strlen(value);
    if (size < 2 || value[0] != '"' || value[size - 1] != '"') return "is not a text in quotes";
    if (size - 2 >= 128) return "is too long";
    memcpy(member, value + 1, size - 2);
    member[size - 2] = '\0';
    return NULL;
}

static void read_line(struct fake_config* config, char* line, unsigned number, struct report* report) {
    char* comment = strchr(line, '#');
    if (comment) *comment = '\0';
    line = trimmed(line);
    if (!*line) return;
    char* equals = strchr(line, '=');
    if (!equals) {
        complain(report, number, line, "has no value");
        return;
    }
    *equals = '\0';
    const char* name = trimmed(line);
    char* value = trimmed(equals + 1);
    for (size_t i = 0; i < KEY_COUNT; ++i) {
        if (strcmp(keys[i].name, name) != 0) continue;
        char* member = (char*)config + keys[i].offset;
        const char* why =
            keys[i].kind == NUMBER ? set_number((uint64_t*)(void*)member, value) : set_text(member, value);
        if (why) complain(report, number, name, why);
        return;
    }
    complain(report, number, name, "unknown key");
}

unsigned fake_config_read(struct fake_config* config, const char* text, size_t size, char* errors,
                          uint64_t capacity, uint64_t* length) {
    struct report report = {errors, capacity, 0, 0};
    *config = (struct fake_config){.interval_ms = 100, .points = 10};
    for (unsigned number = 1; size > 0; ++number) {
        const char* end = memchr(text, '\n', size);
        const size_t line_size = end ? (size_t)(end - text) : size;
        char line[512];
        if (line_size < sizeof line) {
            memcpy(line, text, line_size);
            line[line_size] = '\0';
            read_line(config, line, number, &report);
        } else {
            complain(&report, number, "?", "the line is too long");
        }
        const size_t step = line_size + (end ? 1 : 0);
        text += step;
        size -= step;
    }
    if (config->interval_ms == 0) complain(&report, 0, "interval_ms", "is zero");
    if (length) *length = report.length;
    return report.count;
}
