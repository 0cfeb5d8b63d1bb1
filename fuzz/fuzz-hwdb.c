/* Text of a hardware database and of a message catalog, twice: so that values are replaced and entries combined. */
#include "hwdb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("/x/a.de.catalog", ash_slice((const char *) data, size));
        _cleanup_(ash_hwdb_free_p) AshHwdb *h = ash_hwdb_new();
        _cleanup_(ash_catalog_free_p) AshCatalog *c = ash_catalog_new();
        _str_ AshStr out = {};
        for (int i = 0; i < 2; i++) {
                ash_hwdb_add(h, source, NULL);
                (void) ash_catalog_add(c, source, NULL);
        }
        ash_hwdb_write(h, 257, &out);
        ash_catalog_write(c, &out);
        return 0;
}
