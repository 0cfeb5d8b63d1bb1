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

typedef struct AshNumber {
        bool set;
        int64_t value;
        AshSpan at;
} AshNumber;

typedef struct AshPair {
        AshText key, value; /* key.at: the key's place */
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
        AshNumber declared_count; /* the same, as written */
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
        AshTexts source_upstreams;       /* Ashlar's: apt upstreams whose source archive is searched by digest */
        AshFlag allow_missing_signatures;
} AshSpecSource;

typedef struct AshSourceFile {
        AshSpan at;
        AshText filename, hash, hash_type;
        AshText origin_type, origin_uri, origin_script; /* "download", "custom", "overlay", "apt-source"; the script's path is relative to base_dir */
        AshText origin_upstream, origin_package; /* apt-source */
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
typedef struct AshPackageConfigs {
        AshPackageConfig *items;
        size_t n;
} AshPackageConfigs;

/* What a component, a group's or a distribution's default-component-config may say; also the merged result. */
typedef struct AshComponentConfig {
        AshSpecSource spec;
        AshText release;          /* "auto", "autorelease", "static", "manual" */
        AshOverlays overlays;     /* merged: overlay-files' contents already behind the inline ones */
        AshTexts overlay_files;   /* globs, joined with the directory of their file */
        AshTexts with, without, undefines;
        AshPairs defines;
        AshFlag provenance, check_skip, failure_expected, expensive, skip_file_filter;
        AshText check_skip_reason, failure_reason;
        /* Ashlar's: where it is built, and what it may take there */
        AshText build_stage, network_reason, build_memory, build_disk;
        AshFlag build_network;
        AshNumber build_timeout;  /* seconds */
        AshSourceFiles source_files;
        AshPackageConfigs packages;
        AshPublish publish;
} AshComponentConfig;
extern const AshComponentConfig ash_component_config_empty;

typedef struct AshComponent {
        AshText name;             /* at: where it is declared */
        const char *base_dir;     /* directory of that file */
        const AshComponentConfig *own;    /* as written; never NULL (an empty table is shared) */
        const AshComponentConfig *merged; /* with everything inherited; NULL until ash_config_component() was asked */
} AshComponent;
typedef struct AshComponents {
        AshComponent *items;
        size_t n;
} AshComponents;

typedef struct AshComponentGroup {
        AshText name, description;
        AshPairs metadata;
        AshTexts components;
        AshTexts specs, excluded_paths; /* globs, joined with the directory of their file */
        AshComponentConfig defaults;
} AshComponentGroup;
typedef struct AshComponentGroups {
        AshComponentGroup *items;
        size_t n;
} AshComponentGroups;

typedef struct AshPackageGroup {
        AshText name, description;
        AshTexts packages;
        AshPublish publish;       /* of default-package-config */
} AshPackageGroup;
typedef struct AshPackageGroups {
        AshPackageGroup *items;
        size_t n;
} AshPackageGroups;

/* ---- distributions ---- */
/* One input: a repository or a set of repositories by name. */
typedef struct AshRepoRef {
        AshSpan at;
        AshText repo, set;
} AshRepoRef;
typedef struct AshRepoRefs {
        AshRepoRef *items;
        size_t n;
} AshRepoRefs;

/* Ashlar: what os-release says about a version of a distribution (freedesktop.org, os-release(5)). */
typedef struct AshIdentity {
        AshText id, name, pretty_name, version_id, version_codename, cpe_name, ansi_color, logo, vendor_name, vendor_url;
        AshText home_url, documentation_url, support_url, bug_report_url, support_end; /* support_end: YYYY-MM-DD */
        AshTexts id_like;
} AshIdentity;

typedef struct AshDistroVersion {
        AshText name, description, release_ver, dist_git_branch;
        AshText mock_config, mock_config_x86_64, mock_config_aarch64; /* paths */
        AshComponentConfig defaults;
        AshRepoRefs rpm_build, image_build;
        AshIdentity identity;
} AshDistroVersion;
typedef struct AshDistro {
        AshText name, description, default_version;
        AshText dist_git_base_uri, lookaside_base_uri; /* with $pkg, $filename, $hashtype, $hash */
        AshTexts repos;           /* base URIs, with $releasever, $basearch */
        AshFlag disable_origins;
        AshTexts source_upstreams;       /* Ashlar's: as in AshSpecSource, for all whose spec comes from here */
        AshFlag allow_missing_signatures;
        struct { AshDistroVersion *items; size_t n; } versions;
} AshDistro;
typedef struct AshDistros {
        AshDistro *items;
        size_t n;
} AshDistros;

/* ---- where packages come from, where they go ---- */
typedef struct AshRepo {
        AshText name, description, type; /* "rpm-md" (also when unset) or "apt" */
        AshText base_uri, metalink, mirror_list; /* rpm-md: exactly one of them */
        AshTexts mirrors;                /* rpm-md: further addresses beside base_uri, tried in this order */
        AshFlag disable_gpg_check, disable_ssl_verify;
        AshText gpg_key;                 /* URI or path */
        AshTexts architectures;          /* "arches"; empty: all */
        AshText suite;                   /* apt: the mirror's host comes from the machine, never from here */
        AshTexts components;             /* apt */
        AshNumber priority;              /* lower wins; unset: 99 */
} AshRepo;
typedef struct AshRepos {
        AshRepo *items;
        size_t n;
} AshRepos;

typedef struct AshSubrepo {
        AshSpan at;
        AshText name, subpath, kind;     /* "binary" (also when unset), "debug", "source" */
        AshTexts publish_channels;
} AshSubrepo;
typedef struct AshRepoTemplate {
        AshText name, description;
        struct { AshSubrepo *items; size_t n; } subrepos;
} AshRepoTemplate;
typedef struct AshRepoSet {
        AshText name, description, repo_template, base_uri, name_prefix, gpg_key;
        AshFlag disable_gpg_check, disable_ssl_verify;
        AshTexts architectures, subrepos;
} AshRepoSet;
typedef struct AshResources {
        AshRepos repos;
        struct { AshRepoTemplate *items; size_t n; } templates;
        struct { AshRepoSet *items; size_t n; } sets;
} AshResources;

/* Ashlar: what "--upstream NAME" chooses. */
typedef struct AshUpstream {
        AshRepo repo;             /* its name is the upstream's; a single repository said inline ... */
        AshTexts repos;           /* ... or names of resources.rpm-repos */
        AshText snapshot;         /* RFC 3339, where a server has snapshots */
        AshText names;            /* path of a table that gives imported packages further provides */
        AshText import_overlays;  /* path of a table of their deviations (docs/apt-import.md) */
        AshTexts import;          /* packages wanted beside what images and components need */
        AshFlag is_default;
} AshUpstream;
typedef struct AshUpstreams {
        AshUpstream *items;
        size_t n;
} AshUpstreams;

/* Ashlar: a published repository. */
typedef struct AshChannel {
        AshText name, description, kind; /* "binary" (also when unset), "debug", "source" */
        AshText path;             /* below the output directory; unset: the channel's name */
        AshTexts architectures, packages, requires_channels;
        AshTexts upstreams, repos; /* where its packages may come from; none: the chosen upstream */
        AshTexts groups;          /* package groups that clients see as groups */
        AshText comps;            /* path of a comps.xml, in place of groups */
        AshText compression;      /* of its metadata: "zstd" (also when unset) or "gzip" */
        AshNumber generations;    /* kept; unset: 3 */
} AshChannel;
typedef struct AshChannels {
        AshChannel *items;
        size_t n;
} AshChannels;

/* Ashlar: what was mended, for clients of the channels that have one of the packages. */
typedef struct AshAdvisoryReference {
        AshSpan at;
        AshText type, id, url, title; /* type: "cve", "bugzilla", "self", "other" (also when unset) */
} AshAdvisoryReference;
typedef struct AshAdvisory {
        AshText name, type, severity, title, summary, description, rights; /* name: its id */
        AshText issued, updated;  /* YYYY-MM-DD */
        struct { AshAdvisoryReference *items; size_t n; } references;
        AshTexts packages;        /* NEVRAs */
} AshAdvisory;
typedef struct AshAdvisories {
        AshAdvisory *items;
        size_t n;
} AshAdvisories;

/* Ashlar: where components are built. A stage has what it says in place of what the whole says. */
typedef struct AshBuildBase {
        AshTexts packages, upstreams; /* in every buildroot; where they and BuildRequires come from. upstreams none: inputs.rpm-build of the default distribution, else the chosen upstream */
        AshTexts base_upstreams;      /* of those: where packages come from. None: from those that are not of type "components", and only what these do not have from what was built here */
} AshBuildBase;
typedef struct AshBuildStage {
        AshText name;
        AshBuildBase base;
} AshBuildStage;
typedef struct AshBuildConfig {
        AshBuildBase base;
        AshNumber timeout;        /* seconds; unset: 7200 */
        AshText memory, disk, log_limit, roots; /* bytes with K, M, G, T */
        struct { AshBuildStage *items; size_t n; } stages;
} AshBuildConfig;

/* ---- images ---- */
typedef struct AshImageUser {
        AshText name, comment, home, shell, password_hash, primary_group;
        AshNumber uid;
        AshTexts groups, ssh_keys;
        AshFlag system_user, sudo;
} AshImageUser;
typedef struct AshImageGroup {
        AshText name;
        AshNumber gid;
        AshTexts members;
        AshFlag system_group;
} AshImageGroup;
typedef struct AshImageFile {
        AshText path;             /* in the image, absolute */
        AshText content, source, mode, owner, group, reason; /* source: a path, joined with the directory of its file */
        AshFlag append, signing_key;
} AshImageFile;
typedef struct AshImageDirectory {
        AshText path, mode, owner, group, reason;
} AshImageDirectory;
typedef struct AshImageLink {
        AshText path, target, reason;
} AshImageLink;
typedef struct AshImagePartition {
        AshSpan at;
        AshText label, type, size, margin, filesystem, mount, options, uuid; /* type: "esp", "root", "var", "home", "swap", ... or a GUID; size: "auto" or bytes with K, M, G */
        AshFlag grow, read_only;
} AshImagePartition;
typedef struct AshImageCheck {
        AshSpan at;
        AshText name, run, output; /* run: a command in the booted machine; output: a regular expression */
        AshNumber status, timeout;
} AshImageCheck;
typedef struct AshImageOci {
        AshTexts entrypoint, command, exposed_ports, volumes;
        AshPairs environment, labels, annotations;
        AshText user, working_directory, stop_signal, compression, layers; /* "zstd" or "gzip"; "single" or "origin" */
        AshTexts tags;
} AshImageOci;

typedef struct AshImage {
        AshText name, description;
        /* azldev's */
        AshText definition_type, definition_path, definition_profile;
        AshFlag machine_bootable, container, systemd, runtime_package_management;
        AshTexts test_suites, channels;
        /* Ashlar's: native definitions */
        AshText kind;             /* "disk", "container", "archive", "directory" */
        AshTexts inherits;
        AshFlag is_abstract;
        AshTexts architectures, formats, upstreams, repos;
        AshTexts packages, package_groups, exclude_packages, exclude_paths, languages;
        AshFlag weak_dependencies, essential_packages, documentation, package_database;
        AshNumber scriptlet_timeout; /* seconds; unset: 300 */
        AshText hostname, locale, keymap, time_zone;
        AshTexts enable, disable, mask; /* services */
        struct { AshImageUser *items; size_t n; } users;
        struct { AshImageGroup *items; size_t n; } groups;
        struct { AshImageFile *items; size_t n; } files;
        struct { AshImageDirectory *items; size_t n; } directories;
        struct { AshImageLink *items; size_t n; } links;
        AshImageOci oci;
        AshText size, boot_loader, login; /* size: "auto" or bytes; boot_loader: "systemd-boot", "none"; login: "required", "none" */
        AshText kernel;           /* which one starts by default: a glob over versions */
        AshTexts kernel_command_line, kernel_modules;
        struct { AshImagePartition *items; size_t n; } partitions;
        struct { AshImageCheck *items; size_t n; } checks;
} AshImage;
typedef struct AshImages {
        AshImage *items;
        size_t n;
} AshImages;

typedef struct AshTestSuite {
        AshText name, description, type; /* "pytest", "lisa" */
        AshText working_dir, install;
        AshTexts test_paths, extra_args;
        AshText git_url, git_ref;
        AshTexts test_cases, pip_pre_install, pip_extras, lisa_extra_args;
        bool has_pytest, has_lisa;
} AshTestSuite;
typedef struct AshTestSuites {
        AshTestSuite *items;
        size_t n;
} AshTestSuites;

/* ---- the whole ---- */
typedef struct AshProjectInfo {
        AshText description, log_dir, work_dir, output_dir, rendered_specs_dir, lock_dir; /* paths */
        AshDistroRef default_distro;
        AshText author_email;
        /* Ashlar's */
        AshText overlay_semantics; /* "azldev" (also when unset) or "strict" */
        AshTexts rendered_header;  /* lines on top of a rendered spec; unset: azldev's */
        AshText macro_file;        /* name of the macro file; "{component}" stands for the name; unset: "{component}.azl.macros" */
        AshText signing_key, signer; /* path of a key; a command */
} AshProjectInfo;

typedef struct AshProject {
        AshProjectInfo info;
        AshDistros distros;
        AshResources resources;
        AshComponents components;
        AshComponentGroups groups;
        AshPackageGroups package_groups;
        AshImages images;
        AshTestSuites test_suites;
        AshText image_customizer_tag; /* tools.imageCustomizer.containerTag */
        AshComponentConfig default_component;
        AshPublish default_publish;   /* of default-package-config */
        AshUpstreams upstreams;
        AshChannels channels;
        AshAdvisories advisories;
        AshBuildConfig build;
        AshTexts includes;            /* one file's, as written */
        AshText schema;               /* "$schema": for editors only */
} AshProject;
