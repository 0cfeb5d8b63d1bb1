/* What builds took on this machine, and what others will probably take. */
#include <stdio.h>
#include "flow-plan-private.h"

#define CACHE_COST "build-cost-all"    /* "build-cost" had the memory of the largest process */
#define USUAL_MS 60000               /* of a component that nobody has built here yet ... */
#define EXPENSIVE_MS 1800000         /* ... and that says that it takes long */

static AshId cost_key(AshSlice component, AshSlice arch) {
        _str_ AshStr text = {};
        ash_str_appendf(&text, "cost of %.*s/%.*s", ASH_F(component), ASH_F(arch));
        return ash_id_of(ash_str_slice(&text));
}

int ash_flow_cost_get(AshFlow *flow, AshSlice component, AshSlice arch, AshFlowCost *ret) {
        _bytes_ AshBytes bytes = {};
        AshId key = cost_key(component, arch);
        int r = ash_store_cache_get(flow->store, CACHE_COST, &key, &bytes);
        if (r < 0)
                return r;
        AshSlice text = ash_bytes_slice(&bytes), ms, memory;
        if (!ash_slice_next_word(&text, &ms) || !ash_slice_next_word(&text, &memory) || ash_slice_to_u64(ms, 10, &ret->ms) < 0 || ash_slice_to_u64(ash_slice_trim(memory), 10, &ret->memory) < 0)
                return -ENOENT;
        return 0;
}

void ash_flow_cost_put(AshFlow *flow, AshSlice component, AshSlice arch, const AshFlowCost *cost) {
        _str_ AshStr text = {};
        AshId key = cost_key(component, arch);
        ash_str_appendf(&text, "%llu %llu\n", (unsigned long long) cost->ms, (unsigned long long) cost->memory);
        ash_store_cache_put(flow->store, CACHE_COST, &key, ash_str_slice(&text)); /* only a cache: a failure makes estimates worse */
}

static int by_ms(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
        return (x > y) - (x < y);
}

/* Who was never built here takes as long as the one in the middle of those that were. */
void ash_flow_plan_estimate(AshFlow *flow, AshFlowPlan *p, AshSlice arch) {
        ASH_ARRAY(uint64_t) measured = {};
        for (size_t i = 0; i < p->input.n_components; i++) {
                AshFlowCost cost;
                if (ash_flow_cost_get(flow, p->input.components[i].name, arch, &cost) < 0)
                        continue;
                p->items[i].measured = true;
                p->items[i].ms = cost.ms;
                p->items[i].memory = cost.memory;
                ash_array_push(&measured, cost.ms);
        }
        if (measured.n)
                qsort(measured.items, measured.n, sizeof *measured.items, by_ms);
        uint64_t usual = measured.n ? measured.items[measured.n / 2] : USUAL_MS;
        for (size_t i = 0; i < p->input.n_components; i++) {
                const AshComponentConfig *c = p->facts->items[i].component->merged;
                if (!p->items[i].measured && c)
                        (void) ash_slice_to_bytes(c->build_memory.s, &p->items[i].memory);
                if (p->items[i].state == ASH_PLAN_UNKNOWN) /* nothing is built of it */
                        p->items[i].ms = 0;
                else if (!p->items[i].measured)
                        p->items[i].ms = c && c->expensive.value == ASH_YES ? ASH_MAX(usual, (uint64_t) EXPENSIVE_MS) : usual;
                ((AshGraphComponent *) p->input.components)[i].ms = p->items[i].ms;
        }
        ash_array_done(&measured);
}
