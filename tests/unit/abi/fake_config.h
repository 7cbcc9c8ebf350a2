/* The fake plugin's configuration: lines "key = value", comments after #. Numbers, true/false, "text". */
#ifndef WEIR_TESTS_FAKE_CONFIG_H
#define WEIR_TESTS_FAKE_CONFIG_H

#include <stddef.h>
#include <stdint.h>

struct fake_config {
    uint64_t interval_ms;   /* one batch each */
    uint64_t points;        /* in a batch */
    uint64_t batches;       /* then none any more; 0 = no end */
    uint64_t start_ms;      /* start() takes this long, or until request_stop() */
    uint64_t stop_ms;       /* stop() takes this long, whatever the host allows */
    uint64_t points_format; /* what emit_points is told; 0 = what the host asked for */
    uint64_t only_lines;    /* not 0: create() refuses Protobuf */
    char http[128];         /* the address that the extension answers while running */
    char start_error[128];  /* start() fails with this text */
    char log[128];          /* a line to log at the start, where \e stands for the escape character */
    char status[128];       /* a status to emit at the start */
};

/*
 * Reads `text` over the defaults. Returns the number of errors; they stand in `errors` one a line,
 * "line N: key: why", as much of them as the capacity holds, and *length is their full length.
 */
unsigned fake_config_read(struct fake_config* config, const char* text, size_t size, char* errors,
                          uint64_t capacity, uint64_t* length);

extern const char fake_config_sample[];
extern const char fake_config_schema[];

#endif
