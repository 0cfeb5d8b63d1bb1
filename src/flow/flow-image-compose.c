/* One image for one architecture: its packages, out of the lock, composed. */
#include "flow-image.h"
#include "flow-lock.h"
#include "handlers.h"
#include "scriptlets.h"

void ash_flow_tree_free(AshFlowTree *t) {
        if (!t)
                return;
        ash_tree_free(t->tree);
        for (size_t i = 0; t->packs && i < t->n_packages; i++)
                ash_pack_free(t->packs[i]);
        free(t->packs);
        ash_arena_free(t->arena);
        free(t);
}

static int open_packages(AshFlow *flow, const AshLock *lock, AshFlowTree *t) {
        size_t n = t->set->n_packages;
        _free_ AshId *ids = ash_calloc(n + 1, sizeof *ids);
        _free_ const AshLockPackage **wanted = ash_calloc(n + 1, sizeof *wanted);
        for (size_t i = 0; i < n; i++) {
                wanted[i] = ash_lock_package(lock, t->set->packages[i]);
                if (!wanted[i] || ash_id_parse(wanted[i]->sha256, &ids[i]) < 0)
                        return ash_fail(flow->diags, -ASH_ERR_CONFIG, ASH_NOWHERE, "the lock has no digest for %.*s", ASH_F(t->set->packages[i]));
        }
        int r = ash_flow_ensure_packages(flow, lock, wanted, n);
        if (r < 0)
                return r;
        t->packs = ash_calloc(n + 1, sizeof *t->packs);
        t->packages = ash_arena_new_items(t->arena, AshComposePackage, n + 1);
        t->n_packages = n;
        r = ash_store_expand_all(flow->store, ids, n, flow->threads, t->packs, flow->progress, flow->diags);
        if (r == -ENOENT)
                return ash_fail(flow->diags, r, ASH_NOWHERE, "a package of the lock is neither in the store nor at its upstream");
        for (size_t i = 0; r >= 0 && i < n; i++) {
                AshPackage nevra = {};
                t->packages[i] = (AshComposePackage){ .pack = t->packs[i], .nevra = t->set->packages[i] };
                ash_nevra_parse(t->set->packages[i], &nevra);
                if (!ash_slice_eq(ash_pack_nevra(t->packs[i]), t->set->packages[i]))
                        return ash_fail(flow->diags, -ASH_ERR_VERIFY, ASH_NOWHERE, "the lock's digest of %.*s is that of %.*s", ASH_F(t->set->packages[i]), ASH_F(ash_pack_nevra(t->packs[i])));
                for (size_t k = 0; k < t->set->n_user; k++)
                        t->packages[i].user |= ash_slice_eq(t->set->user[k], nevra.name);
        }
        return r;
}

/* The distribution's identity, with what follows from the version. */
static AshIdentity *identity_of(AshFlow *flow, AshArena *arena) {
        const AshDistroVersion *version = ash_config_default_distro_version(flow->config, NULL);
        if (!version)
                return NULL;
        AshIdentity *id = ash_arena_new_item(arena, AshIdentity);
        *id = version->identity;
        if (!ash_text_set(id->version_id))
                id->version_id = version->release_ver;
        return id;
}

/* Only where a file of the definition is the key: making one is not for images that have no use for it. */
static int signing_key_of(AshFlow *flow, const AshImage *image, AshArena *arena, AshSlice *ret) {
        for (size_t i = 0; i < image->files.n; i++)
                if (image->files.items[i].signing_key.value == ASH_YES)
                        return flow->signing_key(flow->context, arena, ret);
        return 0;
}

int ash_flow_compose(AshFlow *flow, const AshLock *lock, const AshImage *image, AshSlice arch, AshFlowTree **ret) {
        _cleanup_(ash_flow_tree_free_p) AshFlowTree *t = ash_calloc(1, sizeof *t);
        *t = (AshFlowTree){ .image = image, .arch = arch, .arena = ash_arena_new(), .set = ash_lock_set(lock, "image", image->name.s, arch) };
        if (!t->set) {
                int r = ash_fail(flow->diags, -ASH_ERR_CONFIG, image->name.at, "the image '%.*s' (%.*s) is not in the lock", ASH_F(image->name.s), ASH_F(arch));
                ash_hint(flow->diags, "'ashlar lock' brings the lock up to date");
                return r;
        }
        int r = ash_flow_lock_answers(flow, lock, "image", image->name.s);
        if (r >= 0)
                r = open_packages(flow, lock, t);
        if (r < 0)
                return r;
        AshComposeInput in = { .packages = t->packages, .n_packages = t->n_packages, .image = image, .identity = identity_of(flow, t->arena), .lock = lock, .store = flow->store, .arch = arch,
                               .handlers = ash_handlers, .scriptlets = ash_scriptlets_run, .scriptlets_context = (void *) ash_handlers, .time = (int64_t) lock->source_date_epoch };
        r = signing_key_of(flow, image, t->arena, &in.signing_key);
        if (r < 0)
                return r;
        ash_progress_begin(flow->progress, "composing", 0, ASH_UNIT_ITEMS);
        r = ash_compose(&in, &t->tree, flow->diags);
        ash_progress_end(flow->progress);
        if (r < 0) {
                ash_note(flow->diags, ASH_NOWHERE, "in the image '%.*s' for %.*s", ASH_F(image->name.s), ASH_F(arch));
                return r;
        }
        *ret = ASH_TAKE(t);
        return 0;
}
