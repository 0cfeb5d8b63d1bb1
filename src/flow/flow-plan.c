#include <limits.h>
#include <stdio.h>
#include <pthread.h>
#include <unistd.h>
#include "build.h"
#include "flow-blame.h"
#include "flow-build.h"
#include "flow-built.h"
#include "flow-late.h"
#include "flow-package.h"
#include "flow-plan.h"

#define CACHE_COST "build-cost-all"    /* "build-cost" had the memory of the largest process */
#define CACHE_HEAD "ashlar-specinfo 1\n"
#define USUAL_MS 60000               /* of a component that nobody has built here yet ... */
#define EXPENSIVE_MS 1800000         /* ... and that says that it takes long */

static const char *const states[ASH_PLAN_STATE_MAX_] = { "new", "changed", "built", "unknown" };
const char *ash_flow_plan_state_name(AshFlowPlanState state) { return states[state]; }

/* One component's spec. */
typedef struct Fact {
        const AshComponent *component;
        AshId digest;
        char fingerprint[ASH_FINGERPRINT_MAX];
        uint64_t bumps;
        AshSlice text;               /* in the cache, or in "own" */
        AshStr own;
        AshDiags *diags;             /* what was said of it */
        int result;
        bool fresh, missing;         /* missing: it has to be read */
        bool unasked;                /* its distribution could not be reached for others before */
} Fact;

/* The rpmspec of a stage's buildroot. */
typedef struct Reader {
        AshFlowRoot *buildroot;      /* NULL: it cannot be made: the one of "instead" reads */
        size_t instead;
        AshSpecInfoRoot *root;       /* once a spec has to be read */
} Reader;

/* A distribution whose dist-git could not be reached. */
typedef struct Lost {
        AshSlice name;
        unsigned in_a_row;           /* components that could not be had since the last one that could */
        size_t first, n;             /* of the facts: the first of them; how many in all */
} Lost;
#define LOST_ENOUGH 4                /* then no further one is asked for */

struct AshFlowPlanFacts {
        AshFlow *flow, flow_for_root;
        const AshFlowPlanOptions *options;
        AshFlowBuilder *builder;
        Reader *readers;             /* of each base: NULL: the plain reader for all */
        size_t n_readers;
        const AshFlowPlan *plan;
        bool reading;                /* the second round: what is not known is read */
        Fact *items;
        size_t n;
        AshBytes cache;
        AshMap known;                /* digest -> AshSlice */
        AshFlowBuilt *built;
        AshArena *arena;
        pthread_mutex_t mutex;       /* of what follows */
        ASH_ARRAY(Lost) lost;
};

static void facts_free(struct AshFlowPlanFacts *f) {
        if (!f)
                return;
        for (size_t i = 0; i < f->n; i++) {
                ash_str_done(&f->items[i].own);
                ash_diags_free(f->items[i].diags);
        }
        free(f->items);
        ash_array_done(&f->lost);
        pthread_mutex_destroy(&f->mutex);
        ash_map_done(&f->known);
        ash_bytes_done(&f->cache);
        for (size_t i = 0; f->readers && i < f->n_readers; i++) {
                ash_specinfo_root_free(f->readers[i].root);
                ash_flow_root_free(f->readers[i].buildroot);
        }
        free(f->readers);
        ash_flow_builder_free(f->builder);
        ash_flow_built_free(f->built);
        ash_arena_free(f->arena);
        free(f);
}

void ash_flow_plan_free(AshFlowPlan *p) {
        if (!p)
                return;
        ash_graph_free(p->graph);
        facts_free(p->facts);
        ash_arena_free(p->arena);
        free(p);
}

/* ---- what was read before: all specs of a project in one object ---- */
static AshId cache_key(const AshFlow *flow) {
        char real[PATH_MAX];
        _str_ AshStr text = {};
        ash_str_appendf(&text, "specs of %s", realpath(ash_config_dir(flow->config), real) ? real : ash_config_dir(flow->config));
        return ash_id_of(ash_str_slice(&text));
}

static void read_cache(struct AshFlowPlanFacts *f) {
        AshId key = cache_key(f->flow);
        if (ash_store_cache_get(f->flow->store, "specinfo", &key, &f->cache) < 0)
                return;
        AshSlice rest = ash_bytes_slice(&f->cache), head = ASH_S(CACHE_HEAD);
        if (!ash_slice_starts(rest, head))
                return;
        rest = ash_slice_from(rest, head.len);
        ash_map_reserve(&f->known, f->n);
        while (rest.len >= sizeof(AshId) + 8) {
                uint64_t n;
                memcpy(&n, rest.ptr + sizeof(AshId), 8);
                if (n > rest.len - sizeof(AshId) - 8)
                        return;
                AshSlice *text = ash_arena_new_item(f->arena, AshSlice);
                *text = ash_slice_sub(rest, sizeof(AshId) + 8, (size_t) n);
                ash_map_put(&f->known, ash_slice(rest.ptr, sizeof(AshId)), text, NULL);
                rest = ash_slice_from(rest, sizeof(AshId) + 8 + (size_t) n);
        }
}

static void add_to_cache(AshStr *out, AshSlice digest, AshSlice text) {
        uint64_t n = text.len;
        ash_str_append(out, digest);
        ash_str_append(out, ash_slice((const char *) &n, sizeof n));
        ash_str_append(out, text);
}

/* What other states of the project needed stays, as long as it is not more than what this one needs. */
static void write_cache(struct AshFlowPlanFacts *f) {
        _str_ AshStr out = {};
        size_t fresh = 0, old = 0;
        for (size_t i = 0; i < f->n; i++)
                fresh += f->items[i].fresh;
        if (!fresh)
                return;
        ash_str_append_str(&out, CACHE_HEAD);
        for (size_t i = 0; i < f->n; i++) {
                AshSlice digest = ash_slice((const char *) f->items[i].digest.sha256, sizeof(AshId));
                if (f->items[i].result < 0 && f->items[i].result != -ETIMEDOUT) /* which is known, too */
                        continue;
                add_to_cache(&out, digest, f->items[i].text);
                ash_map_remove(&f->known, digest);
        }
        ash_map_foreach(&f->known, e)
                if (old++ < f->n)
                        add_to_cache(&out, e->key, *(AshSlice *) e->value);
        AshId key = cache_key(f->flow);
        ash_store_cache_put(f->flow->store, "specinfo", &key, ash_str_slice(&out)); /* only a cache: a failure costs time */
}

/* ---- one spec ---- */
static uint32_t base_of(const AshFlowPlan *p, const AshComponent *component) {
        for (size_t i = 1; component->merged && ash_text_set(component->merged->build_stage) && i < p->input.n_bases; i++)
                if (ash_slice_eq(p->input.bases[i].stage, component->merged->build_stage.s))
                        return (uint32_t) i;
        return 0;
}

/* NULL: the plain one. */
static Reader *reader_of(const struct AshFlowPlanFacts *f, const AshComponent *component) {
        return f->readers ? &f->readers[f->readers[base_of(f->plan, component)].instead] : NULL;
}

static void digest_of(const AshSpecInfoInput *in, const Reader *reader, AshId *ret) {
        uint8_t digest[32];
        _str_ AshStr text = {};
        ash_specinfo_digest(in, digest);
        ash_str_appendf(&text, "%s\n", reader ? reader->buildroot->key : "plain");
        ash_str_append(&text, ash_slice((const char *) digest, sizeof digest));
        *ret = ash_id_of(ash_str_slice(&text));
}

static int parse(const Reader *reader, const AshSpecInfoInput *in, AshStr *out, AshDiags *diags) { return reader ? ash_specinfo_rpmspec(reader->root, in, out, diags) : ash_specinfo_plain(in, out, diags); }

typedef struct Parser {
        const Reader *reader;
        AshSpecInfoInput in;
} Parser;

static bool parses(void *context, AshSlice spec) {
        Parser *p = context;
        _str_ AshStr out = {};
        for (size_t i = 0; i < p->in.n_files; i++)
                if (!strcmp(p->in.files[i].name, p->in.spec))
                        ((AshSpecFileOf *) p->in.files)[i].data = spec;
        return parse(p->reader, &p->in, &out, NULL) >= 0;
}

/* What was said of the rendered spec, at the line that somebody wrote, and whose overlay it is. */
static void say_where(struct AshFlowPlanFacts *f, Fact *fact, const AshRendered *rendered, const AshSpecInfoInput *in) {
        _cleanup_(ash_diags_free_p) AshDiags *said = fact->diags;
        const AshDiag *d = ash_diags_n(said) ? ash_diags_at(said, ash_diags_n(said) - 1) : NULL;
        Parser p = { reader_of(f, fact->component), *in };
        fact->diags = ash_diags_new();
        if (!d)
                return;
        _cleanup_(ash_source_free_p) AshSource *spec = ash_source_new(in->label, ash_rendered_find(rendered, rendered->spec)->data);
        ash_flow_spec_error(f->flow, rendered, &f->options->render, spec, d->place.line, d->text, parses, &p, fact->diags);
}

static int read_spec(struct AshFlowPlanFacts *f, Fact *fact, const AshSpecInfoInput *in) {
        const Reader *reader = reader_of(f, fact->component);
        digest_of(in, reader, &fact->digest);
        const AshSlice *known = ash_map_get(&f->known, ash_slice((const char *) fact->digest.sha256, sizeof(AshId)));
        bool late = known && ash_flow_late_known(*known, in->timeout_ms);
        if (known && (late || !ash_flow_late_is(*known))) {
                fact->text = *known;
                return late ? ash_flow_late_fail(fact->diags, in->label, in->component, in->timeout_ms, true) : 0;
        }
        if (!f->reading) {
                fact->missing = true;
                return 0;
        }
        fact->fresh = true;
        int r = parse(reader, in, &fact->own, fact->diags);
        if (r == -ETIMEDOUT) {
                ash_str_clear(&fact->own);
                ash_flow_late_write(&fact->own, in->timeout_ms);
                ash_flow_late_fail(fact->diags, in->label, in->component, in->timeout_ms, false);
        }
        fact->text = ash_str_slice(&fact->own);
        return r;
}

/* ---- distributions that cannot be reached: said once, and not asked again for each of thousands ---- */
static Lost *lost_of(struct AshFlowPlanFacts *f, const Fact *fact, bool make) {
        AshSlice name = fact->component->merged ? fact->component->merged->spec.distro.name.s : ASH_NOSLICE;
        ash_array_foreach(&f->lost, l)
                if (ash_slice_eq(l->name, name))
                        return l;
        if (!make)
                return NULL;
        ash_array_push(&f->lost, ((Lost){ .name = name, .first = SIZE_MAX }));
        return &f->lost.items[f->lost.n - 1];
}

static bool is_lost(struct AshFlowPlanFacts *f, Fact *fact) {
        const AshComponent *component;
        if (ash_config_component(f->flow->config, fact->component->name.s, &component, NULL) < 0)
                return false;
        pthread_mutex_lock(&f->mutex);
        const Lost *l = lost_of(f, fact, false);
        fact->unasked = l && l->in_a_row >= LOST_ENOUGH;
        pthread_mutex_unlock(&f->mutex);
        return fact->unasked;
}

static void note_reached(struct AshFlowPlanFacts *f, const Fact *fact) {
        bool gone = fact->result == -ASH_ERR_AGAIN;
        pthread_mutex_lock(&f->mutex);
        Lost *l = lost_of(f, fact, gone);
        if (l)
                l->in_a_row = gone ? l->in_a_row + 1 : 0;
        pthread_mutex_unlock(&f->mutex);
}

static void note_others(struct AshFlowPlanFacts *f, const Lost *l) {
        enum { SOME = 8 };
        _str_ AshStr names = {};
        size_t n = 0;
        for (size_t i = 0; i < f->n; i++)
                if (i != l->first && f->items[i].result == -ASH_ERR_AGAIN && lost_of(f, &f->items[i], false) == l && n++ < SOME)
                        ash_str_appendf(&names, "%s%.*s", names.len ? ", " : "", ASH_F(f->items[i].component->name.s));
        if (n > SOME)
                ash_str_appendf(&names, " and %zu more", n - SOME);
        if (n)
                ash_note(f->flow->diags, ASH_NOWHERE, "%zu other component%s%s%.*s%s %s left out, too: %s", n, n == 1 ? "" : "s", l->name.len ? " of '" : "", ASH_F(l->name), l->name.len ? "'" : "", n == 1 ? "is" : "are", names.ptr);
        ash_hint(f->flow->diags, "the same command goes on when it can be reached; --specs names a directory of specs instead");
}

/* In the order of names, whoever was read first. */
static void report(struct AshFlowPlanFacts *f) {
        for (size_t i = 0; i < f->n; i++) {
                Fact *fact = &f->items[i];
                Lost *l = fact->result == -ASH_ERR_AGAIN ? lost_of(f, fact, true) : NULL;
                if (fact->result >= 0 || !fact->diags || !ash_diags_n(fact->diags) || (l && l->first != SIZE_MAX))
                        continue;
                ash_diags_merge(f->flow->diags, fact->diags);
                if (l) {
                        l->first = i;
                        note_others(f, l);
                }
        }
}

static int read_rendered(struct AshFlowPlanFacts *f, Fact *fact, const AshRendered *rendered) {
        AshSlice name = fact->component->name.s;
        AshSpecInfoInput in = { .spec = rendered->spec, .component = name, .arch = f->options->arch, .n_files = rendered->files.n };
        _free_ AshSpecFileOf *files = ash_calloc(in.n_files + 1, sizeof *files);
        _free_ char *dir = ash_render_output_dir(f->flow->config, &f->options->render), *label = ash_asprintf("%s/%.*s/%s", dir, ASH_F(name), rendered->spec);
        for (size_t k = 0; k < in.n_files; k++)
                files[k] = (AshSpecFileOf){ rendered->files.items[k].name, rendered->files.items[k].mode, rendered->files.items[k].data };
        in.files = files;
        in.label = label;
        in.timeout_ms = ash_flow_late_limit(f->flow, fact->component->merged);
        snprintf(fact->fingerprint, sizeof fact->fingerprint, "%s", rendered->fingerprint->text);
        fact->bumps = rendered->bumps;
        int r = read_spec(f, fact, &in);
        if (r == -ASH_ERR_SYNTAX)
                say_where(f, fact, rendered, &in);
        return r;
}

static int read_component(void *context, size_t i) {
        struct AshFlowPlanFacts *f = context;
        Fact *fact = &f->items[i];
        if (f->reading && !fact->missing)
                return 0;
        _cleanup_(ash_rendered_free_p) AshRendered *rendered = NULL;
        if (!fact->diags)
                fact->diags = ash_diags_new();
        fact->result = is_lost(f, fact) ? -ASH_ERR_AGAIN : ash_render(f->flow->config, fact->component->name.s, &f->options->render, &rendered, fact->diags);
        if (!fact->unasked)
                note_reached(f, fact);
        if (fact->result >= 0)
                fact->result = read_rendered(f, fact, rendered);
        ash_progress_advance(f->flow->progress, 1);
        return 0;
}

/* ---- bases ---- */
/* Those that nothing is said of count as places where components' packages go: so do trees whose builds take from the distribution itself. */
static bool takes_built(const AshFlow *flow, const AshTexts *upstreams) {
        for (size_t i = 0; i < upstreams->n; i++) {
                const AshUpstream *u = ash_config_upstream(flow->config, upstreams->items[i].s);
                if (u && ash_slice_eqs(u->repo.type.s, "components"))
                        return true;
        }
        return upstreams->n == 0;
}

static bool only_built(const AshFlow *flow, const AshTexts *upstreams) {
        for (size_t i = 0; i < upstreams->n; i++) {
                const AshUpstream *u = ash_config_upstream(flow->config, upstreams->items[i].s);
                if (!u || !ash_slice_eqs(u->repo.type.s, "components"))
                        return false;
        }
        return true;
}

static void add_base(AshFlow *flow, AshFlowPlan *p, AshGraphBase *base, AshSlice stage, const AshBuildBase *said, const AshBuildBase *otherwise) {
        const AshTexts *packages = said->packages.items ? &said->packages : &otherwise->packages, *upstreams = said->upstreams.items ? &said->upstreams : &otherwise->upstreams;
        const AshTexts *first = said->upstreams.items || said->base_upstreams.items ? &said->base_upstreams : &otherwise->base_upstreams;
        base->stage = stage;
        base->built = takes_built(flow, upstreams);
        base->other = base->built && (first->n ? !takes_built(flow, first) : !only_built(flow, upstreams));
        base->packages.items = ash_arena_new_items(p->arena, AshDep, packages->n);
        for (size_t i = 0; i < packages->n; i++)
                if (ash_dep_parse(packages->items[i].s, &base->packages.items[base->packages.n]) >= 0)
                        base->packages.n++;
}

static void make_bases(AshFlow *flow, AshFlowPlan *p) {
        const AshBuildConfig *build = &ash_config_project(flow->config)->build;
        AshGraphBase *bases = ash_arena_new_items(p->arena, AshGraphBase, build->stages.n + 1);
        add_base(flow, p, &bases[0], ASH_S("default"), &build->base, &build->base);
        for (size_t i = 0; i < build->stages.n; i++)
                add_base(flow, p, &bases[i + 1], build->stages.items[i].name.s, &build->stages.items[i].base, &build->base);
        /* What stages break is told beside what would be without them: where the base comes from elsewhere anyway, nothing. */
        bool elsewhere = false;
        for (size_t i = 0; i <= build->stages.n; i++)
                elsewhere |= bases[i].other;
        for (size_t i = 0; i <= build->stages.n; i++)
                bases[i].other |= elsewhere && !bases[i].built;
        p->input.bases = bases;
        p->input.n_bases = build->stages.n + 1;
}

/* ---- what builds took ---- */
static AshId cost_key(AshSlice component, AshSlice arch) {
        _str_ AshStr text = {};
        ash_str_appendf(&text, "cost of %.*s/%.*s", ASH_F(component), ASH_F(arch));
        return ash_id_of(ash_str_slice(&text));
}

int ash_flow_cost_get(AshFlow *flow, AshSlice component, AshSlice arch, AshFlowCost *ret) {
        _bytes_ AshBytes bytes = {};
        AshId key = cost_key(component, arch);
        int r = ash_store_cache_get(flow->store, CACHE_COST, &key, &bytes);
        if (r < 0)
                return r;
        AshSlice text = ash_bytes_slice(&bytes), ms, memory;
        if (!ash_slice_next_word(&text, &ms) || !ash_slice_next_word(&text, &memory) || ash_slice_to_u64(ms, 10, &ret->ms) < 0 || ash_slice_to_u64(ash_slice_trim(memory), 10, &ret->memory) < 0)
                return -ENOENT;
        return 0;
}

void ash_flow_cost_put(AshFlow *flow, AshSlice component, AshSlice arch, const AshFlowCost *cost) {
        _str_ AshStr text = {};
        AshId key = cost_key(component, arch);
        ash_str_appendf(&text, "%llu %llu\n", (unsigned long long) cost->ms, (unsigned long long) cost->memory);
        ash_store_cache_put(flow->store, CACHE_COST, &key, ash_str_slice(&text)); /* only a cache: a failure makes estimates worse */
}

static int by_ms(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
        return (x > y) - (x < y);
}

/* Who was never built here takes as long as the one in the middle of those that were. */
static void estimate(AshFlow *flow, AshFlowPlan *p, AshSlice arch) {
        ASH_ARRAY(uint64_t) measured = {};
        for (size_t i = 0; i < p->input.n_components; i++) {
                AshFlowCost cost;
                if (ash_flow_cost_get(flow, p->input.components[i].name, arch, &cost) < 0)
                        continue;
                p->items[i].measured = true;
                p->items[i].ms = cost.ms;
                p->items[i].memory = cost.memory;
                ash_array_push(&measured, cost.ms);
        }
        if (measured.n)
                qsort(measured.items, measured.n, sizeof *measured.items, by_ms);
        uint64_t usual = measured.n ? measured.items[measured.n / 2] : USUAL_MS;
        for (size_t i = 0; i < p->input.n_components; i++) {
                const AshComponentConfig *c = p->facts->items[i].component->merged;
                if (!p->items[i].measured && c)
                        (void) ash_slice_to_bytes(c->build_memory.s, &p->items[i].memory);
                if (p->items[i].state == ASH_PLAN_UNKNOWN) /* nothing is built of it */
                        p->items[i].ms = 0;
                else if (!p->items[i].measured)
                        p->items[i].ms = c && c->expensive.value == ASH_YES ? ASH_MAX(usual, (uint64_t) EXPENSIVE_MS) : usual;
                ((AshGraphComponent *) p->input.components)[i].ms = p->items[i].ms;
        }
        ash_array_done(&measured);
}

/* ---- what generators of rpm will find, as far as an imported package of the same name tells ---- */
/* Names of packages that were not built yet, one a line. */
static void names_of_new(const AshFlowPlan *p, AshStr *out) {
        for (size_t i = 0; i < p->input.n_components; i++)
                for (size_t k = 0; p->items[i].state == ASH_PLAN_NEW && k < p->input.components[i].n_packages; k++)
                        ash_str_appendf(out, "%.*s\n", ASH_F(p->input.components[i].packages[k].name));
}

/* "NAME DEP" for each thing that packages called so, or providing that, provide beside their names. */
static void ask_imports(AshUniverse *u, AshSlice names, AshStr *out) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshSlice name;
        while (ash_slice_next_line(&names, &name)) {
                AshPkgIds ids = {};
                ash_universe_what_provides(u, name, &ids);
                ash_array_foreach(&ids.ids, id) {
                        const AshPackage *p = ash_universe_package(u, *id, arena);
                        const AshDeps *deps = &p->deps[ASH_DEP_PROVIDES];
                        for (size_t i = 0; i < deps->n; i++) {
                                if (ash_slice_eq(deps->items[i].name, p->name) || ash_slice_eq(deps->items[i].name, name))
                                        continue;
                                ash_str_appendf(out, "%.*s ", ASH_F(name));
                                ash_dep_format(&deps->items[i], out);
                                ash_str_append_char(out, '\n');
                        }
                }
                ash_pkgids_done(&ids);
        }
}

/* From the store when these names were asked before of this state of the upstreams. */
static int read_imports(struct AshFlowPlanFacts *f, AshSlice names, AshBytes *cached, AshStr *fresh, AshSlice *ret) {
        AshId state;
        _cleanup_(ash_universe_free_p) AshUniverse *u = NULL;
        int r = ash_flow_builder_imports(f->builder, (AshText){}, &state, NULL);
        if (r < 0)
                return r;
        _str_ AshStr text = {};
        ash_str_appendf(&text, "imports %s ", ash_solv_version());
        ash_str_append(&text, ash_slice((const char *) state.sha256, sizeof state.sha256));
        ash_str_append(&text, names);
        AshId key = ash_id_of(ash_str_slice(&text));
        if (ash_store_cache_get(f->flow->store, "plan-imports", &key, cached) >= 0) {
                *ret = ash_bytes_slice(cached);
                return 0;
        }
        r = ash_flow_builder_imports(f->builder, (AshText){}, &state, &u);
        if (r < 0)
                return r;
        ask_imports(u, names, fresh);
        *ret = ash_str_slice(fresh);
        ash_store_cache_put(f->flow->store, "plan-imports", &key, *ret); /* only a cache: a failure costs time */
        return 0;
}

static void add_provides(AshFlowPlan *p, AshPackage *package, AshSlice lines) {
        AshDeps *deps = &package->deps[ASH_DEP_PROVIDES];
        size_t n = deps->n;
        AshSlice line, name;
        for (AshSlice rest = lines; ash_slice_next_line(&rest, &line) && ash_slice_next_word(&line, &name) && ash_slice_eq(name, package->name);)
                n++;
        AshDep *items = ash_arena_new_items(p->arena, AshDep, n + 1);
        if (deps->n)
                memcpy(items, deps->items, deps->n * sizeof *items);
        deps->items = items;
        for (AshSlice rest = lines; deps->n < n && ash_slice_next_line(&rest, &line) && ash_slice_next_word(&line, &name);)
                if (ash_dep_parse(ash_slice_trim(line), &deps->items[deps->n]) >= 0)
                        deps->n++;
                else
                        n--;
}

/* A counterpart is no promise: it only makes edges that will be there once the component was built. */
static void add_imports(struct AshFlowPlanFacts *f, AshFlowPlan *p) {
        _str_ AshStr names = {}, fresh = {};
        _bytes_ AshBytes cached = {};
        AshSlice all = ASH_NOSLICE, line;
        if (!f->builder)
                return;
        names_of_new(p, &names);
        if (!names.len || read_imports(f, ash_str_slice(&names), &cached, &fresh, &all) < 0)
                return;
        all = ash_arena_slice(p->arena, all);
        AshMap starts __attribute__((__cleanup__(ash_map_done))) = {}; /* of each name's lines */
        for (AshSlice rest = all, before = all, name; ash_slice_next_line(&rest, &line); before = rest)
                if (ash_slice_next_word(&line, &name) && !ash_map_find(&starts, name)) {
                        AshSlice *start = ash_arena_new_item(p->arena, AshSlice);
                        *start = before;
                        ash_map_put(&starts, name, start, NULL);
                }
        for (size_t i = 0; i < p->input.n_components; i++)
                for (size_t k = 0; p->items[i].state == ASH_PLAN_NEW && k < p->input.components[i].n_packages; k++) {
                        AshPackage *package = (AshPackage *) &p->input.components[i].packages[k];
                        const AshSlice *start = ash_map_get(&starts, package->name);
                        if (start)
                                add_provides(p, package, *start);
                }
}

/* ---- what every buildroot has from elsewhere ---- */
/* What others may require of it: what it provides, and paths of programs and of /etc. */
static void tell_package(const AshPackage *p, AshStr *out) {
        ash_str_appendf(out, "P %.*s %u %.*s %.*s %.*s\n", ASH_F(p->name), p->epoch, ASH_F(p->version), ASH_F(p->release), ASH_F(p->arch));
        for (size_t i = 0; i < p->deps[ASH_DEP_PROVIDES].n; i++) {
                ash_str_append_str(out, "p ");
                ash_dep_format(&p->deps[ASH_DEP_PROVIDES].items[i], out);
                ash_str_append_char(out, '\n');
        }
        for (size_t i = 0; i < p->n_files; i++)
                if (ash_path_may_be_required(p->files[i]))
                        ash_str_appendf(out, "f %.*s\n", ASH_F(p->files[i]));
}

static int tell_root(AshFlow *flow, const AshFlowRoot *root, AshStr *out) {
        int r = 0;
        for (size_t i = 0; r >= 0 && i < root->n_packages; i++) {
                _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
                _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
                _bytes_ AshBytes bytes = {};
                AshPackage p;
                AshId id;
                r = ash_id_parse(root->packages[i].sha256, &id);
                if (r >= 0)
                        r = ash_store_map_blob(flow->store, &id, false, &bytes, NULL);
                if (r >= 0)
                        r = ash_rpm_parse(ash_bytes_slice(&bytes), "rpm", &rpm, NULL);
                if (r >= 0)
                        r = ash_flow_package_of_rpm(rpm, arena, &p, NULL);
                if (r >= 0)
                        tell_package(&p, out);
        }
        return r;
}

static int imports_of(struct AshFlowPlanFacts *f, AshText stage, AshFlowPlan *p, AshGraphBase *base) {
        _cleanup_(ash_flow_root_free_p) AshFlowRoot *root = NULL;
        _bytes_ AshBytes cached = {};
        _str_ AshStr fresh = {};
        AshSpecInfo info;
        int r = ash_flow_builder_imported(f->builder, stage, &root);
        if (r < 0 || !root)
                return r;
        _free_ char *name = ash_asprintf("imported 1 %s", root->key);
        AshId key = ash_id_of(ash_slice_str(name));
        bool known = ash_store_cache_get(f->flow->store, "plan-base", &key, &cached) >= 0;
        r = known ? 0 : tell_root(f->flow, root, &fresh);
        if (r < 0)
                return r;
        if (!known)
                ash_store_cache_put(f->flow->store, "plan-base", &key, ash_str_slice(&fresh)); /* only a cache: a failure costs time */
        ash_specinfo_read(ash_arena_slice(p->arena, known ? ash_bytes_slice(&cached) : ash_str_slice(&fresh)), p->arena, &info);
        base->imports = info.packages;
        base->n_imports = info.n_packages;
        base->other = false; /* now it is known */
        return 0;
}

/* Not to know them makes the plan less exact, no more. */
static void add_base_imports(struct AshFlowPlanFacts *f, AshFlowPlan *p) {
        if (f->builder)
                ash_flow_builder_flow(f->builder)->diags = NULL;
        for (size_t i = 0; f->builder && i < p->input.n_bases; i++) {
                AshGraphBase *base = (AshGraphBase *) &p->input.bases[i];
                if (base->built)
                        (void) imports_of(f, i ? (AshText){ .s = base->stage } : (AshText){}, p, base);
        }
        if (f->builder)
                ash_flow_builder_flow(f->builder)->diags = f->flow->diags;
}

/* ---- all together ---- */
static int by_component(const void *a, const void *b) { return ash_slice_cmp(((const Fact *) a)->component->name.s, ((const Fact *) b)->component->name.s); }

static void read_all(struct AshFlowPlanFacts *f, const char *stage) {
        ash_progress_begin(f->flow->progress, stage, f->n, ASH_UNIT_ITEMS);
        ash_parallel_for(f->n, f->flow->threads, true, read_component, f);
        ash_progress_end(f->flow->progress);
}

/* Which packages a buildroot would have is known without making it. */
static int open_builder(struct AshFlowPlanFacts *f) {
        AshFlow *flow = &f->flow_for_root;
        int r = ash_sandbox_check(flow->diags);
        if (r >= 0 && access(f->options->lock_path, F_OK) < 0)
                r = ash_fail(flow->diags, -ENOENT, ASH_NOWHERE, "there is no lock");
        return r < 0 ? r : ash_flow_builder_new(flow, f->options->lock_path, f->options->arch, &f->builder);
}

/* The stage of a base, as a builder wants it. */
static AshText stage_text(const AshFlowPlan *p, size_t base) { return base ? (AshText){ .s = p->input.bases[base].stage } : (AshText){}; }

/* Where a stage's buildroot cannot be made yet (it may need what is built only now), that of the next one that can is used. */
static bool open_readers(struct AshFlowPlanFacts *f) {
        size_t n = f->plan->input.n_bases, good = SIZE_MAX;
        f->readers = ash_calloc(n, sizeof *f->readers);
        f->n_readers = n;
        for (size_t i = 0; i < n; i++)
                if (ash_flow_builder_root(f->builder, stage_text(f->plan, i), NULL, 0, true, &f->readers[i].buildroot) >= 0 && good == SIZE_MAX)
                        good = i;
        for (size_t i = 0; i < n; i++)
                f->readers[i].instead = f->readers[i].buildroot ? i : good;
        return good != SIZE_MAX;
}

/* Without a buildroot the plain reader does: the plan says so, and why. */
static void choose_reader(struct AshFlowPlanFacts *f, AshFlowPlan *p) {
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        p->plain = true;
        if (!f->options->lock_path)
                return;
        f->flow_for_root = *f->flow;
        f->flow_for_root.diags = diags;
        int r = open_builder(f);
        p->plain = r < 0 || !open_readers(f);
        if (ash_diags_n(diags))
                p->plain_because = ash_arena_strdup(p->arena, ash_diags_at(diags, 0)->text);
        if (f->builder) /* which has a copy of the flow: these diagnostics end here */
                ash_flow_builder_flow(f->builder)->diags = f->flow->diags;
        if (p->plain) {
                free(f->readers);
                f->readers = NULL;
        }
}

static int open_roots(struct AshFlowPlanFacts *f) {
        int r = 0;
        for (size_t i = 0; f->readers && i < f->n; i++) {
                Reader *reader = f->items[i].missing ? reader_of(f, f->items[i].component) : NULL;
                if (!reader || reader->root)
                        continue;
                ash_flow_root_free(reader->buildroot);
                reader->buildroot = NULL;
                r = ash_flow_builder_root(f->builder, stage_text(f->plan, (size_t) (reader - f->readers)), NULL, 0, false, &reader->buildroot);
                if (r >= 0)
                        r = ash_specinfo_root_new(ash_build_root_layers(reader->buildroot->root), &reader->root, f->flow->diags);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int collect_facts(AshFlow *flow, const AshFlowPlanOptions *options, AshFlowPlan *p) {
        struct AshFlowPlanFacts *f = p->facts = ash_calloc(1, sizeof *f);
        int r = 0;
        f->flow = flow;
        f->options = options;
        f->arena = ash_arena_new();
        pthread_mutex_init(&f->mutex, NULL);
        f->n = ash_config_n_components(flow->config);
        f->items = ash_calloc(f->n + 1, sizeof *f->items);
        for (size_t i = 0; i < f->n; i++)
                f->items[i].component = ash_config_component_at(flow->config, i);
        qsort(f->items, f->n, sizeof *f->items, by_component);
        read_cache(f);
        f->plan = p;
        choose_reader(f, p);
        read_all(f, "rendering specs");
        size_t missing = 0;
        for (size_t i = 0; i < f->n; i++)
                missing += f->items[i].missing;
        if (missing && (r = open_roots(f)) < 0)
                return r;
        f->reading = true;
        if (missing)
                read_all(f, "reading specs");
        report(f);
        write_cache(f);
        return 0;
}

/* Headers of built packages say more than a spec: what generators found. What the store has lost is left to the spec. */
static void open_built(AshFlow *flow, AshFlowPlan *p, AshSlice arch) {
        _free_ char *path = ash_flow_built_path(flow->config);
        struct AshFlowPlanFacts *f = p->facts;
        if (ash_flow_built_open(path, arch, &f->built, NULL) < 0)
                return;
        if (!f->built->items.n || ash_flow_built_load(f->built, flow->store, NULL) >= 0)
                return;
        ash_flow_built_free(f->built); /* once more, without the components of which something is lost */
        f->built = NULL;
        if (ash_flow_built_open(path, arch, &f->built, NULL) < 0)
                return;
        ash_flow_built_for_build(f->built, flow->store, ASH_S(""), NULL);
        if (ash_flow_built_load(f->built, flow->store, NULL) < 0) {
                ash_flow_built_free(f->built);
                f->built = NULL;
        }
}

/* Files count where something names them. */
static void know_files(AshFlowPlan *p) {
        AshFlowBuilt *built = p->facts->built;
        _map_ AshMap wanted = {};
        if (!built || !built->packages)
                return;
        for (size_t i = 0; i < p->input.n_bases; i++)
                ash_deps_paths(&p->input.bases[i].packages, &wanted);
        for (size_t i = 0; i < p->input.n_components; i++) {
                const AshGraphComponent *c = &p->input.components[i];
                ash_deps_paths(&c->needs, &wanted);
                for (size_t k = 0; k < c->n_packages; k++)
                        ash_deps_paths(&c->packages[k].deps[ASH_DEP_REQUIRES], &wanted);
        }
        for (size_t i = 0; i < built->items.n; i++)
                ash_deps_paths(&built->packages[i].deps[ASH_DEP_REQUIRES], &wanted);
        ash_flow_built_files(built, &wanted);
}

static void take_built(AshFlowPlan *p, size_t i, AshSlice arch) {
        struct AshFlowPlanFacts *f = p->facts;
        AshGraphComponent *c = (AshGraphComponent *) &p->input.components[i];
        const AshBuiltComponent *known = f->built ? ash_built_find(f->built->built, c->name, arch) : NULL;
        if (!known)
                return;
        AshSlice now = ash_slice_str(f->items[i].fingerprint);
        p->items[i].state = ash_slice_ends(now, known->fingerprint) && known->fingerprint.len ? ASH_PLAN_BUILT : ASH_PLAN_CHANGED;
        AshPackage *packages = ash_arena_new_items(p->arena, AshPackage, known->n_packages + c->n_packages);
        size_t n, first;
        ash_flow_built_items(f->built, known, &first, &n);
        if (n)
                memcpy(packages, &f->built->packages[first], n * sizeof *packages);
        size_t built = n;
        for (size_t k = 0; k < c->n_packages; k++) { /* what a changed spec has beside them */
                bool is_there = false;
                for (size_t j = 0; j < built; j++)
                        is_there |= ash_slice_eq(packages[j].name, c->packages[k].name);
                if (!is_there)
                        packages[n++] = c->packages[k];
        }
        c->packages = packages;
        c->n_packages = n;
        p->items[i].n_built = known->n_packages;
        p->n_from_builds++;
}

/* What a build asked for the last time is what it will probably ask for. */
static void take_asked(AshFlowPlan *p, size_t i, AshSlice arch, const AshSpecInfo *info, AshDeps *needs) {
        struct AshFlowPlanFacts *f = p->facts;
        const AshBuiltComponent *known = f->built ? ash_built_find(f->built->built, f->items[i].component->name.s, arch) : NULL;
        p->items[i].dynamic = info->dynamic;
        *needs = info->needs;
        if (!info->dynamic || !known || !known->asked)
                return;
        p->items[i].asked_known = true;
        needs->items = ash_arena_new_items(p->arena, AshDep, info->needs.n + known->n_asked);
        if (info->needs.n)
                memcpy(needs->items, info->needs.items, info->needs.n * sizeof *needs->items);
        for (size_t k = 0; k < known->n_asked; k++)
                if (known->asked[k].len && known->asked[k].ptr[0] != '!' && ash_dep_parse(known->asked[k], &needs->items[needs->n]) >= 0)
                        needs->n++;
}

static void make_components(AshFlow *flow, AshFlowPlan *p, AshSlice arch) {
        struct AshFlowPlanFacts *f = p->facts;
        AshGraphComponent *components = ash_arena_new_items(p->arena, AshGraphComponent, f->n);
        p->items = ash_arena_new_items(p->arena, AshFlowPlanItem, f->n);
        p->input.components = components;
        p->input.n_components = f->n;
        open_built(flow, p, arch);
        for (size_t i = 0; i < f->n; i++) {
                AshSpecInfo info = {};
                if (f->items[i].result >= 0)
                        ash_specinfo_read(f->items[i].text, p->arena, &info);
                components[i] = (AshGraphComponent){ .name = f->items[i].component->name.s, .base = base_of(p, f->items[i].component), .packages = info.packages, .n_packages = info.n_packages };
                take_asked(p, i, arch, &info, &components[i].needs);
        }
        know_files(p);
        for (size_t i = 0; i < f->n; i++) {
                take_built(p, i, arch);
                if (f->items[i].result < 0)
                        p->items[i].state = ASH_PLAN_UNKNOWN;
                else
                        p->items[i].fingerprint = f->items[i].fingerprint;
                p->items[i].bumps = f->items[i].bumps;
                p->n_failed += f->items[i].result < 0;
                p->n_read += f->items[i].result >= 0 && f->items[i].fresh;
                p->n_cached += f->items[i].result >= 0 && !f->items[i].fresh;
        }
}

int ash_flow_plan_new(AshFlow *flow, const AshFlowPlanOptions *options, AshFlowPlan **ret) {
        _cleanup_(ash_flow_plan_free_p) AshFlowPlan *p = ash_calloc(1, sizeof *p);
        p->arena = ash_arena_new();
        make_bases(flow, p);
        int r = collect_facts(flow, options, p);
        if (r < 0)
                return r;
        make_components(flow, p, options->arch);
        add_imports(p->facts, p);
        add_base_imports(p->facts, p);
        estimate(flow, p, options->arch);
        p->input.arch = ash_arena_slice(p->arena, options->arch).ptr;
        ash_progress_begin(flow->progress, "making the graph", 0, ASH_UNIT_ITEMS);
        p->graph = ash_graph_new(&p->input);
        ash_progress_end(flow->progress);
        *ret = ASH_TAKE(p);
        return 0;
}

int ash_flow_plan_find(const AshFlowPlan *p, AshFlow *flow, AshSlice name, uint32_t *ret) {
        for (size_t i = 0; i < p->input.n_components; i++)
                if (ash_slice_eq(p->input.components[i].name, name)) {
                        *ret = (uint32_t) i;
                        return 0;
                }
        const AshComponent *component = NULL; /* says it, and what is near */
        int r = ash_config_component(flow->config, name, &component, flow->diags);
        return r < 0 ? r : -ENOENT;
}
