/* Runs hooks in the sandbox, each over the tree as rpm would have had it by then; results are kept in the store. */
#include <stdio.h>
#include <sys/utsname.h>
#include "rpm-run.h"
#include "scriptlets-private.h"

#define VERSION 4                    /* counts up when the same hook over the same tree gives another result */
#define CACHE "scriptlet"
#define OUTPUT_LINES 20              /* of a hook that failed, shown */
enum { TIMEOUT = 300, TIMEOUT_MAX = 86400 }; /* seconds */
static const AshSandboxLimits hook_limits = { .processes = 512, .memory = UINT64_C(4) << 30, .disk = UINT64_C(1) << 30, .output = 1 << 20 };

/* State of a running system that scriptlets look up, and that handlers make: there before the first hook. The handlers run again when all is done. */
static const char *const before[] = { "accounts", "alternatives", "ldcache" };

typedef struct Runner {
        AshHandlerContext *c;
        const AshHandler *handlers;
        AshArena *arena;
        AshHookPackage *packages;
        AshHooks hooks;
        AshHookOrder order;
        ASH_ARRAY(AshHookRun) runs;  /* those for the sandbox */
        uint32_t *since;             /* by node: how many packages have to be there until it is */
        size_t n_since;
        AshSandboxRoom *room;        /* made when something is not in the cache */
        AshMirror *mirror;
        int timeout;                 /* seconds for each hook */
        AshId key;                   /* of everything that the next hook sees */
} Runner;

static void runner_done(Runner *r) {
        ash_mirror_free(r->mirror);
        ash_sandbox_room_free(r->room);
        ash_array_done(&r->runs);
        ash_array_done(&r->order.runs);
        for (size_t i = 0; r->packages && i < r->c->n_packages; i++)
                free((void *) r->packages[i].left_out);
        free(r->since);
        ash_arena_free(r->arena);
}

/* ---- what there is to run ---- */
static int plan(Runner *r) {
        AshHandlerContext *c = r->c;
        r->packages = ash_arena_new_items(r->arena, AshHookPackage, c->n_packages + 1);
        for (size_t i = 0; i < c->n_packages; i++)
                r->packages[i] = (AshHookPackage){ .nevra = c->packages[i].nevra, .header = ash_pack_header(c->packages[i].pack) };
        int k = ash_hooks_collect(r->packages, c->n_packages, r->handlers, r->arena, &r->hooks, c->diags);
        if (k < 0 || !r->hooks.count[ASH_WAY_SANDBOX])
                return k;
        for (size_t i = 0; i < c->n_packages; i++)
                r->packages[i].left_out = ash_compose_left_out(c->image, c->packages[i].pack);
        k = ash_hooks_order(r->packages, c->n_packages, &r->hooks, r->arena, &r->order, c->diags);
        if (k < 0)
                return k;
        ash_array_foreach(&r->order.runs, run)
                if (run->hook->way == ASH_WAY_SANDBOX)
                        ash_array_push(&r->runs, *run);
        return 0;
}

bool ash_hooks_can_execute(AshSlice arch) {
        struct utsname u;
        if (uname(&u) < 0)
                return false;
        if (ash_slice_eqs(arch, u.machine) || ash_slice_eqs(arch, "noarch") || (ash_slice_eqs(ash_slice_str(u.machine), "x86_64") && (ash_slice_eqs(arch, "i686") || ash_slice_eqs(arch, "i386"))))
                return true;
        _free_ char *path = ash_asprintf("/proc/sys/fs/binfmt_misc/qemu-%.*s", ASH_F(arch));
        _bytes_ AshBytes text = {};
        AshSlice rest, line;
        bool enabled = false, fixed = false; /* "flags: F": the kernel holds the emulator, so that it works in every root */
        if (ash_file_read(AT_FDCWD, path, 4096, &text) < 0)
                return false;
        rest = ash_bytes_slice(&text);
        while (ash_slice_next_line(&rest, &line)) {
                enabled |= ash_slice_eqs(line, "enabled");
                fixed |= ash_slice_starts(line, ASH_S("flags:")) && ash_slice_find_char(line, 'F') >= 0;
        }
        return enabled && fixed;
}

/* Of an image for all architectures, too, as its programs are this machine's. */
static bool is_native(AshSlice arch) {
        struct utsname u;
        return uname(&u) == 0 && (ash_slice_eqs(arch, u.machine) || ash_slice_eqs(arch, "noarch"));
}

static int check_arch(Runner *r) {
        int k = 0;
        if (ash_hooks_can_execute(r->c->arch))
                return 0;
        ash_array_foreach(&r->runs, run) {
                if (!run->hook->executes)
                        continue;
                if (k == 0)
                        k = ash_fail(r->c->diags, -ENOTSUP, ASH_NOWHERE, "scriptlets of %.*s packages would have to run, and this machine cannot execute programs for %.*s", ASH_F(r->c->arch), ASH_F(r->c->arch));
                ash_note(r->c->diags, ASH_NOWHERE, "%%%s of %.*s: %s", ash_hook_kind_name(run->hook->kind), ASH_F(run->hook->nevra), run->hook->reason);
        }
        if (k < 0)
                ash_hint(r->c->diags, "build on such a machine, or install an emulator for the kernel (qemu-user-static, binfmt_misc with the flag F)");
        return k;
}

/* ---- the tree before the first hook ---- */
static int run_handlers_before(Runner *r) {
        AshHandlerContext c = *r->c;
        c.image = NULL; /* its users come with the definition, after all packages */
        for (const AshHandler *h = r->handlers; h && h->name; h++)
                for (size_t i = 0; i < ASH_N(before); i++) {
                        if (strcmp(before[i], h->name) != 0)
                                continue;
                        const AshHandler one[] = { *h, {} };
                        int k = ash_handlers_run(one, &c, NULL);
                        if (k < 0)
                                return k;
                }
        return 0;
}

/* A directory is there with the first thing in it. */
static uint32_t settle_dirs(Runner *r, AshNode n) {
        const AshTreeNode *node = ash_tree_node(r->c->tree, n);
        for (uint32_t i = 0; i < node->n_children; i++)
                r->since[n] = ASH_MIN(r->since[n], settle_dirs(r, node->children[i]));
        return r->since[n];
}

static void when_there(Runner *r) {
        AshTree *t = r->c->tree;
        r->since = ash_calloc(t->nodes.n + 1, sizeof *r->since);
        r->n_since = t->nodes.n;
        for (size_t i = 0; i < t->nodes.n; i++) {
                AshOriginKind kind = t->origins.items[t->nodes.items[i].origin].kind;
                r->since[i] = kind == ASH_ORIGIN_PACKAGE || (kind == ASH_ORIGIN_IMPLIED && S_ISDIR(t->nodes.items[i].mode)) ? UINT32_MAX : 0;
        }
        for (uint32_t p = 0; p < r->c->n_packages; p++) {
                const AshPack *pack = r->c->packages[r->order.packages[p]].pack;
                AshSlice last = ASH_NOSLICE;
                AshNode dir = ASH_NO_NODE;
                for (size_t i = 0; i < ash_pack_count(pack); i++) {
                        AshPackEntry e;
                        ash_pack_entry(pack, i, &e);
                        AshSlice parent = ash_path_dir(e.path);
                        if (!last.ptr || !ash_slice_eq(parent, last)) {
                                dir = ash_tree_lookup(t, parent, true);
                                last = parent;
                        }
                        AshNode n = dir == ASH_NO_NODE || !S_ISDIR(ash_tree_node(t, dir)->mode) ? ASH_NO_NODE : e.path.len == 1 ? 0 : ash_tree_child(t, dir, ash_path_base(e.path));
                        if (n != ASH_NO_NODE && r->since[n] > p + 1 && !(e.flags & ASH_RPMFILE_GHOST))
                                r->since[n] = p + 1;
                }
        }
        r->since[0] = 0;
        settle_dirs(r, 0);
}

/* ---- keys ---- */
static void key_text(AshDigest *d, AshSlice s) {
        uint64_t len = s.len;
        ash_digest_update(d, &len, sizeof len);
        ash_digest_update(d, s.ptr ? s.ptr : "", s.len);
}

typedef struct Keyer {
        Runner *r;
        AshDigest *d;
} Keyer;
static int key_node(void *context, const AshTree *t, AshNode i) {
        Keyer *k = context;
        const AshTreeNode *n = ash_tree_node(t, i);
        uint32_t numbers[] = { n->mode, n->uid, n->gid, n->hardlink, n->n_children, n->n_xattrs, k->r->since[i] };
        ash_compose_content_digest(t, i);
        key_text(k->d, n->name);
        ash_digest_update(k->d, numbers, sizeof numbers);
        ash_digest_update(k->d, n->content.sha256, 32);
        key_text(k->d, n->link);
        for (uint32_t x = 0; x < n->n_xattrs; x++) {
                key_text(k->d, n->xattrs[x].name);
                key_text(k->d, n->xattrs[x].value);
        }
        return 0;
}

static void first_key(Runner *r) {
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        Keyer k = { r, d };
        _free_ char *text = ash_asprintf("scriptlets %d ashlar %s %.*s %lld", VERSION, ASHLAR_VERSION, ASH_F(r->c->arch), (long long) r->c->time);
        key_text(d, ash_slice_str(text));
        ash_tree_walk(r->c->tree, 0, key_node, &k);
        ash_digest_final(d, r->key.sha256);
}

static void next_key(Runner *r, const AshHookRun *run) {
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        uint32_t numbers[] = { run->hook->kind, run->hook->flags, run->hook->n_program, run->time, run->n_args, (uint32_t) run->args[0], (uint32_t) run->args[1] };
        ash_digest_update(d, r->key.sha256, 32);
        key_text(d, run->hook->nevra);
        for (uint32_t i = 0; i < run->hook->n_program; i++)
                key_text(d, run->hook->program[i]);
        key_text(d, run->hook->body);
        key_text(d, run->input);
        ash_digest_update(d, numbers, sizeof numbers);
        ash_digest_final(d, r->key.sha256);
}

static void fold_result(Runner *r, AshSlice result) {
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        ash_digest_update(d, r->key.sha256, 32);
        key_text(d, result);
        ash_digest_final(d, r->key.sha256);
}

/* ---- one hook ---- */
static bool is_lua(const AshHook *h) { return h->n_program && ash_slice_eqs(h->program[0], "<lua>"); }

typedef struct Lua {
        const AshHookRun *run;
        const char *name;
} Lua;
static int run_lua(void *data) {
        const Lua *l = data;
        return ash_rpm_run_lua(ASH_SANDBOX_SCRIPT, l->name, l->run->args, l->run->n_args);
}

typedef struct Expand {
        const AshHook *hook;
        AshSlice header;
} Expand;
static int expand_body(void *data) {
        const Expand *e = data;
        return ash_rpm_expand_body(ASH_SANDBOX_SCRIPT, e->hook->flags & ASH_HOOK_EXPAND, e->hook->flags & ASH_HOOK_QFORMAT, e->header);
}

static const char *label(Runner *r, const AshHook *h) { return ash_arena_printf(r->arena, "%%%s(%.*s)", ash_hook_kind_name(h->kind), ASH_F(h->nevra)); }

static const char *const *arguments(Runner *r, const AshHookRun *run) {
        const AshHook *h = run->hook;
        const char **argv = ash_arena_new_items(r->arena, const char *, h->n_program + 1 + run->n_args + 1);
        size_t n = 0;
        for (uint32_t i = 0; i < h->n_program; i++)
                argv[n++] = ash_arena_strndup(r->arena, h->program[i].ptr, h->program[i].len);
        if (!h->body.ptr)
                return argv;
        argv[n++] = ASH_SANDBOX_SCRIPT;
        for (unsigned i = 0; i < run->n_args; i++)
                argv[n++] = ash_arena_printf(r->arena, "%d", run->args[i]);
        return argv;
}

int ash_hooks_check_sandbox(AshDiags *diags) { return ash_sandbox_check(diags); }

static int ensure_room(Runner *r) {
        AshSandboxRoomOptions o = {};
        int k = r->room ? 0 : ash_sandbox_room_new(&o, &r->room, r->c->diags);
        if (k >= 0 && !r->mirror)
                r->mirror = ash_mirror_new(r->c->tree, r->room);
        return k;
}

static void note_output(AshDiags *diags, AshSlice text) {
        AshSlice rest = ash_slice_trim_right(text), line;
        size_t lines = 0, skip;
        for (size_t i = 0; i < rest.len; i++)
                lines += rest.ptr[i] == '\n';
        skip = rest.len && lines + 1 > OUTPUT_LINES ? lines + 1 - OUTPUT_LINES : 0;
        if (!rest.len)
                ash_note(diags, ASH_NOWHERE, "it wrote nothing");
        while (ash_slice_next_line(&rest, &line))
                if (skip)
                        skip--;
                else
                        ash_note(diags, ASH_NOWHERE, "%.*s", (int) ASH_MIN(line.len, (size_t) 400), line.ptr);
}

/* "-e" and "-q" of a scriptlet: in the sandbox, too, as macros may run programs. */
static int body_of(Runner *r, const AshHook *h, const AshSandbox *like, AshSlice *ret) {
        _cleanup_(ash_sandbox_result_done) AshSandboxResult result = {};
        Expand e = { h, r->packages[h->package].header };
        AshSandbox s = { .room = like->room, .env = like->env, .limits = like->limits, .script = h->body, .call = expand_body, .call_data = &e };
        *ret = h->body;
        if (!h->body.ptr || !(h->flags & (ASH_HOOK_EXPAND | ASH_HOOK_QFORMAT)))
                return 0;
        int k = ash_sandbox_run(&s, &result, r->c->diags);
        if (k >= 0 && result.process.status != 0) {
                k = ash_fail(r->c->diags, -EIO, ASH_NOWHERE, "the body of %s cannot be expanded", label(r, h));
                note_output(r->c->diags, ash_str_slice(&result.process.err));
        }
        if (k >= 0)
                *ret = ash_arena_slice(r->arena, ash_str_slice(&result.process.out));
        return k;
}

/* Of a relocatable package rpm tells where it is, which is where it was built for. */
static void add_prefixes(Runner *r, const AshHook *h, const char **env, size_t n, size_t max) {
        AshRpmHeader header = {};
        uint32_t count = 0;
        if (ash_rpm_header_parse(r->packages[h->package].header, 0, "header", 0, &header, NULL) < 0)
                return;
        AshSlice *prefixes = ash_rpm_strings(&header, ASH_RPMTAG_PREFIXES, r->arena, &count);
        for (uint32_t i = 0; i < count && n + 2 < max; i++) {
                env[n++] = ash_arena_printf(r->arena, "RPM_INSTALL_PREFIX%u=%.*s", i, ASH_F(prefixes[i]));
                if (!i)
                        env[n++] = ash_arena_printf(r->arena, "RPM_INSTALL_PREFIX=%.*s", ASH_F(prefixes[i]));
        }
        ash_rpm_header_done(&header);
}

static int run_in_sandbox(Runner *r, const AshHookRun *run, AshSandboxResult *ret) {
        const AshHook *h = run->hook;
        const char *name = label(r, h), *epoch = ash_arena_printf(r->arena, "SOURCE_DATE_EPOCH=%lld", (long long) r->c->time);
        const char *env[32] = { "PATH=/sbin:/bin:/usr/sbin:/usr/bin", "HOME=/root", "LC_ALL=C", "TZ=UTC0", "SYSTEMD_OFFLINE=1", epoch };
        Lua lua = { run, name };
        AshSandbox s = { .input = run->input, .script = h->body, .env = env, .one_output = true, .changes = true, .limits = hook_limits,
                         .clock = is_native(r->c->arch) ? (int64_t) ASH_MAX(r->c->time, 1) : 0 };
        s.limits.wall_ms = r->timeout * 1000;
        add_prefixes(r, h, env, 6, ASH_N(env));
        int k = ensure_room(r);
        if (k >= 0)
                k = ash_mirror_sync(r->mirror, r->since, run->time, r->c->diags);
        s.room = r->room;
        if (k >= 0)
                k = body_of(r, h, &s, &s.script);
        if (is_lua(h)) {
                s.call = run_lua;
                s.call_data = &lua;
        } else
                s.argv = arguments(r, run);
        if (k >= 0)
                k = ash_sandbox_run(&s, ret, r->c->diags);
        if (k < 0)
                ash_note(r->c->diags, ASH_NOWHERE, "for %s", name);
        return k;
}

/* What is kept: the exit status and the length of the output, the output, the changes. */
static int compute(Runner *r, const AshHookRun *run, AshStr *out) {
        _cleanup_(ash_sandbox_result_done) AshSandboxResult result = {};
        const char *name = label(r, run->hook);
        int k = run_in_sandbox(r, run, &result);
        if (k < 0)
                return k;
        AshSlice text = ash_str_slice(&result.process.err);
        if (result.process.timed_out)
                k = ash_fail(r->c->diags, -ETIMEDOUT, ASH_NOWHERE, "%s did not end within %d seconds and was stopped", name, r->timeout);
        else if (result.process.signal)
                k = ash_fail(r->c->diags, -EIO, ASH_NOWHERE, "%s was ended by signal %d (%s)", name, result.process.signal, sigdescr_np(result.process.signal));
        if (k < 0) {
                if (result.process.timed_out)
                        ash_hint(r->c->diags, "scriptlet-timeout of the image gives it more time");
                note_output(r->c->diags, text);
                return k;
        }
        ash_str_appendf(out, "%d %zu\n", result.process.status, text.len);
        ash_str_append(out, text);
        ash_str_append(out, ash_bytes_slice(&result.changes));
        return 0;
}

static bool is_critical(const AshHook *h) { return h->kind == ASH_HOOK_PRETRANS || h->kind == ASH_HOOK_PRE || h->flags & ASH_HOOK_CRITICAL; }

static int judge(Runner *r, const AshHookRun *run, AshSlice result, AshSlice *ret_changes) {
        AshSlice line, word;
        uint64_t status = 0, length = 0;
        if (!ash_slice_next_line(&result, &line) || !ash_slice_next_word(&line, &word) || ash_slice_to_u64(word, 10, &status) < 0 || !ash_slice_next_word(&line, &word) ||
            ash_slice_to_u64(word, 10, &length) < 0 || length > result.len)
                return ash_fail(r->c->diags, -ASH_ERR_SYNTAX, ASH_NOWHERE, "what the store keeps of %s is damaged", label(r, run->hook));
        *ret_changes = ash_slice_from(result, (size_t) length);
        if (!status)
                return 0;
        int k = is_critical(run->hook) ? ash_fail(r->c->diags, -EIO, ASH_NOWHERE, "%s failed with exit status %u", label(r, run->hook), (unsigned) status) : 0;
        if (k == 0)
                ash_warn(r->c->diags, ASH_NOWHERE, "%s failed with exit status %u; as with rpm the package stays", label(r, run->hook), (unsigned) status);
        note_output(r->c->diags, ash_slice_sub(result, 0, (size_t) length));
        return k;
}

static int run_one(Runner *r, const AshHookRun *run) {
        _bytes_ AshBytes kept = {};
        _str_ AshStr fresh = {};
        AshSlice changes = {};
        next_key(r, run);
        int k = 0;
        bool cached = r->c->store && ash_store_cache_get(r->c->store, CACHE, &r->key, &kept) >= 0;
        if (!cached)
                k = compute(r, run, &fresh);
        if (k < 0)
                return k;
        AshSlice result = cached ? ash_bytes_slice(&kept) : ash_str_slice(&fresh);
        k = judge(r, run, result, &changes);
        if (k < 0)
                return k;
        if (!cached && r->c->store)
                (void) ash_store_cache_put(r->c->store, CACHE, &r->key, result); /* only a loss of time */
        AshTake take = { .c = r->c, .since = &r->since, .n_since = &r->n_since, .time = run->time, .origin = ash_tree_add_origin(r->c->tree, ASH_ORIGIN_SCRIPTLET, ash_slice_str(label(r, run->hook))) };
        k = ash_take_changes(&take, changes);
        fold_result(r, result);
        return k;
}

static int read_timeout(Runner *r) {
        const AshNumber *n = r->c->image ? &r->c->image->scriptlet_timeout : NULL;
        r->timeout = n && n->set ? (int) ASH_MIN(ASH_MAX(n->value, (int64_t) 0), (int64_t) TIMEOUT_MAX + 1) : TIMEOUT;
        return r->timeout < 1 || r->timeout > TIMEOUT_MAX ? ash_fail(r->c->diags, -ASH_ERR_CONFIG, n->at, "scriptlet-timeout is a number of seconds from 1 to %d", TIMEOUT_MAX) : 0;
}

int ash_scriptlets_run(AshHandlerContext *c, void *context) {
        Runner r __attribute__((__cleanup__(runner_done))) = { .c = c, .handlers = context, .arena = ash_arena_new() };
        int k = plan(&r);
        if (k < 0 || !r.runs.n)
                return k;
        k = read_timeout(&r);
        if (k < 0)
                return k;
        k = check_arch(&r);
        if (k >= 0)
                k = run_handlers_before(&r);
        if (k < 0)
                return k;
        (void) ash_compose_owners(c->tree, NULL, NULL);
        when_there(&r);
        first_key(&r);
        for (size_t i = 0; k >= 0 && i < r.runs.n; i++)
                k = run_one(&r, &r.runs.items[i]);
        return k;
}
