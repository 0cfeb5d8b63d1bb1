/* A component built twice: are its packages the same, whatever was otherwise in the second build? And one that is built again though it is known. */
#include <unistd.h>
#include "flow-build.h"

void ash_flow_verify_done(AshFlowVerify *v) {
        ash_str_done(&v->differences);
        free(v->first);
        free(v->second);
}

static const AshBuiltPackage *same_name(const AshBuiltComponent *c, AshSlice nevra) {
        for (size_t i = 0; i < c->n_packages; i++)
                if (ash_slice_eq(c->packages[i].nevra, nevra))
                        return &c->packages[i];
        return NULL;
}

static bool is_same(const AshBuiltPackage *p, const AshBuiltComponent *other) {
        const AshBuiltPackage *q = same_name(other, p->nevra);
        return q && ash_slice_eq(p->sha256, q->sha256);
}

static int map_package(AshFlow *flow, const AshBuiltPackage *p, AshBytes *ret) {
        AshId id;
        (void) ash_id_parse(p->sha256, &id);
        int r = ash_store_map_blob(flow->store, &id, true, ret, flow->diags);
        return r < 0 ? ash_fail(flow->diags, r, ASH_NOWHERE, "%.*s is not in the store any more", ASH_F(p->nevra)) : 0;
}

static int compare_package(AshFlow *flow, const AshBuiltPackage *p, const AshBuiltPackage *q, unsigned vary, AshStr *out) {
        _bytes_ AshBytes a = {}, b = {};
        _free_ char *name = ash_slice_dup(p->nevra);
        int r = map_package(flow, p, &a);
        if (r >= 0)
                r = map_package(flow, q, &b);
        return r < 0 ? r : (int) ASH_MIN(ash_build_compare(ash_bytes_slice(&a), ash_bytes_slice(&b), name, vary, out), (size_t) INT32_MAX);
}

static int compare(AshFlow *flow, const AshBuiltComponent *first, const AshBuiltComponent *second, AshFlowVerify *v) {
        AshStr *out = &v->differences;
        bool differs = false;
        for (size_t i = 0; i < first->n_packages; i++) {
                const AshBuiltPackage *p = &first->packages[i], *q = same_name(second, p->nevra);
                if (q && ash_slice_eq(p->sha256, q->sha256))
                        continue;
                if (!q)
                        ash_str_appendf(out, "%.*s: only in the first build\n", ASH_F(p->nevra));
                int r = q ? compare_package(flow, p, q, v->vary, out) : 1;
                if (r < 0)
                        return r;
                differs |= r > 0;
                v->n_path += r == 0;
        }
        for (size_t i = 0; i < second->n_packages; i++)
                if (!same_name(first, second->packages[i].nevra)) {
                        ash_str_appendf(out, "%.*s: only in the second build\n", ASH_F(second->packages[i].nevra));
                        differs = true;
                }
        return differs;
}

/* ---- for who wants to look closer ---- */
/* NAME-VERSION-RELEASE.ARCH.rpm, as rpmbuild calls it. */
static int lay_out_package(AshFlow *flow, const AshBuiltPackage *built, const char *dir) {
        AshPackage p = {};
        AshId id;
        char path[ASH_BLOB_PATH_MAX];
        ash_nevra_parse(built->nevra, &p);
        (void) ash_id_parse(built->sha256, &id);
        ash_store_blob_path(&id, path);
        _free_ char *to = ash_asprintf("%s/%.*s-%.*s-%.*s.%.*s.rpm", dir, ASH_F(p.name), ASH_F(p.version), ASH_F(p.release), ASH_F(p.arch));
        return ash_copy_file(ash_store_fd(flow->store), path, AT_FDCWD, to, 0644);
}

static int lay_out_build(AshFlow *flow, const AshBuiltComponent *build, const AshBuiltComponent *other, const char *dir) {
        _free_ char *log = ash_asprintf("%s.log", dir);
        char path[ASH_BLOB_PATH_MAX];
        AshId id;
        int r = ash_remove_all(AT_FDCWD, dir);
        if (r >= 0)
                r = ash_mkdir_all(AT_FDCWD, dir, 0755);
        for (size_t i = 0; r >= 0 && i < build->n_packages; i++)
                if (!is_same(&build->packages[i], other))
                        r = lay_out_package(flow, &build->packages[i], dir);
        if (r < 0)
                return r;
        (void) ash_id_parse(build->log, &id);
        ash_store_blob_path(&id, path);
        return ash_copy_file(ash_store_fd(flow->store), path, AT_FDCWD, log, 0644);
}

static int lay_out(AshFlow *flow, const AshFlowBuildOptions *o, const AshBuiltComponent *first, const AshBuiltComponent *second, AshFlowVerify *v) {
        AshText work = ash_config_project(flow->config)->info.work_dir;
        _free_ char *top = ash_text_set(work) ? ash_slice_dup(work.s) : ash_path_join(o->output_dir, "work"), *dir = ash_asprintf("%s/%.*s.verify", top, ASH_F(first->name));
        v->first = ash_path_join(dir, "first");
        v->second = ash_path_join(dir, "second");
        int r = lay_out_build(flow, first, second, v->first);
        if (r >= 0)
                r = lay_out_build(flow, second, first, v->second);
        return r < 0 ? ash_fail_file(flow->diags, r, dir, "cannot lay out the packages that differ: %s", ash_strerror(r)) : 0;
}

int ash_flow_build_verify(AshFlowBuilder *b, AshSlice component, const AshFlowBuildOptions *o, AshFlowVerify *v, AshFlowBuild **ret) {
        _cleanup_(ash_flow_build_free_p) AshFlowBuild *first = NULL, *second = NULL;
        AshFlow *flow = ash_flow_builder_flow(b);
        AshFlowBuildOptions again = *o;
        int r = ash_flow_build(b, component, o, &first);
        if (r < 0)
                return r;
        again.aside = true;
        again.vary = v->vary;
        again.log_path = NULL;
        r = ash_flow_build(b, component, &again, &second);
        if (r < 0) {
                _str_ AshStr words = {};
                ash_build_vary_tell(v->vary, &words);
                ash_note(flow->diags, ASH_NOWHERE, "in the second build, %s; the first was good", words.len ? words.ptr : "which has nothing otherwise");
                ash_note(flow->diags, ASH_NOWHERE, "--vary says what is otherwise in it");
                return r;
        }
        int differs = compare(flow, &first->built, &second->built, v);
        r = differs > 0 ? lay_out(flow, o, &first->built, &second->built, v) : differs;
        if (r < 0)
                return r;
        *ret = ASH_TAKE(first);
        return differs;
}

int ash_flow_build_again(AshFlowBuilder *b, AshSlice component, const AshFlowBuildOptions *o, AshFlowVerify *v, AshFlowBuild **ret) {
        _cleanup_(ash_flow_build_free_p) AshFlowBuild *build = NULL;
        AshFlow *flow = ash_flow_builder_flow(b);
        AshFlowBuildOptions again = *o;
        again.force = true;
        int r = ash_flow_build(b, component, &again, &build);
        if (r < 0)
                return r;
        bool differs = build->other && !build->same, lost = build->replaced && !o->replace; /* of what is lost nothing can be said */
        if (differs && !lost) {
                const AshBuiltComponent *first = build->replaced ? build->other : &build->built, *second = build->replaced ? &build->built : build->other;
                r = compare(flow, first, second, v);
                if (r >= 0)
                        r = lay_out(flow, o, first, second, v);
        }
        if (r < 0)
                return r;
        *ret = ASH_TAKE(build);
        return differs && !lost;
}
