#include "bench/support/mimalloc.h"

#include <dlfcn.h>
#include <string.h>

/* ISO C has no conversion from what dlsym returns to a function. */
static bool find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

bool mimalloc_open(struct mimalloc *mimalloc)
{
    void *library = dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_LOCAL);
    return library != NULL && find(library, "mi_malloc", &mimalloc->allocate) &&
           find(library, "mi_free", &mimalloc->free);
}
