/* Private to the module: how a universe is built. */
#pragma once
#include "apt.h"

enum { APT_HAS_EPOCH = 1 << 16 };
typedef struct AptBlobPackage {
        uint32_t name, version, rpm_version, rpm_release, rpm_arch, arch, source, source_version, summary, url, section, filename; /* offsets of strings */
        uint32_t epoch, flags;
        uint64_t size, installed_size;
        uint8_t sha256[32];
        uint32_t deps[ASH_DEP_MAX_ + 1]; /* where each kind begins in the table of relations */
        uint32_t pad;
} AptBlobPackage;
typedef struct AptBlobDep {
        uint32_t name, evr, flags;
} AptBlobDep;

typedef struct AptBuilder {
        AshArena *arena;
        AshMap interned;
        AshStr strings, scratch;
        ASH_ARRAY(AptBlobPackage) packages;
        ASH_ARRAY(AptBlobDep) deps;
        AshAptStats stats;
} AptBuilder;
void apt_builder_init(AptBuilder *b);
void apt_builder_done(AptBuilder *b);
uint32_t apt_intern(AptBuilder *b, AshSlice s);
void apt_add_dep(AptBuilder *b, AshSlice name, uint32_t flags, AshSlice evr);
int apt_builder_finish(AptBuilder *b, AshApt **ret);

/* A stanza of a Packages file: borrowed. */
typedef enum AptField {
        APT_PACKAGE, APT_VERSION, APT_ARCHITECTURE, APT_SOURCE, APT_DESCRIPTION, APT_HOMEPAGE, APT_SECTION, APT_FILENAME, APT_SIZE, APT_INSTALLED_SIZE, APT_SHA256, APT_ESSENTIAL,
        APT_PROTECTED, APT_PRIORITY, APT_DEPENDS, APT_PRE_DEPENDS, APT_RECOMMENDS, APT_SUGGESTS, APT_ENHANCES, APT_BREAKS, APT_CONFLICTS, APT_REPLACES, APT_PROVIDES, APT_FIELD_MAX_
} AptField;
typedef struct AptRecord {
        AshSlice fields[APT_FIELD_MAX_];
        AshDebVersion version;
} AptRecord;
typedef struct AptRecords {
        ASH_ARRAY(AptRecord) items;
} AptRecords;
/* Adds the stanzas of a Packages file; those of other architectures than arch and "all" are left out. */
int apt_records_parse(AshSlice text, AshSlice arch, const char *label, AptRecords *records, AshDiags *diags);
