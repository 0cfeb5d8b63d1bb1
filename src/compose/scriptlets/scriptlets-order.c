/* When each hook runs: what rpm 4.18 does in one transaction that installs all packages, observed from it (tests/cli/test_scriptlets.py compares). rpm.org: "Scriptlets", "Trigger scriptlets",
 * "File triggers". */
#include <stdio.h>
#include "rpm-run.h"
#include "rpm-write.h"
#include "scriptlets-private.h"

enum { PRIORITY_BOUND = 10000 /* file triggers from here on run before %post, the others behind %triggerin */ };

typedef struct Files {
        AshSlice *paths;             /* in the order of the header */
        bool *ghosts;
        AshSlice *dirs;              /* each with its slash at the end */
        bool *shared;                /* another package of the transaction makes it: no news for file triggers of its installation; NULL: not looked at */
        uint32_t n, n_dirs;
        bool read;
} Files;
typedef struct Package {
        AshSlice name, evr;
        Files files;
} Package;
typedef struct Orderer {
        const AshHookPackage *in;
        const AshHooks *hooks;
        size_t n;
        AshArena *arena;
        Package *packages;
        AshHookOrder *out;
        AshDiags *diags;
} Orderer;

/* ---- what headers say ---- */
static int read_package(Orderer *o, size_t i) {
        AshRpmHeader h = {};
        uint64_t epoch = 0;
        int r = ash_rpm_header_parse(o->in[i].header, 0, "header", 0, &h, o->diags);
        if (r < 0)
                return r;
        (void) ash_rpm_number(&h, ASH_RPMTAG_EPOCH, &epoch);
        AshSlice version = ash_rpm_string(&h, ASH_RPMTAG_VERSION), release = ash_rpm_string(&h, ASH_RPMTAG_RELEASE);
        o->packages[i].name = ash_rpm_string(&h, ASH_RPMTAG_NAME);
        o->packages[i].evr = ash_slice_str(ash_arena_printf(o->arena, "%llu:%.*s-%.*s", (unsigned long long) epoch, ASH_F(version), ASH_F(release)));
        ash_rpm_header_done(&h);
        return 0;
}

static const Files *files_of(Orderer *o, size_t i) {
        Files *f = &o->packages[i].files;
        AshRpmHeader h = {};
        uint32_t n = 0;
        if (f->read || ash_rpm_header_parse(o->in[i].header, 0, "header", 0, &h, NULL) < 0)
                return f;
        AshSlice *names = ash_rpm_strings(&h, ASH_RPMTAG_BASENAMES, o->arena, &n);
        f->dirs = ash_rpm_strings(&h, ASH_RPMTAG_DIRNAMES, o->arena, &f->n_dirs);
        const AshRpmTag *indices = ash_rpm_tag(&h, ASH_RPMTAG_DIRINDEXES), *flags = ash_rpm_tag(&h, ASH_RPMTAG_FILEFLAGS);
        f->ghosts = ash_arena_new_items(o->arena, bool, n + 1);
        f->paths = ash_arena_new_items(o->arena, AshSlice, n + 1);
        for (uint32_t k = 0; k < n; k++) {
                uint64_t dir = ash_rpm_number_at(&h, indices, k);
                if (dir >= f->n_dirs || (o->in[i].left_out && o->in[i].left_out[k]))
                        continue;
                f->ghosts[f->n] = ash_rpm_number_at(&h, flags, k) & ASH_RPMFILE_GHOST;
                f->paths[f->n++] = ash_slice_str(ash_arena_printf(o->arena, "%.*s%.*s", ASH_F(f->dirs[dir]), ASH_F(names[k])));
        }
        f->read = true;
        ash_rpm_header_done(&h);
        return f;
}

/* ---- runs ---- */
static void add_run(Orderer *o, const AshHook *h, uint32_t time, unsigned n_args, int a, int b, AshSlice input) {
        ash_array_push(&o->out->runs, ((AshHookRun){ .hook = h, .time = time, .args = { a, b }, .n_args = n_args, .input = input }));
}

static void add_plain(Orderer *o, AshHookKind kind, size_t package, uint32_t time) {
        for (size_t i = 0; i < o->hooks->n; i++) {
                const AshHook *h = &o->hooks->items[i];
                if (h->kind == kind && h->package == package)
                        add_run(o, h, time, 1, 1, 0, ASH_NOSLICE);
        }
}

/* ---- triggers ---- */
static bool meets(const Package *p, const AshRpmDep *d) {
        AshRpmEvr mine, theirs = {};
        if (!ash_slice_eq(p->name, d->name))
                return false;
        uint32_t flags = d->flags & (ASH_RPMSENSE_LESS | ASH_RPMSENSE_GREATER | ASH_RPMSENSE_EQUAL);
        if (!flags || !d->evr.len)
                return true;
        return ash_rpm_evr_parse(p->evr, &mine) >= 0 && ash_rpm_evr_parse(d->evr, &theirs) >= 0 && ash_rpm_ranges_meet(ASH_RPMSENSE_EQUAL, &mine, flags, &theirs);
}

/* The hooks of one package and kind that have this target. */
static void fire(Orderer *o, AshHookKind kind, size_t owner, size_t target, uint32_t time, int own_count, int target_count, bool *ran) {
        for (size_t i = 0; i < o->hooks->n; i++) {
                const AshHook *h = &o->hooks->items[i];
                if (h->kind != kind || h->package != owner || (ran && ran[i]))
                        continue;
                for (uint32_t k = 0; k < h->n_targets; k++)
                        if (meets(&o->packages[target], &h->targets[k])) {
                                add_run(o, h, time, 2, own_count, target_count, ASH_NOSLICE);
                                if (ran)
                                        ran[i] = true;
                                break;
                        }
        }
}

/* Of what is installed already with the new package as target; then of the new package with what is there, in the order in which it names them, each once. */
static void add_triggers(Orderer *o, AshHookKind kind, uint32_t place) {
        const uint32_t *order = o->out->packages;
        uint32_t installed = kind == ASH_HOOK_TRIGGERPREIN ? place : place + 1, self = order[place];
        int there = kind == ASH_HOOK_TRIGGERPREIN ? 0 : 1;
        for (uint32_t i = 0; i < installed; i++)
                fire(o, kind, order[i], self, installed, 1, there, NULL);
        _free_ bool *ran = ash_calloc(o->hooks->n + 1, sizeof *ran);
        for (size_t i = 0; i < o->hooks->n; i++) {
                const AshHook *h = &o->hooks->items[i];
                if (h->kind != kind || h->package != self)
                        continue;
                for (uint32_t t = 0; t < h->n_targets && !ran[i]; t++)
                        for (uint32_t k = 0; k < installed && !ran[i]; k++)
                                if (meets(&o->packages[order[k]], &h->targets[t])) {
                                        add_run(o, h, installed, 2, there, 1, ASH_NOSLICE);
                                        ran[i] = true;
                                }
        }
}

/* ---- file triggers ---- */
/* Of packages with the same path (a directory, mostly) rpm makes it once and skips the next one, but makes it again for a third: it looks at the package before only (lib/transaction.c, handleOverlappedFiles).
 * What is skipped is not in the list of the file triggers that the installation of this package sets off. */
static void find_shared(Orderer *o) {
        _map_ AshMap made = {};
        static char yes, no;
        for (uint32_t place = 0; place < o->n; place++) {
                uint32_t p = o->out->packages[place];
                (void) files_of(o, p);
                Files *f = &o->packages[p].files;
                f->shared = ash_arena_new_items(o->arena, bool, f->n + 1);
                for (uint32_t i = 0; i < f->n; i++) {
                        bool fresh;
                        AshMapEntry *e = ash_map_ensure(&made, f->paths[i], &fresh);
                        f->shared[i] = !fresh && e->value == &yes;
                        e->value = f->shared[i] || f->ghosts[i] ? &no : &yes;
                }
        }
}

static void matching(Orderer *o, AshSlice prefix, size_t package, bool news, AshStr *out) {
        const Files *f = files_of(o, package);
        for (uint32_t i = 0; i < f->n; i++)
                if (ash_slice_starts(f->paths[i], prefix) && !(news && f->shared && f->shared[i]))
                        ash_str_appendf(out, "%.*s\n", ASH_F(f->paths[i]));
}

static bool has_dir(Orderer *o, AshSlice prefix, size_t package) {
        const Files *f = files_of(o, package);
        for (uint32_t i = 0; i < f->n_dirs; i++)
                if (ash_slice_starts(f->dirs[i], prefix))
                        return true;
        return false;
}

/* What is installed by then, prefix by prefix, package by package; packages are found by their directories. */
static void matching_all(Orderer *o, const AshHook *h, uint32_t installed, uint32_t except, AshStr *out) {
        for (uint32_t t = 0; t < h->n_targets; t++)
                for (uint32_t i = 0; i < installed; i++) {
                        uint32_t p = o->out->packages[i];
                        if (p != except && has_dir(o, h->targets[t].name, p))
                                matching(o, h->targets[t].name, p, false, out);
                }
}

typedef struct Fired {
        const AshHook *hook;
        uint32_t place;
} Fired;

static int cmp_fired(const void *a, const void *b) {
        const Fired *x = a, *y = b;
        if (x->hook->priority != y->hook->priority)
                return x->hook->priority > y->hook->priority ? -1 : 1;
        if (x->place != y->place)
                return x->place < y->place ? -1 : 1;
        return x->hook->index < y->hook->index ? -1 : x->hook->index > y->hook->index;
}

typedef ASH_ARRAY(Fired) FiredList;

static void gather(Orderer *o, AshHookKind kind, uint32_t first, uint32_t last, FiredList *list) {
        for (size_t i = 0; i < o->hooks->n; i++) {
                const AshHook *h = &o->hooks->items[i];
                uint32_t place = o->out->place[h->package];
                if (h->kind == kind && place >= first && place < last)
                        ash_array_push(list, ((Fired){ h, place }));
        }
        if (list->n)
                qsort(list->items, list->n, sizeof *list->items, cmp_fired);
}

static void run_with(Orderer *o, const AshHook *h, uint32_t time, const AshStr *input) {
        if (input->len)
                add_run(o, h, time, 1, 0, 0, ash_arena_slice(o->arena, ash_str_slice(input)));
}

/* upper: those before %post. First all installed packages' with the new package's files, then the new package's own with everybody else's files. */
static void add_file_triggers(Orderer *o, uint32_t place, bool upper) {
        FiredList all = {}, own = {};
        uint32_t self = o->out->packages[place];
        gather(o, ASH_HOOK_FILETRIGGERIN, 0, place + 1, &all);
        gather(o, ASH_HOOK_FILETRIGGERIN, place, place + 1, &own);
        ash_array_foreach(&all, f) {
                _str_ AshStr input = {};
                for (uint32_t t = 0; (f->hook->priority >= PRIORITY_BOUND) == upper && t < f->hook->n_targets; t++)
                        matching(o, f->hook->targets[t].name, self, true, &input);
                run_with(o, f->hook, place + 1, &input);
        }
        ash_array_foreach(&own, f) {
                _str_ AshStr input = {};
                if ((f->hook->priority >= PRIORITY_BOUND) == upper)
                        matching_all(o, f->hook, place, self, &input);
                run_with(o, f->hook, place + 1, &input);
        }
        ash_array_done(&all);
        ash_array_done(&own);
}

static void add_transaction_triggers(Orderer *o, uint32_t place) {
        FiredList own = {};
        gather(o, ASH_HOOK_TRANSFILETRIGGERIN, place, place + 1, &own);
        ash_array_foreach(&own, f) {
                _str_ AshStr input = {};
                matching_all(o, f->hook, (uint32_t) o->n, UINT32_MAX, &input);
                run_with(o, f->hook, (uint32_t) o->n, &input);
        }
        ash_array_done(&own);
}

/* ---- the whole ---- */
static int order_packages(Orderer *o) {
        _free_ AshSlice *headers = ash_calloc(o->n + 1, sizeof *headers);
        for (size_t i = 0; i < o->n; i++)
                headers[i] = o->in[i].header;
        o->out->packages = ash_arena_new_items(o->arena, uint32_t, o->n + 1);
        o->out->place = ash_arena_new_items(o->arena, uint32_t, o->n + 1);
        int r = ash_rpm_order(headers, o->n, o->out->packages, o->diags);
        for (size_t i = 0; r >= 0 && i < o->n; i++)
                o->out->place[o->out->packages[i]] = (uint32_t) i;
        return r;
}

static bool has_kind(const AshHooks *hooks, AshHookKind kind) {
        for (size_t i = 0; i < hooks->n; i++)
                if (hooks->items[i].kind == kind)
                        return true;
        return false;
}

int ash_hooks_order(const AshHookPackage *packages, size_t n, const AshHooks *hooks, AshArena *arena, AshHookOrder *ret, AshDiags *diags) {
        Orderer o = { .in = packages, .hooks = hooks, .n = n, .arena = arena, .packages = ash_arena_new_items(arena, Package, n + 1), .out = ret, .diags = diags };
        bool has[ASH_HOOK_KIND_MAX_];
        int r = order_packages(&o);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = read_package(&o, i);
        if (r < 0)
                return r;
        for (AshHookKind k = 0; k < ASH_HOOK_KIND_MAX_; k++)
                has[k] = has_kind(hooks, k);
        if (has[ASH_HOOK_FILETRIGGERIN])
                find_shared(&o);
        for (uint32_t p = 0; p < n; p++)
                add_plain(&o, ASH_HOOK_PRETRANS, ret->packages[p], 0);
        for (uint32_t p = 0; p < n; p++) {
                if (has[ASH_HOOK_TRIGGERPREIN])
                        add_triggers(&o, ASH_HOOK_TRIGGERPREIN, p);
                add_plain(&o, ASH_HOOK_PRE, ret->packages[p], p);
                if (has[ASH_HOOK_FILETRIGGERIN])
                        add_file_triggers(&o, p, true);
                add_plain(&o, ASH_HOOK_POST, ret->packages[p], p + 1);
                if (has[ASH_HOOK_TRIGGERIN])
                        add_triggers(&o, ASH_HOOK_TRIGGERIN, p);
                if (has[ASH_HOOK_FILETRIGGERIN])
                        add_file_triggers(&o, p, false);
        }
        for (uint32_t p = 0; p < n; p++)
                add_plain(&o, ASH_HOOK_POSTTRANS, ret->packages[p], (uint32_t) n);
        for (uint32_t p = 0; has[ASH_HOOK_TRANSFILETRIGGERIN] && p < n; p++)
                add_transaction_triggers(&o, p);
        return 0;
}

static bool is_trigger(AshHookKind kind) { return kind == ASH_HOOK_TRIGGERPREIN || kind == ASH_HOOK_TRIGGERIN || kind == ASH_HOOK_FILETRIGGERIN || kind == ASH_HOOK_TRANSFILETRIGGERIN; }

int ash_hooks_settle(const AshHookPackage *packages, size_t n, AshHooks *hooks, AshArena *arena, AshDiags *diags) {
        AshHookOrder order = {};
        _free_ bool *runs = ash_calloc(hooks->n + 1, sizeof *runs);
        int r = ash_hooks_order(packages, n, hooks, arena, &order, diags);
        ash_array_foreach(&order.runs, run)
                runs[run->hook - hooks->items] = true;
        ash_array_done(&order.runs);
        for (size_t i = 0; r >= 0 && i < hooks->n; i++) {
                AshHook *h = &hooks->items[i];
                if (runs[i] || !is_trigger(h->kind))
                        continue;
                hooks->count[h->way]--;
                hooks->count[ASH_WAY_NO_EFFECT]++;
                h->way = ASH_WAY_NO_EFFECT;
                h->handlers = NULL;
                h->reason = "nothing in the image sets it off";
                h->executes = false;
        }
        return r;
}
