#include <stdio.h>
#include <stdio_ext.h>
#include <solv/repo.h>
#include <solv/evr.h>
#include <solv/pool_parserpmrichdep.h>
#include <solv/poolarch.h>
#include <solv/repo_rpmmd.h>
#include <solv/repo_solv.h>
#include <solv/repo_updateinfoxml.h>
#include <solv/repo_write.h>
#include <solv/solvversion.h>
#include <unistd.h>
#include "io.h"
#include "solve-internal.h"

AshUniverse *ash_universe_new(const char *arch) {
        AshUniverse *u = ash_calloc(1, sizeof *u);
        u->pool = pool_create();
        pool_setdisttype(u->pool, DISTTYPE_RPM); /* Debian's libsolv is built for several kinds of distribution */
        pool_setarch(u->pool, arch);
        return u;
}

void ash_universe_free(AshUniverse *u) {
        if (!u)
                return;
        pool_free(u->pool);
        free(u->rows);
        free(u);
}

static void close_repo(AshUniverse *u) {
        if (u->data)
                repodata_internalize(u->data);
        u->data = NULL;
}

int ash_universe_add_repo(AshUniverse *u, const char *name, int priority) {
        close_repo(u);
        u->repo = repo_create(u->pool, name);
        u->repo->priority = priority;
        u->prepared = false;
        return u->repo->repoid;
}

static Id str_id(AshUniverse *u, AshSlice s) { return pool_strn2id(u->pool, s.ptr ? s.ptr : "", (unsigned) s.len, 1); }
AshSlice ash_universe_str(AshUniverse *u, Id id) { return ash_slice_str(pool_id2str(u->pool, id)); }

static int relation(uint32_t flags) {
        return (flags & ASH_DEP_LT ? REL_LT : 0) | (flags & ASH_DEP_GT ? REL_GT : 0) | (flags & ASH_DEP_EQ ? REL_EQ : 0);
}

/* libsolv takes them apart by recursion: what nests without end would end on its stack. Such a name is one that nothing provides. */
static bool is_sane_rich(AshSlice text) {
        size_t open = 0;
        for (size_t i = 0; i < text.len; i++)
                open += text.ptr[i] == '(';
        return open <= 2000;
}

Id ash_universe_dep_id(AshUniverse *u, const AshDep *dep) {
        if (dep->name.len && dep->name.ptr[0] == '(' && is_sane_rich(dep->name)) {
                _free_ char *text = ash_slice_dup(dep->name);
                Id id = pool_parserpmrichdep(u->pool, text);
                return id ? id : str_id(u, dep->name);
        }
        Id name = str_id(u, dep->name);
        if (!(dep->flags & ASH_DEP_COMPARE))
                return name;
        return pool_rel2id(u->pool, name, str_id(u, dep->evr), relation(dep->flags), 1);
}

static void set_text(AshUniverse *u, Id handle, Id key, AshSlice text) {
        if (!text.len)
                return;
        _free_ char *s = ash_slice_dup(text);
        repodata_set_str(u->data, handle, key, s);
}

/* Where each kind of dependency stands in a solvable. */
static Offset *dep_array(Solvable *s, AshDepKind kind) {
        switch (kind) {
        case ASH_DEP_PROVIDES: return &s->provides;
        case ASH_DEP_REQUIRES: return &s->requires;
        case ASH_DEP_CONFLICTS: return &s->conflicts;
        case ASH_DEP_OBSOLETES: return &s->obsoletes;
        case ASH_DEP_RECOMMENDS: return &s->recommends;
        case ASH_DEP_SUGGESTS: return &s->suggests;
        case ASH_DEP_SUPPLEMENTS: return &s->supplements;
        case ASH_DEP_ENHANCES: return &s->enhances;
        default: return NULL;
        }
}

static void add_deps(AshUniverse *u, Solvable *s, AshDepKind kind, const AshDeps *deps) {
        Offset *at = dep_array(s, kind);
        /* libsolv keeps what must be there before scripts run behind a marker, so plain ones come first. */
        for (int pre = 0; pre < (kind == ASH_DEP_REQUIRES ? 2 : 1); pre++)
                for (size_t i = 0; i < deps->n; i++) {
                        const AshDep *d = &deps->items[i];
                        if (kind == ASH_DEP_REQUIRES && !!(d->flags & ASH_DEP_PRE) != pre)
                                continue;
                        Id id = ash_universe_dep_id(u, d);
                        Id marker = kind == ASH_DEP_REQUIRES ? (pre ? SOLVABLE_PREREQMARKER : -SOLVABLE_PREREQMARKER)
                                  : kind == ASH_DEP_PROVIDES ? -SOLVABLE_FILEMARKER : 0;
                        *at = repo_addid_dep(u->repo, *at, id, marker);
                }
}

uint32_t ash_universe_add_package(AshUniverse *u, const AshPackage *p) {
        Pool *pool = u->pool;
        if (!u->data)
                u->data = repo_add_repodata(u->repo, 0);
        Id id = repo_add_solvable(u->repo);
        Solvable *s = pool_id2solvable(pool, id);
        _str_ AshStr evr = {};
        if (p->epoch)
                ash_str_appendf(&evr, "%u:", p->epoch);
        ash_str_appendf(&evr, "%.*s-%.*s", ASH_F(p->version), ASH_F(p->release));
        s->name = str_id(u, p->name);
        s->evr = str_id(u, ash_str_slice(&evr));
        s->arch = str_id(u, p->arch);
        s->vendor = str_id(u, p->vendor);
        for (int kind = 0; kind < ASH_DEP_MAX_; kind++)
                add_deps(u, s, kind, &p->deps[kind]);
        s->provides = repo_addid_dep(u->repo, s->provides, pool_rel2id(pool, s->name, s->evr, REL_EQ, 1), -SOLVABLE_FILEMARKER);
        set_text(u, id, SOLVABLE_SUMMARY, p->summary);
        set_text(u, id, SOLVABLE_URL, p->url);
        set_text(u, id, SOLVABLE_LICENSE, p->license);
        set_text(u, id, SOLVABLE_SOURCENAME, p->source_rpm);
        set_text(u, id, SOLVABLE_MEDIAFILE, p->location);
        if (p->size)
                repodata_set_num(u->data, id, SOLVABLE_DOWNLOADSIZE, p->size);
        if (p->installed_size)
                repodata_set_num(u->data, id, SOLVABLE_INSTALLSIZE, p->installed_size);
        if (p->build_time)
                repodata_set_num(u->data, id, SOLVABLE_BUILDTIME, p->build_time);
        if (p->sha256.len == 64) {
                _free_ char *hex = ash_slice_dup(p->sha256);
                repodata_set_checksum(u->data, id, SOLVABLE_CHECKSUM, REPOKEY_TYPE_SHA256, hex);
        }
        for (size_t i = 0; i < p->n_files; i++) {
                AshSlice dir = ash_path_dir(p->files[i]), base = ash_path_base(p->files[i]);
                _free_ char *d = ash_slice_dup(dir), *b = ash_slice_dup(base);
                Id did = repodata_str2dir(u->data, d, 1);
                repodata_add_dirstr(u->data, id, SOLVABLE_FILELIST, did, b);
        }
        u->prepared = false;
        return (uint32_t) id;
}

enum { PARENTHESES_MAX = 10000 };

typedef struct XmlSource {
        AshReader *reader;
        size_t open;             /* parentheses, or what may stand for one, since the last '<' */
        bool deep;
} XmlSource;

/* An attribute holds no '<', so no dependency nests deeper than what is counted between two of them. */
static bool is_deep(XmlSource *s, const char *data, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (data[i] == '<')
                        s->open = 0;
                else if ((data[i] == '(' || data[i] == '&') && ++s->open > PARENTHESES_MAX)
                        return true;
        return false;
}

static ssize_t read_cookie(void *cookie, char *data, size_t n) {
        XmlSource *s = cookie;
        ssize_t r = ash_reader_read(s->reader, data, n);
        s->deep = s->deep || (r > 0 && is_deep(s, data, (size_t) r));
        if (r >= 0 && !s->deep)
                return r;
        errno = EIO;
        return -1;
}

/* What it holds tells how it is compressed: files of the store have no suffix. */
static int add_xml(AshUniverse *u, const char *path, int (*add)(Repo *, FILE *, int), int flags, AshDiags *diags) {
        _bytes_ AshBytes bytes = {};
        int r = ash_file_map(AT_FDCWD, path, &bytes);
        if (r < 0)
                return ash_fail_file(diags, r, path, "cannot open: %s", ash_strerror(r));
        AshSlice data = ash_bytes_slice(&bytes);
        _cleanup_(ash_reader_free_p) AshReader *reader = ash_reader_new_decompress(ash_reader_new_memory(data), true, ash_compression_detect(data), 0);
        XmlSource source = { .reader = reader };
        FILE *f = fopencookie(&source, "r", (cookie_io_functions_t){ .read = read_cookie });
        if (!f)
                return ash_fail_file(diags, -errno, path, "cannot open: %s", ash_strerror(errno));
        r = add(u->repo, f, flags);
        fclose(f);
        if (source.deep)
                return ash_fail_file(diags, -ASH_ERR_LIMIT, path, "more than %d parentheses in one text", PARENTHESES_MAX);
        if (r || reader->error)
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, path, "%s", reader->error ? ash_strerror(reader->error) : pool_errstr(u->pool));
        return 0;
}

static int add_rpmmd(Repo *repo, FILE *f, int flags) { return repo_add_rpmmd(repo, f, NULL, flags); }

int ash_universe_add_rpmmd(AshUniverse *u, const char *primary, const char *filelists, const char *updateinfo, AshDiags *diags) {
        close_repo(u);
        u->prepared = false;
        int r = add_xml(u, primary, add_rpmmd, 0, diags);
        if (r >= 0 && filelists)
                r = add_xml(u, filelists, add_rpmmd, REPO_EXTEND_SOLVABLES, diags);
        if (r >= 0 && updateinfo)
                r = add_xml(u, updateinfo, repo_add_updateinfoxml, 0, diags);
        return r;
}

const char *ash_solv_version(void) { return "ashlar-3 libsolv-" LIBSOLV_VERSION_STRING; }

/* Texts for people are left out: nothing asks the cache for them, and reading costs time. */
static int solver_keys(Repo *repo, Repokey *key, void *context) {
        switch (key->name) {
        case SOLVABLE_SUMMARY: case SOLVABLE_DESCRIPTION: case SOLVABLE_URL: case SOLVABLE_LICENSE: case SOLVABLE_GROUP: case SOLVABLE_PACKAGER: case SOLVABLE_BUILDHOST:
        case SOLVABLE_SOURCENAME: case SOLVABLE_SOURCEARCH: case SOLVABLE_SOURCEEVR: case SOLVABLE_HEADEREND: case SOLVABLE_CHANGELOG:
                return KEY_STORAGE_DROPPED;
        default:
                return repo_write_stdkeyfilter(repo, key, context);
        }
}

int ash_universe_write_solv(AshUniverse *u, int fd, AshDiags *diags) {
        close_repo(u);
        int own = dup(fd);
        FILE *f = own < 0 ? NULL : fdopen(own, "w");
        if (!f)
                return ash_fail(diags, -errno, ASH_NOWHERE, "cannot write the solver's cache: %s", ash_strerror(errno));
        int r = repo_write_filtered(u->repo, f, solver_keys, NULL, NULL);
        if (fclose(f) != 0 || r)
                return ash_fail(diags, -EIO, ASH_NOWHERE, "cannot write the solver's cache: %s", ash_strerror(errno));
        return 0;
}

int ash_universe_add_solv(AshUniverse *u, AshSlice bytes, AshDiags *diags) {
        close_repo(u);
        u->prepared = false;
        FILE *f = fmemopen((void *) bytes.ptr, bytes.len, "r");
        if (!f)
                return ash_fail(diags, -errno, ASH_NOWHERE, "cannot read the solver's cache: %s", ash_strerror(errno));
        /* libsolv reads byte by byte: without a lock for each, and in large pieces. */
        __fsetlocking(f, FSETLOCKING_BYCALLER);
        setvbuf(f, NULL, _IOFBF, 1 << 18);
        int r = repo_add_solv(u->repo, f, 0);
        fclose(f);
        return r ? ash_fail(diags, -ASH_ERR_SYNTAX, ASH_NOWHERE, "the solver's cache is damaged: %s", pool_errstr(u->pool)) : 0;
}

size_t ash_universe_n(const AshUniverse *u) {
        Pool *pool = u->pool;
        size_t n = 0;
        Id p;
        FOR_POOL_SOLVABLES(p)
                n++;
        return n;
}

void ash_universe_prepare(AshUniverse *u) {
        if (u->prepared)
                return;
        close_repo(u);
        pool_addfileprovides(u->pool);
        pool_createwhatprovides(u->pool);
        u->prepared = true;
}

/* A package that requires every such path, so that libsolv looks who has it. */
static Repo *ask_for_paths(AshUniverse *u) {
        Repo *repo = repo_create(u->pool, "paths");
        Id asks = repo_add_solvable(repo);
        Dataiterator di;
        Offset requires = 0;
        dataiterator_init(&di, u->pool, 0, 0, SOLVABLE_FILELIST, NULL, SEARCH_FILES | SEARCH_COMPLETE_FILELIST);
        while (dataiterator_step(&di))
                if (ash_path_may_be_required(ash_slice_str(di.kv.str)))
                        requires = repo_addid(repo, requires, pool_str2id(u->pool, di.kv.str, 1));
        dataiterator_free(&di);
        pool_id2solvable(u->pool, asks)->requires = requires;
        return repo;
}

void ash_universe_prepare_paths(AshUniverse *u) {
        close_repo(u);
        Repo *repo = ask_for_paths(u);
        pool_addfileprovides(u->pool);
        repo_free(repo, 1);
        pool_createwhatprovides(u->pool);
        u->prepared = true;
}

static AshSlice without_release(AshSlice evr) {
        ptrdiff_t dash = ash_slice_rfind_char(evr, '-');
        return dash < 0 ? evr : ash_slice(evr.ptr, (size_t) dash);
}

int ash_evr_compare(AshUniverse *u, AshSlice a, AshSlice b) {
        bool both = ash_slice_find_char(a, '-') >= 0 && ash_slice_find_char(b, '-') >= 0;
        _free_ char *x = ash_slice_dup(both ? a : without_release(a)), *y = ash_slice_dup(both ? b : without_release(b));
        return pool_evrcmp_str(u->pool, x, y, EVRCMP_COMPARE);
}
