/* What depmod(8) computes: which module needs which, in an order to load them; aliases; and the files that say so. Lines stand in the order of modules.order, others behind them
 * in the order of kmod's hash table of names, so that the files are depmod's byte for byte. */
#include <inttypes.h>
#include <stdio.h>
#include "kmod-private.h"

enum { NAME_BUCKETS = 512, SYMBOL_BUCKETS = 2048, ALIAS_MAX = 4095 };

typedef struct Module {
        const AshKmodFile *file;
        AshSlice name;
        AshArena *arena;             /* of what is read: modules are read side by side */
        AshKmod kmod;
        int result;                  /* of reading */
        int64_t sort;                /* line of modules.order, INT64_MAX: not in it */
        uint32_t bucket, index, users, place; /* place: in the topological order */
        bool loop;
        ASH_ARRAY(uint32_t) needs;   /* modules by index, direct, then sorted by place */
} Module;
typedef struct Symbol {
        AshSlice name;
        uint32_t owner, bucket;
} Symbol;
typedef struct Depmod {
        const AshKmodDir *dir;
        AshArena *arena;
        Module *modules;
        size_t n;
        AshMap by_name;              /* -> Module *, while searching */
        AshMap symbols;              /* name -> index of its owner + 1 */
        ASH_ARRAY(AshSlice) searches, overrides, excludes;
        AshKmodOutputs *out;
        AshDiags *diags;
} Depmod;

/* ---- depmod.d(5) ---- */
static void read_config(Depmod *d, AshSlice rest) {
        AshSlice line, word, name, version, place;
        while (ash_slice_next_line(&rest, &line)) {
                if (!ash_slice_next_word(&line, &word) || word.ptr[0] == '#')
                        continue;
                if (ash_slice_eqs(word, "search"))
                        while (ash_slice_next_word(&line, &word))
                                ash_array_push(&d->searches, word);
                else if (ash_slice_eqs(word, "exclude"))
                        while (ash_slice_next_word(&line, &word))
                                ash_array_push(&d->excludes, word);
                else if (ash_slice_eqs(word, "override") && ash_slice_next_word(&line, &name) && ash_slice_next_word(&line, &version) && ash_slice_next_word(&line, &place) &&
                         (ash_slice_eqs(version, "*") || ash_slice_eq(version, d->dir->version)))
                        ash_array_push(&d->overrides, ash_slice_str(ash_arena_printf(d->arena, "%.*s/%.*s", ASH_F(place), ASH_F(name))));
        }
}

/* The earlier a directory is searched the larger; what no word names is "built-in". */
static int priority(const Depmod *d, AshSlice path) {
        AshSlice plain = ash_kmod_plain_path(path);
        int built_in = -1, own = -1, n = (int) d->searches.n;
        plain.len -= strlen(".ko");
        for (size_t i = 0; i < d->overrides.n; i++)
                if (ash_slice_eq(d->overrides.items[i], plain))
                        return INT32_MAX;
        for (int i = n; i-- > 0;)
                if (ash_slice_eqs(d->searches.items[i], "built-in"))
                        built_in = n - 1 - i;
                else if (ash_slice_starts(path, d->searches.items[i]))
                        own = n - 1 - i;
        return own >= 0 ? own : built_in;
}

static bool is_excluded(const Depmod *d, AshSlice path) {
        AshSlice rest = ash_path_dir(path), part;
        while (ash_slice_split(&rest, '/', &part)) {
                if (ash_slice_eqs(part, "build") || ash_slice_eqs(part, "source"))
                        return true;
                for (size_t i = 0; i < d->excludes.n; i++)
                        if (ash_slice_eq(d->excludes.items[i], part))
                                return true;
        }
        return false;
}

/* ---- which modules there are ---- */
static int cmp_files(const void *a, const void *b) { return ash_slice_cmp((*(const AshKmodFile *const *) a)->path, (*(const AshKmodFile *const *) b)->path); }

/* Of several modules of one name the one whose directory is searched first; of equals the first path. */
static void search(Depmod *d) {
        const AshKmodFile **files = ash_arena_new_items(d->arena, const AshKmodFile *, d->dir->n_files + 1);
        size_t n = 0;
        for (size_t i = 0; i < d->dir->n_files; i++)
                if (ash_kmod_is_file(d->dir->files[i].path) && !is_excluded(d, d->dir->files[i].path))
                        files[n++] = &d->dir->files[i];
        qsort(files, n, sizeof *files, cmp_files);
        d->modules = ash_arena_new_items(d->arena, Module, n + 1);
        for (size_t i = 0; i < n; i++) {
                bool fresh;
                AshSlice name = ash_kmod_name(files[i]->path, d->arena);
                AshMapEntry *e = ash_map_ensure(&d->by_name, name, &fresh);
                Module *m = fresh ? &d->modules[d->n++] : e->value;
                if (fresh)
                        *m = (Module){ .file = files[i], .name = name, .sort = INT64_MAX, .bucket = ash_kmod_bucket(name, NAME_BUCKETS) };
                else if (priority(d, files[i]->path) > priority(d, m->file->path))
                        m->file = files[i];
                e->value = m;
        }
}

static int cmp_modules(const void *a, const void *b) {
        const Module *x = a, *y = b;
        if (x->sort != y->sort)
                return x->sort < y->sort ? -1 : 1;
        if (x->bucket != y->bucket)
                return x->bucket < y->bucket ? -1 : 1;
        return ash_slice_cmp(x->name, y->name);
}

static void order(Depmod *d) {
        AshSlice rest = d->dir->order, line;
        _map_ AshMap by_path = {};
        for (size_t i = 0; i < d->n; i++)
                ash_map_put(&by_path, ash_kmod_plain_path(d->modules[i].file->path), &d->modules[i], NULL);
        for (int64_t at = 0; ash_slice_next_line(&rest, &line); at++) {
                Module *m = ash_map_get(&by_path, line);
                if (m)
                        m->sort = at;
        }
        if (d->n)
                qsort(d->modules, d->n, sizeof *d->modules, cmp_modules);
        for (size_t i = 0; i < d->n; i++)
                d->modules[i].index = (uint32_t) i;
}

/* ---- who needs whom ---- */
static int read_one(void *context, size_t i) {
        Depmod *d = context;
        Module *m = &d->modules[i];
        m->arena = ash_arena_new();
        m->result = ash_kmod_read(m->file->bytes, m->arena, &m->kmod);
        return 0;
}

static void tell_unread(const Depmod *d) {
        for (size_t i = 0; i < d->n; i++)
                if (d->modules[i].result < 0)
                        ash_warn(d->diags, ASH_NOWHERE, "the module %.*s cannot be read: %s", ASH_F(d->modules[i].file->path),
                                 d->modules[i].result == -ENOENT ? "not an ELF file" : ash_strerror(d->modules[i].result));
}

/* The last module that exports a name has it. */
static void collect_symbols(Depmod *d) {
        for (size_t i = 0; i < d->n; i++)
                for (size_t k = 0; k < d->modules[i].kmod.n_exports; k++)
                        ash_map_put(&d->symbols, d->modules[i].kmod.exports[k], (void *) (uintptr_t) (i + 1), NULL);
}

static int resolve_one(void *context, size_t i) {
        Depmod *d = context;
        Module *m = &d->modules[i];
        for (size_t k = 0; k < m->kmod.n_imports; k++) {
                AshSlice name = m->kmod.imports[k];
                if (name.len && name.ptr[0] == '.') /* 64-bit PowerPC: .foo is foo */
                        name = ash_slice_from(name, 1);
                uint32_t owner = (uint32_t) (uintptr_t) ash_map_get(&d->symbols, name);
                bool known = !owner;
                for (size_t j = 0; !known && j < m->needs.n; j++)
                        known = m->needs.items[j] == owner - 1;
                if (!known)
                        ash_array_push(&m->needs, owner - 1);
        }
        return 0;
}

/* Those that nobody needs come first, the last found first; what is left over needs itself in a circle. */
static void sort_topologically(Depmod *d) {
        uint32_t *roots = ash_arena_new_items(d->arena, uint32_t, d->n + 1);
        size_t n = 0, place = 0;
        for (size_t i = 0; i < d->n; i++)
                ash_array_foreach(&d->modules[i].needs, k)
                        d->modules[*k].users++;
        for (size_t i = 0; i < d->n; i++) {
                d->modules[i].loop = true;
                d->modules[i].place = UINT32_MAX;
                if (!d->modules[i].users)
                        roots[n++] = (uint32_t) i;
        }
        while (n) {
                Module *m = &d->modules[roots[--n]];
                m->place = (uint32_t) place++;
                m->loop = false;
                ash_array_foreach(&m->needs, k)
                        if (!--d->modules[*k].users)
                                roots[n++] = *k;
        }
        for (size_t i = 0; i < d->n; i++)
                if (d->modules[i].loop)
                        ash_warn(d->diags, ASH_NOWHERE, "the module %.*s needs itself by way of others; it is left out of modules.dep", ASH_F(d->modules[i].file->path));
}

typedef struct Closure {
        const Depmod *d;
        uint8_t *seen;
        ASH_ARRAY(uint32_t) found;
} Closure;

static void add_needs(Closure *c, const Module *m) {
        for (size_t i = 0; i < m->needs.n; i++)
                if (!c->seen[m->needs.items[i]]) {
                        c->seen[m->needs.items[i]] = 1;
                        ash_array_push(&c->found, m->needs.items[i]);
                }
}

static int cmp_places(const void *a, const void *b, void *context) {
        const Depmod *d = context;
        uint32_t x = d->modules[*(const uint32_t *) a].place, y = d->modules[*(const uint32_t *) b].place;
        return x < y ? -1 : x > y;
}

/* "path: path path": with what those need, each behind what needs it. */
static AshSlice dependency_line(Closure *c, const Module *m) {
        _str_ AshStr line = {};
        c->found.n = 0;
        add_needs(c, m);
        for (size_t i = 0; i < c->found.n; i++)
                add_needs(c, &c->d->modules[c->found.items[i]]);
        if (c->found.n)
                qsort_r(c->found.items, c->found.n, sizeof *c->found.items, cmp_places, (void *) c->d);
        ash_str_appendf(&line, "%.*s:", ASH_F(m->file->path));
        for (size_t i = 0; i < c->found.n; i++) {
                const Module *need = &c->d->modules[c->found.items[i]];
                c->seen[need->index] = 0;
                if (!need->loop)
                        ash_str_appendf(&line, " %.*s", ASH_F(need->file->path));
        }
        return ash_arena_slice(c->d->arena, ash_str_slice(&line));
}

/* ---- files ---- */
static AshStr *output(Depmod *d, const char *name) {
        AshKmodOutput *o = ash_array_add(&d->out->items);
        o->name = name;
        return &o->bytes;
}

static void put_index(Depmod *d, const char *name, AshKmodIndex *x) {
        ash_kmod_index_write(x, d->dir->kmod >= 34, output(d, name));
        ash_array_done(&x->keys);
}

static void put_dependencies(Depmod *d) {
        AshStr *text = output(d, "modules.dep");
        AshKmodIndex x = {};
        Closure c = { .d = d, .seen = ash_arena_new_items(d->arena, uint8_t, d->n + 1) };
        for (size_t i = 0; i < d->n; i++) {
                const Module *m = &d->modules[i];
                if (m->loop)
                        continue;
                AshSlice line = dependency_line(&c, m);
                ash_str_append(text, line);
                ash_str_append_char(text, '\n');
                ash_kmod_index_add(&x, m->name, line, m->index);
        }
        ash_array_done(&c.found);
        put_index(d, "modules.dep.bin", &x);
}

/* '-' is '_', but within brackets. ptr NULL: brackets that do not fit, or too long for kmod. */
static AshSlice normalized(const Depmod *d, AshSlice alias) {
        char *out = ash_arena_strndup(d->arena, alias.ptr, alias.len);
        bool inside = false;
        for (char *p = out; *p; p++)
                if (*p == ']' && !inside)
                        return ASH_NOSLICE;
                else if (*p == '[' || *p == ']')
                        inside = *p == '[';
                else if (*p == '-' && !inside)
                        *p = '_';
        return inside || alias.len > ALIAS_MAX ? ASH_NOSLICE : ash_slice(out, alias.len);
}

static void add_alias(Depmod *d, AshKmodIndex *x, AshSlice alias, AshSlice name, uint32_t index) {
        AshSlice key = normalized(d, alias);
        if (key.ptr)
                ash_kmod_index_add(x, key, name, index);
        else
                ash_warn(d->diags, ASH_NOWHERE, "the module %.*s has an alias with a bracket that is not closed: %.*s", ASH_F(name), (int) ASH_MIN(alias.len, (size_t) 100), alias.ptr);
}

static void put_aliases(Depmod *d) {
        AshStr *text = output(d, "modules.alias");
        AshKmodIndex x = {};
        ash_str_append_str(text, "# Aliases extracted from modules themselves.\n");
        for (size_t i = 0; i < d->n; i++) {
                const Module *m = &d->modules[i];
                AshSlice alias;
                for (size_t at = 0; ash_kmod_next(&m->kmod, "alias", &at, &alias);) {
                        ash_str_appendf(text, "alias %.*s %.*s\n", ASH_F(alias), ASH_F(m->name));
                        add_alias(d, &x, alias, m->name, m->index);
                }
        }
        put_index(d, "modules.alias.bin", &x);
}

/* Lines "KEY module value" for all values of a key. */
static void put_values(Depmod *d, const char *file, const char *key, const char *head) {
        AshStr *text = output(d, file);
        AshSlice value;
        ash_str_append_str(text, head);
        for (size_t i = 0; i < d->n; i++)
                for (size_t at = 0; ash_kmod_next(&d->modules[i].kmod, key, &at, &value);)
                        ash_str_appendf(text, "%s %.*s %.*s\n", key, ASH_F(d->modules[i].name), ASH_F(value));
}

static int cmp_symbols(const void *a, const void *b) {
        const Symbol *x = a, *y = b;
        return x->bucket != y->bucket ? (x->bucket < y->bucket ? -1 : 1) : ash_slice_cmp(x->name, y->name);
}

static void put_symbols(Depmod *d) {
        AshStr *text = output(d, "modules.symbols");
        AshKmodIndex x = {};
        Symbol *symbols = ash_arena_new_items(d->arena, Symbol, d->symbols.live + 1);
        size_t n = 0;
        ash_map_foreach(&d->symbols, e)
                symbols[n++] = (Symbol){ e->key, (uint32_t) (uintptr_t) e->value - 1, ash_kmod_bucket(e->key, SYMBOL_BUCKETS) };
        qsort(symbols, n, sizeof *symbols, cmp_symbols);
        ash_str_append_str(text, "# Aliases for symbols, used by symbol_request().\n");
        for (size_t i = 0; i < n; i++) {
                const Module *m = &d->modules[symbols[i].owner];
                ash_str_appendf(text, "alias symbol:%.*s %.*s\n", ASH_F(symbols[i].name), ASH_F(m->name));
                ash_kmod_index_add(&x, ash_slice_str(ash_arena_printf(d->arena, "symbol:%.*s", ASH_F(symbols[i].name))), m->name, m->index);
        }
        put_index(d, "modules.symbols.bin", &x);
}

static void put_builtin(Depmod *d) {
        AshStr *bytes = output(d, "modules.builtin.bin");
        AshKmodIndex x = {};
        AshSlice rest = d->dir->builtin, line;
        while (ash_slice_next_line(&rest, &line))
                if (line.len)
                        ash_kmod_index_add(&x, ash_kmod_name(line, d->arena), ASH_S(""), 0);
        if (d->dir->builtin.ptr)
                ash_kmod_index_write(&x, d->dir->kmod >= 34, bytes);
        ash_array_done(&x.keys);
}

/* modules.builtin.modinfo: "module.key=value" strings, each with a NUL. */
static void put_builtin_aliases(Depmod *d) {
        AshStr *bytes = output(d, "modules.builtin.alias.bin");
        AshKmodIndex x = {};
        AshSlice rest = d->dir->builtin_modinfo, one;
        while (ash_slice_split(&rest, '\0', &one)) {
                ptrdiff_t dot = ash_slice_find_char(one, '.');
                AshSlice pair = dot < 0 ? ASH_S("") : ash_slice_from(one, (size_t) dot + 1);
                if (ash_slice_starts(pair, ASH_S("alias=")))
                        add_alias(d, &x, ash_slice_from(pair, strlen("alias=")), ash_slice(one.ptr, (size_t) dot), 0);
        }
        if (d->dir->builtin_modinfo.ptr)
                ash_kmod_index_write(&x, d->dir->kmod >= 34, bytes);
        ash_array_done(&x.keys);
}

/* "char-major-10-229" */
static bool device_number(AshSlice alias, char *ret_type, unsigned *ret_major, unsigned *ret_minor) {
        _free_ char *s = ash_slice_dup(alias);
        *ret_type = s[0];
        return sscanf(s, "char-major-%u-%u", ret_major, ret_minor) == 2 || sscanf(s, "block-major-%u-%u", ret_major, ret_minor) == 2;
}

static void put_devnames(Depmod *d) {
        AshStr *text = output(d, "modules.devname");
        for (size_t i = 0; i < d->n; i++) {
                const Module *m = &d->modules[i];
                AshSlice alias, name = ASH_NOSLICE;
                unsigned major = 0, minor = 0, a, b;
                char type = 0, t;
                for (size_t at = 0; !(type && name.ptr) && ash_kmod_next(&m->kmod, "alias", &at, &alias);)
                        if (ash_slice_starts(alias, ASH_S("devname:")))
                                name = ash_slice_from(alias, strlen("devname:"));
                        else if (device_number(alias, &t, &a, &b))
                                type = t, major = a, minor = b;
                if (!name.ptr || !type)
                        continue;
                if (!text->len)
                        ash_str_append_str(text, "# Device nodes to trigger on-demand module loading.\n");
                ash_str_appendf(text, "%.*s %.*s %c%u:%u\n", ASH_F(m->name), ASH_F(name), type, major, minor);
        }
}

void ash_kmod_outputs_done(AshKmodOutputs *o) {
        ash_array_foreach(&o->items, i)
                ash_str_done(&i->bytes);
        ash_array_done(&o->items);
}

static void depmod_done(Depmod *d) {
        for (size_t i = 0; i < d->n; i++) {
                ash_arena_free(d->modules[i].arena);
                ash_array_done(&d->modules[i].needs);
        }
        ash_map_done(&d->by_name);
        ash_map_done(&d->symbols);
        ash_array_done(&d->searches);
        ash_array_done(&d->overrides);
        ash_array_done(&d->excludes);
        ash_arena_free(d->arena);
}

int ash_kmod_depmod(const AshKmodDir *dir, AshKmodOutputs *ret, AshDiags *diags) {
        AshKmodOutputs outputs = {};
        _cleanup_(depmod_done) Depmod d = { .dir = dir, .arena = ash_arena_new(), .out = &outputs, .diags = diags };
        for (size_t i = 0; i < dir->n_configs; i++)
                read_config(&d, dir->configs[i]);
        if (!d.searches.n)
                ash_array_push(&d.searches, ASH_S("updates"));
        search(&d);
        order(&d);
        int r = ash_parallel_for(d.n, 0, true, read_one, &d);
        if (r < 0)
                return r;
        tell_unread(&d);
        collect_symbols(&d);
        r = ash_parallel_for(d.n, 0, true, resolve_one, &d);
        if (r < 0)
                return r;
        sort_topologically(&d);
        put_dependencies(&d);
        put_aliases(&d);
        put_values(&d, "modules.softdep", "softdep", "# Soft dependencies extracted from modules themselves.\n");
        if (dir->kmod >= 33)
                put_values(&d, "modules.weakdep", "weakdep", "# Weak dependencies extracted from modules themselves.\n");
        put_symbols(&d);
        put_builtin(&d);
        put_builtin_aliases(&d);
        put_devnames(&d);
        *ret = outputs;
        return 0;
}
