// Compiled, never linked or run, by tests/scripts/header_is_cxx_safe.sh: C++ programs embed Shale too.
#include <shale/shale.h>

const char *version_through_the_public_header();

const char *version_through_the_public_header()
{
    return shale_version();
}
