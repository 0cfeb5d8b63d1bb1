/* image: from packages to trees to outputs. */
#include "verb-image.h"
#include "io.h"

#define ARCH_OPTION { "arch", .value = "ARCH", .doc = "architecture (default: all for build and plan, else the image's first)" }
#define IMAGE_ARG { "NAME", "an image of the project", ASH_KIND_IMAGE }

char *ash_image_dir(AshCli *cli) {
        _free_ char *out = ash_cli_output_dir(cli);
        return ash_path_join(out, "images");
}

/* One image for one architecture, composed, and what it came from. */
typedef struct Composed {
        AshLock *lock;
        AshFlowTree *flow_tree;
        AshTree *parsed;             /* of a dump instead */
        AshBytes text;
        AshSource *source;
        const AshTree *tree;
} Composed;
static void composed_done(Composed *c) {
        ash_flow_tree_free(c->flow_tree);
        ash_tree_free(c->parsed);
        ash_source_free(c->source);
        ash_bytes_done(&c->text);
        ash_lock_free_all(c->lock);
}

static AshSlice chosen_arch(AshCli *cli, const AshImage *image) {
        const char *arch = ash_cli_option(cli, "arch");
        return arch ? ash_slice_str(arch) : ash_flow_image_arch(image, 0);
}

static int compose(AshCli *cli, const char *name, Composed *ret) {
        _free_ char *lock_path = ash_cli_lock_path(cli);
        AshFlow flow = ash_cli_flow(cli);
        const AshImage *image;
        int r = ash_flow_find_image(&flow, ash_slice_str(name), &image);
        if (r >= 0)
                r = ash_flow_read_lock(&flow, lock_path, &ret->lock);
        if (r >= 0)
                r = ash_flow_compose(&flow, ret->lock, image, chosen_arch(cli, image), &ret->flow_tree);
        if (r >= 0)
                ret->tree = ret->flow_tree->tree;
        return r;
}

static bool is_kiwi(const AshImage *image) { return ash_slice_eqs(image->definition_type.s, "kiwi") && !ash_text_set(image->kind); }

/* ---- list ---- */
static void join(AshStr *out, const AshTexts *texts) {
        for (size_t i = 0; i < texts->n; i++)
                ash_str_appendf(out, "%s%.*s", i ? " " : "", ASH_F(texts->items[i].s));
}

static int run_list(AshCli *cli) {
        static const AshCliColumn columns[] = { { "Name" }, { "Kind" }, { "Architectures" }, { "Formats", .optional = true }, { "Description" } };
        _cleanup_(ash_cli_list_free_p) AshCliList *list = ash_cli_list_new(cli, columns, ASH_N(columns));
        const AshProject *project = ash_config_project(cli->config);
        for (size_t i = 0; i < project->images.n; i++) {
                const AshImage *image;
                _str_ AshStr arches = {}, formats = {}, kiwi_kind = {};
                _cleanup_(ash_flow_kiwi_free_p) AshFlowKiwi *kiwi = NULL;
                AshFlow silent = { .config = cli->config };
                int r = ash_config_image(cli->config, project->images.items[i].name.s, &image, cli->diags);
                if (r < 0)
                        return r;
                join(&arches, &image->architectures);
                if (is_kiwi(image) && ash_flow_kiwi(&silent, image, ash_flow_image_arch(image, 0), &kiwi) >= 0 && ash_text_set(kiwi->image.kind))
                        ash_str_appendf(&kiwi_kind, "%.*s (kiwi)", ASH_F(kiwi->image.kind.s));
                join(&formats, kiwi ? &kiwi->image.formats : &image->formats);
                const char *standard = formats.len || image->is_abstract.value == ASH_YES ? NULL : ash_flow_image_standard_format(kiwi ? kiwi->image.kind.s : image->kind.s);
                if (standard)
                        ash_str_append_str(&formats, standard);
                AshSlice kind = ash_text_set(image->kind) ? image->kind.s : kiwi_kind.len ? ash_str_slice(&kiwi_kind) : ash_text_set(image->definition_type) ? image->definition_type.s : ASH_NOSLICE;
                ash_cli_list_row(list, (AshSlice[]){ image->name.s, image->is_abstract.value == ASH_YES ? ASH_S("abstract") : kind, arches.len ? ash_str_slice(&arches) : ASH_S("x86_64"),
                                                     formats.len ? ash_str_slice(&formats) : ASH_NOSLICE, image->description.s });
        }
        ash_cli_list_print(list);
        return 0;
}

/* ---- build ---- */
static int print_results(AshCli *cli, const char *dir, const AshFlowImageResult *result, bool plan) {
        if (cli->json) {
                AshJson j = ash_cli_json(cli);
                ash_json_begin(&j, NULL, '[');
                ash_array_foreach(&result->done, d) {
                        ash_json_begin(&j, NULL, '{');
                        ash_json_text(&j, "image", d->name);
                        if (!plan) {
                                ash_json_uint(&j, "packages", d->packages);
                                ash_json_uint(&j, "entries", d->entries);
                        }
                        ash_json_begin(&j, "outputs", '[');
                        ash_array_foreach(&d->outputs, o) {
                                _free_ char *path = ash_path_join(dir, o->path);
                                ash_json_begin(&j, NULL, '{');
                                ash_json_str(&j, "path", path);
                                ash_json_str(&j, "format", o->format->name);
                                if (o->arch.len)
                                        ash_json_text(&j, "arch", o->arch);
                                if (!plan) {
                                        ash_json_uint(&j, "size", o->size);
                                        if (*o->digest)
                                                ash_json_str(&j, "sha256", o->digest);
                                        ash_json_bool(&j, "written", o->written);
                                }
                                ash_json_end(&j, '}');
                        }
                        ash_json_end(&j, ']');
                        ash_json_end(&j, '}');
                }
                ash_json_end(&j, ']');
                ash_cli_print(cli, "\n");
                return 0;
        }
        ash_array_foreach(&result->done, d)
                ash_array_foreach(&d->outputs, o) {
                        _str_ AshStr size = {};
                        ash_text_bytes(&size, o->size);
                        if (!cli->quiet)
                                ash_cli_printf(cli, "%s/%s: %.*s, %zu package%s, %zu entr%s%s\n", dir, o->path, ASH_F(ash_str_slice(&size)), ASH_COUNT(d->packages), d->entries, d->entries == 1 ? "y" : "ies", o->written ? "" : ", up to date");
                }
        return 0;
}

static AshFlowImageOptions options_of(AshCli *cli, const char *lock_path, const char *dir) {
        return (AshFlowImageOptions){ .lock_path = lock_path, .output = dir, .names = cli->args, .n_names = cli->n_args, .arch = ash_cli_option(cli, "arch") };
}

static int run_build(AshCli *cli) {
        _free_ char *lock_path = ash_cli_lock_path(cli), *dir = ash_image_dir(cli);
        _cleanup_(ash_flow_image_result_done) AshFlowImageResult result = {};
        AshFlow flow = ash_cli_flow(cli);
        AshFlowImageOptions o = options_of(cli, lock_path, dir);
        if (!cli->n_args == !ash_cli_flag(cli, "all"))
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "either images are named, or --all");
        o.force = ash_cli_flag(cli, "force");
        int r = ash_flow_image_build(&flow, &o, &result);
        return r < 0 ? r : print_results(cli, dir, &result, false);
}

/* ---- plan ---- */
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

static int run_plan(AshCli *cli) {
        _free_ char *lock_path = ash_cli_lock_path(cli), *dir = ash_image_dir(cli);
        _cleanup_(ash_flow_image_result_done) AshFlowImageResult result = {};
        _cleanup_(ash_lock_free_all_p) AshLock *lock = NULL;
        AshFlow flow = ash_cli_flow(cli);
        AshFlowImageOptions o = options_of(cli, lock_path, dir);
        const AshImage *image;
        int r = 0;
        if (ash_config_find_image(cli->config, ash_slice_str(cli->args[0])) && ash_config_image(cli->config, ash_slice_str(cli->args[0]), &image, cli->diags) >= 0 && is_kiwi(image))
                return ash_image_plan_kiwi(cli, image, chosen_arch(cli, image));
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

/* ---- dump ---- */
/* What no package has goes into the store, so that the dump can be written from. */
static int keep_content(AshCli *cli, const AshTree *t) {
        for (size_t i = 0; i < t->nodes.n; i++) {
                const AshTreeNode *n = &t->nodes.items[i];
                AshId id;
                if (n->content.kind != ASH_CONTENT_INLINE || n->flags & ASH_NODE_REMOVED || n->hardlink != ASH_NO_NODE)
                        continue;
                memcpy(id.sha256, n->content.sha256, 32);
                if (ash_store_has_blob(cli->store, &id)) /* compose has digested it a moment ago */
                        continue;
                int r = ash_store_put_blob(cli->store, ash_slice(n->content.data, n->content.length), &id, NULL, cli->diags);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int run_dump(AshCli *cli) {
        _cleanup_(composed_done) Composed c = {};
        _str_ AshStr text = {};
        int r = compose(cli, cli->args[0], &c);
        if (r >= 0)
                r = keep_content(cli, c.tree);
        if (r < 0)
                return r;
        ash_tree_dump(c.tree, &text);
        ash_cli_write(cli, ash_str_slice(&text));
        return 0;
}

/* ---- a dump back to bytes ---- */
typedef struct Opened {
        AshStore *store;
        ASH_ARRAY(AshPack *) packs;
        bool names_only;             /* the bytes are not needed: a comparison */
} Opened;
static void opened_done(Opened *o) {
        ash_array_foreach(&o->packs, p)
                ash_pack_free(*p);
        ash_array_done(&o->packs);
}

static int open_pack(void *context, AshSlice hex, const void **ret, AshDiags *diags) {
        Opened *o = context;
        AshPack *pack = NULL;
        AshId id;
        if (o->names_only)
                return 0;
        if (ash_id_parse(hex, &id) < 0)
                return ash_fail(diags, -ASH_ERR_SYNTAX, ASH_NOWHERE, "tree dump: '%.*s' is no SHA-256", ASH_F(hex));
        int r = ash_store_expand(o->store, &id, &pack, diags);
        if (r < 0)
                return r == -ENOENT ? ash_fail(diags, r, ASH_NOWHERE, "the package %.*s is not in the store", ASH_F(hex)) : r;
        ash_array_push(&o->packs, pack);
        *ret = pack;
        return 0;
}

static int open_bytes(void *context, AshSlice hex, AshArena *arena, AshSlice *ret, AshDiags *diags) {
        Opened *o = context;
        _bytes_ AshBytes bytes = {};
        AshId id;
        if (o->names_only)
                return -ENODATA;
        if (ash_id_parse(hex, &id) < 0)
                return ash_fail(diags, -ASH_ERR_SYNTAX, ASH_NOWHERE, "tree dump: '%.*s' is no SHA-256", ASH_F(hex));
        int r = ash_store_map_blob(o->store, &id, true, &bytes, diags);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "the content %.*s is not in the store", ASH_F(hex));
        *ret = ash_arena_slice(arena, ash_bytes_slice(&bytes));
        return 0;
}

static int parse_dump(AshCli *cli, const char *path, Opened *opened, Composed *ret) {
        AshDumpContent content = { opened, open_pack, open_bytes };
        int r = ash_file_map(AT_FDCWD, path, &ret->text);
        if (r < 0)
                return ash_fail_file(cli->diags, r, path, "cannot read the dump: %s", ash_strerror(r));
        ret->source = ash_source_new(path, ash_bytes_slice(&ret->text));
        r = ash_tree_parse(ret->source, &content, &ret->parsed, cli->diags);
        if (r >= 0)
                ret->tree = ret->parsed;
        return r;
}

/* Endings of an output's name, and what they say of it; of two that fit the first counts. */
static const struct {
        const char *ending, *format, *compression;
} output_names[] = {
        { ".docker.tar", "docker", NULL }, { ".oci", "oci", NULL },
        { ".tar", "tar", "none" },      { ".tar.zst", "tar", "zstd" },   { ".tar.gz", "tar", "gzip" },   { ".tgz", "tar", "gzip" },
        { ".cpio", "cpio", "none" },    { ".cpio.zst", "cpio", "zstd" }, { ".cpio.gz", "cpio", "gzip" },
};

/* What the options leave open follows from the name of the output. */
static void output_kind(const AshCli *cli, const char *path, const char **ret_format, const char **ret_compression) {
        const char *format = ash_cli_option(cli, "format"), *compression = ash_cli_option(cli, "compression");
        for (size_t i = 0; i < ASH_N(output_names); i++)
                if (ash_slice_ends(ash_slice_str(path), ash_slice_str(output_names[i].ending))) {
                        format = format ?: output_names[i].format;
                        compression = compression ?: output_names[i].compression;
                        break;
                }
        *ret_format = format ?: "tar";
        *ret_compression = compression ?: "zstd";
}

static int write_stream(int fd, const AshLayout *l, const AshImageFacts *f, AshDiags *diags) {
        AshWritten written;
        return ash_layout_write(l, fd, &(AshWriteOptions){ .compression = f->compression, .threads = f->threads, .store = f->store, .progress = f->progress }, &written, diags);
}

static int write_tar(int fd, const AshTree *t, const AshImageFacts *f, AshDiags *diags) {
        _cleanup_(ash_layout_free_p) AshLayout *l = ash_layout_new();
        int r = ash_layout_tar(l, t, false, diags);
        return r < 0 ? r : write_stream(fd, l, f, diags);
}

static int write_cpio(int fd, const AshTree *t, const AshImageFacts *f, AshDiags *diags) {
        _cleanup_(ash_layout_free_p) AshLayout *l = ash_layout_new();
        int r = ash_layout_cpio(l, t, diags);
        return r < 0 ? r : write_stream(fd, l, f, diags);
}

static int write_docker(int fd, const AshTree *t, const AshImageFacts *f, AshDiags *diags) {
        AshWritten written;
        return ash_docker_write(fd, t, f, &written, diags);
}

static int write_oci(int fd, const AshTree *t, const AshImageFacts *f, AshDiags *diags) {
        AshOciImage image;
        int r = ash_oci_add(fd, t, f, &image, diags);
        return r < 0 ? r : ash_oci_finish(fd, f, &image, 1, diags);
}

static int write_plain(int fd, const AshTree *t, const AshImageFacts *f _unused_, AshDiags *diags) { return ash_directory_write(fd, t, diags); }

static const struct {
        const char *name;
        bool directory;
        int (*write)(int fd, const AshTree *t, const AshImageFacts *f, AshDiags *diags); /* fd: of the file, or of the directory */
} output_formats[] = {
        { "tar", false, write_tar }, { "cpio", false, write_cpio }, { "docker", false, write_docker }, { "oci", true, write_oci }, { "directory", true, write_plain },
};

static int cannot_write(AshCli *cli, int r, const char *path) { return ash_fail_file(cli->diags, r, path, "cannot write: %s", ash_strerror(r)); }

static int write_to_file(AshCli *cli, size_t format, const char *path, const AshTree *t, const AshImageFacts *f) {
        _cleanup_(ash_atomic_free_p) AshAtomic *atomic = NULL;
        int r = ash_atomic_open(AT_FDCWD, path, 0644, false, &atomic);
        if (r < 0)
                return cannot_write(cli, r, path);
        r = output_formats[format].write(ash_atomic_fd(atomic), t, f, cli->diags);
        if (r >= 0 && (r = ash_atomic_commit(atomic)) < 0)
                return cannot_write(cli, r, path);
        return r < 0 ? r : 0;
}

/* Beside its place and renamed, too. What is there already is not ours to replace. */
static int write_to_directory(AshCli *cli, size_t format, const char *path, const AshTree *t, const AshImageFacts *f) {
        AshSlice dir = ash_path_dir(ash_slice_str(path)), base = ash_path_base(ash_slice_str(path));
        _free_ char *part = ash_asprintf("%.*s/.%.*s.part", ASH_F(dir.len ? dir : ASH_S(".")), ASH_F(base));
        int r = ash_remove_all(AT_FDCWD, part);
        if (r >= 0 && mkdir(part, 0755) < 0)
                r = -errno;
        if (r < 0)
                return cannot_write(cli, r, path);
        _close_ int fd = open(part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = fd < 0 ? cannot_write(cli, -errno, path) : output_formats[format].write(fd, t, f, cli->diags);
        if (r >= 0 && renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
                r = cannot_write(cli, -errno, path);
        if (r < 0)
                (void) ash_remove_all(AT_FDCWD, part);
        return r < 0 ? r : 0;
}

/* A dump tells of no container's settings: there is the tree, its architecture as the option says it, and the time of the newest file. */
static AshImageFacts facts_of_dump(AshCli *cli, const char *name, const char *compression, const AshTree *t) {
        AshImageFacts f = { .name = name, .arch = ash_cli_option(cli, "arch") ?: "x86_64", .compression = ash_compression_from_name(ash_slice_str(compression)), .threads = cli->jobs,
                            .store = cli->store, .progress = cli->progress };
        for (size_t i = 0; i < t->nodes.n; i++)
                f.time = ASH_MAX(f.time, t->nodes.items[i].mtime);
        return f;
}

static int run_write(AshCli *cli) {
        _cleanup_(composed_done) Composed c = {};
        _cleanup_(opened_done) Opened opened = { .store = cli->store };
        const char *path = cli->args[1], *format, *compression;
        AshSlice base = ash_path_base(ash_slice_str(path));
        ptrdiff_t dot = ash_slice_find_char(base, '.');
        _free_ char *name = ash_slice_dup(dot > 0 ? ash_slice_sub(base, 0, (size_t) dot) : base);
        size_t i = 0;
        output_kind(cli, path, &format, &compression);
        while (i + 1 < ASH_N(output_formats) && strcmp(output_formats[i].name, format) != 0)
                i++;
        int r = parse_dump(cli, cli->args[0], &opened, &c);
        if (r < 0)
                return r;
        AshImageFacts f = facts_of_dump(cli, name, compression, c.tree);
        return output_formats[i].directory ? write_to_directory(cli, i, path, c.tree, &f) : write_to_file(cli, i, path, c.tree, &f);
}

/* ---- diff ---- */
typedef struct Diff {
        AshCli *cli;
        const AshTree *a, *b;
        size_t n;
        AshJson *j;
        AshStr path;
} Diff;

static AshSlice package_name(AshSlice nevra) {
        AshPackage p = {};
        return ash_nevra_parse(nevra, &p) < 0 ? nevra : p.name;
}

/* Whose a path is; nothing for a directory that nobody declares. */
static void append_origin(AshStr *out, const AshTree *t, AshNode n) {
        const AshOrigin *o = &t->origins.items[ash_tree_node(t, n)->origin];
        switch (o->kind) {
        case ASH_ORIGIN_PACKAGE: ash_str_appendf(out, "of %.*s", ASH_F(package_name(o->name))); break;
        case ASH_ORIGIN_HANDLER: ash_str_appendf(out, "by handler %.*s", ASH_F(o->name)); break;
        case ASH_ORIGIN_DEFINITION: ash_str_append_str(out, "by the definition"); break;
        case ASH_ORIGIN_SCRIPTLET: ash_str_appendf(out, "by %.*s", ASH_F(o->name)); break;
        case ASH_ORIGIN_IMPLIED: break;
        }
}

/* One that is not in both has it from its only side. */
static void append_origins(const Diff *d, AshNode a, AshNode b, AshStr *out) {
        _str_ AshStr was = {}, is = {};
        if (a != ASH_NO_NODE)
                append_origin(&was, d->a, a);
        if (b != ASH_NO_NODE)
                append_origin(&is, d->b, b);
        ash_str_append(out, ash_str_slice(was.len ? &was : &is));
        if (was.len && is.len && !ash_slice_eq(ash_str_slice(&was), ash_str_slice(&is)))
                ash_str_appendf(out, ", now %.*s", ASH_F(ash_str_slice(&is)));
}

static void print_line(Diff *d, char sign, AshSlice what, AshSlice path, AshSlice origin) {
        d->n++;
        if (!d->j) {
                ash_cli_printf(d->cli, "%c %.*s", sign, ASH_F(what));
                if (origin.len)
                        ash_cli_printf(d->cli, " (%.*s)", ASH_F(origin));
                ash_cli_print(d->cli, "\n");
                return;
        }
        ash_json_begin(d->j, NULL, '{');
        ash_json_str(d->j, "change", sign == '+' ? "added" : sign == '-' ? "removed" : "changed");
        ash_json_text(d->j, "what", what);
        if (path.len)
                ash_json_text(d->j, "path", path);
        if (origin.len)
                ash_json_text(d->j, "origin", origin);
        ash_json_end(d->j, '}');
}

static void package_line(Diff *d, char sign, const char *format, ...) _printf_(3, 4);
static void package_line(Diff *d, char sign, const char *format, ...) {
        _str_ AshStr text = {};
        va_list ap;
        va_start(ap, format);
        ash_str_appendv(&text, format, ap);
        va_end(ap);
        print_line(d, sign, ash_str_slice(&text), ASH_NOSLICE, ASH_NOSLICE);
}

/* A path of one side or of both, and what of it differs. */
static void path_line(Diff *d, char sign, AshNode a, AshNode b, AshSlice differs) {
        _str_ AshStr what = {}, origin = {};
        AshSlice path = d->path.len ? ash_str_slice(&d->path) : ASH_S("/");
        ash_str_append(&what, path);
        if (differs.len)
                ash_str_appendf(&what, ":%.*s", ASH_F(differs));
        append_origins(d, a, b, &origin);
        print_line(d, sign, ash_str_slice(&what), path, ash_str_slice(&origin));
}

static void diff_packages(Diff *d) {
        _map_ AshMap old = {}, fresh = {};
        ash_array_foreach(&d->a->origins, o)
                if (o->kind == ASH_ORIGIN_PACKAGE)
                        ash_map_put(&old, package_name(o->name), o, NULL);
        ash_array_foreach(&d->b->origins, o)
                if (o->kind == ASH_ORIGIN_PACKAGE)
                        ash_map_put(&fresh, package_name(o->name), o, NULL);
        ash_map_foreach(&old, e) {
                const AshOrigin *was = e->value, *is = ash_map_get(&fresh, e->key);
                if (!is)
                        package_line(d, '-', "package %.*s", ASH_F(was->name));
                else if (!ash_slice_eq(is->name, was->name))
                        package_line(d, '~', "package %.*s -> %.*s", ASH_F(was->name), ASH_F(is->name));
        }
        ash_map_foreach(&fresh, e)
                if (!ash_map_find(&old, e->key))
                        package_line(d, '+', "package %.*s", ASH_F(((const AshOrigin *) e->value)->name));
}

static const AshTreeNode *body_of(const AshTree *t, AshNode n) {
        const AshTreeNode *node = ash_tree_node(t, n);
        return node->hardlink == ASH_NO_NODE ? node : ash_tree_node(t, node->hardlink);
}

static bool same_xattrs(const AshTreeNode *a, const AshTreeNode *b) {
        bool same = a->n_xattrs == b->n_xattrs;
        for (uint32_t i = 0; same && i < a->n_xattrs; i++)
                same = ash_slice_eq(a->xattrs[i].name, b->xattrs[i].name) && ash_slice_eq(a->xattrs[i].value, b->xattrs[i].value);
        return same;
}

static void diff_nodes(Diff *d, AshNode na, AshNode nb) {
        const AshTreeNode *a = ash_tree_node(d->a, na), *b = ash_tree_node(d->b, nb), *ca = body_of(d->a, na), *cb = body_of(d->b, nb);
        _str_ AshStr what = {};
        if ((a->mode ^ b->mode) & S_IFMT)
                ash_str_append_str(&what, " type");
        if ((a->mode ^ b->mode) & 07777)
                ash_str_appendf(&what, " mode %04o -> %04o", a->mode & 07777, b->mode & 07777);
        if ((a->mode ^ b->mode) & 06000)
                ash_str_append_str(&what, " (set-id)");
        if (a->uid != b->uid || a->gid != b->gid)
                ash_str_appendf(&what, " owner %u:%u -> %u:%u", a->uid, a->gid, b->uid, b->gid);
        if (S_ISLNK(a->mode) && S_ISLNK(b->mode) && !ash_slice_eq(a->link, b->link))
                ash_str_appendf(&what, " target %.*s -> %.*s", ASH_F(a->link), ASH_F(b->link));
        if (S_ISREG(a->mode) && S_ISREG(b->mode) && ca->content.length != cb->content.length)
                ash_str_appendf(&what, " content %llu -> %llu bytes", (unsigned long long) ca->content.length, (unsigned long long) cb->content.length);
        else if (S_ISREG(a->mode) && S_ISREG(b->mode) && ca->content.length && memcmp(ca->content.sha256, cb->content.sha256, 32))
                ash_str_appendf(&what, " content, still %llu bytes", (unsigned long long) cb->content.length);
        if (!same_xattrs(a, b))
                ash_str_append_str(&what, " capabilities or other xattrs");
        if (what.len)
                path_line(d, '~', na, nb, ash_str_slice(&what));
}

static void one_sided(Diff *d, const AshTree *t, AshNode n, char sign) {
        size_t len = d->path.len;
        path_line(d, sign, t == d->a ? n : ASH_NO_NODE, t == d->b ? n : ASH_NO_NODE, ASH_NOSLICE);
        for (uint32_t i = 0; i < ash_tree_node(t, n)->n_children; i++) {
                AshNode child = ash_tree_node(t, n)->children[i];
                ash_str_append_char(&d->path, '/');
                ash_str_append(&d->path, ash_tree_node(t, child)->name);
                one_sided(d, t, child, sign);
                d->path.len = len;
        }
}

static void diff_below(Diff *d, AshNode a, AshNode b) {
        const AshTreeNode *x = ash_tree_node(d->a, a), *y = ash_tree_node(d->b, b);
        size_t len = d->path.len;
        for (uint32_t i = 0, k = 0; i < x->n_children || k < y->n_children;) {
                AshNode na = i < x->n_children ? x->children[i] : ASH_NO_NODE, nb = k < y->n_children ? y->children[k] : ASH_NO_NODE;
                int c = na == ASH_NO_NODE ? 1 : nb == ASH_NO_NODE ? -1 : ash_slice_cmp(ash_tree_node(d->a, na)->name, ash_tree_node(d->b, nb)->name);
                ash_str_append_char(&d->path, '/');
                ash_str_append(&d->path, c <= 0 ? ash_tree_node(d->a, na)->name : ash_tree_node(d->b, nb)->name);
                if (c < 0)
                        one_sided(d, d->a, na, '-');
                else if (c > 0)
                        one_sided(d, d->b, nb, '+');
                else {
                        diff_nodes(d, na, nb);
                        diff_below(d, na, nb);
                }
                i += c <= 0;
                k += c >= 0;
                d->path.len = len;
        }
}

static uint64_t tree_bytes(const AshTree *t) {
        uint64_t n = 0;
        for (size_t i = 0; i < t->nodes.n; i++)
                if (!(t->nodes.items[i].flags & ASH_NODE_REMOVED) && t->nodes.items[i].hardlink == ASH_NO_NODE)
                        n += t->nodes.items[i].content.length;
        return n;
}

/* An image of the project, or a dump in a file. */
static int image_or_dump(AshCli *cli, const char *arg, Opened *opened, Composed *ret) {
        if (!ash_config_find_image(cli->config, ash_slice_str(arg)) && access(arg, R_OK) == 0)
                return parse_dump(cli, arg, opened, ret);
        return compose(cli, arg, ret);
}

static int run_diff(AshCli *cli) {
        _cleanup_(composed_done) Composed a = {}, b = {};
        _cleanup_(opened_done) Opened opened = { .store = cli->store, .names_only = true };
        int r = image_or_dump(cli, cli->args[0], &opened, &a);
        if (r >= 0)
                r = image_or_dump(cli, cli->args[1], &opened, &b);
        if (r < 0)
                return r;
        Diff d = { .cli = cli, .a = a.tree, .b = b.tree };
        AshJson j = {};
        if (cli->json) {
                j = ash_cli_json(cli);
                d.j = &j;
                ash_json_begin(&j, NULL, '[');
        }
        diff_packages(&d);
        diff_nodes(&d, 0, 0);
        diff_below(&d, 0, 0);
        if (cli->json) {
                ash_json_end(&j, ']');
                ash_cli_print(cli, "\n");
        } else if (d.n) {
                _str_ AshStr from = {}, to = {};
                ash_text_bytes(&from, tree_bytes(a.tree));
                ash_text_bytes(&to, tree_bytes(b.tree));
                ash_cli_printf(cli, "%zu differences, %.*s -> %.*s\n", d.n, ASH_F(ash_str_slice(&from)), ASH_F(ash_str_slice(&to)));
        }
        ash_str_done(&d.path);
        return d.n > 0;
}

/* ---- explain ---- */
static const char *origin_kind(AshOriginKind kind) {
        return kind == ASH_ORIGIN_PACKAGE ? "package" : kind == ASH_ORIGIN_HANDLER ? "handler" : kind == ASH_ORIGIN_DEFINITION ? "definition" : kind == ASH_ORIGIN_SCRIPTLET ? "scriptlet" : "implied (no package declares this directory)";
}

static void explain_package(AshCli *cli, const AshFlowWhy *whys, size_t n, AshSlice nevra) {
        for (size_t i = 0; i < n; i++) {
                const AshFlowWhy *w = &whys[i];
                if (!ash_slice_eq(w->nevra, nevra))
                        continue;
                while (!w->user && w->because != UINT32_MAX) {
                        ash_cli_printf(cli, "  needed by %.*s, for %.*s\n", ASH_F(whys[w->because].nevra), ASH_F(w->dep));
                        w = &whys[w->because];
                }
                ash_cli_printf(cli, w->user ? "  asked for by the image\n" : "  a dependency\n");
        }
}

static int run_explain(AshCli *cli) {
        _cleanup_(composed_done) Composed c = {};
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _str_ AshStr path = {};
        AshFlow flow = ash_cli_flow(cli);
        AshFlowWhy *whys = NULL;
        int r = compose(cli, cli->args[0], &c);
        if (r < 0)
                return r;
        AshSlice asked = ash_slice_str(cli->args[1]), dir = ash_tree_resolve(c.flow_tree->tree, ash_path_dir(asked));
        AshNode parent = ash_tree_lookup(c.tree, dir, true), n = parent == ASH_NO_NODE || !S_ISDIR(ash_tree_node(c.tree, parent)->mode) ? ASH_NO_NODE : ash_slice_eqs(asked, "/") ? 0 : ash_tree_child(c.tree, parent, ash_path_base(asked));
        if (n == ASH_NO_NODE)
                return ash_fail(cli->diags, -ENOENT, ASH_NOWHERE, "the image '%s' has no %s", cli->args[0], cli->args[1]);
        r = ash_flow_why(&flow, c.lock, c.flow_tree->set, arena, &whys);
        if (r < 0)
                return r;
        const AshTreeNode *node = ash_tree_node(c.tree, n);
        const AshOrigin *origin = &c.tree->origins.items[node->origin];
        if (n)
                ash_tree_path(c.tree, n, &path);
        else
                ash_str_append_char(&path, '/');
        ash_cli_printf(cli, "%.*s: %s %.*s\n", ASH_F(ash_str_slice(&path)), origin_kind(origin->kind), ASH_F(origin->name));
        if (S_ISLNK(node->mode))
                ash_cli_printf(cli, "  link to %.*s\n", ASH_F(node->link));
        ash_cli_printf(cli, "  mode %04o, owner %.*s:%.*s (%u:%u), %llu bytes\n", node->mode & 07777, ASH_F(node->user), ASH_F(node->group), node->uid, node->gid,
                       (unsigned long long) body_of(c.tree, n)->content.length);
        if (origin->kind == ASH_ORIGIN_PACKAGE)
                explain_package(cli, whys, c.flow_tree->set->n_packages, origin->name);
        return 0;
}

/* ---- size ---- */
typedef struct Weight {
        AshSlice name, reason;
        uint64_t bytes;
        size_t files;
} Weight;
static int heavier(const void *a, const void *b) {
        const Weight *x = a, *y = b;
        return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : ash_slice_cmp(x->name, y->name);
}

/* The package that was asked for at the end of the chain. */
static AshSlice root_of(const AshFlowWhy *whys, size_t n, AshSlice nevra) {
        for (size_t i = 0; i < n; i++) {
                const AshFlowWhy *w = &whys[i];
                if (!ash_slice_eq(w->nevra, nevra))
                        continue;
                while (!w->user && w->because != UINT32_MAX)
                        w = &whys[w->because];
                return w->user ? w->name : ASH_S("(dependency)");
        }
        return ASH_S("(image)");
}

static void print_weights(AshCli *cli, const char *what, Weight *items, size_t n) {
        const AshCliColumn columns[] = { { what }, { "Bytes", .number = true }, { "Files", .number = true }, { "Because of", .optional = true } };
        _cleanup_(ash_cli_list_free_p) AshCliList *list = ash_cli_list_new(cli, columns, ASH_N(columns));
        if (n)
                qsort(items, n, sizeof *items, heavier);
        for (size_t i = 0; i < n; i++) {
                char bytes[24], files[24];
                if (!items[i].files)
                        continue;
                snprintf(bytes, sizeof bytes, "%llu", (unsigned long long) items[i].bytes);
                snprintf(files, sizeof files, "%zu", items[i].files);
                ash_cli_list_row(list, (AshSlice[]){ items[i].name, ash_slice_str(bytes), ash_slice_str(files), items[i].reason });
        }
        ash_cli_list_print(list);
}

static int run_size(AshCli *cli) {
        _cleanup_(composed_done) Composed c = {};
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshFlow flow = ash_cli_flow(cli);
        AshFlowWhy *whys = NULL;
        int r = compose(cli, cli->args[0], &c);
        if (r >= 0)
                r = ash_flow_why(&flow, c.lock, c.flow_tree->set, arena, &whys);
        if (r < 0)
                return r;
        size_t n = c.tree->origins.n, packages = c.flow_tree->set->n_packages, roots = 0;
        Weight *items = ash_arena_new_items(arena, Weight, n + 1), *by_root = ash_arena_new_items(arena, Weight, n + 1);
        for (size_t i = 0; i < c.tree->nodes.n; i++) {
                const AshTreeNode *node = &c.tree->nodes.items[i];
                if (node->flags & ASH_NODE_REMOVED)
                        continue;
                items[node->origin].files++;
                items[node->origin].bytes += node->hardlink == ASH_NO_NODE ? node->content.length : 0;
        }
        for (size_t i = 0; i < n; i++) {
                const AshOrigin *o = &c.tree->origins.items[i];
                items[i].name = o->kind == ASH_ORIGIN_PACKAGE ? o->name : ash_slice_str(ash_arena_printf(arena, "(%s %.*s)", o->kind == ASH_ORIGIN_IMPLIED ? "implied directories" : origin_kind(o->kind), ASH_F(o->name)));
                items[i].reason = o->kind == ASH_ORIGIN_PACKAGE ? root_of(whys, packages, o->name) : ASH_S("(image)");
                size_t k = 0;
                while (k < roots && !ash_slice_eq(by_root[k].name, items[i].reason))
                        k++;
                if (k == roots)
                        by_root[roots++].name = items[i].reason;
                by_root[k].bytes += items[i].bytes;
                by_root[k].files += items[i].files;
        }
        bool by_reason = ash_cli_flag(cli, "by-reason");
        print_weights(cli, by_reason ? "Reason" : "Package", by_reason ? by_root : items, by_reason ? roots : n);
        return 0;
}

const AshCliVerb ash_verbs_image[] = {
        { "list", "list the project's images", .needs = ASH_NEEDS_CONFIG, .run = run_list },
        { "plan", "show what a build of an image would use and make",
          .doc = "Packages with the reason of each and its size, what is in the store already; scriptlets: how many have no effect, are done by handlers, or run in the sandbox, and what the machine has not that "
                 "these need; and the outputs: whether they are there, and of these packages (whether the definition changed says a build). Nothing is fetched, composed or written.", .args = ASH_ARGS(IMAGE_ARG),
          .options = ASH_OPTIONS(ARCH_OPTION, ASH_FLOW_OPTIONS), .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE, .run = run_plan },
        { "build", "build images from what the lock names",
          .doc = "Composes each image's file tree in memory from the packages that the lock names, and writes its outputs below images/NAME in the project's output directory. The same lock and "
                 "definition give the same bytes. An output that is up to date is not written again. Outputs appear whole or not at all.",
          .args = ASH_ARGS({ "NAME", "an image of the project", ASH_KIND_IMAGE, ASH_ARG_OPTIONAL | ASH_ARG_MANY }),
          .options = ASH_OPTIONS({ "all", .doc = "all images that can be built" }, { "force", .doc = "write outputs that are up to date, too" }, ARCH_OPTION, ASH_FLOW_OPTIONS),
          .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE | ASH_TAKES_LOCK, .run = run_build },
        { "boot", "boot a disk image in QEMU, its serial console in the terminal",
          .doc = "The machine works on an overlay that goes with it: the image stays as it was built. It has UEFI firmware with variables of its own, a network behind QEMU's user-mode translation, and no port of the host but that "
                 "of --ssh-port on loopback. On a terminal three times ^] within a second end it.\n\n"
                 "NAME may also be the path of a disk (with a slash in it).",
          .args = ASH_ARGS({ "NAME", "an image of the project, or the path of a disk", ASH_KIND_IMAGE }),
          .options = ASH_OPTIONS(ASH_MACHINE_OPTIONS, { "ssh-port", .value = "PORT", .doc = "port of 127.0.0.1 that leads to the machine's ssh; 0: a free one", .kind = ASH_KIND_NUMBER },
                                 { "command", .value = "CMD", .doc = "run this as root once the machine is up, print what it says, end the machine; exit status is that of the command" },
                                 { "in-place", .doc = "the machine writes to the image itself" }),
          .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE, .run = ash_image_boot },
        { "test", "boot a disk image and check that it is well",
          .doc = "Boots it as 'image boot' does, and checks that the console comes to a login, that the system is running with no failed unit, what the definition lists as 'checks', and that the power button turns it off. "
                 "Prints what failed and why, and the memory used after boot. After a failure the console and the journal are kept beside the image. Exit status 1 when a check failed.",
          .args = ASH_ARGS({ "NAME", "an image of the project, or the path of a disk", ASH_KIND_IMAGE }), .options = ASH_OPTIONS(ASH_MACHINE_OPTIONS, { "junit", .value = "FILE", .doc = "write the results as JUnit XML, too", .kind = ASH_KIND_FILE }),
          .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE, .run = ash_image_test },
        { "dump", "print an image's file tree, one line a node",
          .doc = "Path, type, mode, owner, time, origin, and of files the digest and where the store has the bytes. What no package has is put into the store, so that 'image write' can make an archive of the dump.",
          .args = ASH_ARGS(IMAGE_ARG), .options = ASH_OPTIONS(ARCH_OPTION, ASH_FLOW_OPTIONS), .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE, .run = run_dump },
        { "write", "write an archive, a container or a directory from a tree dump",
          .doc = "The bytes are those that 'image build' writes of the same tree. A dump has no settings of a container (command, user, ...): of those formats only the layer is the same. Directories must not be there yet.",
          .args = ASH_ARGS({ "DUMP", "what 'image dump' printed", ASH_KIND_FILE }, { "OUTPUT", "the file or directory", ASH_KIND_FILE }),
          .options = ASH_OPTIONS({ "format", .value = "tar|cpio|docker|oci|directory", .doc = "of the output (default: what its name ends with, as .cpio, .docker.tar, .oci; else tar)" },
                                  { "compression", .value = "zstd|gzip|none", .doc = "of the archive or layer (default: what its name ends with, as .gz; else zstd)" },
                                  { "arch", .value = "ARCH", .doc = "architecture that a container names (default: x86_64)" }),
          .needs = ASH_NEEDS_STORE, .run = run_write },
        { "diff", "compare two images, or dumps of them",
          .doc = "Packages, files, types, modes with set-id bits, owners, link targets, contents, capabilities. Exit status 1 when they differ.",
          .args = ASH_ARGS({ "A", "an image, or a file with a dump", ASH_KIND_IMAGE }, { "B", "an image, or a file with a dump", ASH_KIND_IMAGE }), .options = ASH_OPTIONS(ARCH_OPTION, ASH_FLOW_OPTIONS),
          .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE, .run = run_diff },
        { "explain", "say where a path of an image comes from, and why", .args = ASH_ARGS(IMAGE_ARG, { "PATH", "a path in the image" }), .options = ASH_OPTIONS(ARCH_OPTION, ASH_FLOW_OPTIONS),
          .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE, .run = run_explain },
        { "size", "show what an image's bytes are spent on", .doc = "By package with the requested package that it is there for; with --by-reason summed up by requested package.", .args = ASH_ARGS(IMAGE_ARG),
          .options = ASH_OPTIONS({ "by-reason", .doc = "one line for each package that was asked for, with all that only came with it" }, ARCH_OPTION, ASH_FLOW_OPTIONS),
          .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE, .run = run_size },
        {},
};
