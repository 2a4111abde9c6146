/* What limits memory, with files made up for each machine. */
#include "heap/memory_limit.h"
#include "heap/os.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GIB ((uint64_t)1 << 30)

struct file {
    const char *path;
    const char *text;
};

static bool read_made_up(void *context, const char *path, char *text, size_t size)
{
    for (const struct file *file = context; file->path != NULL; file++) {
        if (strcmp(file->path, path) != 0)
            continue;
        snprintf(text, size, "%s", file->text);
        return true;
    }
    return false;
}

static uint64_t limit_of(const struct file *files)
{
    return memory_limit_find(64 * GIB, read_made_up, (void *)(uintptr_t)files);
}

#define MOUNT_2                                                                                              \
    "25 1 0:22 / / rw - ext4 /dev/vda rw\n30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 " \
    "rw\n"
#define MOUNT_1                                                   \
    "31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n" \
    "34 30 0:29 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n"

static void test_nothing_is_known(void **state)
{
    (void)state;
    assert_int_equal(limit_of((struct file[]){{NULL, NULL}}), 64 * GIB);
    assert_int_equal(limit_of((struct file[]){{"/proc/self/cgroup", ""}, {NULL, NULL}}), 64 * GIB);
    assert_int_equal(
        limit_of((struct file[]){{"/proc/self/cgroup", "nonsense\n::\n1\n0:\n"},
                                 {"/proc/self/mountinfo", "- - -\nx - cgroup2\n - cgroup2 a b\n"},
                                 {NULL, NULL}}),
        64 * GIB);
}

static void test_version_2(void **state)
{
    (void)state;
    struct file files[] = {{"/proc/self/cgroup", "0::/user.slice/app\n"},
                           {"/proc/self/mountinfo", MOUNT_2},
                           {"/sys/fs/cgroup/user.slice/app/memory.max", "2147483648\n"},
                           {"/sys/fs/cgroup/user.slice/memory.max", "max\n"},
                           {NULL, NULL}};
    assert_int_equal(limit_of(files), 2 * GIB);
    /* A group above is narrower. */
    files[3].text = "1073741824\n";
    assert_int_equal(limit_of(files), GIB);
    files[2].text = "max\n";
    assert_int_equal(limit_of(files), GIB);
    /* More than there is. */
    files[3].text = "1099511627776\n";
    assert_int_equal(limit_of(files), 64 * GIB);
    files[3].text = "99999999999999999999999\n";
    assert_int_equal(limit_of(files), 64 * GIB);
    files[3].text = "";
    assert_int_equal(limit_of(files), 64 * GIB);
}

static void test_version_1(void **state)
{
    (void)state;
    struct file files[] = {
        {"/proc/self/cgroup", "5:devices:/a\n4:cpu,memory:/jobs/7\n1:name=systemd:/b\n0::/\n"},
        {"/proc/self/mountinfo", MOUNT_1},
        {"/sys/fs/cgroup/memory/jobs/7/memory.limit_in_bytes", "536870912\n"},
        {"/sys/fs/cgroup/memory/jobs/memory.limit_in_bytes", "9223372036854771712\n"},
        {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"},
        {NULL, NULL}};
    assert_int_equal(limit_of(files), GIB / 2);
    files[4].text = "268435456\n";
    assert_int_equal(limit_of(files), GIB / 4);
    /* Another controller's group is not ours. */
    files[0].text = "4:memory_like:/jobs/7\n3:cpu:/jobs/7\n";
    assert_int_equal(limit_of(files), 64 * GIB);
}

/* Both are mounted, memory is with version 1. */
static void test_hybrid(void **state)
{
    (void)state;
    struct file files[] = {
        {"/proc/self/cgroup", "4:memory:/x\n0::/y\n"},
        {"/proc/self/mountinfo", MOUNT_1 "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 c rw\n"},
        {"/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "4294967296\n"},
        {"/sys/fs/cgroup/unified/y/memory.max", "8589934592\n"},
        {NULL, NULL}};
    assert_int_equal(limit_of(files), 4 * GIB);
    files[3].text = "1073741824";
    assert_int_equal(limit_of(files), GIB);
}

/* A container that is shown its own group at the mount point, under the name it has outside, or as "/". */
static void test_container(void **state)
{
    (void)state;
    struct file files[] = {
        {"/proc/self/cgroup", "0::/docker/abc\n"},
        {"/proc/self/mountinfo", "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n"},
        {"/sys/fs/cgroup/memory.max", "1073741824\n"},
        {"/sys/fs/cgroup/docker/abc/memory.max", "17\n"},
        {"/sys/fs/cgroup/inner/memory.max", "536870912\n"},
        {NULL, NULL}};
    assert_int_equal(limit_of(files), GIB);
    files[0].text = "0::/docker/abc/inner\n";
    assert_int_equal(limit_of(files), GIB / 2);
    files[0].text = "0::/\n";
    assert_int_equal(limit_of(files), GIB);
    files[0].text = "0::/docker/abcd\n";
    assert_int_equal(limit_of(files), GIB);
    files[0].text = "0::/../other\n";
    assert_int_equal(limit_of(files), GIB);
}

static void test_blanks_in_paths(void **state)
{
    (void)state;
    struct file files[] = {{"/proc/self/cgroup", "0::/my app\n"},
                           {"/proc/self/mountinfo", "30 23 0:26 / /my\\040groups rw - cgroup2 cgroup2 rw\n"},
                           {"/my groups/my app/memory.max", "1073741824\n"},
                           {NULL, NULL}};
    assert_int_equal(limit_of(files), GIB);
}

static void test_usual_places(void **state)
{
    (void)state;
    assert_int_equal(limit_of((struct file[]){{"/proc/self/cgroup", "0::/a\n"},
                                              {"/sys/fs/cgroup/a/memory.max", "1073741824\n"},
                                              {NULL, NULL}}),
                     GIB);
    assert_int_equal(
        limit_of((struct file[]){{"/proc/self/cgroup", "4:memory:/a\n"},
                                 {"/proc/self/mountinfo", "1 2 3 / / rw - ext4 x rw\n"},
                                 {"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1073741824\n"},
                                 {NULL, NULL}}),
        GIB);
}

/* Whatever this machine says. */
static void test_here(void **state)
{
    (void)state;
    uint64_t limit = 0;
    assert_int_equal(os_linux()->memory_limit(os_linux(), &limit), 0);
    assert_in_range(limit, 1 << 20, (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_known), cmocka_unit_test(test_version_2),
        cmocka_unit_test(test_version_1),        cmocka_unit_test(test_hybrid),
        cmocka_unit_test(test_container),        cmocka_unit_test(test_blanks_in_paths),
        cmocka_unit_test(test_usual_places),     cmocka_unit_test(test_here),
    };
    return cmocka_run_group_tests_name("unit.memory_limit", tests, NULL, NULL);
}
