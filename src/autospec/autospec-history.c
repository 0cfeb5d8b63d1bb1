/* Release number and changelog from git history. The rules are rpmautospec's (docs/sources.md names them one by one). */
#include "autospec-private.h"

enum { PATH_SPEC, PATH_CHANGELOG, N_PATHS };

typedef struct Version {         /* what one version of the spec file says */
        AshSlice evr;            /* "EPOCH:VERSION"; empty when it has none */
        AshSlice tags;           /* ".extraver.snapinfo" */
        bool prerelease, inexact;
        uint64_t base;
} Version;

typedef struct Visit {           /* what is known about one commit */
        const Version *version;  /* NULL: no spec file */
        AshMagic magic;
        bool processed;          /* some child needs it */
        bool more_release, more_changelog; /* its parents are needed, for ... */
        bool removed;            /* a later commit removed the changelog file */
        bool changelog_changed, unresolvable;
        size_t follow;           /* the parent whose changelog goes on, SIZE_MAX: none */
        uint64_t number;
} Visit;

typedef struct Walk {
        AshGit *git;
        AshGitHistory history;
        const AshStaticMacros *macros;
        AshMap versions;         /* blob -> Version */
        Visit *visits;
        AshAutospec *result;
        bool inexact;
} Walk;

/* ---- versions ---- */
static Version *read_version(Walk *w, AshSlice spec) {
        AshArena *arena = w->result->arena;
        Version *v = ash_arena_new_item(arena, Version);
        _spec_facts_ AshSpecFacts f = {};
        ash_spec_facts_read(spec, w->macros, true, &f);
        v->prerelease = f.prerelease;
        v->base = f.base;
        v->inexact = !f.exact;
        if (f.version.len > 0)
                v->evr = ash_slice_str(ash_arena_printf(arena, "%.*s%s%.*s", ASH_F(f.epoch), f.epoch.len > 0 ? ":" : "", ASH_F(f.version)));
        v->tags = ash_slice_str(ash_arena_printf(arena, "%s%.*s%s%.*s", f.extraver.len > 0 ? "." : "", ASH_F(f.extraver), f.snapinfo.len > 0 ? "." : "", ASH_F(f.snapinfo)));
        return v;
}

/* Every version of the spec file is read once, some hundred at a time, so that a long history does not stay in memory. */
static int read_versions(Walk *w, AshDiags *diags) {
        enum { BATCH = 256 };
        ASH_ARRAY(const char *) blobs = {};
        ash_array_foreach(&w->history.commits, c) {
                const char *blob = c->blobs[PATH_SPEC];
                bool fresh;
                if (*blob && (ash_map_ensure(&w->versions, ash_slice_str(blob), &fresh), fresh))
                        ash_array_push(&blobs, blob);
        }
        int r = 0;
        for (size_t i = 0; r >= 0 && i < blobs.n; i += BATCH) {
                size_t n = ASH_MIN((size_t) BATCH, blobs.n - i);
                _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
                AshSlice texts[BATCH];
                r = ash_git_blobs(w->git, blobs.items + i, n, arena, texts, diags);
                for (size_t k = 0; r >= 0 && k < n; k++)
                        ash_map_put(&w->versions, ash_slice_str(blobs.items[i + k]), read_version(w, texts[k]), NULL);
        }
        ash_array_done(&blobs);
        return r;
}

/* ---- from the newest commit down: which are needed, and for what ---- */
static bool same_blob(const AshGitCommit *a, const AshGitCommit *b, size_t path) {
        return strcmp(a->blobs[path], b->blobs[path]) == 0;
}

static bool evr_known(const Visit *v) {
        return v->version && v->version->evr.len > 0;
}

static bool needs_parents_for_release(const Walk *w, const AshGitCommit *c, const Visit *v) {
        if (!evr_known(v))
                return true;
        for (size_t i = 0; i < c->n_parents; i++) {
                const Visit *p = &w->visits[c->parents[i]];
                if (!evr_known(p) || ash_slice_eq(p->version->evr, v->version->evr))
                        return true;
        }
        return false;
}

static void compare_changelog(Walk *w, const AshGitCommit *c, Visit *v, bool *ret_removed) {
        const AshGitCommit *all = w->history.commits.items;
        bool here = *c->blobs[PATH_CHANGELOG];
        v->changelog_changed = c->n_parents > 0 || here;
        *ret_removed = false;
        for (size_t i = 0; i < c->n_parents; i++) {
                const AshGitCommit *p = &all[c->parents[i]];
                *ret_removed |= *p->blobs[PATH_CHANGELOG] && !here;
                if (same_blob(c, p, PATH_CHANGELOG))
                        v->changelog_changed = false;
        }
        v->follow = c->n_parents == 1 ? c->parents[0] : SIZE_MAX;
        if (c->n_parents < 2)
                return;
        for (size_t i = 0; i < c->n_parents && v->follow == SIZE_MAX; i++)
                if (strcmp(all[c->parents[i]].tree, c->tree) == 0)
                        v->follow = c->parents[i];
        v->unresolvable = v->follow == SIZE_MAX && !v->changelog_changed;
}

typedef struct FromChildren {
        bool any, release, changelog, has_removed, removed;
} FromChildren;

static void visit_down(Walk *w, size_t i, FromChildren *from) {
        const AshGitCommit *c = &w->history.commits.items[i];
        Visit *v = &w->visits[i];
        FromChildren *f = &from[i];
        v->processed = f->release || f->changelog;
        if (!v->processed)
                return;
        bool own_removed;
        compare_changelog(w, c, v, &own_removed);
        bool file_here = v->changelog_changed && *c->blobs[PATH_CHANGELOG];
        v->removed = f->has_removed && f->removed;
        v->more_release = needs_parents_for_release(w, c, v);
        v->more_changelog = !(file_here || v->unresolvable) && f->changelog;
        bool removed = !file_here && (v->removed || own_removed);
        for (size_t k = 0; k < c->n_parents; k++) {
                FromChildren *p = &from[c->parents[k]];
                p->release |= v->more_release;
                p->changelog |= v->more_changelog;
                p->removed = p->has_removed ? p->removed && removed : removed;
                p->has_removed = true;
        }
}

/* ---- from the oldest commit up: release numbers ---- */
static void visit_up(Walk *w, size_t i) {
        const AshGitCommit *c = &w->history.commits.items[i];
        Visit *v = &w->visits[i];
        if (!v->processed)
                return;
        uint64_t number = 0;
        for (size_t k = 0; k < c->n_parents; k++) {
                const Visit *p = &w->visits[c->parents[k]];
                /* A gap (no spec, or one without a version) does not start the count again. */
                if (p->processed && (!evr_known(v) || !evr_known(p) || ash_slice_eq(p->version->evr, v->version->evr)))
                        number = ASH_MAX(number, p->number);
        }
        v->number = ASH_MAX(number + (v->version != NULL), v->magic.bump_release);
}

static AshSlice complete_release(Walk *w, const Visit *v) {
        uint64_t base = v->version ? v->version->base : 1;
        bool pre = v->version && v->version->prerelease;
        AshSlice tags = v->version ? v->version->tags : ASH_S("");
        return ash_slice_str(ash_arena_printf(w->result->arena, "%s%lld%.*s", pre ? "0." : "", (long long) (v->number + base) - 1, ASH_F(tags)));
}

/* ---- changelog ---- */
static void add_entry(Walk *w, size_t i, AshSlice text) {
        AshAutospecEntry *e = ash_array_add(&w->result->entries);
        memcpy(e->commit, w->history.commits.items[i].hash, sizeof(e->commit));
        e->text = ash_arena_slice(w->result->arena, text);
}

/* "* Tue Nov 14 2023 Jane Doe <jane@example.org> - 1.0-3", the day in UTC by the committer's date, then the items. */
static void add_commit_entry(Walk *w, size_t i) {
        static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        const AshGitCommit *c = &w->history.commits.items[i];
        const Visit *v = &w->visits[i];
        _str_ AshStr text = {};
        struct tm tm = {};
        time_t t = (time_t) c->time;
        gmtime_r(&t, &tm);
        ash_str_appendf(&text, "* %.3s %.3s %02d %d %.*s <%.*s>", days + 3 * tm.tm_wday, months + 3 * tm.tm_mon, tm.tm_mday, tm.tm_year + 1900, ASH_F(c->author_name),
                        ASH_F(c->author_email));
        if (evr_known(v)) {
                AshSlice release = complete_release(w, v);
                ash_str_appendf(&text, " - %.*s-%.*s", ASH_F(v->version->evr), ASH_F(release));
        }
        ash_str_append_char(&text, '\n');
        if (v->unresolvable)
                ash_str_append_str(&text, "- RPMAUTOSPEC: unresolvable merge");
        else
                ash_message_items(c->message, &text);
        add_entry(w, i, ash_str_slice(&text));
}

static int add_changelog_file(Walk *w, size_t i, AshDiags *diags) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshSlice text;
        int r = ash_git_blobs(w->git, &w->history.commits.items[i].blobs[PATH_CHANGELOG], 1, arena, &text, diags);
        if (r < 0)
                return r;
        add_entry(w, i, ash_slice_trim_right(text));
        return 0;
}

static int write_changelog(Walk *w, AshDiags *diags) {
        for (size_t i = 0; i != SIZE_MAX && w->visits[i].processed;) {
                const AshGitCommit *c = &w->history.commits.items[i];
                const Visit *v = &w->visits[i];
                if (v->unresolvable) {
                        add_commit_entry(w, i);
                        return 0;
                }
                if (v->changelog_changed && *c->blobs[PATH_CHANGELOG])
                        return v->removed ? 0 : add_changelog_file(w, i, diags);
                if (!v->magic.skip_changelog && v->version && c->n_parents < 2)
                        add_commit_entry(w, i);
                i = v->follow;
        }
        return 0;
}

/* ---- all ---- */
static int run(Walk *w, const char *spec, AshDiags *diags) {
        int r = read_versions(w, diags);
        if (r < 0)
                return r;
        size_t n = w->history.commits.n;
        w->visits = ash_calloc(n, sizeof(Visit));
        for (size_t i = 0; i < n; i++) {
                const AshGitCommit *c = &w->history.commits.items[i];
                w->visits[i].version = *c->blobs[PATH_SPEC] ? ash_map_get(&w->versions, ash_slice_str(c->blobs[PATH_SPEC])) : NULL;
                w->visits[i].magic = ash_message_magic(c->message);
        }
        _free_ FromChildren *from = ash_calloc(n, sizeof(*from));
        from[0] = (FromChildren) { .release = true, .changelog = true };
        for (size_t i = 0; i < n; i++)
                visit_down(w, i, from);
        for (size_t i = n; i > 0; i--)
                visit_up(w, i - 1);
        for (size_t i = 0; i < n; i++)
                if (w->visits[i].processed && (w->visits[i].more_release || w->visits[i].more_changelog))
                        w->result->shallow |= w->history.commits.items[i].boundary;
        const Visit *head = &w->visits[0];
        if (!head->version)
                return ash_fail(diags, -ENOENT, ASH_NOWHERE, "commit %s has no file %s", w->history.commits.items[0].hash, spec);
        w->result->number = head->number;
        w->result->complete = complete_release(w, head);
        w->inexact = head->version->inexact;
        return write_changelog(w, diags);
}

int ash_autospec_history(AshGit *git, const char *commit, const char *spec, const AshStaticMacros *predefined, AshAutospec *ret, AshDiags *diags) {
        _autospec_ AshAutospec result = { .arena = ash_arena_new() };
        Walk w = { .git = git, .macros = predefined, .result = &result };
        int r = ash_git_history(git, commit, (const char *const[]){ spec, "changelog" }, N_PATHS, &w.history, diags);
        if (r >= 0)
                r = run(&w, spec, diags);
        ash_map_done(&w.versions);
        free(w.visits);
        ash_git_history_done(&w.history);
        if (r < 0)
                return r;
        if (result.shallow)
                ash_warn(diags, ASH_NOWHERE, "%s: the history is cut short (a shallow clone): the release number may be too low, and the changelog is not complete", spec);
        if (w.inexact)
                ash_warn(diags, ASH_NOWHERE, "%s: the version uses a macro that only rpm can expand; versions are compared as they are written", spec);
        *ret = result;
        result = (AshAutospec) {};
        return 0;
}

void ash_autospec_done(AshAutospec *a) {
        ash_array_done(&a->entries);
        ash_arena_free(a->arena);
        *a = (AshAutospec) {};
}
