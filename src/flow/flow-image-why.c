#include "flow-image.h"

/* What provides a name: the packages of a set, by their provides and files. */
typedef struct Needs {
        AshRpmDep *items;
        size_t n;
} Needs;
typedef struct Whys {
        AshFlow *flow;
        AshArena *arena;
        AshFlowWhy *items;
        Needs *needs;
        AshBytes *blobs;
        size_t n;
        AshMap providers;            /* name -> index + 1 of the first that provides it */
} Whys;

static void add_provider(Whys *w, AshSlice name, size_t i) {
        bool fresh;
        AshMapEntry *e = ash_map_ensure(&w->providers, name, &fresh);
        if (fresh)
                e->value = (void *) (uintptr_t) (i + 1);
}

static int read_one(Whys *w, size_t i, const AshId *id) {
        _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
        AshRpmFiles files = {};
        AshRpmDep *provides;
        size_t n;
        uint64_t size = 0;
        int r = ash_store_map_blob(w->flow->store, id, false, &w->blobs[i], w->flow->diags);
        if (r < 0)
                return 0; /* not at hand: the plan says so */
        _free_ char *name = ash_slice_dup(w->items[i].nevra);
        r = ash_rpm_parse(ash_bytes_slice(&w->blobs[i]), name, &rpm, w->flow->diags);
        if (r >= 0)
                r = ash_rpm_deps(rpm, ASH_RPM_PROVIDES, w->arena, &provides, &n, w->flow->diags);
        for (size_t k = 0; r >= 0 && k < n; k++)
                add_provider(w, provides[k].name, i);
        if (r >= 0)
                r = ash_rpm_deps(rpm, ASH_RPM_REQUIRES, w->arena, &w->needs[i].items, &w->needs[i].n, w->flow->diags);
        if (r >= 0)
                r = ash_rpm_files(rpm, w->arena, &files, w->flow->diags);
        for (size_t k = 0; r >= 0 && k < files.n; k++) {
                _free_ char *path = ash_asprintf("%.*s%.*s", ASH_F(files.items[k].dir), ASH_F(files.items[k].base));
                add_provider(w, ash_arena_slice(w->arena, ash_slice_str(path)), i);
                size += S_ISREG(files.items[k].mode) && files.items[k].nlink_group == k && !(files.items[k].flags & ASH_RPMFILE_GHOST) ? files.items[k].size : 0;
        }
        w->items[i].installed = size;
        w->items[i].at_hand = r >= 0;
        return r;
}

/* The next name of a rich dependency that is asked for: "(a >= 1 or (b with c)) if d" has a, b and c. Conditions (behind "if" and "unless", up to "else" or the end of the parentheses) and what is excluded
 * (behind "without") ask for nothing. */
static bool next_rich_name(AshSlice *rest, AshSlice *ret) {
        static const char *const operators[] = { "and", "or", "with", "else" }, *const off[] = { "if", "unless", "without" };
        int skip = 0, depth = 0;       /* skip: since which depth, plus one, nothing counts */
        bool version = false;
        while (rest->len) {
                char c = rest->ptr[0];
                size_t n = 0;
                if (strchr(" \t(,", c) || c == ')') {
                        depth += c == '(' ? 1 : c == ')' ? -1 : 0;
                        skip = c == ')' && skip > depth + 1 ? 0 : skip;
                        *rest = ash_slice_from(*rest, 1);
                        continue;
                }
                for (int inner = 0; n < rest->len && !strchr(" \t", rest->ptr[n]) && (rest->ptr[n] != ')' || inner); n++) /* "libc.so.6()(64bit)" is one name */
                        inner += rest->ptr[n] == '(' ? 1 : rest->ptr[n] == ')' ? -1 : 0;
                AshSlice word = ash_slice(rest->ptr, n);
                bool operator = false;
                *rest = ash_slice_from(*rest, n);
                for (size_t i = 0; i < ASH_N(operators); i++)
                        operator |= ash_slice_eqs(word, operators[i]);
                skip = ash_slice_eqs(word, "else") && skip == depth + 1 ? 0 : skip;
                for (size_t i = 0; i < ASH_N(off); i++)
                        if (ash_slice_eqs(word, off[i])) {
                                operator = true;
                                skip = skip ? skip : depth + 1;
                        }
                bool was_version = version;
                version = strchr("<=>", c) != NULL;
                if (!operator && !version && !was_version && !skip) {
                        *ret = word;
                        return true;
                }
        }
        return false;
}

static void reach(Whys *w, uint32_t from, AshSlice name, AshSlice dep, bool *seen, uint32_t *queue, size_t *tail) {
        size_t found = (size_t) (uintptr_t) ash_map_get(&w->providers, name);
        if (!found || seen[found - 1])
                return;
        seen[found - 1] = true;
        w->items[found - 1].because = from;
        w->items[found - 1].dep = ash_arena_slice(w->arena, dep);
        queue[(*tail)++] = (uint32_t) found - 1;
}

/* Breadth first from what was asked for, so that a chain is as short as can be. */
static void spread(Whys *w) {
        _free_ uint32_t *queue = ash_calloc(w->n + 1, sizeof *queue);
        _free_ bool *seen = ash_calloc(w->n + 1, sizeof *seen);
        size_t tail = 0;
        for (size_t i = 0; i < w->n; i++)
                if (w->items[i].user) {
                        queue[tail++] = (uint32_t) i;
                        seen[i] = true;
                }
        for (size_t head = 0; head < tail; head++) {
                const Needs *needs = &w->needs[queue[head]];
                for (size_t k = 0; k < needs->n; k++) {
                        AshSlice dep = needs->items[k].name, rest = dep, name;
                        if (!ash_slice_starts(dep, ASH_S("(")))
                                reach(w, queue[head], dep, dep, seen, queue, &tail);
                        else
                                while (next_rich_name(&rest, &name))
                                        reach(w, queue[head], name, dep, seen, queue, &tail);
                }
        }
}

int ash_flow_why(AshFlow *flow, const AshLock *lock, const AshLockSet *set, AshArena *arena, AshFlowWhy **ret) {
        size_t n = set->n_packages;
        _free_ AshBytes *blobs = ash_calloc(n + 1, sizeof *blobs);
        Whys w = { .flow = flow, .arena = arena, .n = n, .blobs = blobs, .items = ash_arena_new_items(arena, AshFlowWhy, n + 1), .needs = ash_arena_new_items(arena, Needs, n + 1) };
        int r = 0;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                AshFlowWhy *why = &w.items[i];
                AshPackage nevra = {};
                AshId id;
                const AshLockPackage *locked = ash_lock_package(lock, set->packages[i]);
                *why = (AshFlowWhy){ .nevra = set->packages[i], .because = UINT32_MAX, .size = locked ? locked->size : 0 };
                ash_nevra_parse(why->nevra, &nevra);
                why->name = nevra.name;
                for (size_t k = 0; k < set->n_user; k++)
                        why->user |= ash_slice_eq(set->user[k], nevra.name);
                if (locked && ash_id_parse(locked->sha256, &id) >= 0) {
                        r = read_one(&w, i, &id);
                        why->expanded = ash_store_has_pack(flow->store, &id);
                }
        }
        if (r >= 0) {
                spread(&w);
                *ret = w.items;
        }
        ash_map_done(&w.providers);
        for (size_t i = 0; i < n; i++)
                ash_bytes_done(&blobs[i]);
        return r;
}
