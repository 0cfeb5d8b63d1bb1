/* The project as configured: plain data, no I/O. Everything lives in the arena of the AshProject; every value remembers where it was set.
 * Strings are slices followed by a NUL. An unset text has s.ptr == NULL; an empty one has not. */
#pragma once
#include "base.h"

typedef struct AshText {
        AshSlice s;
        AshSpan at; /* the value's place in its file */
} AshText;
static inline bool ash_text_set(AshText t) { return t.s.ptr != NULL; }

typedef struct AshTexts {
        AshText *items;
        size_t n;
} AshTexts;

/* Explicit yes, explicit no, or unset (an inherited value shines through). */
typedef struct AshFlag {
        enum { ASH_UNSET, ASH_NO, ASH_YES } value;
        AshSpan at;
} AshFlag;

typedef struct AshPair {
        AshText key, value;
} AshPair;
typedef struct AshPairs {
        AshPair *items;
        size_t n;
} AshPairs;

/* ---- overlays: one declared deviation each ---- */
typedef enum AshOverlayType {
        ASH_OVERLAY_SPEC_ADD_TAG, ASH_OVERLAY_SPEC_INSERT_TAG, ASH_OVERLAY_SPEC_SET_TAG, ASH_OVERLAY_SPEC_UPDATE_TAG, ASH_OVERLAY_SPEC_REMOVE_TAG,
        ASH_OVERLAY_SPEC_PREPEND_LINES, ASH_OVERLAY_SPEC_APPEND_LINES, ASH_OVERLAY_SPEC_SEARCH_REPLACE,
        ASH_OVERLAY_SPEC_REMOVE_SECTION, ASH_OVERLAY_SPEC_REMOVE_SUBPACKAGE,
        ASH_OVERLAY_PATCH_ADD, ASH_OVERLAY_PATCH_REMOVE,
        ASH_OVERLAY_FILE_PREPEND_LINES, ASH_OVERLAY_FILE_SEARCH_REPLACE, ASH_OVERLAY_FILE_ADD, ASH_OVERLAY_FILE_REMOVE, ASH_OVERLAY_FILE_RENAME,
        ASH_OVERLAY_MAX_, ASH_OVERLAY_INVALID_ = -EINVAL,
} AshOverlayType;
const char *ash_overlay_type_name(AshOverlayType type); /* "spec-add-tag" */
AshOverlayType ash_overlay_type(AshSlice name);

typedef enum AshOverlaySemantics { ASH_SEMANTICS_AZLDEV, ASH_SEMANTICS_STRICT, ASH_SEMANTICS_MAX_, ASH_SEMANTICS_INVALID_ = -EINVAL } AshOverlaySemantics;

typedef struct AshOverlay {
        AshOverlayType type;
        AshSpan at;               /* the whole table (its header or brace) */
        const char *base_dir;     /* directory of the file it was declared in: "source" is relative to it */
        AshText type_text, description, file, section, package, tag, value, regex, replacement, source, archive;
        AshTexts lines;
        uint64_t count;           /* strict mode: matches declared (0: exactly one) */
        /* metadata: never part of a fingerprint */
        AshText category, upstream_status;
        AshTexts commits, bugs;   /* URLs */
        AshText since;            /* date, YYYY-MM-DD: for its age */
} AshOverlay;
typedef struct AshOverlays {
        AshOverlay *items;
        size_t n;
} AshOverlays;

/* ---- components ---- */
typedef struct AshDistroRef {
        AshText name, version, snapshot; /* snapshot: RFC 3339 */
} AshDistroRef;

typedef struct AshSpecSource {
        AshText type;             /* "local", "upstream" or "" */
        AshText path;             /* local: spec file, absolute or relative to the process' directory after loading */
        AshDistroRef distro;
        AshText upstream_name, upstream_commit;
} AshSpecSource;

typedef struct AshSourceFile {
        AshSpan at;
        AshText filename, hash, hash_type;
        AshText origin_type, origin_uri, origin_script; /* "download", "custom", "overlay" */
        AshTexts mock_packages, inputs;
        AshFlag replace_upstream;
        AshText replace_reason;
        const char *base_dir;
} AshSourceFile;
typedef struct AshSourceFiles {
        AshSourceFile *items;
        size_t n;
} AshSourceFiles;

typedef struct AshPublish {
        AshText rpm_channel, srpm_channel, debuginfo_channel, channel;
} AshPublish;
typedef struct AshPackageConfig {
        AshText name;
        AshPublish publish;
} AshPackageConfig;

/* What a component, a group's or a distribution's default-component-config may say; also the merged result. */
typedef struct AshComponentConfig {
        AshSpecSource spec;
        AshText release;          /* "auto", "autorelease", "static", "manual" */
        AshOverlays overlays;     /* overlay-files' contents already behind the inline ones */
        AshTexts overlay_files;
        AshTexts with, without, undefines;
        AshPairs defines;
        AshFlag provenance, check_skip, failure_expected, expensive, skip_file_filter;
        AshText check_skip_reason, failure_reason;
        AshSourceFiles source_files;
        struct { AshPackageConfig *items; size_t n; } packages;
        AshPublish publish;
} AshComponentConfig;

typedef struct AshComponent {
        AshText name;             /* at: where it is declared */
        const char *base_dir;     /* directory of that file */
        AshComponentConfig own;   /* as written */
        const AshComponentConfig *merged; /* with everything inherited; NULL until ash_config_component() was asked */
} AshComponent;
