/* image plan: what a build would use and make. */
#include "verb-image.h"
#include "io.h"

static const char *reason(const AshFlowWhy *all, const AshFlowWhy *w, AshStr *out) {
        ash_str_clear(out);
        if (w->user)
                ash_str_append_str(out, "asked for");
        else if (w->because == UINT32_MAX)
                ash_str_append_str(out, w->at_hand ? "dependency" : "not in the store: its header is not known");
        else
                ash_str_appendf(out, "%.*s needs %.*s", ASH_F(all[w->because].name), ASH_F(w->dep));
        return out->ptr;
}

/* Of a set with hooks for the sandbox: what this machine has not that they need; NULL when it has all. */
static const AshDiag *sandbox_problem(const AshFlowHooks *h, AshSlice arch, AshDiags *own) {
        if (!h->hooks.count[ASH_WAY_SANDBOX] || !ash_hooks_can_execute(arch) || ash_hooks_check_sandbox(own) >= 0 || !ash_diags_n(own))
                return NULL;
        return ash_diags_at(own, 0);
}

static void hooks_json(AshJson *j, const AshFlowHooks *h, AshSlice arch) {
        static const char *const names[ASH_WAY_MAX_] = { "no-effect", "handler", "sandbox" };
        ash_json_begin(j, "hooks", '{');
        for (AshHookWay w = 0; w < ASH_WAY_MAX_; w++)
                ash_json_uint(j, names[w], h->hooks.count[w]);
        ash_json_uint(j, "removal-only", h->hooks.removal);
        ash_json_uint(j, "unknown-packages", h->unknown);
        ash_json_bool(j, "can-execute", ash_hooks_can_execute(arch));
        _cleanup_(ash_diags_free_p) AshDiags *own = ash_diags_new();
        const AshDiag *problem = sandbox_problem(h, arch, own);
        if (problem)
                ash_json_str(j, "sandbox-problem", problem->text);
        ash_json_begin(j, "list", '[');
        for (size_t i = 0; i < h->hooks.n; i++) {
                const AshHook *hook = &h->hooks.items[i];
                if (hook->kind >= ASH_HOOK_REMOVAL)
                        continue;
                ash_json_begin(j, NULL, '{');
                ash_json_text(j, "package", hook->nevra);
                ash_json_str(j, "hook", ash_hook_kind_name(hook->kind));
                ash_json_str(j, "way", names[hook->way]);
                if (hook->handlers)
                        ash_json_str(j, "handlers", hook->handlers);
                ash_json_str(j, "reason", hook->reason);
                ash_json_bool(j, "executes", hook->executes);
                ash_json_end(j, '}');
        }
        ash_json_end(j, ']');
        ash_json_end(j, '}');
}

static void hooks_text(AshCli *cli, const AshFlowHooks *h, AshSlice arch) {
        size_t executing = 0;
        ash_cli_printf(cli, "hooks: %zu no effect, %zu handler, %zu sandbox; %zu never run at an installation", h->hooks.count[ASH_WAY_NO_EFFECT], h->hooks.count[ASH_WAY_HANDLER],
                       h->hooks.count[ASH_WAY_SANDBOX], h->hooks.removal);
        if (h->unknown)
                ash_cli_printf(cli, "; those of %zu package%s not in the store are not known", ASH_COUNT(h->unknown));
        ash_cli_printf(cli, "\n");
        for (size_t i = 0; i < h->hooks.n; i++) {
                const AshHook *hook = &h->hooks.items[i];
                if (hook->kind >= ASH_HOOK_REMOVAL || hook->way != ASH_WAY_SANDBOX)
                        continue;
                executing += hook->executes;
                ash_cli_printf(cli, "  sandbox: %%%s of %.*s: %s\n", ash_hook_kind_name(hook->kind), ASH_F(hook->nevra), hook->reason);
        }
        if (executing && !ash_hooks_can_execute(arch))
                ash_cli_printf(cli, "  this machine cannot execute programs for %.*s: %zu of these would stop the build\n", ASH_F(arch), executing);
        _cleanup_(ash_diags_free_p) AshDiags *own = ash_diags_new();
        const AshDiag *problem = sandbox_problem(h, arch, own);
        if (problem)
                ash_cli_printf(cli, "  these would stop the build, unless their outcome is in the store: %s%s%s\n", problem->text, problem->hint ? "; " : "", problem->hint ?: "");
}

static int plan_hooks(AshCli *cli, AshFlow *flow, const AshLock *lock, const AshLockSet *set, AshSlice arch, AshJson *j) {
        _cleanup_(ash_flow_hooks_done) AshFlowHooks hooks = {};
        int r = ash_flow_hooks(flow, lock, set, &hooks);
        if (r < 0)
                return r;
        if (j)
                hooks_json(j, &hooks, arch);
        else
                hooks_text(cli, &hooks, arch);
        return 0;
}

static int plan_packages(AshCli *cli, AshFlow *flow, const AshLock *lock, const AshImage *image, AshSlice arch, AshJson *j) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        const AshLockSet *set = ash_lock_set(lock, "image", image->name.s, arch);
        _str_ AshStr text = {}, size = {};
        AshFlowWhy *whys;
        uint64_t bytes = 0, installed = 0;
        size_t missing = 0, packed = 0;
        if (!set) {
                int r = ash_fail(cli->diags, -ASH_ERR_CONFIG, image->name.at, "the image '%.*s' (%.*s) is not in the lock", ASH_F(image->name.s), ASH_F(arch));
                ash_hint(cli->diags, "'ashlar lock' brings the lock up to date");
                return r;
        }
        int r = ash_flow_why(flow, lock, set, arena, &whys);
        if (r < 0)
                return r;
        if (j) {
                ash_json_begin(j, NULL, '{');
                ash_json_text(j, "image", image->name.s);
                ash_json_text(j, "arch", arch);
                ash_json_begin(j, "packages", '[');
        }
        for (size_t i = 0; i < set->n_packages; i++) {
                const AshFlowWhy *w = &whys[i];
                bytes += w->size;
                installed += w->installed;
                missing += !w->at_hand;
                packed += w->at_hand && !w->expanded;
                reason(whys, w, &text);
                ash_str_clear(&size);
                if (w->at_hand)
                        ash_text_bytes(&size, w->installed);
                else /* only the package itself says it */
                        ash_str_append_char(&size, '-');
                if (!j) {
                        ash_cli_printf(cli, "%.*s\t%.*s\t%.*s\n", ASH_F(w->nevra), ASH_F(ash_str_slice(&size)), ASH_F(ash_str_slice(&text)));
                        continue;
                }
                ash_json_begin(j, NULL, '{');
                ash_json_text(j, "nevra", w->nevra);
                ash_json_text(j, "reason", ash_str_slice(&text));
                ash_json_uint(j, "size", w->size);
                if (w->at_hand)
                        ash_json_uint(j, "installed-size", w->installed);
                ash_json_bool(j, "in-store", w->at_hand);
                ash_json_bool(j, "expanded", w->expanded);
                ash_json_end(j, '}');
        }
        if (j) {
                ash_json_end(j, ']');
                r = plan_hooks(cli, flow, lock, set, arch, j);
                ash_json_end(j, '}');
                return r;
        }
        _str_ AshStr total = {};
        ash_str_clear(&size);
        ash_text_bytes(&size, bytes);
        ash_text_bytes(&total, installed);
        ash_cli_printf(cli, "%.*s (%.*s): %zu package%s, %.*s, %.*s of files%s; %zu to fetch, %zu to expand\n", ASH_F(image->name.s), ASH_F(arch), ASH_COUNT(set->n_packages), ASH_F(ash_str_slice(&size)), ASH_F(ash_str_slice(&total)), missing ? " in those at hand" : "",
                       missing, packed + missing);
        return plan_hooks(cli, flow, lock, set, arch, NULL);
}

int ash_image_plan(AshCli *cli) {
        _free_ char *lock_path = ash_cli_lock_path(cli), *dir = ash_image_dir(cli);
        _cleanup_(ash_flow_image_result_done) AshFlowImageResult result = {};
        _cleanup_(ash_lock_free_all_p) AshLock *lock = NULL;
        AshFlow flow = ash_cli_flow(cli);
        AshFlowImageOptions o = ash_image_options(cli, lock_path, dir);
        const AshImage *image;
        int r = 0;
        if (ash_config_find_image(cli->config, ash_slice_str(cli->args[0])) && ash_config_image(cli->config, ash_slice_str(cli->args[0]), &image, cli->diags) >= 0 && ash_image_is_kiwi(image))
                return ash_image_plan_kiwi(cli, image, ash_image_chosen_arch(cli, image));
        r = ash_flow_image_plan(&flow, &o, &result);
        if (r >= 0)
                r = ash_flow_find_image(&flow, ash_slice_str(cli->args[0]), &image);
        if (r >= 0)
                r = ash_flow_read_lock(&flow, lock_path, &lock);
        if (r < 0)
                return r;
        AshJson j = {};
        if (cli->json) {
                j = ash_cli_json(cli);
                ash_json_begin(&j, NULL, '{');
                ash_json_begin(&j, "sets", '[');
        }
        AshSlice arch;
        for (size_t i = 0; r >= 0 && (arch = ash_flow_image_arch(image, i)).len; i++)
                if (!o.arch || ash_slice_eqs(arch, o.arch))
                        r = plan_packages(cli, &flow, lock, image, arch, cli->json ? &j : NULL);
        if (cli->json) {
                ash_json_end(&j, ']');
                ash_json_begin(&j, "outputs", '[');
        }
        ash_array_foreach(&result.done.items[0].outputs, out) {
                _free_ char *path = ash_path_join(dir, out->path);
                static const char *const states[] = { [ASH_OUTPUT_ABSENT] = "not built", [ASH_OUTPUT_CHANGED] = "changed since it was built", [ASH_OUTPUT_OLD] = "of other packages than the lock's",
                                                      [ASH_OUTPUT_THERE] = "built of these packages" };
                if (cli->json) {
                        ash_json_begin(&j, NULL, '{');
                        ash_json_str(&j, "path", path);
                        ash_json_str(&j, "format", out->format->name);
                        ash_json_str(&j, "state", states[out->state]);
                        ash_json_end(&j, '}');
                } else
                        ash_cli_printf(cli, "output %s (%s%s%.*s): %s\n", path, out->format->name, out->arch.len ? ", " : "", ASH_F(out->arch), states[out->state]);
        }
        if (cli->json) {
                ash_json_end(&j, ']');
                ash_json_end(&j, '}');
                ash_cli_print(cli, "\n");
        }
        return r;
}
