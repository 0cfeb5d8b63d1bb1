/* deviations: everything in which the distribution differs from its upstream, as text, JSON or Markdown. */
#include "component.h"
#include "io.h"
#include "json.h"

typedef struct Deviation {
        AshSlice component;
        AshSlice kind;      /* the overlay's category, else what sort of deviation it is */
        char *what;         /* "spec-set-tag Release" */
        AshSlice reason;    /* ptr NULL: none given */
        AshSlice status;    /* upstream-status */
        AshSlice since;     /* YYYY-MM-DD */
        int64_t age;        /* days; -1: not known */
        char *place;
        const AshOverlay *overlay; /* or NULL */
} Deviation;
/* When each line of a file was last changed: days since 1970. */
typedef struct Blame {
        ASH_ARRAY(int64_t) days; /* by line, from 0; -1: not committed */
} Blame;
typedef struct Deviations {
        ASH_ARRAY(Deviation) items;
        int64_t today; /* days since 1970 */
        bool blame;    /* ask git how old a declaration is */
        AshMap files;  /* name -> Blame */
} Deviations;

static void deviations_done(Deviations *d) {
        ash_array_foreach(&d->items, i) {
                free(i->what);
                free(i->place);
        }
        ash_array_done(&d->items);
        ash_map_foreach(&d->files, e) {
                ash_array_done(&((Blame *) e->value)->days);
                free(e->value);
        }
        ash_map_done(&d->files);
}

/* Days since 1970-01-01 of a date of the Gregorian calendar (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms": days_from_civil). */
static int64_t days_of(int64_t year, unsigned month, unsigned day) {
        year -= month <= 2;
        int64_t era = (year >= 0 ? year : year - 399) / 400;
        unsigned of_era = (unsigned) (year - era * 400), of_year = (153 * (month + (month > 2 ? -3u : 9u)) + 2) / 5 + day - 1;
        return era * 146097 + (int64_t) (of_era * 365 + of_era / 4 - of_era / 100 + of_year) - 719468;
}

static int64_t age_of(const Deviations *d, AshSlice since) {
        uint64_t y, m, day;
        if (since.len < 10 || ash_slice_to_u64(ash_slice_sub(since, 0, 4), 10, &y) < 0 || ash_slice_to_u64(ash_slice_sub(since, 5, 2), 10, &m) < 0 ||
            ash_slice_to_u64(ash_slice_sub(since, 8, 2), 10, &day) < 0)
                return -1;
        return ASH_MAX(d->today - days_of((int64_t) y, (unsigned) m, (unsigned) day), (int64_t) 0);
}

/* ---- ages from git ---- */
/* git-blame(1), "the porcelain format": for each line a header "HASH OLD NEW", then "committer-time SECONDS" among others, then the line behind a tab. */
static void parse_blame(AshSlice rest, Blame *blame) {
        AshSlice line;
        int64_t seconds = -1;
        bool committed = false, header = true;
        while (ash_slice_next_line(&rest, &line)) {
                uint64_t n;
                if (header)
                        committed = !ash_slice_starts(line, ASH_S("0000000000000000000000000000000000000000"));
                else if (ash_slice_starts(line, ASH_S("committer-time ")) && ash_slice_to_u64(ash_slice_from(line, 15), 10, &n) >= 0)
                        seconds = (int64_t) n;
                header = line.len && line.ptr[0] == '\t';
                if (header)
                        ash_array_push(&blame->days, committed && seconds >= 0 ? seconds / 86400 : -1);
        }
}

static const Blame *blame_of(Deviations *d, const char *file) {
        bool fresh;
        AshMapEntry *e = ash_map_ensure(&d->files, ash_slice_str(file), &fresh);
        if (!fresh)
                return e->value;
        Blame *blame = e->value = ash_calloc(1, sizeof *blame);
        _free_ char *dir = ash_slice_dup(ash_path_dir(ash_slice_str(file))), *base = ash_slice_dup(ash_path_base(ash_slice_str(file)));
        const char *const argv[] = { "git", "-C", dir, "--no-pager", "blame", "--line-porcelain", "--", base, NULL };
        AshProcess p = { .argv = argv, .timeout_ms = 60000, .output_limit = 256u << 20 };
        _process_result_ AshProcessResult r = {};
        if (ash_process_run(&p, &r) >= 0 && r.status == 0)
                parse_blame(ash_str_slice(&r.out), blame);
        return blame;
}

static int64_t blamed_age(Deviations *d, AshSpan at) {
        if (!d->blame || !at.source)
                return -1;
        const Blame *blame = blame_of(d, at.source->name);
        size_t line = ash_span_place(at).line - 1;
        int64_t day = line < blame->days.n ? blame->days.items[line] : -1;
        return day < 0 ? -1 : ASH_MAX(d->today - day, (int64_t) 0);
}

/* The day that ages are counted to: that of SOURCE_DATE_EPOCH when it is set, so that a report can be made again. */
static int64_t today(void) {
        const char *epoch = getenv("SOURCE_DATE_EPOCH");
        uint64_t seconds;
        if (epoch && ash_slice_to_u64(ash_slice_str(epoch), 10, &seconds) >= 0)
                return (int64_t) (seconds / 86400);
        return (int64_t) (time(NULL) / 86400);
}

static void add(Deviations *d, AshSlice component, const char *kind, AshText category, char *what, AshText reason, AshText status, AshText since, AshSpan at, const AshOverlay *overlay) {
        Deviation *n = ash_array_add(&d->items);
        n->component = component;
        n->kind = category.s.len ? category.s : ash_slice_str(kind);
        n->what = what;
        n->reason = reason.s.len ? reason.s : ASH_NOSLICE;
        n->status = status.s.len ? status.s : ASH_NOSLICE;
        n->since = since.s.len ? since.s : ASH_NOSLICE;
        n->age = since.s.len ? age_of(d, since.s) : blamed_age(d, at);
        n->place = ash_span_text(at);
        n->overlay = overlay;
}

static void add_texts(Deviations *d, AshSlice component, const char *kind, const char *word, AshTexts list) {
        for (size_t i = 0; i < list.n; i++)
                add(d, component, kind, (AshText){}, ash_asprintf("%s %.*s", word, ASH_F(list.items[i].s)), (AshText){}, (AshText){}, (AshText){}, list.items[i].at, NULL);
}

static void add_component(Deviations *d, const AshComponent *c) {
        const AshComponentConfig *m = c->merged;
        const AshText none = {};
        if (ash_slice_eqs(m->spec.type.s, "local"))
                add(d, c->name.s, "own-spec", none, ash_asprintf("spec %.*s", ASH_F(m->spec.path.s)), none, none, none, m->spec.type.at, NULL);
        if (ash_text_set(m->spec.upstream_commit) && m->spec.upstream_commit.s.len)
                add(d, c->name.s, "pinned-commit", none, ash_asprintf("commit %.*s", ASH_F(m->spec.upstream_commit.s)), none, none, none, m->spec.upstream_commit.at, NULL);
        for (size_t i = 0; i < m->overlays.n; i++) {
                const AshOverlay *o = &m->overlays.items[i];
                add(d, c->name.s, "overlay", o->category, ash_overlay_title(o), o->description, o->upstream_status, o->since, o->at, o);
        }
        add_texts(d, c->name.s, "build-option", "with", m->with);
        add_texts(d, c->name.s, "build-option", "without", m->without);
        for (size_t i = 0; i < m->defines.n; i++)
                add(d, c->name.s, "build-option", none, ash_asprintf("define %.*s = %.*s", ASH_F(m->defines.items[i].key.s), ASH_F(m->defines.items[i].value.s)), none, none, none,
                    m->defines.items[i].key.at, NULL);
        if (m->check_skip.value == ASH_YES)
                add(d, c->name.s, "check-skipped", none, ash_strdup("%check does not run"), m->check_skip_reason, none, none, m->check_skip.at, NULL);
        for (size_t i = 0; i < m->source_files.n; i++) {
                const AshSourceFile *f = &m->source_files.items[i];
                bool replaces = f->replace_upstream.value == ASH_YES;
                add(d, c->name.s, replaces ? "source-replaced" : "source-added", none, ash_asprintf("source %.*s", ASH_F(f->filename.s)), f->replace_reason, none, none, f->at, NULL);
        }
}

static AshSlice or_dash(AshSlice s) { return s.ptr ? s : ASH_S("-"); }

static char *age_text(int64_t days) {
        if (days < 0)
                return ash_strdup("-");
        if (days < 60)
                return ash_asprintf("%lld d", (long long) days);
        if (days < 730)
                return ash_asprintf("%lld mo", (long long) days / 30);
        return ash_asprintf("%lld y", (long long) days / 365);
}

/* ---- as text ---- */
static void print_text(AshCli *cli, const Deviations *d) {
        static const AshCliColumn columns[] = { { "COMPONENT" }, { "KIND" }, { "WHAT" }, { "REASON" }, { "UPSTREAM" }, { "AGE" }, { "DECLARED" } };
        _cleanup_(ash_cli_list_free_p) AshCliList *list = ash_cli_list_new(cli, columns, ASH_N(columns));
        for (size_t i = 0; i < d->items.n; i++) {
                const Deviation *n = &d->items.items[i];
                _free_ char *age = age_text(n->age);
                const AshSlice cells[] = { n->component, n->kind, ash_slice_str(n->what), n->reason, n->status, ash_slice_str(age), ash_slice_str(n->place) };
                ash_cli_list_row(list, cells);
        }
        ash_cli_list_print(list);
}

/* ---- as JSON ---- */
static void urls(AshJson *j, const char *key, AshTexts list) {
        if (list.n == 0)
                return;
        ash_json_begin(j, key, '[');
        for (size_t i = 0; i < list.n; i++)
                ash_json_text(j, NULL, list.items[i].s);
        ash_json_end(j, ']');
}

static void print_json(AshCli *cli, const Deviations *d) {
        AshJson j = ash_cli_json(cli);
        ash_json_begin(&j, NULL, '[');
        for (size_t i = 0; i < d->items.n; i++) {
                const Deviation *n = &d->items.items[i];
                ash_json_begin(&j, NULL, '{');
                ash_json_text(&j, "component", n->component);
                ash_json_text(&j, "kind", n->kind);
                ash_json_str(&j, "what", n->what);
                if (n->overlay)
                        ash_json_str(&j, "overlay", ash_overlay_type_name(n->overlay->type));
                ash_json_text(&j, "reason", n->reason);
                ash_json_text(&j, "upstream-status", n->status);
                ash_json_text(&j, "since", n->since);
                if (n->age >= 0)
                        ash_json_int(&j, "age-days", n->age);
                else
                        ash_json_null(&j, "age-days");
                ash_json_str(&j, "declared", n->place);
                if (n->overlay) {
                        urls(&j, "commits", n->overlay->commits);
                        urls(&j, "bugs", n->overlay->bugs);
                }
                ash_json_end(&j, '}');
        }
        ash_json_end(&j, ']');
        ash_cli_print(cli, "\n");
}

/* ---- as Markdown ---- */
static void cell(AshCli *cli, AshSlice s) {
        _str_ AshStr out = {};
        ash_str_append_char(&out, ' ');
        for (size_t i = 0; i < s.len; i++) {
                char c = s.ptr[i];
                if (strchr("|\\`*_<>[]#", c) && c)
                        ash_str_append_char(&out, '\\');
                ash_str_append_char(&out, (uint8_t) c < 0x20 ? ' ' : c);
        }
        ash_str_append_str(&out, " |");
        ash_cli_write(cli, ash_str_slice(&out));
}

static void markdown_counts(AshCli *cli, const Deviations *d) {
        _map_ AshMap kinds = {};
        for (size_t i = 0; i < d->items.n; i++) {
                AshMapEntry *e = ash_map_ensure(&kinds, d->items.items[i].kind, &(bool){ false });
                e->value = (void *) ((uintptr_t) e->value + 1);
        }
        ash_cli_print(cli, "| Kind | Number |\n|---|---:|\n");
        ash_map_foreach(&kinds, e) {
                ash_cli_print(cli, "|");
                cell(cli, e->key);
                ash_cli_printf(cli, " %zu |\n", (size_t) (uintptr_t) e->value);
        }
}

static AshSlice group_of(const Deviation *n, const char *by) {
        if (strcmp(by, "kind") == 0)
                return n->kind;
        return strcmp(by, "status") == 0 ? or_dash(n->status) : n->component;
}

static void markdown_row(AshCli *cli, const Deviation *n) {
        _free_ char *age = age_text(n->age);
        const AshSlice cells[] = { n->component, n->kind, ash_slice_str(n->what), or_dash(n->reason), or_dash(n->status), ash_slice_str(age), ash_slice_str(n->place) };
        ash_cli_print(cli, "|");
        for (size_t i = 0; i < ASH_N(cells); i++)
                cell(cli, cells[i]);
        ash_cli_print(cli, "\n");
}

static void print_markdown(AshCli *cli, const Deviations *d, const char *by) {
        AshSlice last = ASH_NOSLICE;
        ash_cli_printf(cli, "# Deviations from upstream\n\n%zu in all.\n\n", d->items.n);
        markdown_counts(cli, d);
        for (size_t i = 0; i < d->items.n; i++) {
                AshSlice group = group_of(&d->items.items[i], by);
                if (!last.ptr || !ash_slice_eq(group, last)) {
                        ash_cli_printf(cli, "\n## %.*s\n\n| Component | Kind | What | Reason | Upstream | Age | Declared |\n|---|---|---|---|---|---|---|\n", ASH_F(group));
                        last = group;
                }
                markdown_row(cli, &d->items.items[i]);
        }
}

/* Negative, 0, positive; oldest first by age. */
static int order(const Deviation *x, const Deviation *y, const char *by) {
        if (strcmp(by, "age") == 0)
                return (x->age < y->age) - (x->age > y->age);
        return ash_slice_cmp(group_of(x, by), group_of(y, by));
}

/* A merge sort, because it is stable: within a group the order of components stays. */
static void sort_by(Deviations *d, const char *by) {
        size_t n = d->items.n;
        for (size_t run = 1; run < n; run *= 2) {
                Deviation *merged = ash_calloc(n, sizeof *merged), *from = d->items.items;
                for (size_t start = 0; start < n; start += 2 * run) {
                        size_t i = start, middle = ASH_MIN(start + run, n), k = middle, end = ASH_MIN(start + 2 * run, n);
                        for (size_t at = start; at < end; at++) {
                                bool first = k >= end || (i < middle && order(&from[i], &from[k], by) <= 0);
                                merged[at] = first ? from[i++] : from[k++];
                        }
                }
                free(from);
                d->items.items = merged;
                d->items.cap = n;
        }
}

static int run_deviations(AshCli *cli) {
        const char *format = ash_cli_option(cli, "format"), *by = ash_cli_option(cli, "by");
        _cleanup_(deviations_done) Deviations d = { .today = today(), .blame = ash_cli_flag(cli, "blame") };
        size_t n;
        _free_ AshSlice *names = ash_cli_component_names(cli, &n);
        for (size_t i = 0; i < n; i++) {
                const AshComponent *c;
                int r = ash_config_component(cli->config, names[i], &c, cli->diags);
                if (r < 0)
                        return r;
                add_component(&d, c);
        }
        by = by ? by : "component";
        if (strcmp(by, "component") != 0)
                sort_by(&d, by);
        if (format ? strcmp(format, "json") == 0 : cli->json)
                print_json(cli, &d);
        else if (format && strcmp(format, "markdown") == 0)
                print_markdown(cli, &d, by);
        else
                print_text(cli, &d);
        return 0;
}

const AshCliVerb ash_verbs_deviations[] = {
        { "", "list every deviation from upstream",
          "Overlays, build options, skipped checks, replaced and added sources, pinned commits and specs of our own: by component, with the kind (an overlay's category), the reason, what became "
          "of it upstream, its age and where it is declared.",
          .args = ASH_ARGS({ "NAME", "components to look at (default: all)", ASH_KIND_COMPONENT, ASH_ARG_OPTIONAL | ASH_ARG_MANY }),
          .options = ASH_OPTIONS({ "format", "text|json|markdown", "how to print it (default: text; json with --json)" },
                                 { "blame", .doc = "where a deviation has no \"since\", take its age from the project's git history" },
                                 { "by", "component|kind|status|age", "the order, and the sections of the Markdown form (default: component)" }),
          .needs = ASH_NEEDS_CONFIG, .run = run_deviations },
        {},
};
