/* The table of options: by the API, by the environment, and what is said about bad ones. */
#include "heap/layout.h"
#include "runtime/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern char **environ;

/* The tests' own list: what an option is called, where its value lands, and what it takes. */
static const struct known {
    const char *name;
    const char *variable;
    size_t offset;
    bool bytes;
    const char *good[4];
    uint64_t values[4];
    const char *bad[4];
} known[] = {
    {"heap",
     "SHALE_HEAP",
     offsetof(shale_options, heap_size),
     true,
     {"4M", "65536K", "auto", "66571993088"},
     {4 << 20, 64 << 20, 0, HEAP_SIZE_MAX},
     {"4095K", "63G", "AUTO", "64MB"}},
    {"faults",
     "SHALE_FAULTS",
     offsetof(shale_options, faults),
     false,
     {"thread", "signal"},
     {SHALE_FAULTS_THREAD, SHALE_FAULTS_SIGNAL},
     {"Signal", "0", "", "threads"}},
    {"concurrent",
     "SHALE_CONCURRENT",
     offsetof(shale_options, concurrent),
     false,
     {"auto", "require", "never"},
     {SHALE_CONCURRENT_AUTO, SHALE_CONCURRENT_REQUIRE, SHALE_CONCURRENT_NEVER},
     {"yes", "1", "required", " auto"}},
    {"verify",
     "SHALE_VERIFY",
     offsetof(shale_options, verify),
     false,
     {"0", "1", "2"},
     {0, 1, 2},
     {"3", "-1", "on", "1 "}},
    {"stress",
     "SHALE_STRESS",
     offsetof(shale_options, stress),
     false,
     {"0", "1", "1000000000"},
     {0, 1, 1000000000},
     {"1000000001", "1K", "", "x"}},
    {"target",
     "SHALE_TARGET",
     offsetof(shale_options, target),
     false,
     {"110", "1000", "200", "off"},
     {110, 1000, 200, 0},
     {"109", "1001", "200%", "OFF"}},
    {"release",
     "SHALE_RELEASE",
     offsetof(shale_options, release),
     false,
     {"0", "3600000", "1000"},
     {0, 3600000, 1000},
     {"3600001", "-1", "1s", "1.5"}},
    {"evacuate",
     "SHALE_EVACUATE",
     offsetof(shale_options, evacuate),
     false,
     {"0", "100", "7"},
     {0, 100, 7},
     {"101", "-0", "+1", "0x10"}},
    {"workers",
     "SHALE_WORKERS",
     offsetof(shale_options, workers),
     false,
     {"1", "64", "auto"},
     {1, 64, 0},
     {"-1", "65", "AUTO", "2 "}},
    {"poll_warning",
     "SHALE_POLL_WARNING",
     offsetof(shale_options, poll_warning),
     false,
     {"0", "3600000", "250"},
     {0, 3600000, 250},
     {"3600001", "1s", "-1", ""}},
    {"critical",
     "SHALE_CRITICAL",
     offsetof(shale_options, critical),
     false,
     {"0", "3600000", "20"},
     {0, 3600000, 20},
     {"3600001", "20ms", "-1", ""}},
    {"barrier",
     "SHALE_BARRIER",
     offsetof(shale_options, barrier),
     false,
     {"stores", "pages"},
     {SHALE_BARRIER_STORES, SHALE_BARRIER_PAGES},
     {"none", "0", "page", ""}},
    {"events",
     "SHALE_EVENTS",
     offsetof(shale_options, events),
     false,
     {"0", "16777216", "1000"},
     {0, 16777216, 1000},
     {"16777217", "4K", "-1", "on"}},
    {"log",
     "SHALE_LOG",
     offsetof(shale_options, log_level),
     false,
     {"error", "warning", "info", "debug"},
     {SHALE_LOG_ERROR, SHALE_LOG_WARNING, SHALE_LOG_INFO, SHALE_LOG_DEBUG},
     {"none", "4", "warn", "INFO"}},
};

enum { KNOWN = sizeof known / sizeof known[0] };

static uint64_t value_in(const shale_options *options, const struct known *option)
{
    const char *field = (const char *)options + option->offset;
    if (option->bytes)
        return *(const size_t *)field;
    return *(const unsigned *)field;
}

/* Whatever the environment of this run says must not decide a test. */
static int clear_environment(void **state)
{
    (void)state;
    for (bool found = true; found;) {
        found = false;
        for (char **variable = environ; *variable != NULL && !found; variable++) {
            char name[256];
            if (strncmp(*variable, "SHALE_", 6) != 0)
                continue;
            snprintf(name, sizeof name, "%.*s", (int)strcspn(*variable, "="), *variable);
            unsetenv(name);
            found = true;
        }
    }
    return 0;
}

static void assert_option_error(const shale_error *error, const char *named)
{
    assert_int_equal(error->status, SHALE_ERROR_OPTION);
    assert_int_equal(error->errno_value, 0);
    if (strstr(error->message, named) == NULL)
        fail_msg("\"%s\" does not name %s", error->message, named);
}

static void test_descriptions(void **state)
{
    (void)state;
    shale_option_description description;
    shale_options defaults;
    shale_options_init(&defaults);
    for (size_t i = 0; i < KNOWN; i++) {
        assert_true(shale_option_describe(i, &description));
        assert_string_equal(description.name, known[i].name);
        assert_true(strlen(description.unit) > 0);
        assert_true(strlen(description.documentation) > 10);
        /* What the text says is the default is the default. */
        shale_options options = defaults;
        memset((char *)&options + known[i].offset, 0xff, known[i].bytes ? 8 : 4);
        assert_int_equal(shale_options_set(&options, description.name, description.default_value, NULL),
                         SHALE_OK);
        assert_memory_equal(&options, &defaults, sizeof options);
    }
    assert_false(shale_option_describe(KNOWN, &description));
    assert_false(shale_option_describe(SIZE_MAX, &description));
}

static void test_defaults_are_complete(void **state)
{
    (void)state;
    shale_options options;
    memset(&options, 0xee, sizeof options);
    shale_options_init(&options);
    bool asked = true;
    shale_error error;
    assert_int_equal(options_complete(&options, &asked, &error), SHALE_OK);
    assert_false(asked);
    assert_int_equal(options.struct_size, sizeof options);
    assert_null(options.log);
    assert_null(options.out_of_memory);
    assert_int_equal(options.encoding.low_tags, 1);
    assert_int_equal(options.encoding.address, UINT64_MAX);
}

static void test_set_good_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < KNOWN; i++) {
        for (size_t v = 0; v < 4 && known[i].good[v] != NULL; v++) {
            shale_options options;
            shale_options before;
            shale_options_init(&options);
            shale_options_init(&before);
            shale_error error = {.status = SHALE_ERROR_SYSTEM};
            assert_int_equal(shale_options_set(&options, known[i].name, known[i].good[v], &error), SHALE_OK);
            assert_int_equal(error.status, SHALE_OK);
            assert_int_equal(value_in(&options, &known[i]), known[i].values[v]);
            /* And nothing else changed. */
            memcpy((char *)&options + known[i].offset, (char *)&before + known[i].offset,
                   known[i].bytes ? 8 : 4);
            assert_memory_equal(&options, &before, sizeof options);
        }
    }
}

static void test_set_bad_values(void **state)
{
    (void)state;
    shale_options options;
    shale_options before;
    shale_error error;
    shale_options_init(&options);
    shale_options_init(&before);
    for (size_t i = 0; i < KNOWN; i++) {
        for (size_t v = 0; v < 4; v++) {
            assert_int_equal(shale_options_set(&options, known[i].name, known[i].bad[v], &error),
                             SHALE_ERROR_OPTION);
            assert_option_error(&error, known[i].name);
            assert_non_null(strstr(error.message, known[i].bad[v]));
        }
    }
    static const char *const numbers[] = {"",    "M",  "-4M", " 8M", "18446744073709551616", "99999999999G",
                                          "8M8", "8 M"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        assert_int_equal(shale_options_set(&options, "heap", numbers[i], &error), SHALE_ERROR_OPTION);
    assert_memory_equal(&options, &before, sizeof options);
    assert_int_equal(shale_options_set(&options, "heap", "nonsense", NULL), SHALE_ERROR_OPTION);
}

static void test_set_unknown_names(void **state)
{
    (void)state;
    shale_options options;
    shale_error error;
    shale_options_init(&options);
    assert_int_equal(shale_options_set(&options, "heapsize", "8M", &error), SHALE_ERROR_OPTION);
    assert_option_error(&error, "heapsize");
    assert_int_equal(shale_options_set(&options, "SHALE_HEAP", "8M", &error), SHALE_ERROR_OPTION);
    assert_int_equal(shale_options_set(&options, "", "8M", &error), SHALE_ERROR_OPTION);
    assert_int_equal(shale_options_set(&options, NULL, "8M", &error), SHALE_ERROR_OPTION);
    /* A known option without a value is not an unknown option. */
    assert_int_equal(shale_options_set(&options, "heap", NULL, &error), SHALE_ERROR_OPTION);
    assert_option_error(&error, "heap");
    assert_null(strstr(error.message, "no option"));
}

/* The environment wins over what the program set, unless the program says otherwise. */
static void test_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < KNOWN; i++) {
        for (size_t v = 0; v < 4 && known[i].good[v] != NULL; v++) {
            bool asked;
            shale_error error;
            shale_options options;
            shale_options_init(&options);
            uint64_t before = value_in(&options, &known[i]);
            setenv(known[i].variable, known[i].good[v], 1);
            options.ignore_environment = true;
            assert_int_equal(options_complete(&options, &asked, &error), SHALE_OK);
            assert_int_equal(value_in(&options, &known[i]), before);
            assert_false(asked);
            options.ignore_environment = false;
            assert_int_equal(options_complete(&options, &asked, &error), SHALE_OK);
            assert_int_equal(value_in(&options, &known[i]), known[i].values[v]);
            assert_int_equal(asked, strcmp(known[i].name, "log") == 0);
        }
        unsetenv(known[i].variable);
    }
}

static void test_bad_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < KNOWN; i++) {
        for (size_t v = 0; v < 4; v++) {
            shale_error error;
            setenv(known[i].variable, known[i].bad[v], 1);
            assert_null(shale_heap_create(NULL, &error));
            assert_option_error(&error, known[i].variable);
            assert_non_null(strstr(error.message, known[i].bad[v]));
        }
        unsetenv(known[i].variable);
    }
}

static void test_unknown_environment(void **state)
{
    (void)state;
    static const char *const names[] = {"SHALE_", "SHALE_HEEP", "SHALE_HEAP_SIZE",
                                        "SHALE_A_NAME_THAT_IS_LONGER_THAN_THAT_OF_ANY_OPTION"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        shale_error error;
        setenv(names[i], "1", 1);
        assert_null(shale_heap_create(NULL, &error));
        assert_option_error(&error, names[i]);
        unsetenv(names[i]);
    }
    /* Other people's variables are theirs. */
    setenv("SHALEX", "1", 1);
    setenv("shale_heap", "1", 1);
    bool asked;
    shale_options options;
    shale_options_init(&options);
    assert_int_equal(options_complete(&options, &asked, NULL), SHALE_OK);
    unsetenv("SHALEX");
    unsetenv("shale_heap");
}

/* Values that were put straight into the struct are checked as well. */
static void test_bad_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < KNOWN; i++) {
        shale_error error;
        shale_options options;
        shale_options_init(&options);
        memset((char *)&options + known[i].offset, 0xff, known[i].bytes ? 8 : 4);
        assert_null(shale_heap_create(&options, &error));
        assert_option_error(&error, known[i].name);
    }
}

static void test_uninitialized_options(void **state)
{
    (void)state;
    shale_error error;
    shale_options options;
    memset(&options, 0, sizeof options);
    assert_null(shale_heap_create(&options, &error));
    assert_int_equal(error.status, SHALE_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "shale_options_init"));
    /* From a later version of the library, with fields that this one does not know. */
    shale_options_init(&options);
    options.struct_size = sizeof options + 8;
    assert_null(shale_heap_create(&options, &error));
    assert_int_equal(error.status, SHALE_ERROR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptions),      cmocka_unit_test(test_defaults_are_complete),
        cmocka_unit_test(test_set_good_values),   cmocka_unit_test(test_set_bad_values),
        cmocka_unit_test(test_set_unknown_names), cmocka_unit_test(test_environment),
        cmocka_unit_test(test_bad_environment),   cmocka_unit_test(test_unknown_environment),
        cmocka_unit_test(test_bad_fields),        cmocka_unit_test(test_uninitialized_options),
    };
    return cmocka_run_group_tests_name("unit.options", tests, clear_environment, NULL);
}
