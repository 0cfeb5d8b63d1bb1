#include <solv/chksum.h>
#include <solv/evr.h>
#include <solv/dataiterator.h>
#include "solve-internal.h"

void ash_pkgids_done(AshPkgIds *ids) { ash_array_done(&ids->ids); }

AshSlice ash_universe_origin(AshUniverse *u, uint32_t id) { return ash_slice_str(pool_id2solvable(u->pool, (Id) id)->repo->name); }

static AshSlice text(Solvable *s, Id key, AshArena *arena) {
        const char *t = solvable_lookup_str(s, key);
        return t ? ash_arena_slice(arena, ash_slice_str(t)) : ASH_NOSLICE;
}

static void split_evr(AshSlice evr, AshPackage *p) {
        ptrdiff_t colon = ash_slice_find_char(evr, ':'), dash;
        uint64_t epoch;
        if (colon > 0 && ash_slice_to_u64(ash_slice(evr.ptr, (size_t) colon), 10, &epoch) == 0) {
                p->epoch = (uint32_t) epoch;
                evr = ash_slice_from(evr, (size_t) colon + 1);
        }
        dash = ash_slice_rfind_char(evr, '-');
        p->version = dash < 0 ? evr : ash_slice(evr.ptr, (size_t) dash);
        p->release = dash < 0 ? ASH_NOSLICE : ash_slice_from(evr, (size_t) dash + 1);
}

static void package_deps(AshUniverse *u, Solvable *s, AshDepKind kind, Id key, AshPackage *p, AshArena *arena) {
        Queue q;
        queue_init(&q);
        /* Marker 0: the array as it stands, markers among the ids. Files that libsolv added behind its file marker are no provides of the package. */
        solvable_lookup_deparray(s, key, &q, 0);
        AshDeps *deps = &p->deps[kind];
        deps->items = ash_arena_new_items(arena, AshDep, (size_t) q.count);
        uint32_t pre = 0;
        for (int i = 0; i < q.count; i++) {
                Id id = q.elements[i];
                if (id == SOLVABLE_PREREQMARKER) {
                        pre = ASH_DEP_PRE;
                        continue;
                }
                if (id == SOLVABLE_FILEMARKER)
                        break;
                AshDep *d = &deps->items[deps->n++];
                AshSlice t = ash_arena_slice(arena, ash_slice_str(pool_dep2str(u->pool, id)));
                if (ash_dep_parse(t, d) < 0)
                        *d = (AshDep){ .name = t };
                d->flags |= pre;
        }
        queue_free(&q);
}

static const Id dep_keys[ASH_DEP_MAX_] = {
        [ASH_DEP_PROVIDES] = SOLVABLE_PROVIDES, [ASH_DEP_REQUIRES] = SOLVABLE_REQUIRES, [ASH_DEP_CONFLICTS] = SOLVABLE_CONFLICTS,
        [ASH_DEP_OBSOLETES] = SOLVABLE_OBSOLETES, [ASH_DEP_RECOMMENDS] = SOLVABLE_RECOMMENDS, [ASH_DEP_SUGGESTS] = SOLVABLE_SUGGESTS,
        [ASH_DEP_SUPPLEMENTS] = SOLVABLE_SUPPLEMENTS, [ASH_DEP_ENHANCES] = SOLVABLE_ENHANCES,
};

AshSlice ash_universe_location(Solvable *s, AshArena *arena) {
        const char *dir, *file = solvable_lookup_str(s, SOLVABLE_MEDIAFILE);
        unsigned media;
        if (file && !solvable_lookup_str(s, SOLVABLE_MEDIADIR) && !solvable_lookup_void(s, SOLVABLE_MEDIADIR))
                return ash_arena_slice(arena, ash_slice_str(file)); /* one of ours: kept as it was given */
        dir = solvable_lookup_location(s, &media);
        return dir ? ash_arena_slice(arena, ash_slice_str(dir)) : ASH_NOSLICE;
}

const AshPackage *ash_universe_package(AshUniverse *u, uint32_t id, AshArena *arena) {
        Pool *pool = u->pool;
        Solvable *s = pool_id2solvable(pool, (Id) id);
        AshPackage *p = ash_arena_new_item(arena, AshPackage);
        p->name = ash_arena_slice(arena, ash_universe_str(u, s->name));
        p->arch = ash_arena_slice(arena, ash_universe_str(u, s->arch));
        split_evr(ash_arena_slice(arena, ash_universe_str(u, s->evr)), p);
        p->vendor = s->vendor ? ash_arena_slice(arena, ash_universe_str(u, s->vendor)) : ASH_NOSLICE;
        for (int kind = 0; kind < ASH_DEP_MAX_; kind++)
                package_deps(u, s, kind, dep_keys[kind], p, arena);
        if (u->index && id < u->n_rows) {
                ash_index_package(u, (Id) id, p, arena);
                return p;
        }
        p->summary = text(s, SOLVABLE_SUMMARY, arena);
        p->url = text(s, SOLVABLE_URL, arena);
        p->license = text(s, SOLVABLE_LICENSE, arena);
        p->source_rpm = text(s, SOLVABLE_SOURCENAME, arena);
        if (!p->source_rpm.len || solvable_lookup_str(s, SOLVABLE_SOURCEARCH)) {
                const char *src = solvable_lookup_sourcepkg(s);
                p->source_rpm = src ? ash_arena_slice(arena, ash_slice_str(src)) : p->source_rpm;
        }
        p->location = ash_universe_location(s, arena);
        p->size = solvable_lookup_num(s, SOLVABLE_DOWNLOADSIZE, 0);
        p->installed_size = solvable_lookup_num(s, SOLVABLE_INSTALLSIZE, 0);
        p->build_time = solvable_lookup_num(s, SOLVABLE_BUILDTIME, 0);
        Id type = 0;
        const char *sum = solvable_lookup_checksum(s, SOLVABLE_CHECKSUM, &type);
        if (sum && type == REPOKEY_TYPE_SHA256)
                p->sha256 = ash_arena_slice(arena, ash_slice_str(sum));
        return p;
}

static int by_name_evr(const void *a, const void *b, void *data) {
        Pool *pool = data;
        Id x = (Id) *(const uint32_t *) a, y = (Id) *(const uint32_t *) b;
        Solvable *s = pool_id2solvable(pool, x), *t = pool_id2solvable(pool, y);
        int c = s->name == t->name ? 0 : strcmp(pool_id2str(pool, s->name), pool_id2str(pool, t->name));
        c = c ? c : pool_evrcmp(pool, s->evr, t->evr, EVRCMP_COMPARE);
        c = c ? c : strcmp(pool_id2str(pool, s->arch), pool_id2str(pool, t->arch));
        return c ? c : x - y;
}

static void sort_ids(AshUniverse *u, AshPkgIds *ids) {
        if (ids->ids.n)
                qsort_r(ids->ids.items, ids->ids.n, sizeof *ids->ids.items, by_name_evr, u->pool);
}

int ash_universe_what_provides(AshUniverse *u, AshSlice dep, AshPkgIds *ret) {
        Pool *pool = u->pool;
        AshDep d;
        int r = ash_dep_parse(dep, &d);
        if (r < 0)
                return r;
        ash_universe_prepare(u);
        Id id = ash_universe_dep_id(u, &d), p, pp;
        if (d.name.len && d.name.ptr[0] == '/' && !d.flags) {
                /* A path that no package requires is not in the index: look through the file lists. */
                _free_ char *path = ash_slice_dup(d.name);
                Dataiterator di;
                dataiterator_init(&di, pool, 0, 0, SOLVABLE_FILELIST, path, SEARCH_STRING | SEARCH_FILES | SEARCH_COMPLETE_FILELIST);
                while (dataiterator_step(&di))
                        ash_array_push(&ret->ids, (uint32_t) di.solvid);
                dataiterator_free(&di);
        }
        FOR_PROVIDES(p, pp, id) {
                bool known = false;
                ash_array_foreach(&ret->ids, have)
                        known |= *have == (uint32_t) p;
                if (!known)
                        ash_array_push(&ret->ids, (uint32_t) p);
        }
        sort_ids(u, ret);
        return 0;
}

int ash_universe_what_requires(AshUniverse *u, AshSlice dep, AshPkgIds *ret) {
        AshDep d;
        int r = ash_dep_parse(dep, &d);
        if (r < 0)
                return r;
        ash_universe_prepare(u);
        Queue q;
        queue_init(&q);
        pool_whatmatchesdep(u->pool, SOLVABLE_REQUIRES, ash_universe_dep_id(u, &d), &q, 0);
        for (int i = 0; i < q.count; i++)
                ash_array_push(&ret->ids, (uint32_t) q.elements[i]);
        queue_free(&q);
        sort_ids(u, ret);
        return 0;
}

int ash_universe_by_name(AshUniverse *u, AshSlice glob, AshPkgIds *ret) {
        Pool *pool = u->pool;
        Id p;
        FOR_POOL_SOLVABLES(p)
                if (ash_glob_match(glob, ash_universe_str(u, pool_id2solvable(pool, p)->name)))
                        ash_array_push(&ret->ids, (uint32_t) p);
        sort_ids(u, ret);
        return 0;
}

size_t ash_universe_files(AshUniverse *u, uint32_t id, AshArena *arena, AshSlice **ret) {
        ASH_ARRAY(AshSlice) files = {};
        Dataiterator di;
        dataiterator_init(&di, u->pool, 0, (Id) id, SOLVABLE_FILELIST, NULL, SEARCH_FILES | SEARCH_COMPLETE_FILELIST);
        while (dataiterator_step(&di))
                ash_array_push(&files, ash_arena_slice(arena, ash_slice_str(repodata_stringify(u->pool, di.data, di.key, &di.kv, SEARCH_FILES))));
        dataiterator_free(&di);
        size_t n = files.n;
        *ret = ash_arena_new_items(arena, AshSlice, n);
        if (n)
                memcpy(*ret, files.items, n * sizeof **ret);
        ash_array_done(&files);
        return n;
}

/* Can it be met at all? What stands under a condition is met by leaving the condition away, unless it says what holds then. */
bool ash_universe_can_be_met(Pool *pool, Id dep) {
        if (!ISRELDEP(dep))
                return *pool_whatprovides_ptr(pool, dep) != 0;
        const Reldep *rel = GETRELDEP(pool, dep);
        switch (rel->flags) {
        case REL_AND: return ash_universe_can_be_met(pool, rel->name) && ash_universe_can_be_met(pool, rel->evr);
        case REL_OR: return ash_universe_can_be_met(pool, rel->name) || ash_universe_can_be_met(pool, rel->evr);
        case REL_COND: case REL_UNLESS:
                if (ash_universe_can_be_met(pool, rel->name) || !ISRELDEP(rel->evr) || GETRELDEP(pool, rel->evr)->flags != REL_ELSE)
                        return true;
                return ash_universe_can_be_met(pool, GETRELDEP(pool, rel->evr)->evr);
        default: return *pool_whatprovides_ptr(pool, dep) != 0;
        }
}

size_t ash_universe_closure(AshUniverse *u, AshMissing callback, void *context) {
        Pool *pool = u->pool;
        size_t missing = 0;
        Id p;
        ash_universe_prepare(u);
        FOR_POOL_SOLVABLES(p) {
                Solvable *s = pool_id2solvable(pool, p);
                if (!s->requires)
                        continue;
                for (Id *dep = s->repo->idarraydata + s->requires; *dep; dep++) {
                        if (*dep == SOLVABLE_PREREQMARKER || strncmp(pool_dep2str(pool, *dep), "rpmlib(", 7) == 0)
                                continue;
                        if (ash_universe_can_be_met(pool, *dep))
                                continue;
                        missing++;
                        callback(context, (uint32_t) p, ash_slice_str(pool_dep2str(pool, *dep)));
                }
        }
        return missing;
}
