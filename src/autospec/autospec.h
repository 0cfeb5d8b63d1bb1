/* %autorelease and %autochangelog worked out natively from git history, and the release calculation of the configuration. No macro that runs
 * something (%(...), %{lua:...}) is ever expanded. docs/sources.md has the rules and their source. */
#pragma once
#include "base.h"
#include "io.h"
#include "git.h"

/* ---- macros: static expansion of what can be expanded without running anything ---- */
typedef struct AshStaticMacros AshStaticMacros;
AshStaticMacros *ash_static_macros_new(void);
void ash_static_macros_free(AshStaticMacros *m);
ASH_DEFINE_CLEANUP(AshStaticMacros *, ash_static_macros_free)
void ash_static_macros_define(AshStaticMacros *m, AshSlice name, AshSlice body);
/* Appends the expansion to "out"; what cannot be expanded stays as it stands. Returns 0, or 1 when something was left. */
int ash_static_macros_expand(const AshStaticMacros *m, AshSlice text, AshStr *out);

/* A spec's preamble, expanded as far as that goes without running anything. */
typedef struct AshSpecFacts {
        AshArena *arena;
        AshSlice name, epoch, version, release;   /* expanded; release with %autorelease left as written */
        bool exact;                  /* nothing in name, epoch or version was left unexpanded */
        bool has_autorelease;
        bool prerelease;             /* -p */
        uint64_t base;               /* -b, 1 when not given */
        AshSlice extraver, snapinfo; /* -e, -s; empty when not given */
        bool no_dist;                /* -n */
        ASH_ARRAY(AshSlice) files;   /* Source and Patch values after their last slash (or after #/), in order */
} AshSpecFacts;
void ash_spec_facts_done(AshSpecFacts *facts);
#define _spec_facts_ _cleanup_(ash_spec_facts_done)
/* "predefined" (may be NULL) holds what the build environment defines (fedora, rhel, dist ...). Never fails: what is not there stays empty. */
void ash_spec_facts(AshSlice spec, const AshStaticMacros *predefined, AshSpecFacts *ret);

/* ---- git history ---- */
typedef struct AshAutospecEntry {
        char commit[ASH_GIT_HASH_MAX];
        AshSlice text;               /* the whole changelog entry, or a "changelog" file's contents */
} AshAutospecEntry;
typedef struct AshAutospec {
        AshArena *arena;
        uint64_t number;             /* commits since the version changed (with bumps); what %autorelease expands to when -b is 1 */
        AshSlice complete;           /* "0.3.rc1": with -p, -b, -e, -s applied; without %{?dist} */
        ASH_ARRAY(AshAutospecEntry) entries; /* newest first */
        bool shallow;                /* the history was cut: the number may be too low */
} AshAutospec;
void ash_autospec_done(AshAutospec *a);
#define _autospec_ _cleanup_(ash_autospec_done)
/* "spec" is the file's name at the top of the repository. Warns about a shallow history. */
int ash_autospec_history(AshGit *git, const char *commit, const char *spec, const AshStaticMacros *predefined, AshAutospec *ret, AshDiags *diags);

/* What a spec text uses. */
bool ash_autospec_uses_release(AshSlice spec);
bool ash_autospec_uses_changelog(AshSlice spec);
/* The spec with the macro definition on top (in our marker block) and %autochangelog replaced by the entries. Idempotent. */
void ash_autospec_render(AshSlice spec, const AshAutospec *a, AshStr *out);

/* ---- release calculation ---- */
typedef enum AshReleaseMode { ASH_RELEASE_AUTO, ASH_RELEASE_AUTORELEASE, ASH_RELEASE_STATIC, ASH_RELEASE_MANUAL, ASH_RELEASE_MAX_, ASH_RELEASE_INVALID_ = -EINVAL } AshReleaseMode;
const char *ash_release_mode_name(AshReleaseMode mode);
AshReleaseMode ash_release_mode(AshSlice name);  /* empty: auto */
/* Rewrites the spec's Release line for "bumps" changes on our side: auto leaves %autorelease alone and bumps a plain number (`^(\d+)(%\{\??dist\})?$`), static
 * demands a plain number; autorelease and manual leave everything. -EINVAL with a diagnostic when the mode does not fit the line.
 * Returns 1 when "out" differs from the spec. */
int ash_release_apply(AshSlice spec, AshReleaseMode mode, uint64_t bumps, AshSpan at, AshStr *out, AshDiags *diags);
