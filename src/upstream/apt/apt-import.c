/* One deb becomes one RPM (docs/apt-import.md, "Packages"). */
#include "apt-import.h"

enum { MAX_CHANGES = 10, CHANGELOG_BYTES = 256 << 10 };

typedef struct Import {
        const AshAptImport *in;
        AshAptPackage p;
        AshDeb *deb;
        AshArena *arena;
        AshAptChanges changes;
        ASH_ARRAY(AshRpmNewFile) files;
        AshMap by_path;            /* path -> 1 + index in files */
        ASH_ARRAY(AshRpmDep) deps[ASH_DEP_MAX_];
        AptGenerated generated;
        AshRpmNewChange changelog[MAX_CHANGES];
        size_t n_changelog;
        const char *label;
        AshDiags *diags;
} Import;

static void import_done(Import *im) {
        ash_array_done(&im->files);
        ash_map_done(&im->by_path);
        for (int i = 0; i < ASH_DEP_MAX_; i++)
                ash_array_done(&im->deps[i]);
        apt_generated_done(&im->generated);
        ash_deb_free(im->deb);
        ash_arena_free(im->arena);
}

static int fail(Import *im, const char *format, ...) _printf_(2, 3);
static int fail(Import *im, const char *format, ...) {
        _str_ AshStr s = {};
        va_list ap;
        va_start(ap, format);
        ash_str_appendv(&s, format, ap);
        va_end(ap);
        return ash_fail_file(im->diags, -ASH_ERR_SYNTAX, im->label, "%s", s.ptr);
}

/* ---- identity ---- */
static int check_field(Import *im, const char *field, AshSlice want) {
        AshSlice got = ash_deb822_get(im->deb->control, field);
        return ash_slice_eq(got, want) ? 0 : fail(im, "the package says %s '%.*s', the archive's index '%.*s'", field, ASH_F(got), ASH_F(want));
}

static int check_identity(Import *im) {
        int r = check_field(im, "Package", im->p.name);
        if (r >= 0)
                r = check_field(im, "Version", im->p.version);
        return r < 0 ? r : check_field(im, "Architecture", im->p.arch);
}

/* ---- files ---- */
static bool merged_dir(AshSlice path, size_t *ret_len) {
        static const char *const dirs[] = { "bin", "sbin", "lib", "lib64", "lib32", "libx32" };
        for (size_t i = 0; i < ASH_N(dirs); i++) {
                size_t n = strlen(dirs[i]);
                if (ash_slice_starts(path, ash_slice_str(dirs[i])) && (path.len == n || path.ptr[n] == '/')) {
                        *ret_len = n;
                        return true;
                }
        }
        return false;
}

/* /lib/x is /usr/lib/x. The links /bin, /lib ... themselves stay (base-files carries them). */
static AshSlice place(Import *im, AshSlice path, bool is_link) {
        size_t n;
        bool moves = merged_dir(path, &n) && !(is_link && path.len == n);
        return ash_slice_str(ash_arena_printf(im->arena, moves ? "/usr/%.*s" : "/%.*s", ASH_F(path)));
}

/* A relative target keeps its meaning when its link moves below /usr. */
static AshSlice retarget(Import *im, const AshDebEntry *e, AshSlice new_path) {
        if (e->target.ptr[0] == '/' || new_path.len == e->path.len + 1)
                return e->target;
        AshSlice dir = ash_path_dir(e->path);
        _free_ char *joined = ash_asprintf("%.*s/%.*s", ASH_F(dir), ASH_F(e->target));
        _free_ char *absolute = ash_path_normalize(ash_slice_str(joined));
        if (!ash_path_is_confined(ash_slice_str(absolute)))
                return e->target;
        AshSlice to = place(im, ash_slice_str(absolute), false);
        _free_ char *relative = ash_path_relative(ash_path_dir(new_path), to);
        return ash_slice_str(ash_arena_strdup(im->arena, relative));
}

static AshSlice owner_name(Import *im, AshSlice name, uint32_t id) {
        if (name.len > 0)
                return ash_arena_slice(im->arena, name);
        return id == 0 ? ASH_S("root") : ash_slice_str(ash_arena_printf(im->arena, "%u", id));
}

static uint32_t doc_flags(AshSlice path) {
        if (ash_slice_starts(path, ASH_S("/usr/share/doc/")))
                return ash_slice_ends(path, ASH_S("/copyright")) ? ASH_RPMFILE_LICENSE : ASH_RPMFILE_DOC;
        return ash_slice_starts(path, ASH_S("/usr/share/man/")) || ash_slice_starts(path, ASH_S("/usr/share/info/")) || ash_slice_starts(path, ASH_S("/usr/share/gtk-doc/html/")) ? ASH_RPMFILE_DOC : 0;
}

static AshRpmNewFile *find_file(Import *im, AshSlice path) {
        size_t i = (uintptr_t) ash_map_get(&im->by_path, path);
        return i ? &im->files.items[i - 1] : NULL;
}

static AshRpmNewFile *add_file(Import *im, const AshRpmNewFile *f) {
        ash_array_push(&im->files, *f);
        ash_map_put(&im->by_path, f->path, (void *) (uintptr_t) im->files.n, NULL);
        return ash_array_last(&im->files);
}

static int convert_entry(Import *im, const AshDebEntry *e, uint32_t index) {
        AshSlice path = place(im, e->path, S_ISLNK(e->mode));
        if (e->path.len == 0) /* the root directory belongs to no package */
                return 0;
        const AshRpmNewFile *there = find_file(im, path);
        if (there && S_ISDIR(there->mode) && S_ISDIR(e->mode))
                return 0; /* /lib/x and /usr/lib/x */
        if (there)
                return fail(im, "'%.*s' is there twice once /usr is merged", ASH_F(path));
        AshRpmNewFile f = {
                .path = path, .user = owner_name(im, e->user, e->uid), .group = owner_name(im, e->group, e->gid), .mode = S_ISLNK(e->mode) ? S_IFLNK | 0777 : e->mode, .data = e->data,
                .mtime = (uint32_t) ASH_MIN(e->mtime, (int64_t) UINT32_MAX), .flags = S_ISDIR(e->mode) ? 0 : doc_flags(path), .rdev = (e->major & 255) << 8 | (e->minor & 255),
                .hardlink = e->link ? e->link : 0,
                .type = S_ISDIR(e->mode) ? ASH_S("directory") : S_ISLNK(e->mode) ? ASH_S("symbolic link") : ASH_S(""),
        };
        if (S_ISLNK(e->mode))
                f.link = ash_arena_slice(im->arena, retarget(im, e, path));
        if (e->link) { /* the first name of the file joins the group that is named after it */
                AshSlice first = place(im, im->deb->entries[e->link - 1].path, false);
                AshRpmNewFile *to = find_file(im, first);
                if (to)
                        to->hardlink = e->link;
        }
        (void) index;
        add_file(im, &f);
        return 0;
}

/* A conffile is a path a line; "remove-on-upgrade PATH" speaks of a file that is gone. */
static void flag_conffiles(Import *im) {
        AshSlice rest = im->deb->conffiles, line;
        while (ash_slice_next_line(&rest, &line)) {
                line = ash_slice_trim(line);
                if (line.len < 2 || line.ptr[0] != '/')
                        continue;
                AshRpmNewFile *f = find_file(im, place(im, ash_slice_from(line, 1), false));
                if (f && S_ISREG(f->mode))
                        f->flags |= ASH_RPMFILE_CONFIG | ASH_RPMFILE_NOREPLACE;
        }
}

static int convert_files(Import *im) {
        ash_map_reserve(&im->by_path, im->deb->n);
        for (size_t i = 0; i < im->deb->n; i++) {
                int r = convert_entry(im, &im->deb->entries[i], (uint32_t) i);
                if (r < 0)
                        return r;
        }
        /* The merge may have put something below a link, as nothing in the deb itself was. */
        ash_array_foreach(&im->files, f)
                for (size_t i = 1; i < f->path.len; i++) {
                        const AshRpmNewFile *parent = f->path.ptr[i] == '/' ? find_file(im, ash_slice_sub(f->path, 0, i)) : NULL;
                        if (parent && !S_ISDIR(parent->mode))
                                return fail(im, "'%.*s' stands below something that is no directory once /usr is merged", ASH_F(f->path));
                }
        flag_conffiles(im);
        return 0;
}

/* ---- overlays ---- */
static uint32_t newest_mtime(const Import *im) {
        uint32_t t = 0;
        for (size_t i = 0; i < im->files.n; i++)
                t = ASH_MAX(t, im->files.items[i].mtime);
        return t;
}

static int change_existing(Import *im, const AshAptChange *c) {
        AshRpmNewFile *f = find_file(im, c->path);
        if (!f)
                return ash_fail(im->diags, -ASH_ERR_CONFIG, c->at, "package %.*s has no '%.*s' to change", ASH_F(im->p.name), ASH_F(c->path));
        if (c->type == ASH_APT_REMOVE_FILE) {
                ash_map_remove(&im->by_path, f->path);
                f->mode = 0; /* dropped when the list is closed */
                return 0;
        }
        if (c->mode != UINT32_MAX)
                f->mode = (f->mode & S_IFMT) | c->mode;
        f->user = c->user.ptr ? c->user : f->user;
        f->group = c->group.ptr ? c->group : f->group;
        f->caps = c->caps.ptr ? c->caps : f->caps;
        f->flags |= c->config ? ASH_RPMFILE_CONFIG | ASH_RPMFILE_NOREPLACE : 0;
        f->unverified |= c->unverified;
        return 0;
}

static int change_file(Import *im, const AshAptChange *c) {
        if (c->type == ASH_APT_REMOVE_FILE || c->type == ASH_APT_SET_ATTRIBUTES)
                return change_existing(im, c);
        if (find_file(im, c->path))
                return ash_fail(im->diags, -ASH_ERR_CONFIG, c->at, "package %.*s already has '%.*s'", ASH_F(im->p.name), ASH_F(c->path));
        static const uint32_t types[] = { [ASH_APT_ADD_FILE] = S_IFREG | 0644, [ASH_APT_ADD_DIRECTORY] = S_IFDIR | 0755, [ASH_APT_ADD_SYMLINK] = S_IFLNK | 0777, [ASH_APT_ADD_GHOST] = S_IFREG | 0644 };
        AshRpmNewFile f = { .path = c->path, .user = c->user.ptr ? c->user : ASH_S("root"), .group = c->group.ptr ? c->group : ASH_S("root"), .mode = types[c->type],
                            .unverified = c->unverified, .data = c->text, .link = c->target, .caps = c->caps, .mtime = newest_mtime(im) };
        const AshRpmNewFile *from = c->from.ptr ? find_file(im, c->from) : NULL;
        if (c->from.ptr && (!from || !S_ISREG(from->mode)))
                return ash_fail(im->diags, -ASH_ERR_CONFIG, c->at, "package %.*s has no file '%.*s' to copy", ASH_F(im->p.name), ASH_F(c->from));
        if (from)
                f.data = from->data;
        if (c->mode != UINT32_MAX)
                f.mode = (f.mode & S_IFMT) | c->mode;
        f.flags = (c->config ? ASH_RPMFILE_CONFIG | ASH_RPMFILE_NOREPLACE : 0) | (c->type == ASH_APT_ADD_GHOST ? ASH_RPMFILE_GHOST : 0);
        add_file(im, &f);
        return 0;
}

static int apply_changes(Import *im, AshAptImported *ret) {
        for (size_t i = 0; i < im->changes.n; i++) {
                const AshAptChange *c = &im->changes.items[i];
                for (int s = 0; s < ASH_DEB_SCRIPT_MAX_; s++)
                        if (c->script.len && (ash_slice_eqs(c->script, ash_deb_script_name(s)) || ash_slice_eqs(c->script, "all")))
                                ret->handled |= 1u << s;
                int r = c->type <= ASH_APT_SET_ATTRIBUTES ? change_file(im, c) : 0;
                if (r < 0)
                        return r;
        }
        size_t n = 0;
        for (size_t i = 0; i < im->files.n; i++)
                if (im->files.items[i].mode != 0)
                        im->files.items[n++] = im->files.items[i];
        im->files.n = n;
        ash_map_clear(&im->by_path);
        for (size_t i = 0; i < n; i++)
                ash_map_put(&im->by_path, im->files.items[i].path, (void *) (uintptr_t) (i + 1), NULL);
        return 0;
}

/* ---- relations ---- */
static void take_relations(Import *im) {
        for (int kind = 0; kind < ASH_DEP_MAX_; kind++)
                for (size_t k = 0; k < ash_apt_deps_n(im->in->universe, im->in->package, kind); k++) {
                        AshDep d = ash_apt_dep(im->in->universe, im->in->package, kind, k);
                        ash_array_push(&im->deps[kind], ((AshRpmDep){ d.name, d.evr, d.flags, 0 }));
                }
}

static bool requires_package(const Import *im, AshSlice name) {
        for (size_t i = 0; i < im->deps[ASH_DEP_REQUIRES].n; i++) {
                AshSlice d = im->deps[ASH_DEP_REQUIRES].items[i].name;
                if (ash_slice_eq(d, name) || (d.len == name.len + 5 && ash_slice_starts(d, ASH_S("deb(")) && ash_slice_eq(ash_slice_sub(d, 4, name.len), name)))
                        return true;
        }
        return false;
}

/* Debian Policy 8.1: libfoo.so.1 lives in libfoo1, libfoo2.so.1 in libfoo2-1; libfoo-1.2.so in libfoo-1.2; the time_t transition added "t64". */
static bool policy_owner(const Import *im, AshSlice soname) {
        ptrdiff_t so = ash_slice_find(soname, ASH_S(".so"));
        if (so <= 0)
                return false;
        AshSlice base = ash_slice_sub(soname, 0, (size_t) so), version = ash_slice_from(soname, (size_t) so + 3);
        if (version.len > 0)
                version = ash_slice_from(version, 1);
        char last = base.ptr[base.len - 1];
        char name[256];
        int n = snprintf(name, sizeof(name) - 4, "%.*s%s%.*s", ASH_F(base), version.len && last >= '0' && last <= '9' ? "-" : "", ASH_F(version));
        if (n < 0 || (size_t) n >= sizeof(name) - 4)
                return false;
        for (char *c = name; *c; c++)
                *c = *c == '_' ? '-' : *c >= 'A' && *c <= 'Z' ? (char) (*c | 32) : *c;
        if (requires_package(im, ash_slice_str(name)))
                return true;
        memcpy(name + n, "t64", 4);
        return requires_package(im, ash_slice_str(name));
}

/* Does one of the packages that Debian's own relations require hold it? Only then is a generated requirement a hard one: so the closure of what the index says holds for
 * what the packages say. */
static bool proven(const Import *im, AshSlice owner) {
        if (owner.len == 0)
                return false;
        AshSlice package = ash_apt_tables_owner(im->in->tables, owner);
        return (package.len && (requires_package(im, package) || ash_slice_eq(package, im->p.name))) || (owner.ptr[0] != '/' && policy_owner(im, owner));
}

static void place_needs(Import *im) {
        _map_ AshMap own = {};
        for (size_t i = 0; i < im->generated.provides.n; i++)
                ash_map_put(&own, im->generated.provides.items[i].name, NULL, NULL);
        for (size_t i = 0; i < im->generated.needs.n; i++) {
                const AptNeed *n = &im->generated.needs.items[i];
                if (ash_map_find(&own, n->name) || find_file(im, n->name))
                        continue;
                ash_array_push(&im->deps[proven(im, n->owner) ? ASH_DEP_REQUIRES : ASH_DEP_RECOMMENDS], ((AshRpmDep){ n->name, n->evr, n->flags, 0 }));
        }
        for (size_t i = 0; i < im->generated.provides.n; i++)
                ash_array_push(&im->deps[ASH_DEP_PROVIDES], im->generated.provides.items[i]);
}

static AshSlice python_version(Import *im) {
        ptrdiff_t i = ash_apt_find(im->in->universe, ASH_S("python3"));
        if (i < 0)
                return ASH_S("");
        AshAptPackage p;
        ash_apt_package(im->in->universe, (size_t) i, &p);
        ptrdiff_t dot = ash_slice_find_char(p.rpm_version, '.');
        size_t n = dot < 0 ? 0 : (size_t) dot + 1;
        while (n > 0 && n < p.rpm_version.len && p.rpm_version.ptr[n] >= '0' && p.rpm_version.ptr[n] <= '9')
                n++;
        return ash_slice_sub(p.rpm_version, 0, n);
}

static void generate(Import *im) {
        im->generated.arena = im->arena;
        im->generated.python = python_version(im);
        for (size_t i = 0; i < im->files.n; i++)
                apt_generate(&im->generated, &im->files.items[i]);
        apt_generate_cmake(&im->generated, im->files.items, im->files.n);
        place_needs(im);
}

/* ---- texts ---- */
static const AshRpmNewFile *doc_file(Import *im, const char *name) {
        const AshRpmNewFile *f = find_file(im, ash_slice_str(ash_arena_printf(im->arena, "/usr/share/doc/%.*s/%s", ASH_F(im->p.name), name)));
        return f && S_ISREG(f->mode) ? f : NULL;
}

static void read_changelog(Import *im) {
        const AshRpmNewFile *f = doc_file(im, "changelog.Debian.gz");
        if (!f)
                f = doc_file(im, "changelog.gz");
        if (!f)
                return;
        char *text = ash_arena_alloc(im->arena, CHANGELOG_BYTES);
        _cleanup_(ash_reader_free_p) AshReader *r = ash_reader_new_decompress(ash_reader_new_memory(f->data), true, ash_compression_detect(f->data), 0);
        ssize_t n = ash_reader_read(r, text, CHANGELOG_BYTES);
        if (n > 0)
                im->n_changelog = apt_changelog(im->arena, ash_slice(text, (size_t) n), im->changelog, MAX_CHANGES);
}

static AshSlice source_rpm(Import *im) {
        AshDebVersion v;
        _str_ AshStr evr = {};
        if (ash_deb_version_parse(im->p.source_version, &v) < 0)
                return ASH_S("");
        v.epoch = 0;
        ash_apt_evr(&v, &evr);
        return ash_slice_str(ash_arena_printf(im->arena, "%.*s-%s.src.rpm", ASH_F(im->p.source), evr.ptr));
}

static int write_rpm(Import *im, AshStr *out, AshAptImported *ret) {
        AshRpmNew n = { .name = im->p.name, .version = im->p.rpm_version, .release = im->p.rpm_release, .arch = im->p.rpm_arch, .epoch = im->p.epoch, .has_epoch = im->p.has_epoch,
                        .summary = im->p.summary.len ? im->p.summary : im->p.name, .group = im->p.section, .url = im->p.url, .vendor = im->in->vendor, .packager = im->in->packager,
                        .distribution = im->in->distribution, .source_rpm = source_rpm(im), .build_host = ASH_S("localhost"), .files = im->files.items, .n_files = im->files.n,
                        .changes = im->changelog, .n_changes = im->n_changelog, .zstd_level = im->in->zstd_level };
        for (int kind = 0; kind < ASH_DEP_MAX_; kind++) { /* AshDepKind and AshRpmRelation have one order */
                n.deps[kind] = im->deps[kind].items;
                n.n_deps[kind] = im->deps[kind].n;
        }
        AshSlice description = ash_deb822_get(im->deb->control, "Description");
        ptrdiff_t nl = ash_slice_find_char(description, '\n');
        _str_ AshStr text = {};
        ash_deb822_unfold(description, &text);
        n.description = nl < 0 ? n.summary : ash_slice_from(ash_str_slice(&text), (size_t) ash_slice_find_char(ash_str_slice(&text), '\n') + 1);
        const AshRpmNewFile *copyright = doc_file(im, "copyright");
        n.license = apt_license(im->arena, copyright ? copyright->data : ASH_S(""), &ret->license_guessed);
        n.build_time = im->n_changelog ? im->changelog[0].time : newest_mtime(im);
        _cleanup_(ash_writer_free_p) AshWriter *w = ash_writer_new_memory(out);
        int r = ash_rpm_write(&n, w, im->diags);
        return r < 0 ? r : ash_writer_finish(w);
}
_Static_assert((int) ASH_DEP_PROVIDES == (int) ASH_RPM_PROVIDES && (int) ASH_DEP_ENHANCES == (int) ASH_RPM_ENHANCES, "one order of relations");

static int convert(Import *im, AshSlice bytes, AshStr *out, AshAptImported *ret) {
        int r = ash_deb_read(bytes, im->label, &im->in->limits, &im->deb, im->diags);
        if (r >= 0)
                r = check_identity(im);
        if (r >= 0)
                r = convert_files(im);
        for (int s = 0; r >= 0 && s < ASH_DEB_SCRIPT_MAX_; s++)
                ret->scripts |= im->deb->scripts[s].ptr && s != ASH_DEB_TRIGGERS ? 1u << s : 0;
        if (r >= 0)
                r = apply_changes(im, ret);
        if (r < 0)
                return r;
        take_relations(im);
        generate(im);
        read_changelog(im);
        ret->files = im->files.n;
        return write_rpm(im, out, ret);
}

int ash_apt_convert(const AshAptImport *in, AshSlice deb, AshStr *ret_rpm, AshAptImported *ret, AshDiags *diags) {
        _cleanup_(import_done) Import im = { .in = in, .arena = ash_arena_new(), .diags = diags };
        ash_apt_package(in->universe, in->package, &im.p);
        im.changes = ash_apt_tables_changes(in->tables, im.p.name);
        AshSlice base = ash_path_base(im.p.filename);
        im.label = ash_arena_strndup(im.arena, base.ptr, base.len);
        AshAptImported result = {};
        _str_ AshStr out = {};
        int r = convert(&im, deb, &out, &result);
        if (r < 0)
                return r;
        *ret = result;
        ash_str_done(ret_rpm);
        *ret_rpm = out;
        out = (AshStr){};
        return 0;
}

void ash_apt_import_key(const AshAptImport *in, char ret[static 65]) {
        Import im = { .in = in };
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        AshAptPackage p;
        ash_apt_package(in->universe, in->package, &p);
        AshSlice python = python_version(&im), changes = ash_apt_tables_changes(in->tables, p.name).digest;
        _str_ AshStr s = {};
        ash_str_appendf(&s, "%d %d %.*s|%.*s|%.*s|%.*s|%.*s|%s|", ASH_APT_IMPORTER_VERSION, in->zstd_level, ASH_F(in->vendor), ASH_F(in->packager), ASH_F(in->distribution), ASH_F(python),
                        ASH_F(changes), ash_apt_tables_owners_digest(in->tables));
        ash_str_append(&s, ash_slice((const char *) p.sha256, 32));
        for (int kind = 0; kind < ASH_DEP_MAX_; kind++)
                for (size_t k = 0; k < ash_apt_deps_n(in->universe, in->package, kind); k++) {
                        AshDep dep = ash_apt_dep(in->universe, in->package, kind, k);
                        ash_str_appendf(&s, "%d %.*s %u %.*s\n", kind, ASH_F(dep.name), dep.flags, ASH_F(dep.evr));
                }
        ash_digest_update(d, s.ptr, s.len);
        uint8_t digest[ASH_DIGEST_SIZE_MAX];
        ash_digest_final(d, digest);
        ash_hex(digest, 32, ret);
}
