/* Errors and log lines. */
#include "runtime/error.h"
#include "runtime/log.h"
#include "tests/support/log_lines.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_status_names(void **state)
{
    (void)state;
    for (int status = SHALE_OK; status <= SHALE_ERROR_FORKED; status++) {
        const char *name = shale_status_name((shale_status)status);
        assert_int_equal(strncmp(name, status == SHALE_OK ? "SHALE_OK" : "SHALE_ERROR_", 8), 0);
        for (int other = SHALE_OK; other < status; other++)
            assert_string_not_equal(name, shale_status_name((shale_status)other));
    }
    assert_non_null(strstr(shale_status_name((shale_status)999), "unknown"));
    assert_string_equal(shale_version(), "0.1.0");
}

static void test_error_set(void **state)
{
    (void)state;
    shale_error error = {.errno_value = 5};
    assert_int_equal(error_set(&error, SHALE_ERROR_BUSY, "%d of %s", 3, "them"), SHALE_ERROR_BUSY);
    assert_int_equal(error.status, SHALE_ERROR_BUSY);
    assert_int_equal(error.errno_value, 0);
    assert_string_equal(error.message, "3 of them");
    assert_int_equal(error_set(NULL, SHALE_ERROR_BUSY, "nobody asks"), SHALE_ERROR_BUSY);
    error_clear(&error);
    error_clear(NULL);
    assert_int_equal(error.status, SHALE_OK);
    assert_string_equal(error.message, "");
}

static void test_long_messages_are_cut(void **state)
{
    (void)state;
    char text[2 * SHALE_ERROR_MESSAGE_MAX];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    shale_error error;
    error_set(&error, SHALE_ERROR_ARGUMENT, "%s", text);
    assert_int_equal(strlen(error.message), SHALE_ERROR_MESSAGE_MAX - 1);
    struct log_lines lines;
    log_lines_init(&lines);
    shale_options options;
    shale_options_init(&options);
    log_lines_connect(&lines, &options, SHALE_LOG_ERROR);
    struct log log;
    log_init(&log, &options, false);
    log_line(&log, SHALE_LOG_ERROR, "%s", text);
    assert_int_equal(strlen(lines.lines[0].text), SHALE_ERROR_MESSAGE_MAX - 1);
    log_lines_destroy(&lines);
}

static void test_system_errors(void **state)
{
    (void)state;
    shale_error error;
    assert_int_equal(error_set_system(&error, EMFILE, "opening a door", "close another"), SHALE_ERROR_SYSTEM);
    assert_int_equal(error.errno_value, EMFILE);
    assert_non_null(strstr(error.message, "opening a door"));
    assert_non_null(strstr(error.message, strerror(EMFILE)));
    assert_non_null(strstr(error.message, "close another"));
    assert_int_equal(error_set_system(&error, ENOMEM, "a", "b"), SHALE_ERROR_MEMORY);
    assert_int_equal(error.errno_value, ENOMEM);
    assert_int_equal(error_set_system(NULL, EPERM, "a", "b"), SHALE_ERROR_SYSTEM);
}

static void test_levels(void **state)
{
    (void)state;
    for (int level = SHALE_LOG_ERROR; level <= SHALE_LOG_DEBUG; level++) {
        struct log_lines lines;
        log_lines_init(&lines);
        shale_options options;
        shale_options_init(&options);
        log_lines_connect(&lines, &options, (shale_log_level)level);
        struct log log;
        log_init(&log, &options, true);
        for (int line = SHALE_LOG_ERROR; line <= SHALE_LOG_DEBUG; line++) {
            log_line(&log, (shale_log_level)line, "line %d", line);
            assert_int_equal(log_lines_count(&lines, (shale_log_level)line, "line"), line <= level);
        }
        assert_int_equal(lines.count, level + 1);
        log_lines_destroy(&lines);
    }
}

/* What is written to standard error meanwhile. */
static const char *standard_error_of(const struct log *log)
{
    static char text[512];
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    log_line(log, SHALE_LOG_WARNING, "seven of %d", 9);
    log_line(log, SHALE_LOG_INFO, "too much");
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    size_t size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    fclose(file);
    return text;
}

/* Nothing is printed unless the environment asked for it, or somebody listens. */
static void test_standard_error(void **state)
{
    (void)state;
    shale_options options;
    shale_options_init(&options);
    struct log log;
    log_init(&log, &options, false);
    assert_string_equal(standard_error_of(&log), "");
    log_init(&log, &options, true);
    assert_string_equal(standard_error_of(&log), "shale: warning: seven of 9\n");
    struct log_lines lines;
    log_lines_init(&lines);
    log_lines_connect(&lines, &options, SHALE_LOG_WARNING);
    log_init(&log, &options, true);
    assert_string_equal(standard_error_of(&log), "");
    assert_int_equal(log_lines_count(&lines, SHALE_LOG_WARNING, "seven of 9"), 1);
    log_lines_destroy(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_names),
        cmocka_unit_test(test_error_set),
        cmocka_unit_test(test_long_messages_are_cut),
        cmocka_unit_test(test_system_errors),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_standard_error),
    };
    return cmocka_run_group_tests_name("unit.log", tests, NULL, NULL);
}
