/* A component built twice: are its packages the same? */
#include "build.h"
#include "flow-build.h"

static const AshBuiltPackage *same_name(const AshBuiltComponent *c, AshSlice nevra) {
        for (size_t i = 0; i < c->n_packages; i++)
                if (ash_slice_eq(c->packages[i].nevra, nevra))
                        return &c->packages[i];
        return NULL;
}

static int map_package(AshFlow *flow, const AshBuiltPackage *p, AshBytes *ret) {
        AshId id;
        (void) ash_id_parse(p->sha256, &id);
        int r = ash_store_map_blob(flow->store, &id, true, ret, flow->diags);
        return r < 0 ? ash_fail(flow->diags, r, ASH_NOWHERE, "%.*s is not in the store any more", ASH_F(p->nevra)) : 0;
}

static int compare(AshFlow *flow, const AshBuiltComponent *first, const AshBuiltComponent *second, AshStr *out) {
        size_t n = 0;
        for (size_t i = 0; i < first->n_packages; i++) {
                _bytes_ AshBytes a = {}, b = {};
                const AshBuiltPackage *p = &first->packages[i], *q = same_name(second, p->nevra);
                _free_ char *name = ash_slice_dup(p->nevra);
                if (!q) {
                        ash_str_appendf(out, "%s: only in the first build\n", name);
                        n++;
                        continue;
                }
                if (ash_slice_eq(p->sha256, q->sha256))
                        continue;
                int r = map_package(flow, p, &a);
                if (r >= 0)
                        r = map_package(flow, q, &b);
                if (r < 0)
                        return r;
                n += ash_build_compare(ash_bytes_slice(&a), ash_bytes_slice(&b), name, out);
        }
        for (size_t i = 0; i < second->n_packages; i++)
                if (!same_name(first, second->packages[i].nevra)) {
                        ash_str_appendf(out, "%.*s: only in the second build\n", ASH_F(second->packages[i].nevra));
                        n++;
                }
        return n > 0;
}

int ash_flow_build_verify(AshFlowBuilder *b, AshSlice component, const AshFlowBuildOptions *o, AshFlowBuild **ret, AshStr *ret_differences) {
        _cleanup_(ash_flow_build_free_p) AshFlowBuild *first = NULL, *second = NULL;
        AshFlowBuildOptions again = *o;
        int r = ash_flow_build(b, component, o, &first);
        if (r < 0)
                return r;
        again.aside = true;
        again.cpus = 1;
        again.clock_shift = 400 * 86400;
        again.log_path = NULL;
        r = ash_flow_build(b, component, &again, &second);
        if (r < 0) {
                ash_note(ash_flow_builder_flow(b)->diags, ASH_NOWHERE, "in the second build, 400 days later and with one processor");
                return r;
        }
        r = compare(ash_flow_builder_flow(b), &first->built, &second->built, ret_differences);
        if (r >= 0)
                *ret = ASH_TAKE(first);
        return r;
}
