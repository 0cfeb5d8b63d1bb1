/* Writing and opening an index. */
#include "io-digest.h"
#include "solve-index.h"

static const size_t item_size[ASH_INDEX_MAX_] = {
        [ASH_INDEX_REPOS] = sizeof(AshIndexRepo), [ASH_INDEX_PACKAGES] = sizeof(AshIndexRow), [ASH_INDEX_STRINGS] = 4, [ASH_INDEX_RELS] = sizeof(AshIndexRel), [ASH_INDEX_IDS] = 4,
        [ASH_INDEX_PROVIDERS_AT] = 4, [ASH_INDEX_PROVIDERS] = 4, [ASH_INDEX_BY_NAME] = 4, [ASH_INDEX_PROVIDED] = 4, [ASH_INDEX_SUPPLEMENTERS] = 4, [ASH_INDEX_TEXTS] = 1,
};

typedef ASH_ARRAY(uint32_t) Numbers;

typedef struct IndexWriter {
        AshUniverse *u;
        Pool *pool;
        AshStr *out;
        AshIndexHead head;
        ASH_ARRAY(AshIndexRow) rows;
        ASH_ARRAY(AshIndexRepo) repos;
        Numbers ids, supplementers, provided;
        uint32_t *row_of;       /* solvable -> row */
        AshStr texts;           /* what comes after libsolv's own strings */
} IndexWriter;

static void writer_done(IndexWriter *w) {
        ash_array_done(&w->rows);
        ash_array_done(&w->repos);
        ash_array_done(&w->ids);
        ash_array_done(&w->supplementers);
        ash_array_done(&w->provided);
        ash_str_done(&w->texts);
        free(w->row_of);
}

static uint32_t add_text(IndexWriter *w, AshSlice text) {
        size_t at = w->pool->ss.sstrings + w->texts.len;
        ash_str_append(&w->texts, text);
        ash_str_append_char(&w->texts, 0);
        return (uint32_t) at;
}

static void section(IndexWriter *w, AshIndexSection s, const void *items, size_t n) {
        static const char zeros[8];
        w->head.sections[s].at = w->out->len;
        w->head.sections[s].n = n;
        ash_str_append(w->out, ash_slice(items, n * item_size[s]));
        ash_str_append(w->out, ash_slice(zeros, -w->out->len & 7));
}

static uint32_t add_list(IndexWriter *w, const Repo *repo, Offset list) {
        if (!list || !repo->idarraydata[list])
                return 0;
        uint32_t at = (uint32_t) w->ids.n;
        for (const Id *id = repo->idarraydata + list; *id; id++)
                ash_array_push(&w->ids, (uint32_t) *id);
        ash_array_push(&w->ids, 0);
        return at;
}

static void add_row(IndexWriter *w, Id p, AshArena *arena) {
        Solvable *s = pool_id2solvable(w->pool, p);
        const Offset lists[ASH_DEP_MAX_] = {
                [ASH_DEP_PROVIDES] = s->provides, [ASH_DEP_REQUIRES] = s->requires, [ASH_DEP_CONFLICTS] = s->conflicts, [ASH_DEP_OBSOLETES] = s->obsoletes,
                [ASH_DEP_RECOMMENDS] = s->recommends, [ASH_DEP_SUGGESTS] = s->suggests, [ASH_DEP_SUPPLEMENTS] = s->supplements, [ASH_DEP_ENHANCES] = s->enhances,
        };
        AshIndexRow row = { .name = (uint32_t) s->name, .evr = (uint32_t) s->evr, .arch = (uint32_t) s->arch, .vendor = (uint32_t) s->vendor, .repo = (uint32_t) w->repos.n - 1 };
        for (int kind = 0; kind < ASH_DEP_MAX_; kind++)
                row.deps[kind] = add_list(w, s->repo, lists[kind]);
        row.location = add_text(w, ash_universe_location(s, arena));
        row.size = solvable_lookup_num(s, SOLVABLE_DOWNLOADSIZE, 0);
        row.installed_size = solvable_lookup_num(s, SOLVABLE_INSTALLSIZE, 0);
        row.build_time = solvable_lookup_num(s, SOLVABLE_BUILDTIME, 0);
        Id type = 0;
        const unsigned char *sum = solvable_lookup_bin_checksum(s, SOLVABLE_CHECKSUM, &type);
        row.has_sha256 = sum && type == REPOKEY_TYPE_SHA256;
        if (row.has_sha256)
                memcpy(row.sha256, sum, sizeof row.sha256);
        if (row.deps[ASH_DEP_SUPPLEMENTS] || row.deps[ASH_DEP_ENHANCES])
                ash_array_push(&w->supplementers, (uint32_t) w->rows.n);
        w->row_of[p] = (uint32_t) w->rows.n;
        ash_array_push(&w->rows, row);
}

static void add_rows(IndexWriter *w) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        const Repo *last = NULL;
        Pool *pool = w->pool;
        Id p;
        FOR_POOL_SOLVABLES(p) {
                const Repo *repo = pool_id2solvable(pool, p)->repo;
                if (repo != last)
                        ash_array_push(&w->repos, ((AshIndexRepo){ .name = add_text(w, ash_slice_str(repo->name)), .priority = repo->priority }));
                last = repo;
                add_row(w, p, arena);
        }
}

/* libsolv's own answer to what provides a name: what cannot be installed here is left out of it. */
static void write_providers(IndexWriter *w) {
        Pool *pool = w->pool;
        Numbers at = {}, providers = {};
        int n = pool->ss.nstrings;
        for (Id id = 0; id < n; id++) {
                ash_array_push(&at, (uint32_t) providers.n);
                for (const Id *p = id > 1 ? pool_whatprovides_ptr(pool, id) : &(Id){ 0 }; *p; p++)
                        ash_array_push(&providers, w->row_of[*p]);
                if (providers.n > at.items[id])
                        ash_array_push(&w->provided, (uint32_t) id);
        }
        ash_array_push(&at, (uint32_t) providers.n);
        section(w, ASH_INDEX_PROVIDERS_AT, at.items, at.n);
        section(w, ASH_INDEX_PROVIDERS, providers.items, providers.n);
        ash_array_done(&at);
        ash_array_done(&providers);
}

static int by_name(const void *a, const void *b, void *data) {
        const IndexWriter *w = data;
        uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b, n = w->rows.items[x].name, m = w->rows.items[y].name;
        int c = n == m ? 0 : strcmp(pool_id2str(w->pool, (Id) n), pool_id2str(w->pool, (Id) m));
        return c ? c : (x > y) - (x < y);
}

static int by_text(const void *a, const void *b, void *data) {
        const IndexWriter *w = data;
        return strcmp(pool_id2str(w->pool, (Id) *(const uint32_t *) a), pool_id2str(w->pool, (Id) *(const uint32_t *) b));
}

static void write_names(IndexWriter *w) {
        Numbers order = {};
        for (size_t i = 0; i < w->rows.n; i++)
                ash_array_push(&order, (uint32_t) i);
        if (order.n)
                qsort_r(order.items, order.n, sizeof *order.items, by_name, w);
        if (w->provided.n)
                qsort_r(w->provided.items, w->provided.n, sizeof *w->provided.items, by_text, w);
        section(w, ASH_INDEX_BY_NAME, order.items, order.n);
        section(w, ASH_INDEX_PROVIDED, w->provided.items, w->provided.n);
        ash_array_done(&order);
}

static void write_rels(IndexWriter *w) {
        ASH_ARRAY(AshIndexRel) rels = {};
        for (int i = 0; i < w->pool->nrels; i++) {
                const Reldep *rel = w->pool->rels + i;
                ash_array_push(&rels, ((AshIndexRel){ (uint32_t) rel->name, (uint32_t) rel->evr, (uint32_t) rel->flags }));
        }
        section(w, ASH_INDEX_RELS, rels.items, rels.n);
        ash_array_done(&rels);
}

int ash_universe_write_index(AshUniverse *u, AshStr *out) {
        IndexWriter w __attribute__((__cleanup__(writer_done))) = { .u = u, .pool = u->pool, .out = out, .head.magic = ASH_INDEX_MAGIC };
        Pool *pool = u->pool;
        ash_universe_prepare_paths(u);
        w.row_of = ash_calloc((size_t) pool->nsolvables, sizeof *w.row_of);
        ash_array_push(&w.ids, 0); /* so that no list is at 0 */
        add_rows(&w);
        ash_str_append(out, ash_slice((const char *) &w.head, sizeof w.head));
        section(&w, ASH_INDEX_REPOS, w.repos.items, w.repos.n);
        section(&w, ASH_INDEX_PACKAGES, w.rows.items, w.rows.n);
        section(&w, ASH_INDEX_STRINGS, pool->ss.strings, (size_t) pool->ss.nstrings);
        write_rels(&w);
        section(&w, ASH_INDEX_IDS, w.ids.items, w.ids.n);
        write_providers(&w);
        write_names(&w);
        section(&w, ASH_INDEX_SUPPLEMENTERS, w.supplementers.items, w.supplementers.n);
        _str_ AshStr texts = {};
        ash_str_append(&texts, ash_slice(pool->ss.stringspace, pool->ss.sstrings));
        ash_str_append(&texts, ash_str_slice(&w.texts));
        section(&w, ASH_INDEX_TEXTS, texts.ptr, texts.len);
        if (texts.len > UINT32_MAX)
                return -ASH_ERR_LIMIT;
        w.head.size = out->len;
        memcpy(out->ptr, &w.head, sizeof w.head);
        return 0;
}

/* ---- opening ---- */
static bool sections_fit(const AshIndexHead *h, size_t size) {
        for (int s = 0; s < ASH_INDEX_MAX_; s++)
                if (h->sections[s].at > size || h->sections[s].at % 8 || h->sections[s].n > (size - h->sections[s].at) / item_size[s] || h->sections[s].n >= UINT32_MAX)
                        return false;
        return h->sections[ASH_INDEX_PROVIDERS_AT].n == h->sections[ASH_INDEX_STRINGS].n + 1 && h->sections[ASH_INDEX_STRINGS].n > ID_NUM_INTERNAL && h->sections[ASH_INDEX_TEXTS].n > 0 &&
               h->sections[ASH_INDEX_BY_NAME].n == h->sections[ASH_INDEX_PACKAGES].n;
}

/* Who keeps an index keeps it under a checksum, so a flipped bit does not get here; what is looked at is that it was written by this layout. */
int ash_index_open(AshSlice bytes, AshIndex **ret) {
        const AshIndexHead *h = (const AshIndexHead *) (const void *) bytes.ptr;
        if (bytes.len < sizeof *h || memcmp(h->magic, ASH_INDEX_MAGIC, sizeof h->magic) != 0 || h->size != bytes.len || !sections_fit(h, bytes.len))
                return -ASH_ERR_SYNTAX;
        AshIndex *x = ash_calloc(1, sizeof *x);
        const void *at[ASH_INDEX_MAX_];
        for (int s = 0; s < ASH_INDEX_MAX_; s++)
                at[s] = bytes.ptr + h->sections[s].at;
        *x = (AshIndex){ .head = h, .repos = at[ASH_INDEX_REPOS], .rows = at[ASH_INDEX_PACKAGES], .strings = at[ASH_INDEX_STRINGS], .rels = at[ASH_INDEX_RELS], .ids = at[ASH_INDEX_IDS],
                         .providers_at = at[ASH_INDEX_PROVIDERS_AT], .providers = at[ASH_INDEX_PROVIDERS], .by_name = at[ASH_INDEX_BY_NAME], .provided = at[ASH_INDEX_PROVIDED],
                         .supplementers = at[ASH_INDEX_SUPPLEMENTERS], .texts = at[ASH_INDEX_TEXTS], .n_repos = (uint32_t) h->sections[ASH_INDEX_REPOS].n,
                         .n_rows = (uint32_t) h->sections[ASH_INDEX_PACKAGES].n, .n_strings = (uint32_t) h->sections[ASH_INDEX_STRINGS].n, .n_ids = (uint32_t) h->sections[ASH_INDEX_IDS].n,
                         .n_rels = (uint32_t) h->sections[ASH_INDEX_RELS].n, .n_providers = (uint32_t) h->sections[ASH_INDEX_PROVIDERS].n, .n_provided = (uint32_t) h->sections[ASH_INDEX_PROVIDED].n,
                         .n_supplementers = (uint32_t) h->sections[ASH_INDEX_SUPPLEMENTERS].n, .n_texts = h->sections[ASH_INDEX_TEXTS].n };
        *ret = x;
        return 0;
}

void ash_index_free(AshIndex *x) { free(x); }

void ash_index_paths(const AshIndex *x, AshMap *ret) {
        for (uint32_t i = 0; i < x->n_strings; i++)
                if (ash_index_str(x, i)[0] == '/')
                        ash_map_put(ret, ash_slice_str(ash_index_str(x, i)), NULL, NULL);
}

void ash_index_package(const AshUniverse *u, Id id, AshPackage *p, AshArena *arena) {
        const AshIndexRow *row = &u->index->rows[u->rows[id]];
        const char *location = u->index->texts + row->location;
        p->location = location[0] ? ash_slice_str(ash_arena_strdup(arena, location)) : ASH_NOSLICE;
        p->size = row->size;
        p->installed_size = row->installed_size;
        p->build_time = row->build_time;
        if (row->has_sha256) {
                char hex[65];
                ash_hex(row->sha256, sizeof row->sha256, hex);
                p->sha256 = ash_slice_str(ash_arena_strdup(arena, hex));
        }
}

/* ---- looking up ---- */
static int compare(AshSlice a, const char *b) { return ash_slice_cmp(a, ash_slice_str(b)); }

uint32_t ash_index_find_provided(const AshIndex *x, AshSlice name) {
        for (uint32_t from = 0, to = x->n_provided; from < to;) {
                uint32_t middle = from + (to - from) / 2;
                int c = compare(name, ash_index_str(x, x->provided[middle]));
                if (c == 0)
                        return x->provided[middle];
                if (c < 0)
                        to = middle;
                else
                        from = middle + 1;
        }
        return 0;
}

/* The first place in by_name that is not before the name. */
static uint32_t find_name(const AshIndex *x, AshSlice name) {
        uint32_t from = 0, to = x->n_rows;
        while (from < to) {
                uint32_t middle = from + (to - from) / 2;
                if (compare(name, ash_index_name_at(x, middle)) > 0)
                        from = middle + 1;
                else
                        to = middle;
        }
        return from;
}

uint32_t ash_index_named(const AshIndex *x, AshSlice name, uint32_t *ret_n) {
        uint32_t first = find_name(x, name), i = first;
        while (i < x->n_rows && compare(name, ash_index_name_at(x, i)) == 0)
                i++;
        *ret_n = i - first;
        return first;
}

bool ash_index_provides(const AshIndex *x, AshSlice name) {
        uint32_t n;
        ash_index_named(x, name, &n);
        return n || ash_index_find_provided(x, name);
}
