#include "runtime/options.h"

#include "gc/pace.h"
#include "heap/layout.h"
#include "runtime/error.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

enum option_unit { UNIT_BYTES, UNIT_NUMBER, UNIT_CHOICE };

struct option {
    const char *name;
    enum option_unit unit;
    size_t offset; /* of a size_t for UNIT_BYTES, of an int or unsigned otherwise */
    uint64_t minimum;
    uint64_t maximum;
    const char *default_text;
    const char *zero; /* the word for 0, when that is out of range but means something; NULL: it does not */
    const char *choices[4]; /* by value */
    const char *documentation;
};

#define FIELD(name) offsetof(shale_options, name)

static const struct option table[] = {
    {"heap",
     UNIT_BYTES,
     FIELD(heap_size),
     HEAP_SIZE_MIN,
     HEAP_SIZE_MAX,
     "auto",
     "auto",
     {NULL},
     "what the heap may grow to; auto: a quarter of the memory that this process may use"},
    {"faults",
     UNIT_CHOICE,
     FIELD(faults),
     0,
     1,
     "thread",
     NULL,
     {"thread", "signal"},
     "who answers page faults during compaction: a dedicated thread, or each thread by SIGBUS"},
    {"concurrent",
     UNIT_CHOICE,
     FIELD(concurrent),
     0,
     2,
     "auto",
     NULL,
     {"auto", "require", "never"},
     "compact while the program runs: where the kernel can, or fail, or always compact in the pause"},
    {"verify",
     UNIT_NUMBER,
     FIELD(verify),
     0,
     2,
     "0",
     NULL,
     {NULL},
     "check the whole object graph around each cycle: 1 stopped until checked, 2 with mutators running"},
    {"stress",
     UNIT_NUMBER,
     FIELD(stress),
     0,
     1000000000,
     "0",
     NULL,
     {NULL},
     "move every movable region at each N-th allocation slow path; 0 is off"},
    {"target",
     UNIT_NUMBER,
     FIELD(target),
     PACE_TARGET_MIN,
     PACE_TARGET_MAX,
     "200",
     "off",
     {NULL},
     "size in percent of what is live that the heap is kept within; off: no cycle before memory runs out"},
    {"release",
     UNIT_NUMBER,
     FIELD(release),
     0,
     3600000,
     "1000",
     NULL,
     {NULL},
     "milliseconds that memory is free before it goes back to the system; longer if cycles are rarer"},
    {"evacuate",
     UNIT_NUMBER,
     FIELD(evacuate),
     0,
     100,
     "75",
     NULL,
     {NULL},
     "regions at most this percentage live are sparse, and evacuated when that pays"},
    {"workers",
     UNIT_NUMBER,
     FIELD(workers),
     1,
     64,
     "auto",
     "auto",
     {NULL},
     "threads that mark and compact; auto: on processors that the program leaves, as when it waits for "
     "memory"},
    {"poll_warning",
     UNIT_NUMBER,
     FIELD(poll_warning),
     0,
     3600000,
     "1000",
     NULL,
     {NULL},
     "milliseconds after which a thread that keeps the collector waiting is named in the log; 0 is never"},
    {"critical",
     UNIT_NUMBER,
     FIELD(critical),
     0,
     3600000,
     "50",
     NULL,
     {NULL},
     "milliseconds for which critical sections hold off a cycle's moving before it is given up"},
    {"barrier",
     UNIT_CHOICE,
     FIELD(barrier),
     0,
     1,
     "stores",
     NULL,
     {"stores", "pages"},
     "how marking learns of stores: from shale_store, or from pages that the kernel saw written (Linux 6.7)"},
    {"events",
     UNIT_NUMBER,
     FIELD(events),
     0,
     1 << 24,
     "0",
     NULL,
     {NULL},
     "events that are kept for shale_events_take, in 64 bytes each; 0 is none"},
    {"log",
     UNIT_CHOICE,
     FIELD(log_level),
     0,
     3,
     "warning",
     NULL,
     {"error", "warning", "info", "debug"},
     "most detailed level logged; set in the environment, it also logs to standard error"},
};

enum { OPTION_COUNT = sizeof table / sizeof table[0] };

static const char *const unit_names[] = {"bytes", "number", "choice"};

static void store(shale_options *options, const struct option *option, uint64_t value)
{
    char *field = (char *)options + option->offset;
    if (option->unit == UNIT_BYTES) {
        size_t size = (size_t)value;
        memcpy(field, &size, sizeof size);
    } else {
        int number = (int)value;
        memcpy(field, &number, sizeof number);
    }
}

static uint64_t load(const shale_options *options, const struct option *option)
{
    const char *field = (const char *)options + option->offset;
    if (option->unit == UNIT_BYTES) {
        size_t size;
        memcpy(&size, field, sizeof size);
        return size;
    }
    unsigned number;
    memcpy(&number, field, sizeof number);
    return number;
}

/* A number with K, M or G behind it for bytes. */
static bool parse_number(const struct option *option, const char *text, uint64_t *value)
{
    if (!isdigit((unsigned char)text[0]))
        return false;
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    if (option->unit == UNIT_BYTES && *end != '\0') {
        const char *units = "KMG";
        const char *unit = strchr(units, toupper((unsigned char)*end));
        if (unit == NULL)
            return false;
        unsigned shift = 10 * (unsigned)(unit - units + 1);
        if (number > UINT64_MAX >> shift)
            return false;
        number <<= shift;
        end++;
    }
    *value = number;
    return *end == '\0';
}

static bool parse(const struct option *option, const char *text, uint64_t *value)
{
    if (option->zero != NULL && strcmp(option->zero, text) == 0) {
        *value = 0;
        return true;
    }
    if (option->unit != UNIT_CHOICE)
        return parse_number(option, text, value);
    for (uint64_t i = 0; i <= option->maximum; i++) {
        if (strcmp(option->choices[i], text) == 0) {
            *value = i;
            return true;
        }
    }
    return false;
}

static void describe_range(const struct option *option, char *text, size_t size)
{
    size_t used = 0;
    if (option->zero != NULL)
        used = (size_t)snprintf(text, size, "%s, or ", option->zero);
    if (option->unit == UNIT_BYTES) {
        snprintf(text + used, size - used, "a size from %lluM to %lluG, in bytes or with K, M or G",
                 (unsigned long long)(option->minimum >> 20), (unsigned long long)(option->maximum >> 30));
        return;
    }
    if (option->unit == UNIT_NUMBER) {
        snprintf(text + used, size - used, "a number from %llu to %llu", (unsigned long long)option->minimum,
                 (unsigned long long)option->maximum);
        return;
    }
    for (uint64_t i = 0; i <= option->maximum && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s", i == 0 ? "one of " : ", ", option->choices[i]);
}

static bool in_range(const struct option *option, uint64_t value)
{
    if (value == 0 && option->zero != NULL)
        return true;
    return value >= option->minimum && value <= option->maximum;
}

/* `prefix` is how the user spelled the option: "SHALE_" or nothing. */
static shale_status set_text(shale_options *options, const struct option *option, const char *given_name,
                             const char *text, shale_error *error)
{
    uint64_t value;
    if (parse(option, text, &value) && in_range(option, value)) {
        store(options, option, value);
        return SHALE_OK;
    }
    char range[96];
    describe_range(option, range, sizeof range);
    return error_set(error, SHALE_ERROR_OPTION, "%s=%.40s is not possible: give %s", given_name, text, range);
}

static const struct option *find(const char *name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    }
    return NULL;
}

void shale_options_init(shale_options *options)
{
    *options = (shale_options){.struct_size = sizeof *options, .encoding = SHALE_ENCODING_PLAIN};
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        uint64_t value = 0;
        parse(&table[i], table[i].default_text, &value);
        store(options, &table[i], value);
    }
}

shale_status shale_options_set(shale_options *options, const char *name, const char *value,
                               shale_error *error)
{
    error_clear(error);
    const struct option *option = name != NULL ? find(name) : NULL;
    if (option == NULL)
        return error_set(error, SHALE_ERROR_OPTION,
                         "there is no option \"%.40s\"; shale_option_describe lists all",
                         name != NULL ? name : "(NULL)");
    if (value == NULL)
        return error_set(error, SHALE_ERROR_OPTION, "the option %s was given no value", name);
    return set_text(options, option, name, value, error);
}

bool shale_option_describe(size_t index, shale_option_description *description)
{
    if (index >= OPTION_COUNT)
        return false;
    *description = (shale_option_description){
        .name = table[index].name,
        .unit = unit_names[table[index].unit],
        .default_value = table[index].default_text,
        .documentation = table[index].documentation,
    };
    return true;
}

/* SHALE_HEAP=64M: the part behind SHALE_, in lower case. False: too long for any option. */
static bool environment_name(const char *variable, char *name, size_t size)
{
    size_t length = 0;
    for (; variable[length] != '=' && variable[length] != '\0'; length++) {
        if (length + 1 == size)
            return false;
        name[length] = (char)tolower((unsigned char)variable[length]);
    }
    name[length] = '\0';
    return true;
}

static shale_status apply_environment(shale_options *options, bool *log_asked, shale_error *error)
{
    static const char prefix[] = "SHALE_";
    for (char **variable = environ; variable != NULL && *variable != NULL; variable++) {
        if (strncmp(*variable, prefix, sizeof prefix - 1) != 0)
            continue;
        const char *rest = *variable + sizeof prefix - 1;
        char name[32];
        const struct option *option = environment_name(rest, name, sizeof name) ? find(name) : NULL;
        const char *equals = strchr(*variable, '=');
        int length = equals != NULL ? (int)(equals - *variable) : (int)strlen(*variable);
        if (option == NULL || equals == NULL)
            return error_set(error, SHALE_ERROR_OPTION,
                             "the environment variable %.*s is not an option of Shale: unset it, or see the "
                             "options' names",
                             length < 60 ? length : 60, *variable);
        char given[48];
        snprintf(given, sizeof given, "%s%s", prefix, name);
        for (char *c = given; *c != '\0'; c++)
            *c = (char)toupper((unsigned char)*c);
        shale_status status = set_text(options, option, given, equals + 1, error);
        if (status != SHALE_OK)
            return status;
        if (strcmp(name, "log") == 0)
            *log_asked = true;
    }
    return SHALE_OK;
}

shale_status options_complete(shale_options *options, bool *log_asked, shale_error *error)
{
    *log_asked = false;
    if (!options->ignore_environment) {
        shale_status status = apply_environment(options, log_asked, error);
        if (status != SHALE_OK)
            return status;
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (!in_range(&table[i], load(options, &table[i]))) {
            char range[96];
            describe_range(&table[i], range, sizeof range);
            return error_set(error, SHALE_ERROR_OPTION, "the option %s has the value %llu: give %s",
                             table[i].name, (unsigned long long)load(options, &table[i]), range);
        }
    }
    return SHALE_OK;
}
