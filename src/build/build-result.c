/* What came out of a build, read as bytes that nobody trusts. */
#include <stdio.h>
#include "build-private.h"

static const char *const dirs[] = { "RPMS", "SRPMS" };

static int read_results(AshBuild *b, size_t i, AshDiags *diags) {
        if (b->results[i].ptr)
                return 0;
        _free_ char *dir = ash_path_join(b->top, dirs[i]);
        uint64_t max = ash_build_read_max(b);
        int r = ash_sandbox_room_read(b->room, dir, max, &b->results[i]);
        if (r == -EFBIG && max < b->disk)
                return ash_fail(diags, r, ASH_NOWHERE, "what the build of '%.*s' made is more than this machine can read now: it has memory left for %llu MiB", ASH_F(b->in.component), (unsigned long long) (max >> 20));
        if (r == -EFBIG) {
                r = ash_fail(diags, r, ASH_NOWHERE, "what the build of '%.*s' made is larger than the disk that it has: files with holes", ASH_F(b->in.component));
                ash_hint(diags, "build.disk says how much it has: %llu MiB", (unsigned long long) (b->disk >> 20));
                return r;
        }
        return r < 0 ? ash_fail(diags, r, ASH_NOWHERE, "cannot read what the build of '%.*s' made: %s", ASH_F(b->in.component), ash_strerror(r)) : 0;
}

/* The next package file; 0 at the end. */
static int next_rpm(AshSlice *rest, AshSandboxChange *c) {
        int r;
        while ((r = ash_sandbox_change_next(rest, c)) > 0)
                if (c->kind == 'F' && ash_slice_ends(c->path, ASH_S(".rpm")))
                        return 1;
        return r;
}

int ash_build_srpm(AshBuild *b, AshSlice *ret, AshDiags *diags) {
        AshSandboxChange c;
        AshSlice found = ASH_NOSLICE;
        bool special = false;
        int r = read_results(b, 1, diags);
        if (r < 0)
                return r;
        AshSlice rest = ash_bytes_slice(&b->results[1]);
        while ((r = next_rpm(&rest, &c)) > 0) {
                bool is_special = ash_slice_ends(c.path, ASH_S(".buildreqs.nosrc.rpm"));
                if (found.ptr && special && !is_special)
                        continue;
                found = c.content;
                special = is_special;
        }
        if (r < 0 || !found.ptr)
                return ash_fail(diags, r < 0 ? r : -ENOENT, ASH_NOWHERE, "building '%.*s' gave no source package", ASH_F(b->in.component));
        *ret = found;
        return 0;
}

/* ---- what is required ---- */
/* rpm's own: the time of the newest entry of the changelog, taken back from noon to midnight. */
static int64_t epoch_of(const AshRpmHeader *h) {
        uint64_t time;
        if (!ash_rpm_number(h, ASH_RPMTAG_CHANGELOGTIME, &time))
                return -1;
        return (int64_t) (time % 86400 == 43200 ? time - 43200 : time);
}

static AshSlice dep_text(const AshRpmDep *d, AshArena *arena) {
        AshDep dep = { .name = d->name, .evr = d->evr, .flags = d->flags & ASH_DEP_COMPARE };
        _str_ AshStr text = {};
        ash_dep_format(&dep, &text);
        return ash_arena_slice(arena, ash_str_slice(&text));
}

int ash_build_requires(AshSlice srpm, const char *name, AshArena *arena, AshSlice **ret, size_t *ret_n, int64_t *ret_epoch, bool *ret_asks, AshDiags *diags) {
        _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
        AshRpmDep *deps, *conflicts;
        size_t n, n_conflicts;
        int r = ash_rpm_parse(srpm, name, &rpm, diags);
        if (r >= 0 && !rpm->source)
                r = ash_fail(diags, -ASH_ERR_SYNTAX, ASH_NOWHERE, "%s is no source package", name);
        if (r >= 0)
                r = ash_rpm_deps(rpm, ASH_RPM_REQUIRES, arena, &deps, &n, diags);
        if (r >= 0)
                r = ash_rpm_deps(rpm, ASH_RPM_CONFLICTS, arena, &conflicts, &n_conflicts, diags);
        if (r < 0)
                return r;
        *ret = ash_arena_new_items(arena, AshSlice, n + n_conflicts + 1);
        *ret_n = 0;
        *ret_asks = false;
        for (size_t i = 0; i < n; i++)
                if (deps[i].flags & ASH_RPMSENSE_RPMLIB)
                        *ret_asks |= ash_slice_eqs(deps[i].name, "rpmlib(DynamicBuildRequires)");
                else
                        (*ret)[(*ret_n)++] = dep_text(&deps[i], arena);
        for (size_t i = 0; i < n_conflicts; i++)
                (*ret)[(*ret_n)++] = ash_slice_str(ash_arena_printf(arena, "!%.*s", ASH_F(dep_text(&conflicts[i], arena))));
        if (ret_epoch)
                *ret_epoch = epoch_of(&rpm->header);
        return 0;
}

/* ---- packages ---- */
void ash_build_packages_done(AshBuildPackages *p) {
        ash_array_foreach(&p->items, i) {
                free(i->nevra);
                free(i->file);
        }
        ash_array_done(&p->items);
}

static bool is_debug(AshSlice name) { return ash_slice_ends(name, ASH_S("-debuginfo")) || ash_slice_ends(name, ASH_S("-debugsource")); }

static int check_package(AshBuild *b, const AshRpm *rpm, const AshRpmNevra *n, int64_t epoch, AshSlice source, AshDiags *diags) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshRpmDigests digests;
        AshRpmFiles files;
        uint64_t time = 0;
        int r = ash_rpm_verify_digests_strong(rpm, &digests, diags);
        if (r >= 0)
                r = ash_rpm_files(rpm, arena, &files, diags);
        if (r >= 0 && !rpm->source)
                r = ash_rpm_files_check(rpm, &files, diags);
        if (r < 0)
                return r;
        if (strchr(rpm->name, '%')) {
                ash_fail(diags, -ASH_ERR_SYNTAX, ASH_NOWHERE, "building '%.*s' gave %s: its name, version or release has a macro that nothing defines", ASH_F(b->in.component), rpm->name);
                ash_hint(diags, "rpm takes it as it stands: define it in the spec, by build.defines of the component, or by a package that is in its buildroot");
                return -ASH_ERR_SYNTAX;
        }
        if (!rpm->source && !ash_slice_eq(n->arch, b->in.arch) && !ash_slice_eqs(n->arch, "noarch"))
                return ash_fail(diags, -ASH_ERR_VERIFY, ASH_NOWHERE, "building '%.*s' gave %s, which is for %.*s", ASH_F(b->in.component), rpm->name, ASH_F(n->arch));
        if (!rpm->source && source.ptr && !ash_slice_eq(ash_rpm_string(&rpm->header, ASH_RPMTAG_SOURCERPM), source))
                return ash_fail(diags, -ASH_ERR_VERIFY, ASH_NOWHERE, "building '%.*s' gave %s, which says that it is of another source", ASH_F(b->in.component), rpm->name);
        if (epoch >= 0 && ash_rpm_number(&rpm->header, ASH_RPMTAG_BUILDTIME, &time) && (int64_t) time != epoch)
                ash_warn(diags, ASH_NOWHERE, "%s was not built at the time of its changelog: it is not reproducible", rpm->name);
        return 0;
}

static int take_package(AshBuild *b, const AshSandboxChange *c, int64_t epoch, AshSlice source, AshBuildPackages *ret, AshDiags *diags) {
        _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
        _free_ char *file = ash_slice_dup(ash_path_base(c->path));
        AshRpmNevra n;
        int r = ash_rpm_parse(c->content, file, &rpm, diags);
        if (r >= 0)
                r = ash_rpm_nevra(rpm, &n, diags);
        if (r >= 0)
                r = check_package(b, rpm, &n, epoch, source, diags);
        if (r < 0)
                return r;
        AshBuiltKind kind = rpm->source ? ASH_BUILT_SOURCE : is_debug(n.name) ? ASH_BUILT_DEBUG : ASH_BUILT_BINARY;
        ash_array_push(&ret->items, ((AshBuildPackage){ .nevra = ash_rpm_nevra_text(&n), .file = ash_strdup(file), .bytes = c->content, .id = ash_id_of(c->content), .kind = kind }));
        return 0;
}

static int by_nevra(const void *a, const void *b) { return strcmp(((const AshBuildPackage *) a)->nevra, ((const AshBuildPackage *) b)->nevra); }

int ash_build_packages(AshBuild *b, int64_t epoch, AshBuildPackages *ret, AshDiags *diags) {
        AshSandboxChange c;
        AshSlice source = ASH_NOSLICE;
        int r = 0;
        for (size_t i = ASH_N(dirs); r >= 0 && i-- > 0;) { /* sources first: the others name them */
                r = read_results(b, i, diags);
                AshSlice rest = ash_bytes_slice(&b->results[i]);
                while (r >= 0 && (r = next_rpm(&rest, &c)) > 0) {
                        if (ash_slice_ends(c.path, ASH_S(".buildreqs.nosrc.rpm")))
                                continue;
                        r = take_package(b, &c, epoch, source, ret, diags);
                        if (r >= 0 && i == 1)
                                source = ash_path_base(c.path);
                }
        }
        if (r < 0)
                return r;
        if (!source.ptr) /* rpmbuild -ba writes one: somebody took it away */
                return ash_fail(diags, -ENOENT, ASH_NOWHERE, "building '%.*s' gave no source package", ASH_F(b->in.component));
        qsort(ret->items.items, ret->items.n, sizeof *ret->items.items, by_nevra);
        for (size_t i = 1; i < ret->items.n; i++)
                if (!strcmp(ret->items.items[i - 1].nevra, ret->items.items[i].nevra))
                        return ash_fail(diags, -ASH_ERR_VERIFY, ASH_NOWHERE, "building '%.*s' gave %s twice", ASH_F(b->in.component), ret->items.items[i].nevra);
        return 0;
}
