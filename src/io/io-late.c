#include <dlfcn.h>
#include "io-late.h"

int ash_late_load(const char *const *sonames, size_t n_sonames, const char *const *names, size_t n, void **ret, AshDiags *diags) {
        void *library = NULL;
        for (size_t i = 0; i < n_sonames && !library; i++)
                library = dlopen(sonames[i], RTLD_NOW | RTLD_LOCAL);
        if (!library) {
                const char *reason = dlerror(); /* names the library */
                return ash_fail(diags, -ENOENT, ASH_NOWHERE, "cannot load a library: %s", reason ? reason : sonames[0]);
        }
        for (size_t i = 0; i < n; i++)
                if (!(ret[i] = dlsym(library, names[i])))
                        return ash_fail(diags, -ENOENT, ASH_NOWHERE, "%s has no %s: another version than the one that this program was built for", sonames[0], names[i]);
        return 0;
}
