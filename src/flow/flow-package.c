#include "flow-package.h"

static const struct { AshRpmRelation rpm; AshDepKind model; } relations[] = {
        { ASH_RPM_PROVIDES, ASH_DEP_PROVIDES },     { ASH_RPM_REQUIRES, ASH_DEP_REQUIRES }, { ASH_RPM_CONFLICTS, ASH_DEP_CONFLICTS },     { ASH_RPM_OBSOLETES, ASH_DEP_OBSOLETES },
        { ASH_RPM_RECOMMENDS, ASH_DEP_RECOMMENDS }, { ASH_RPM_SUGGESTS, ASH_DEP_SUGGESTS }, { ASH_RPM_SUPPLEMENTS, ASH_DEP_SUPPLEMENTS }, { ASH_RPM_ENHANCES, ASH_DEP_ENHANCES },
};

static int read_deps(const AshRpm *rpm, AshArena *arena, AshPackage *p, AshDiags *diags) {
        for (size_t i = 0; i < ASH_N(relations); i++) {
                AshRpmDep *deps = NULL;
                AshDeps *to = &p->deps[relations[i].model];
                int r = ash_rpm_deps(rpm, relations[i].rpm, arena, &deps, &to->n, diags);
                if (r < 0)
                        return r;
                to->items = ash_arena_new_items(arena, AshDep, to->n);
                for (size_t k = 0; k < to->n; k++)
                        to->items[k] = (AshDep){ .name = deps[k].name, .evr = deps[k].evr, .flags = deps[k].flags & (ASH_DEP_COMPARE | ASH_DEP_PRE) };
        }
        return 0;
}

static void read_files(const AshRpmFiles *files, AshArena *arena, AshPackage *p) {
        p->files = ash_arena_new_items(arena, AshSlice, files->n);
        for (; p->n_files < files->n; p->n_files++) {
                const AshRpmFile *f = &files->items[p->n_files];
                p->files[p->n_files] = ash_slice_str(ash_arena_printf(arena, "%.*s%.*s", ASH_F(f->dir), ASH_F(f->base)));
                if (S_ISREG(f->mode) && f->nlink_group == p->n_files && !(f->flags & ASH_RPMFILE_GHOST))
                        p->installed_size += f->size;
        }
}

int ash_flow_package_of_rpm(const AshRpm *rpm, AshArena *arena, AshPackage *ret, AshDiags *diags) {
        AshRpmNevra n;
        AshRpmFiles files = {};
        *ret = (AshPackage){};
        int r = ash_rpm_nevra(rpm, &n, diags);
        if (r >= 0)
                r = ash_rpm_files(rpm, arena, &files, diags);
        if (r >= 0)
                r = read_deps(rpm, arena, ret, diags);
        if (r < 0)
                return r;
        const AshRpmHeader *h = &rpm->header;
        ret->name = n.name, ret->version = n.version, ret->release = n.release, ret->arch = n.arch, ret->epoch = n.epoch;
        ret->summary = ash_rpm_string(h, ASH_RPMTAG_SUMMARY);
        ret->url = ash_rpm_string(h, ASH_RPMTAG_URL);
        ret->license = ash_rpm_string(h, ASH_RPMTAG_LICENSE);
        ret->vendor = ash_rpm_string(h, ASH_RPMTAG_VENDOR);
        ret->source_rpm = ash_rpm_string(h, ASH_RPMTAG_SOURCERPM);
        ash_rpm_number(h, ASH_RPMTAG_BUILDTIME, &ret->build_time);
        read_files(&files, arena, ret);
        return 0;
}
