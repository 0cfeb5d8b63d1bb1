/* Sources of specs and all that is fetched for a component: a local spec, a directory of specs, or dist-git with its lookaside cache. See docs/sources.md. */
#pragma once
#include "base.h"
#include "io.h"
#include "model-project.h"
#include "overlay.h"

/* ---- where everything comes from ---- */
/* What the component's distribution says; the caller fills it from the configuration (texts may be unset). */
typedef struct AshSpecDistro {
        AshText dist_git_uri;        /* dist-git-base-uri, with $pkg ($releasever, $basearch) */
        AshText branch;              /* dist-git-branch of the version */
        AshText snapshot;            /* RFC 3339, or YYYY-MM-DD (its end); the component's own (config->spec.distro.snapshot) beats it */
        AshText lookaside_uri;       /* lookaside-base-uri, with $pkg $filename $hashtype $hash */
        AshText releasever, basearch;
        const char *spec_dir;        /* a directory of specs instead of dist-git (NAME/NAME.spec with side files, or flat); NULL: none */
        bool disable_origins;        /* source-files may not be downloaded from their own URIs: lookaside only */
        AshTexts source_upstreams;   /* whose source archives the finder searches before anything is downloaded */
        bool allow_missing_signatures;
} AshSpecDistro;

/* Finds sources by their digest where they have other names: in the source archives of distributions. */
typedef struct AshSourceItem AshSourceItem;
typedef struct AshSourceFinder {
        void *context;
        /* Puts the file of item->filename that has this digest at "to", and what it has to keep below "cache". package: what the component is called. -ENOENT: nobody has it; "tried" says what was looked at, a line each.
         * Other failures have a diagnostic. */
        int (*find)(void *context, const char *cache, const AshTexts *upstreams, const AshSourceItem *item, AshDigestKind kind, const char *hex, AshSlice package, const char *to, AshStr *tried,
                    AshDiags *diags);
} AshSourceFinder;

typedef struct AshSpecOptions {
        const char *cache_dir;       /* holds git/ (mirrors) and blobs/; NULL: $XDG_CACHE_HOME/ashlar or ~/.cache/ashlar */
        bool offline;                /* only what is in the cache */
        bool allow_local;            /* file:// and local paths as URIs (git and downloads) */
        unsigned parallel;           /* downloads at once; 0: 8 */
        unsigned retries;            /* as AshFetchOptions */
        unsigned stall_timeout_ms;   /* as AshFetchOptions */
        int git_timeout_ms;          /* of one git command; 0: 10 minutes */
        bool script_network;         /* custom scripts may use the network (azldev always allows it; here only when asked for) */
        int script_timeout_ms;       /* 0: 10 minutes */
        const AshSourceFinder *finder; /* NULL: source archives cannot be searched */
        AshProgress *progress;
} AshSpecOptions;

/* The text with $name and ${name} replaced; unknown names are an error at "at". $$ gives $. */
typedef struct AshPlaceholder { const char *name; AshSlice value; } AshPlaceholder;
int ash_uri_expand(AshSlice uri, const AshPlaceholder *values, size_t n, AshSpan at, AshStr *out, AshDiags *diags);

/* ---- a component's upstream files ---- */
typedef enum AshSpecKind { ASH_SPEC_LOCAL, ASH_SPEC_DIRECTORY, ASH_SPEC_DISTGIT, ASH_SPEC_MAX_ } AshSpecKind;
const char *ash_spec_kind_name(AshSpecKind kind); /* "local", "directory", "dist-git" */

typedef struct AshSpecFile {
        const char *path;            /* relative; sorted by bytes in the list */
        mode_t mode;                 /* 0644 or 0755; S_IFLNK | 0777: data is the target */
        AshSlice data;
} AshSpecFile;

typedef struct AshSpecTree {
        AshArena *arena;
        ASH_ARRAY(AshSpecFile) files;
        size_t spec;                 /* index of the spec file */
        AshSlice package;            /* upstream's name of it: spec.upstream-name, or the component's */
        /* identity */
        AshSpecKind kind;
        const char *origin;          /* the path or the URI used */
        const char *commit;          /* dist-git: full object name; else NULL */
        int64_t commit_time;         /* dist-git: committer date */
        char digest[ASH_HEX_MAX];    /* SHA-256 over (path, mode, data) of all files: what a fingerprint or lock takes */
} AshSpecTree;
void ash_spec_tree_free(AshSpecTree *tree);
ASH_DEFINE_CLEANUP(AshSpecTree *, ash_spec_tree_free)
const AshSpecFile *ash_spec_tree_find(const AshSpecTree *tree, AshSlice path);   /* NULL: not there */

/* The component's files as upstream has them (spec, side files and the "sources" file; no lookaside content). "config" is the merged configuration.
 * A local spec needs no distro. -ENOENT: no such repository, branch, commit, date or spec (a diagnostic says which); -ASH_ERR_AGAIN: it may work later. */
int ash_specsource_fetch(AshSlice component, const AshComponentConfig *config, const AshSpecDistro *distro, const AshSpecOptions *options,
                         AshSpecTree **ret, AshDiags *diags);

/* ---- the "sources" file and what else a component downloads ---- */
typedef enum AshSourceOrigin { ASH_ORIGIN_LOOKASIDE, ASH_ORIGIN_DOWNLOAD, ASH_ORIGIN_CUSTOM, ASH_ORIGIN_OVERLAY, ASH_ORIGIN_APT_SOURCE, ASH_ORIGIN_MAX_, ASH_ORIGIN_INVALID_ = -EINVAL } AshSourceOrigin;
const char *ash_source_origin_name(AshSourceOrigin origin);
AshSourceOrigin ash_source_origin(AshSlice name);

struct AshSourceItem {
        AshSlice filename;
        AshDigestKind kind;
        char hex[ASH_HEX_MAX];       /* lower case; "" while it is not known (custom without a hash) */
        bool old_format;             /* "md5  file" */
        AshSourceOrigin origin;
        const AshSourceFile *config; /* NULL: from upstream's "sources" */
        bool replaced;               /* replaces an entry of upstream */
        /* replaced upstream entry, for archive overlays: what the archive was before our change */
        AshDigestKind upstream_kind;
        char upstream_hex[ASH_HEX_MAX];
        AshSpan at;
        char *path;                  /* after ash_sources_fetch: the file in the cache */
        bool absent;                 /* a signature that could not be had, as the project allows: path is a note that says so */
};
/* What stands in place of such a signature. gpgverify and gpgv of ashlar-rpm-config know these words. */
#define ASH_SOURCE_NOTE "ashlar: no signature, checked by digest"
typedef struct AshSources {
        AshArena *arena;
        ASH_ARRAY(AshSourceItem) items; /* upstream's order, then the configuration's */
        AshSource *source;           /* upstream's text: where its items were listed */
} AshSources;
void ash_sources_done(AshSources *s);
#define _sources_ _cleanup_(ash_sources_done)

/* Both formats: "SHA512 (file) = hex" and "md5  file" (docs/sources.md). Names must be plain file names. "name" is what diagnostics call the text. */
int ash_sources_parse(AshSlice text, const char *name, AshSources *ret, AshDiags *diags);
/* Adds the component's source-files. All collisions and missing fields are reported. */
int ash_sources_merge(AshSources *sources, const AshSourceFiles *files, AshDiags *diags);
/* The text of a "sources" file. Entries from upstream keep their line's form. */
void ash_sources_format(const AshSources *sources, AshStr *out);
/* Convenience for rendering: the merged "sources" text of a tree (empty when there is nothing at all). Downloads nothing. */
int ash_sources_render(const AshSpecTree *tree, const AshComponentConfig *config, AshStr *out, AshDiags *diags);

/* What "sources" lists and lies beside the spec is taken from there, into the cache: nothing has to be downloaded. -ASH_ERR_VERIFY when its digest is another one. */
int ash_sources_take(AshSources *sources, const AshSpecTree *tree, const AshSpecOptions *options, AshDiags *diags);
/* Gets every item into the cache, checked by digest, and sets items[].path. Those of origin overlay are found only when they were edited before (see
 * ash_spec_archives_new()); else their path stays NULL. */
int ash_sources_fetch(AshSources *sources, AshSlice package, const AshSpecDistro *distro, const AshSpecOptions *options, AshDiags *diags);
/* Puts the fetched files into a directory by their names (reflink or copy). Fails for an archive of upstream that was to be edited and was not. */
int ash_sources_place(const AshSources *sources, int dirfd, AshDiags *diags);

/* ---- overlays inside archives ---- */
/* What ash_overlay_apply() needs for overlays with "archive": unpacks the archive (fetching it when it comes from the lookaside cache), and packs it again, once for
 * each archive. Each needs an item of origin overlay in "sources" (merged), whose hash is that of the packed archive: it must come out so, or it is refused with
 * the digest that came out. Then the item's path is the edited archive. All arguments are borrowed; "distro" may be NULL. */
typedef struct AshSpecArchives AshSpecArchives;
AshSpecArchives *ash_spec_archives_new(AshSources *sources, AshSlice package, const AshSpecDistro *distro, const AshSpecOptions *options);
void ash_spec_archives_free(AshSpecArchives *archives);
ASH_DEFINE_CLEANUP(AshSpecArchives *, ash_spec_archives_free)
const AshArchiveOps *ash_spec_archives_ops(AshSpecArchives *archives);
