/* What the headers of built packages say: read from each RPM once, then kept together in one object for the project. A plan of thousands of components opens one file for that, not one for each package. */
#include <stdio.h>
#include "flow-built.h"
#include "flow-package.h"

#define CACHE "built-packages"
#define HEAD "ashlar-built-packages 1\n"
#define SOME 64                      /* packages that are not in it: few are read from their RPMs each time, more are worth writing it again */

/* ---- a package as bytes: numbers of 8 bytes, texts behind their lengths ---- */
static void put_number(AshStr *out, uint64_t n) { ash_str_append(out, ash_slice((const char *) &n, sizeof n)); }

static void put_text(AshStr *out, AshSlice text) {
        uint32_t n = (uint32_t) text.len;
        ash_str_append(out, ash_slice((const char *) &n, sizeof n));
        ash_str_append(out, text);
}

typedef struct Reader {
        AshSlice rest;
        bool bad;
} Reader;

static uint64_t take_number(Reader *r) {
        uint64_t n = 0;
        if (r->rest.len < sizeof n) {
                r->bad = true;
                return 0;
        }
        memcpy(&n, r->rest.ptr, sizeof n);
        r->rest = ash_slice_from(r->rest, sizeof n);
        return n;
}

static AshSlice take_text(Reader *r) {
        uint32_t n = 0;
        if (r->rest.len >= sizeof n)
                memcpy(&n, r->rest.ptr, sizeof n);
        if (r->rest.len < sizeof n + n) {
                r->bad = true;
                return ASH_NOSLICE;
        }
        AshSlice text = ash_slice_sub(r->rest, sizeof n, n);
        r->rest = ash_slice_from(r->rest, sizeof n + n);
        return n ? text : ASH_NOSLICE;
}

/* A count of things of which each takes at least that many bytes. */
static size_t take_count(Reader *r, size_t each) {
        uint64_t n = take_number(r);
        r->bad |= n > r->rest.len / each;
        return r->bad ? 0 : (size_t) n;
}

static const size_t texts[] = { offsetof(AshPackage, name), offsetof(AshPackage, version), offsetof(AshPackage, release), offsetof(AshPackage, arch), offsetof(AshPackage, summary), offsetof(AshPackage, url),
                                offsetof(AshPackage, license), offsetof(AshPackage, vendor), offsetof(AshPackage, source_rpm) };

/* Directories once, then each file as the number of its directory and its name. */
static void put_files(AshStr *out, const AshPackage *p) {
        _map_ AshMap dirs = {};
        for (size_t i = 0; i < p->n_files; i++)
                ash_map_put(&dirs, ash_path_dir(p->files[i]), NULL, NULL);
        size_t n = 0;
        put_number(out, dirs.n);
        ash_map_foreach(&dirs, e) {
                put_text(out, e->key);
                e->value = (void *) n++;
        }
        put_number(out, p->n_files);
        for (size_t i = 0; i < p->n_files; i++) {
                put_number(out, (size_t) ash_map_get(&dirs, ash_path_dir(p->files[i])));
                put_text(out, ash_path_base(p->files[i]));
        }
}

static void put_package(AshStr *out, const AshPackage *p) {
        put_number(out, p->epoch);
        put_number(out, p->installed_size);
        put_number(out, p->build_time);
        for (size_t i = 0; i < ASH_N(texts); i++)
                put_text(out, *(const AshSlice *) ((const char *) p + texts[i]));
        for (int kind = 0; kind < ASH_DEP_MAX_; kind++) {
                put_number(out, p->deps[kind].n);
                for (size_t i = 0; i < p->deps[kind].n; i++) {
                        put_number(out, p->deps[kind].items[i].flags);
                        put_text(out, p->deps[kind].items[i].name);
                        put_text(out, p->deps[kind].items[i].evr);
                }
        }
        put_files(out, p);
}

/* What it points at stays where the bytes are; *ret_files is what is left. */
static bool take_package(AshSlice bytes, AshArena *arena, AshPackage *p, AshSlice *ret_files) {
        Reader r = { bytes, false };
        p->epoch = (uint32_t) take_number(&r);
        p->installed_size = take_number(&r);
        p->build_time = take_number(&r);
        for (size_t i = 0; i < ASH_N(texts); i++)
                *(AshSlice *) ((char *) p + texts[i]) = take_text(&r);
        for (int kind = 0; kind < ASH_DEP_MAX_; kind++) {
                AshDeps *deps = &p->deps[kind];
                size_t n = take_count(&r, sizeof(uint64_t) + 2 * sizeof(uint32_t));
                deps->items = ash_arena_new_items(arena, AshDep, n);
                for (deps->n = 0; deps->n < n; deps->n++) {
                        AshDep *dep = &deps->items[deps->n];
                        dep->flags = (uint32_t) take_number(&r);
                        dep->name = take_text(&r);
                        dep->evr = take_text(&r);
                }
        }
        *ret_files = r.rest;
        return !r.bad && p->name.len;
}

/* ---- files ---- */
/* May a path of that directory be wanted? */
static bool is_wanted_dir(const AshMap *dirs, AshSlice name) {
        return ash_map_find(dirs, name) || ash_slice_find(name, ASH_S("bin/")) >= 0 || ash_slice_ends(name, ASH_S("bin")) || ash_slice_starts(name, ASH_S("/etc"));
}

static void expand_files(AshFlowBuilt *b, size_t item, const AshMap *wanted, const AshMap *dirs) {
        Reader r = { b->files[item], false };
        AshPackage *p = (AshPackage *) &b->packages[item];
        _str_ AshStr path = {};
        size_t n_dirs = take_count(&r, sizeof(uint32_t));
        _free_ AshSlice *names = ash_calloc(n_dirs + 1, sizeof *names);
        _free_ bool *may = ash_calloc(n_dirs + 1, sizeof *may);
        bool any = false;
        for (size_t i = 0; i < n_dirs; i++) {
                names[i] = take_text(&r);
                any |= may[i] = !wanted || is_wanted_dir(dirs, names[i]);
        }
        p->n_files = 0;
        p->files = NULL;
        if (!any)
                return;
        size_t n = take_count(&r, sizeof(uint64_t) + sizeof(uint32_t));
        p->files = ash_arena_new_items(b->arena, AshSlice, n);
        for (size_t i = 0; i < n; i++) {
                uint64_t dir = take_number(&r);
                AshSlice base = take_text(&r);
                if (r.bad || dir >= n_dirs)
                        return;
                if (!may[dir])
                        continue;
                ash_str_clear(&path);
                ash_str_append(&path, names[dir]);
                if (!ash_slice_ends(names[dir], ASH_S("/")))
                        ash_str_append_char(&path, '/');
                ash_str_append(&path, base);
                if (!wanted || ash_path_may_be_required(ash_str_slice(&path)) || ash_map_find(wanted, ash_str_slice(&path)))
                        p->files[p->n_files++] = ash_arena_slice(b->arena, ash_str_slice(&path));
        }
}

void ash_flow_built_files(AshFlowBuilt *b, const AshMap *wanted) {
        _map_ AshMap dirs = {};
        if (!b->packages || b->has_files)
                return;
        if (wanted)
                ash_map_foreach(wanted, e)
                        ash_map_put(&dirs, ash_path_dir(e->key), NULL, NULL);
        for (size_t i = 0; i < b->items.n; i++)
                expand_files(b, i, wanted, &dirs);
        b->has_files = !wanted;
}

/* ---- what is kept ---- */
typedef struct Load {
        AshFlowBuilt *b;
        AshStore *store;
        AshDiags *diags;
        AshMap known;                /* SHA-256 in hex -> AshSlice */
        AshStr *fresh;               /* of each item: what was read now */
} Load;

static AshId cache_key(const AshFlowBuilt *b) {
        _str_ AshStr text = {};
        ash_str_appendf(&text, "packages of %s", b->place);
        return ash_id_of(ash_str_slice(&text));
}

static void read_kept(Load *l) {
        AshId key = cache_key(l->b);
        AshSlice head = ASH_S(HEAD);
        if (ash_store_cache_get(l->store, CACHE, &key, &l->b->kept) < 0)
                return;
        Reader r = { ash_bytes_slice(&l->b->kept), false };
        if (!ash_slice_starts(r.rest, head))
                return;
        r.rest = ash_slice_from(r.rest, head.len);
        ash_map_reserve(&l->known, l->b->items.n);
        while (r.rest.len) {
                AshSlice hex = take_text(&r), *text = ash_arena_new_item(l->b->arena, AshSlice);
                *text = take_text(&r);
                if (r.bad)
                        return;
                ash_map_put(&l->known, hex, text, NULL);
        }
}

static void write_kept(Load *l, size_t missing) {
        const AshFlowBuilt *b = l->b;
        _str_ AshStr out = {};
        if (missing <= SOME + b->items.n / 16)
                return;
        ash_str_append_str(&out, HEAD);
        for (size_t i = 0; i < b->items.n; i++) {
                const AshSlice *known = ash_map_get(&l->known, b->items.items[i].built->sha256);
                put_text(&out, b->items.items[i].built->sha256);
                put_text(&out, known ? *known : ash_str_slice(&l->fresh[i]));
        }
        AshId key = cache_key(b);
        ash_store_cache_put(l->store, CACHE, &key, ash_str_slice(&out)); /* only a cache: a failure costs time */
}

/* Of a package that is not among what is kept: from the RPM, by its digest. */
static int read_one(void *context, size_t i) {
        Load *l = context;
        const AshFlowBuiltPackage *item = &l->b->items.items[i];
        AshId id;
        ash_id_parse(item->built->sha256, &id);
        if (ash_map_find(&l->known, item->built->sha256))
                return ash_store_has_blob(l->store, &id) ? 0 : ash_flow_built_gone(item->component->name, item->built->nevra, l->diags);
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
        _bytes_ AshBytes blob = {};
        AshPackage p;
        int r = ash_store_map_blob(l->store, &id, true, &blob, l->diags);
        if (r == -ENOENT)
                return ash_flow_built_gone(item->component->name, item->built->nevra, l->diags);
        if (r >= 0)
                r = ash_rpm_parse(ash_bytes_slice(&blob), ash_arena_strndup(arena, item->built->nevra.ptr, item->built->nevra.len), &rpm, l->diags);
        if (r >= 0)
                r = ash_flow_package_of_rpm(rpm, arena, &p, l->diags);
        if (r >= 0)
                put_package(&l->fresh[i], &p);
        return r;
}

/* ---- the packages ---- */
static const AshSlice *met_by(const AshBuiltPackage *built, AshSlice dep) {
        for (size_t i = 0; i < built->n_needs; i++)
                for (size_t k = 0; k < built->needs[i].n_deps; k++)
                        if (ash_slice_eq(built->needs[i].deps[k], dep))
                                return &built->needs[i].package;
        return NULL;
}

/* A solver may choose from what archives list, where nothing says who has a library: it asks for the packages that had it when this one was built. What the package itself says stays as it is. */
static void name_needs(const AshBuiltPackage *built, AshDeps *requires) {
        size_t n = 0;
        for (size_t i = 0; i < requires->n; i++) {
                const AshSlice *package = met_by(built, requires->items[i].name);
                if (!package)
                        requires->items[n++] = requires->items[i];
        }
        for (size_t i = 0; i < built->n_needs && n < requires->n; i++)
                requires->items[n++] = (AshDep){ .name = built->needs[i].package };
        requires->n = n;
}

static int take_one(Load *l, size_t i, AshPackage *p) {
        AshFlowBuilt *b = l->b;
        const AshFlowBuiltPackage *item = &b->items.items[i];
        const AshSlice *known = ash_map_get(&l->known, item->built->sha256);
        AshSlice bytes = known ? *known : ash_arena_slice(b->arena, ash_str_slice(&l->fresh[i]));
        if (!take_package(bytes, b->arena, p, &b->files[i]))
                return ash_fail(l->diags, -EIO, ASH_NOWHERE, "what is kept of %.*s is damaged", ASH_F(item->built->nevra));
        name_needs(item->built, &p->deps[ASH_DEP_REQUIRES]);
        p->size = item->built->size;
        p->sha256 = item->built->sha256;
        p->location = ash_slice_str(ash_arena_printf(b->arena, "%.*s/%.*s/%.*s", ASH_F(item->component->name), ASH_F(item->component->arch), ASH_F(item->built->nevra)));
        return 0;
}

static void load_done(Load *l) {
        for (size_t i = 0; i < l->b->items.n; i++)
                ash_str_done(&l->fresh[i]);
        free(l->fresh);
        ash_map_done(&l->known);
}

int ash_flow_built_load(AshFlowBuilt *b, AshStore *store, AshDiags *diags) {
        if (b->packages)
                return 0;
        Load l __attribute__((__cleanup__(load_done))) = { .b = b, .store = store, .diags = diags, .fresh = ash_calloc(b->items.n + 1, sizeof *l.fresh) };
        AshPackage *packages = ash_arena_new_items(b->arena, AshPackage, b->items.n + 1);
        size_t missing = 0;
        b->packages = packages;
        b->files = ash_arena_new_items(b->arena, AshSlice, b->items.n + 1);
        read_kept(&l);
        int r = ash_parallel_for(b->items.n, ash_cpu_count(), true, read_one, &l);
        for (size_t i = 0; r >= 0 && i < b->items.n; i++) {
                missing += l.fresh[i].len > 0;
                r = take_one(&l, i, &packages[i]);
        }
        if (r >= 0)
                write_kept(&l, missing);
        return r;
}

/* ---- for a solver ---- */
static bool adds_paths(AshFlowBuilt *b, const AshMap *paths) {
        bool any = false;
        if (paths)
                ash_map_foreach(paths, e)
                        if (!ash_map_find(&b->paths, e->key)) {
                                ash_map_put(&b->paths, ash_arena_slice(b->arena, e->key), NULL, NULL);
                                any = true;
                        }
        return any;
}

int ash_flow_built_own(AshFlowBuilt *b, AshStore *store, const AshMap *paths, const AshOwn **ret, AshDiags *diags) {
        static const AshDepKind kinds[] = { ASH_DEP_REQUIRES, ASH_DEP_RECOMMENDS, ASH_DEP_SUGGESTS };
        int r = ash_flow_built_load(b, store, diags);
        if (r < 0)
                return r;
        if (adds_paths(b, paths) || !b->owns.n) {
                for (size_t i = 0; !b->owns.n && i < b->items.n; i++)
                        for (size_t k = 0; k < ASH_N(kinds); k++)
                                ash_deps_paths(&b->packages[i].deps[kinds[k]], &b->paths);
                ash_flow_built_files(b, &b->paths);
                ash_array_push(&b->owns, ash_own_new(b->packages, b->items.n));
        }
        *ret = *ash_array_last(&b->owns);
        return 0;
}
