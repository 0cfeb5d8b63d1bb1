/* Two databases of systemd that are made of text files: the hardware database (hwdb(7), hwdb.bin) and the catalog of journal messages (journalctl --update-catalog). Both end in a pool of
 * strings in which a string that is the end of an earlier one takes no room. Foreign bytes come in, nothing outside of the text is read. */
#pragma once
#include "base.h"

typedef struct AshHwdb AshHwdb;
AshHwdb *ash_hwdb_new(void);
void ash_hwdb_free(AshHwdb *h);
ASH_DEFINE_CLEANUP(AshHwdb *, ash_hwdb_free)
/* Adds the records of a file; files in the order of their names, later ones win. What is wrong is a warning and left out. */
void ash_hwdb_add(AshHwdb *h, const AshSource *source, AshDiags *diags);
bool ash_hwdb_is_empty(const AshHwdb *h);              /* no file was added */
/* Appends the file; version: systemd's, which stands in its head. */
void ash_hwdb_write(AshHwdb *h, uint64_t version, AshStr *out);

typedef struct AshCatalog AshCatalog;
AshCatalog *ash_catalog_new(void);
void ash_catalog_free(AshCatalog *c);
ASH_DEFINE_CLEANUP(AshCatalog *, ash_catalog_free)
/* Adds the entries of a file, in the order of the files' names; "x.de.catalog" is German. -EINVAL with a diagnostic: it is none, and nothing of it was added. */
int ash_catalog_add(AshCatalog *c, const AshSource *source, AshDiags *diags);
/* Appends the file; nothing when there are no entries. */
void ash_catalog_write(AshCatalog *c, AshStr *out);
