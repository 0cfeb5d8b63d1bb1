/* The specs of a plan: rendered, and read by rpmspec of their stage's buildroot, or by the plain reader; what was read is kept. */
#include <limits.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "flow-blame.h"
#include "flow-late.h"
#include "flow-plan-private.h"

#define CACHE_HEAD "ashlar-specinfo 1\n"
#define LOST_ENOUGH 4                /* components in a row that could not be had: then no further one is asked for */

static void readers_done(struct AshFlowPlanFacts *f) {
        for (size_t i = 0; f->readers && i < f->n_readers; i++) {
                ash_specinfo_root_free(f->readers[i].root);
                ash_flow_root_free(f->readers[i].buildroot);
        }
        free(f->readers);
        f->readers = NULL;
}

void ash_flow_plan_facts_free(struct AshFlowPlanFacts *f) {
        if (!f)
                return;
        for (size_t i = 0; i < f->n; i++) {
                ash_str_done(&f->items[i].own);
                ash_diags_free(f->items[i].diags);
        }
        free(f->items);
        ash_array_done(&f->lost);
        ash_array_foreach(&f->tried, t)
                ash_str_done(&t->text);
        ash_array_done(&f->tried);
        pthread_mutex_destroy(&f->mutex);
        ash_map_done(&f->known);
        ash_bytes_done(&f->cache);
        readers_done(f);
        ash_flow_builder_free(f->builder);
        ash_flow_built_free(f->built);
        ash_arena_free(f->arena);
        free(f);
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
        size_t fresh = f->tried.n, old = 0;
        for (size_t i = 0; i < f->n; i++)
                fresh += f->items[i].fresh;
        if (!fresh)
                return;
        ash_str_append_str(&out, CACHE_HEAD);
        for (size_t i = 0; i < f->n; i++) {
                AshSlice digest = ash_slice((const char *) f->items[i].digest.sha256, sizeof(AshId));
                if (!f->items[i].text.len)
                        continue;
                add_to_cache(&out, digest, f->items[i].text);
                ash_map_remove(&f->known, digest);
        }
        ash_array_foreach(&f->tried, t) {
                AshSlice digest = ash_slice((const char *) t->digest.sha256, sizeof t->digest.sha256);
                add_to_cache(&out, digest, ash_str_slice(&t->text));
                ash_map_remove(&f->known, digest);
        }
        ash_map_foreach(&f->known, e)
                if (old++ < f->n)
                        add_to_cache(&out, e->key, *(AshSlice *) e->value);
        AshId key = cache_key(f->flow);
        ash_store_cache_put(f->flow->store, "specinfo", &key, ash_str_slice(&out)); /* only a cache: a failure costs time */
}

/* ---- one spec ---- */
uint32_t ash_flow_plan_base_of(const AshFlowPlan *p, const AshComponent *component) {
        for (size_t i = 1; component->merged && ash_text_set(component->merged->build_stage) && i < p->input.n_bases; i++)
                if (ash_slice_eq(p->input.bases[i].stage, component->merged->build_stage.s))
                        return (uint32_t) i;
        return 0;
}

/* NULL: the plain one. */
static Reader *reader_of(const struct AshFlowPlanFacts *f, const AshComponent *component) {
        return f->readers ? &f->readers[f->readers[ash_flow_plan_base_of(f->plan, component)].instead] : NULL;
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

/* ---- specs that rpm refuses: known for an hour, as the machine may have had its part in it ---- */
#define BAD "! "                     /* "! TIME LINE TEXT" in place of what a spec says */
#define BAD_SECONDS 3600

static bool is_bad(AshSlice text) { return ash_slice_starts(text, ASH_S(BAD)); }

/* What rpm said at a line of it; without one it may not have been the spec's fault: that is not kept. */
static void write_bad(AshStr *out, const AshDiag *d) {
        ash_str_clear(out);
        if (d && d->place.line)
                ash_str_appendf(out, BAD "%lld %u %s", (long long) time(NULL), d->place.line, d->text);
}

static bool take_bad(AshSlice text, uint32_t *ret_line, AshSlice *ret_said) {
        AshSlice word;
        uint64_t when, line, now = (uint64_t) time(NULL);
        text = ash_slice_from(text, strlen(BAD));
        if (!ash_slice_next_word(&text, &word) || ash_slice_to_u64(word, 10, &when) < 0 || !ash_slice_next_word(&text, &word) || ash_slice_to_u64(word, 10, &line) < 0)
                return false;
        *ret_line = (uint32_t) line;
        *ret_said = ash_slice_trim_left(text);
        return when <= now && now - when < BAD_SECONDS;
}

static const AshSlice *find_known(const struct AshFlowPlanFacts *f, const AshId *digest) { return ash_map_get(&f->known, ash_slice((const char *) digest->sha256, sizeof *digest)); }

typedef struct Parser {
        struct AshFlowPlanFacts *f;
        const Reader *reader;
        AshSpecInfoInput in;
        bool unknown;                /* it has to be read, which is not the time for */
} Parser;

static void note_tried(struct AshFlowPlanFacts *f, const AshId *digest, AshStr *text) {
        pthread_mutex_lock(&f->mutex);
        ash_array_push(&f->tried, ((Tried){ *digest, *text }));
        pthread_mutex_unlock(&f->mutex);
        *text = (AshStr){};
}

static bool parses(void *context, AshSlice spec) {
        Parser *p = context;
        AshId digest;
        uint32_t line;
        AshSlice said;
        for (size_t i = 0; i < p->in.n_files; i++)
                if (!strcmp(p->in.files[i].name, p->in.spec))
                        ((AshSpecFileOf *) p->in.files)[i].data = spec;
        digest_of(&p->in, p->reader, &digest);
        const AshSlice *known = find_known(p->f, &digest);
        if (known && !ash_flow_late_is(*known) && (!is_bad(*known) || take_bad(*known, &line, &said)))
                return !is_bad(*known);
        p->unknown |= !p->f->reading;
        if (p->unknown)
                return false;
        _str_ AshStr out = {};
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        int r = parse(p->reader, &p->in, &out, diags);
        if (r == -ASH_ERR_SYNTAX)
                write_bad(&out, ash_diags_n(diags) ? ash_diags_at(diags, ash_diags_n(diags) - 1) : NULL);
        if ((r >= 0 || r == -ASH_ERR_SYNTAX) && out.len)
                note_tried(p->f, &digest, &out);
        return r >= 0;
}

/* What was said of the rendered spec, at the line that somebody wrote, and whose overlay it is. */
static int say_where(struct AshFlowPlanFacts *f, Fact *fact, const AshRendered *rendered, const AshSpecInfoInput *in, uint32_t line, const char *text) {
        Parser p = { f, reader_of(f, fact->component), *in, false };
        _cleanup_(ash_source_free_p) AshSource *spec = ash_source_new(in->label, ash_rendered_find(rendered, rendered->spec)->data);
        ash_diags_free(fact->diags);
        fact->diags = ash_diags_new();
        ash_flow_spec_error(f->flow, rendered, &f->options->render, spec, line, text, parses, &p, fact->diags);
        fact->missing = p.unknown;
        return p.unknown ? 0 : -ASH_ERR_SYNTAX;
}

static int refused(struct AshFlowPlanFacts *f, Fact *fact, const AshRendered *rendered, const AshSpecInfoInput *in) {
        const AshDiag *d = ash_diags_n(fact->diags) ? ash_diags_at(fact->diags, ash_diags_n(fact->diags) - 1) : NULL;
        _free_ char *text = ash_strdup(d ? d->text : "");
        write_bad(&fact->own, d);
        return d ? say_where(f, fact, rendered, in, d->place.line, text) : -ASH_ERR_SYNTAX;
}

/* 1: it is not known. */
static int recall_spec(struct AshFlowPlanFacts *f, Fact *fact, const AshRendered *rendered, const AshSpecInfoInput *in) {
        const AshSlice *known = find_known(f, &fact->digest);
        uint32_t line;
        AshSlice said;
        if (!known)
                return 1;
        fact->text = *known;
        if (ash_flow_late_is(*known))
                return ash_flow_late_known(*known, in->timeout_ms) ? ash_flow_late_fail(fact->diags, in->label, in->component, in->timeout_ms, true) : 1;
        if (!is_bad(*known))
                return 0;
        if (!take_bad(*known, &line, &said))
                return 1;
        _free_ char *text = ash_slice_dup(said);
        return say_where(f, fact, rendered, in, line, text);
}

static int read_spec(struct AshFlowPlanFacts *f, Fact *fact, const AshRendered *rendered, const AshSpecInfoInput *in) {
        const Reader *reader = reader_of(f, fact->component);
        digest_of(in, reader, &fact->digest);
        int r = recall_spec(f, fact, rendered, in);
        if (r != 1)
                return r;
        fact->text = ASH_NOSLICE;
        if (!f->reading) {
                fact->missing = true;
                return 0;
        }
        fact->fresh = true;
        r = parse(reader, in, &fact->own, fact->diags);
        if (r == -ETIMEDOUT) {
                ash_str_clear(&fact->own);
                ash_flow_late_write(&fact->own, in->timeout_ms);
                ash_flow_late_fail(fact->diags, in->label, in->component, in->timeout_ms, false);
        } else if (r == -ASH_ERR_SYNTAX)
                r = refused(f, fact, rendered, in);
        else if (r < 0)
                ash_str_clear(&fact->own);
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
        return read_spec(f, fact, rendered, &in);
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
        if (p->plain)
                readers_done(f);
}

/* -ENOENT, with the diagnostic: they can be made, and cannot read specs. */
static int open_roots(struct AshFlowPlanFacts *f, AshDiags *diags) {
        int r = 0;
        for (size_t i = 0; f->readers && i < f->n; i++) {
                Reader *reader = f->items[i].missing ? reader_of(f, f->items[i].component) : NULL;
                if (!reader || reader->root)
                        continue;
                ash_flow_root_free(reader->buildroot);
                reader->buildroot = NULL;
                r = ash_flow_builder_root(f->builder, stage_text(f->plan, (size_t) (reader - f->readers)), NULL, 0, false, &reader->buildroot);
                if (r >= 0)
                        r = ash_specinfo_root_new(ash_build_root_layers(reader->buildroot->root), &reader->root, diags);
                if (r < 0)
                        return r;
        }
        return 0;
}

static size_t count_missing(const struct AshFlowPlanFacts *f) {
        size_t missing = 0;
        for (size_t i = 0; i < f->n; i++)
                missing += f->items[i].missing;
        return missing;
}

/* Where the buildroots that were chosen turn out to have no rpmspec, the plain reader does as well. */
static int render_all(struct AshFlowPlanFacts *f, AshFlowPlan *p) {
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        read_all(f, "rendering specs");
        int r = count_missing(f) ? open_roots(f, diags) : 0;
        if (r != -ENOENT) {
                ash_diags_merge(f->flow->diags, diags);
                return r;
        }
        p->plain = true;
        p->plain_because = ash_arena_strdup(p->arena, ash_diags_n(diags) ? ash_diags_at(diags, 0)->text : "there is no rpmspec");
        readers_done(f);
        f->lost.n = 0;
        for (size_t i = 0; i < f->n; i++) { /* once more, from the beginning */
                ash_diags_free(f->items[i].diags);
                f->items[i].diags = NULL;
                f->items[i].missing = f->items[i].unasked = false;
        }
        read_all(f, "rendering specs");
        return 0;
}

int ash_flow_plan_collect(AshFlow *flow, const AshFlowPlanOptions *options, AshFlowPlan *p) {
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
        r = render_all(f, p);
        if (r < 0)
                return r;
        f->reading = true;
        if (count_missing(f))
                read_all(f, "reading specs");
        report(f);
        write_cache(f);
        return 0;
}
