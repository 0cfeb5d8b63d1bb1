/* Which layer of a container the files of each package go to, for layers = "origin". docs/images.md says the rule.
 *
 * What a layer holds must follow from the packages in it alone, so that images with the same packages have the same layers, and images that inherit from one begin with that one's. */
#include "flow-image.h"
#include "rpm-tags.h"

enum {
        SEGMENTS_MAX = 4,      /* images of the line of inheritance that have layers of their own; later ones share the last */
        SEGMENT_LAYERS = 30,   /* of each: with the last layer at most 121, where docker's limit is 127 */
        OWN_LAYER = 1 << 20,   /* bytes from which on a source package has a layer of its own */
};

typedef struct Group {
        AshSlice name;         /* of the source package */
        uint32_t segment;
        uint64_t size;         /* bytes of its files */
        bool own;              /* has a layer of its own */
        uint32_t layer;
} Group;
typedef struct Layers {
        const AshLock *lock;
        AshFlow *flow;
        AshFlowTree *t;
        AshArena *arena;
        AshMap segments;       /* nevra -> segment + 1 */
        uint32_t n_segments;
        AshMap names;          /* "segment source" -> group + 1 */
        ASH_ARRAY(Group) groups;
} Layers;

/* Inherited images first; one that is not in the lock (an abstract one) leaves its packages to those that inherit from it. */
static void add_segments(Layers *l, AshSlice name, unsigned depth) {
        const AshProject *project = ash_config_project(l->flow->config);
        const AshLockSet *set = ash_lock_set(l->lock, "image", name, l->t->arch);
        bool fresh;
        for (size_t i = 0; depth && i < project->images.n; i++)
                for (size_t k = 0; ash_slice_eq(project->images.items[i].name.s, name) && k < project->images.items[i].inherits.n; k++)
                        add_segments(l, project->images.items[i].inherits.items[k].s, depth - 1);
        bool any = false;
        for (size_t i = 0; set && i < set->n_packages; i++) {
                AshMapEntry *e = ash_map_ensure(&l->segments, set->packages[i], &fresh);
                if (fresh)
                        e->value = (void *) (uintptr_t) (ASH_MIN(l->n_segments, (uint32_t) SEGMENTS_MAX - 1) + 1);
                any |= fresh;
        }
        l->n_segments += any;
}

/* "glibc-2.41-12.src.rpm" -> "glibc". */
static AshSlice source_name(AshSlice source) {
        for (int dashes = 0; dashes < 2;) {
                ptrdiff_t at = ash_slice_rfind_char(source, '-');
                if (at <= 0)
                        return source;
                source.len = (size_t) at;
                dashes++;
        }
        return source;
}

static int group_of(Layers *l, const AshComposePackage *p, uint32_t *ret) {
        AshRpmHeader h = {};
        bool fresh;
        int r = ash_rpm_header_parse(ash_pack_header(p->pack), 0, "header", 0, &h, l->flow->diags);
        if (r < 0)
                return r;
        AshSlice source = ash_rpm_string(&h, ASH_RPMTAG_SOURCERPM);
        AshSlice name = ash_arena_slice(l->arena, source.len ? source_name(source) : ash_rpm_string(&h, ASH_RPMTAG_NAME));
        ash_rpm_header_done(&h);
        uint32_t segment = (uint32_t) (uintptr_t) ash_map_get(&l->segments, p->nevra);
        segment = segment ? segment - 1 : 0;
        AshMapEntry *e = ash_map_ensure(&l->names, ash_slice_str(ash_arena_printf(l->arena, "%u %.*s", segment, ASH_F(name))), &fresh);
        if (fresh) {
                ash_array_push(&l->groups, ((Group){ .name = name, .segment = segment }));
                e->value = (void *) (uintptr_t) l->groups.n;
        }
        *ret = (uint32_t) (uintptr_t) e->value - 1;
        return 0;
}

static int by_size(const void *a, const void *b) {
        const Group *x = *(Group *const *) a, *y = *(Group *const *) b;
        if (x->segment != y->segment)
                return x->segment < y->segment ? -1 : 1;
        return x->size != y->size ? (x->size > y->size ? -1 : 1) : ash_slice_cmp(x->name, y->name);
}
static int by_place(const void *a, const void *b) {
        const Group *x = *(Group *const *) a, *y = *(Group *const *) b;
        if (x->segment != y->segment)
                return x->segment < y->segment ? -1 : 1;
        return x->own != y->own ? (x->own ? 1 : -1) : ash_slice_cmp(x->name, y->name);
}

/* The small ones of a segment share its first layer; the others follow by name. */
static uint32_t number_layers(Layers *l) {
        Group **order = ash_arena_new_items(l->arena, Group *, l->groups.n + 1);
        uint32_t layer = 0, rank = 0;
        for (size_t i = 0; i < l->groups.n; i++)
                order[i] = &l->groups.items[i];
        if (l->groups.n)
                qsort(order, l->groups.n, sizeof *order, by_size);
        for (size_t i = 0; i < l->groups.n; i++) {
                rank = i && order[i]->segment == order[i - 1]->segment ? rank + 1 : 0;
                order[i]->own = order[i]->size >= OWN_LAYER && rank < SEGMENT_LAYERS - 1;
        }
        if (l->groups.n)
                qsort(order, l->groups.n, sizeof *order, by_place);
        for (size_t i = 0; i < l->groups.n; i++) {
                bool same = i && order[i]->segment == order[i - 1]->segment && !order[i]->own;
                layer += i && !same;
                order[i]->layer = layer;
        }
        return l->groups.n ? layer + 1 : 0;
}

int ash_flow_layers(AshFlow *flow, const AshLock *lock, AshFlowTree *t) {
        Layers l = { .lock = lock, .flow = flow, .t = t, .arena = t->arena };
        uint32_t *groups = ash_arena_new_items(t->arena, uint32_t, t->tree->origins.n + 1);
        int r = 0;
        t->layers = ash_arena_new_items(t->arena, uint32_t, t->tree->origins.n + 1);
        for (size_t i = 0; i < t->tree->origins.n; i++)
                groups[i] = UINT32_MAX;
        add_segments(&l, t->image->name.s, 8);
        for (size_t i = 0; r >= 0 && i < t->n_packages; i++)
                r = group_of(&l, &t->packages[i], &groups[t->packages[i].origin]);
        for (size_t i = 0; r >= 0 && i < t->tree->nodes.n; i++) {
                const AshTreeNode *n = &t->tree->nodes.items[i];
                if (!(n->flags & ASH_NODE_REMOVED) && n->hardlink == ASH_NO_NODE && groups[n->origin] != UINT32_MAX)
                        l.groups.items[groups[n->origin]].size += n->content.length;
        }
        uint32_t last = number_layers(&l);
        for (size_t i = 0; i < t->tree->origins.n; i++)
                t->layers[i] = groups[i] == UINT32_MAX ? last : l.groups.items[groups[i]].layer;
        t->n_layers = last + 1;
        ash_map_done(&l.segments);
        ash_map_done(&l.names);
        ash_array_done(&l.groups);
        return r;
}
