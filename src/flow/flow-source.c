#include <pthread.h>
#include <sys/utsname.h>
#include "apt-source.h"
#include "apt-sync.h"
#include "flow-source.h"

typedef struct Archive {
        AshSlice name;
        AshAptArchive apt;
        AshAptSnapshot *snapshot;
        ASH_ARRAY(AshBytes) texts;
        bool fresh;                  /* asked of the mirror by this process */
} Archive;

struct AshFlowSources {
        AshConfig *config;
        const char *cache, *apt_mirror;
        AshProgress *progress;
        AshArena *arena;
        AshSourceFinder finder;
        pthread_mutex_t mutex;
        ASH_ARRAY(Archive *) archives;
};

/* ---- the index ---- */
static void forget_state(Archive *a) {
        ash_array_foreach(&a->texts, t)
                ash_bytes_done(t);
        ash_array_done(&a->texts);
        ash_apt_snapshot_free(a->snapshot);
        a->snapshot = NULL;
}

static int take_state(Archive *a, AshAptSnapshot *snapshot, AshDiags *diags) {
        forget_state(a);
        a->snapshot = snapshot;
        ash_array_foreach(&snapshot->indices, i) {
                if (!i->is_sources)
                        continue;
                AshBytes *text = ash_array_add(&a->texts);
                *text = (AshBytes){};
                int r = ash_file_map(AT_FDCWD, i->path, text);
                if (r < 0)
                        return ash_fail_file(diags, r, i->path, "cannot read the index of source packages: %s", ash_strerror(r));
        }
        return 0;
}

static int sync_archive(AshFlowSources *s, Archive *a, AshDiags *diags) {
        AshAptSnapshot *snapshot = NULL;
        int r = ash_apt_sync(&a->apt, &snapshot, s->progress, diags);
        a->fresh = true;
        return r < 0 ? r : take_state(a, snapshot, diags);
}

/* What was fetched before will do: what is not in it is looked for in a newer one. */
static int open_state(AshFlowSources *s, Archive *a, AshDiags *diags) {
        AshAptSnapshot *snapshot = NULL;
        AshDiags *aside = ash_diags_new();
        int r = ash_apt_last(&a->apt, &snapshot, aside);
        ash_diags_free(aside);
        return r < 0 ? sync_archive(s, a, diags) : take_state(a, snapshot, diags);
}

static const char *this_arch(void) {
        struct utsname u;
        return uname(&u) >= 0 && strcmp(u.machine, "aarch64") == 0 ? "arm64" : "amd64";
}

static int open_archive(AshFlowSources *s, AshText name, Archive **ret, AshDiags *diags) {
        const AshUpstream *u = ash_config_upstream(s->config, name.s);
        if (!u)
                return ash_fail(diags, -ASH_ERR_CONFIG, name.at, "there is no upstream '%.*s'", ASH_F(name.s));
        if (!ash_slice_eqs(u->repo.type.s, "apt"))
                return ash_fail(diags, -ASH_ERR_CONFIG, name.at, "upstream '%.*s' has no source archive: it is not of type 'apt'", ASH_F(name.s));
        ash_array_foreach(&s->archives, a)
                if (ash_slice_eq((*a)->name, name.s)) {
                        *ret = *a;
                        return 0;
                }
        Archive *a = ash_arena_new_item(s->arena, Archive);
        AshStr components = {};
        for (size_t i = 0; i < u->repo.components.n; i++)
                ash_str_appendf(&components, "%s%.*s", i ? " " : "", ASH_F(u->repo.components.items[i].s));
        *a = (Archive){ .name = name.s };
        a->apt = (AshAptArchive){ .suite = u->repo.suite.s.ptr, .components = ash_arena_strdup(s->arena, components.len ? components.ptr : "main"), .arch = this_arch(), .mirror = s->apt_mirror,
                                  .sources = true, .at = u->repo.name.at, .state_dir = ash_arena_printf(s->arena, "%s/apt/%.*s-source", s->cache, ASH_F(name.s)) };
        ash_str_done(&components);
        ash_array_push(&s->archives, a);
        *ret = a;
        return open_state(s, a, diags);
}

/* ---- one candidate ---- */
typedef struct Want {
        AshFlowSources *s;
        const AshSourceItem *item;
        AshDigestKind kind;
        const char *hex, *to;
        AshStr *tried;
} Want;

static bool has_digest(const Want *w, AshSlice bytes, char ret_hex[static ASH_HEX_MAX]) {
        uint8_t digest[ASH_DIGEST_SIZE_MAX];
        ash_digest_of(w->kind, bytes, digest);
        ash_hex(digest, ash_digest_size(w->kind), ret_hex);
        return strcmp(ret_hex, w->hex) == 0;
}

/* Candidates are kept by the digest that the index gives: what turned out to be another file is not fetched twice. */
static int fetch_candidate(const Want *w, const Archive *a, const AshAptSourceFile *f, char **ret, AshDiags *diags) {
        char hex[65];
        ash_hex(f->sha256, sizeof f->sha256, hex);
        _free_ char *dir = ash_asprintf("%s/blobs/sha256/%.2s", w->s->cache, hex), *path = ash_path_join(dir, hex), *file = ash_asprintf("%.*s/%.*s", ASH_F(f->directory), ASH_F(f->name));
        uint8_t have[ASH_DIGEST_SIZE_MAX];
        uint64_t size;
        int r = ash_mkdir_all(AT_FDCWD, dir, 0755);
        if (r >= 0 && ash_digest_file(ASH_SHA256, AT_FDCWD, path, have, &size) >= 0 && memcmp(have, f->sha256, 32) == 0) {
                *ret = ASH_TAKE(path);
                return 0;
        }
        const char *urls[] = { ash_apt_url(a->snapshot->mirror, ash_slice_str(file), w->s->arena), NULL };
        if (r >= 0 && !urls[0])
                r = -EOPNOTSUPP;
        if (r >= 0) {
                AshFetch fetch = { .urls = urls, .dirfd = AT_FDCWD, .path = path, .digest_kind = ASH_SHA256, .digest = f->sha256, .size = f->size, .at = w->item->at };
                r = ash_fetch(&fetch, 1, &(AshFetchOptions){ .allow_file = true }, w->s->progress, diags);
        }
        if (r >= 0)
                *ret = ASH_TAKE(path);
        return r;
}

/* 1: it is the one, and in its place. */
static int try_candidate(const Want *w, const Archive *a, const AshAptSourceFile *f, AshDiags *diags) {
        _free_ char *path = NULL;
        _bytes_ AshBytes bytes = {};
        _str_ AshStr plain = {};
        char hex[ASH_HEX_MAX];
        AshDiags *aside = ash_diags_new();
        int r = fetch_candidate(w, a, f, &path, aside);
        ash_diags_free(aside);
        if (r >= 0)
                r = ash_file_map(AT_FDCWD, path, &bytes);
        if (r < 0) {
                ash_str_appendf(w->tried, "tried %.*s of %.*s: %s\n", ASH_F(f->name), ASH_F(f->package),
                                r == -ENOENT ? "the archive has lost it" : r == -EOPNOTSUPP ? "only apt can read this mirror" : ash_strerror(r));
                return 0;
        }
        AshSlice content = ash_bytes_slice(&bytes);
        bool same = has_digest(w, content, hex);
        if (!same && ash_apt_source_dearmor(content, &plain) > 0) {
                char inside[ASH_HEX_MAX];
                same = has_digest(w, ash_str_slice(&plain), inside);
                content = ash_str_slice(&plain);
        }
        if (!same) {
                ash_str_appendf(w->tried, "tried %.*s of %.*s: %s\n", ASH_F(f->name), ASH_F(f->package), hex);
                return 0;
        }
        r = ash_file_write_atomic(AT_FDCWD, w->to, content, 0644, false);
        return r < 0 ? ash_fail_file(diags, r, w->to, "cannot write: %s", ash_strerror(r)) : 1;
}

static int search_archive(const Want *w, const Archive *a, AshSlice package, AshDiags *diags) {
        AshAptSourceQuery query = { .package = package, .filename = w->item->filename, .kind = w->kind, .hex = w->hex };
        AshSlice *texts = ash_arena_new_items(w->s->arena, AshSlice, a->texts.n + 1);
        AshAptSourceFile *files;
        size_t n;
        for (size_t i = 0; i < a->texts.n; i++)
                texts[i] = ash_bytes_slice(&a->texts.items[i]);
        if (w->item->config && ash_text_set(w->item->config->origin_package))
                query.package = w->item->config->origin_package.s;
        int r = ash_apt_source_candidates(texts, a->texts.n, &query, w->s->arena, &files, &n, diags);
        for (size_t i = 0; r == 0 && i < n; i++)
                r = try_candidate(w, a, &files[i], diags);
        if (r == 0 && n == 0)
                ash_str_appendf(w->tried, "upstream '%.*s' (%s, of %s): no source package has a file of such a name or version\n", ASH_F(a->name), a->apt.suite, a->snapshot->date);
        return r;
}

static int search_all(const Want *w, const AshTexts *upstreams, AshSlice package, AshDiags *diags) {
        int r = 0;
        for (size_t i = 0; r == 0 && i < upstreams->n; i++) {
                Archive *a = NULL;
                r = open_archive(w->s, upstreams->items[i], &a, diags);
                if (r >= 0)
                        r = search_archive(w, a, package, diags);
                if (r == 0 && !a->fresh) {
                        /* Perhaps it came since. */
                        w->tried->len = 0;
                        r = sync_archive(w->s, a, diags);
                        if (r >= 0)
                                r = search_archive(w, a, package, diags);
                }
        }
        return r < 0 ? r : r > 0 ? 0 : -ENOENT;
}

static int find(void *context, const char *cache, const AshTexts *upstreams, const AshSourceItem *item, AshDigestKind kind, const char *hex, AshSlice package, const char *to, AshStr *tried, AshDiags *diags) {
        AshFlowSources *s = context;
        Want w = { .s = s, .item = item, .kind = kind, .hex = hex, .to = to, .tried = tried };
        pthread_mutex_lock(&s->mutex);
        s->cache = ash_arena_strdup(s->arena, cache);
        int r = search_all(&w, upstreams, package, diags);
        pthread_mutex_unlock(&s->mutex);
        return r;
}

/* ---- ---- */
AshFlowSources *ash_flow_sources_new(AshConfig *config, const char *apt_mirror, AshProgress *progress) {
        AshFlowSources *s = ash_calloc(1, sizeof *s);
        *s = (AshFlowSources){ .config = config, .apt_mirror = apt_mirror, .progress = progress, .arena = ash_arena_new() };
        s->finder = (AshSourceFinder){ s, find };
        pthread_mutex_init(&s->mutex, NULL);
        return s;
}

void ash_flow_sources_free(AshFlowSources *s) {
        if (!s)
                return;
        ash_array_foreach(&s->archives, a)
                forget_state(*a);
        ash_array_done(&s->archives);
        ash_arena_free(s->arena);
        pthread_mutex_destroy(&s->mutex);
        free(s);
}

const AshSourceFinder *ash_flow_sources_finder(AshFlowSources *s) { return &s->finder; }
