/* Kernel modules: which ones reach a root file system, what they depend on, and the index files of the few that are taken. */
#include <sys/stat.h>
#include "image.h"
#include "initrd-private.h"
#include "kmod.h"

/* Words are modules, all of which are taken where the kernel has them; of "a|b" one has to be there, "a?" need not. Buses, disks and file systems: everything else loads after the root is mounted. */
static const struct { AshInitrdMachines bit; const char *name, *modules; } machines[] = {
        { ASH_INITRD_VIRTIO, "virtio", "virtio_pci|virtio_mmio virtio_blk|virtio_scsi sd_mod" },
        { ASH_INITRD_HYPERV, "Hyper-V", "hv_vmbus hv_storvsc sd_mod pci_hyperv?" },
        { ASH_INITRD_NVME, "NVMe", "nvme" },
        { ASH_INITRD_SCSI, "SCSI and SATA", "sd_mod ahci|vmw_pvscsi|mptspi|mptsas|megaraid_sas|ata_piix" },
        { 0, "Xen", "xen_blkfront?" },
        { 0, "automounts, which systemd wants from its first moment on", "autofs4?" },
        { 0, "EFI variables, which name the disk that the boot loader came from", "efivarfs?" },
};

typedef struct Kernel {
        Plan *p;
        AshSlice dir;                /* "/usr/lib/modules/6.12" */
        AshMap paths, depends;       /* module name -> its path below dir, and the paths it needs: AshSlice in the arena */
        AshMap builtin, taken;
        AshSlice softdep, alias, builtin_modinfo; /* texts */
} Kernel;

static AshSlice text_of(const Kernel *k, const char *name) {
        _free_ char *path = ash_asprintf("%.*s/%s", ASH_F(k->dir), name);
        AshNode n = plan_find(k->p, ash_slice_str(path));
        return n == ASH_NO_NODE ? ASH_NOSLICE : plan_bytes(k->p, n);
}

static AshSlice boxed(const AshMap *m, AshSlice key) {
        const AshSlice *s = ash_map_get(m, key);
        return s ? *s : ASH_NOSLICE;
}
static void put_boxed(Kernel *k, AshMap *m, AshSlice key, AshSlice value) {
        AshSlice *s = ash_arena_new_item(k->p->arena, AshSlice);
        *s = value;
        ash_map_put(m, key, s, NULL);
}

/* modules.dep(5): "path: path path". */
static void read_dep(Kernel *k, AshSlice text) {
        for (AshSlice line; ash_slice_next_line(&text, &line);) {
                ptrdiff_t colon = ash_slice_find_char(line, ':');
                AshSlice path = ash_slice(line.ptr, colon < 0 ? 0 : (size_t) colon), name = ash_kmod_name(path, k->p->arena);
                if (!path.len)
                        continue;
                put_boxed(k, &k->paths, name, path);
                put_boxed(k, &k->depends, name, ash_slice_from(line, (size_t) colon + 1));
        }
}

static void read_builtin(Kernel *k, AshSlice text) {
        for (AshSlice line; ash_slice_next_line(&text, &line);)
                if (line.len)
                        ash_map_put(&k->builtin, ash_kmod_name(line, k->p->arena), k, NULL);
}

/* "alias PATTERN MODULE" lines, as softdeps name them ("crc32c" is what several modules offer). */
static bool take_module(Kernel *k, AshSlice name);
static bool take_by_alias(Kernel *k, AshSlice name) {
        bool found = false;
        for (AshSlice rest = k->alias, line; ash_slice_next_line(&rest, &line);) {
                AshSlice word, pattern;
                if (ash_slice_next_word(&line, &word) && ash_slice_eqs(word, "alias") && ash_slice_next_word(&line, &pattern) && ash_slice_next_word(&line, &word) && ash_slice_eq(pattern, name))
                        found |= take_module(k, word);
        }
        for (AshSlice rest = k->builtin_modinfo, entry; ash_slice_split(&rest, '\0', &entry);) { /* "crc32c_generic.alias=crc32c" */
                ptrdiff_t equals = ash_slice_find(entry, ASH_S(".alias="));
                found |= equals > 0 && ash_slice_eq(ash_slice_from(entry, (size_t) equals + strlen(".alias=")), name);
        }
        return found;
}

/* "softdep NAME pre: a b post: c". */
static void take_softdeps(Kernel *k, AshSlice name) {
        for (AshSlice rest = k->softdep, line; ash_slice_next_line(&rest, &line);) {
                AshSlice word;
                if (!ash_slice_next_word(&line, &word) || !ash_slice_eqs(word, "softdep") || !ash_slice_next_word(&line, &word) || !ash_slice_eq(ash_kmod_name(word, k->p->arena), name))
                        continue;
                while (ash_slice_next_word(&line, &word))
                        if (!ash_slice_ends(word, ASH_S(":")))
                                (void) take_module(k, word);
        }
}

/* True when the kernel has it: as a module, built in, or by an alias. */
static bool take_module(Kernel *k, AshSlice asked) {
        AshSlice name = ash_kmod_name(asked, k->p->arena), path = boxed(&k->paths, name);
        if (ash_map_find(&k->builtin, name) || ash_map_find(&k->taken, name))
                return true;
        ash_map_put(&k->taken, name, k, NULL);
        if (!path.ptr) {
                bool found = take_by_alias(k, asked);
                if (!found)
                        ash_map_remove(&k->taken, name);
                return found;
        }
        _free_ char *full = ash_asprintf("%.*s/%.*s", ASH_F(k->dir), ASH_F(path));
        if (plan_take(k->p, ash_slice_str(full)) == ASH_NO_NODE)
                return false;
        for (AshSlice rest = boxed(&k->depends, name), dep; ash_slice_next_word(&rest, &dep);)
                (void) take_module(k, dep);
        take_softdeps(k, name);
        return true;
}

static int no_module(Kernel *k, AshSlice name, const char *why) {
        k->p->missing++;
        ash_fail(k->p->diags, -ENOENT, ASH_NOWHERE, "the kernel %.*s has no module '%.*s', %s", ASH_F(k->p->in->kernel), ASH_F(name), why);
        return -ENOENT;
}

static void take_machine(Kernel *k, size_t i) {
        bool required = (k->p->in->machines & machines[i].bit) != 0;
        for (AshSlice rest = ash_slice_str(machines[i].modules), word; ash_slice_next_word(&rest, &word);) {
                bool optional = ash_slice_ends(word, ASH_S("?")), found = false;
                AshSlice group = ash_slice(word.ptr, word.len - optional);
                for (AshSlice names = group, name; ash_slice_split(&names, '|', &name);)
                        found |= take_module(k, name);
                if (!found && required && !optional) {
                        _free_ char *why = ash_asprintf("which the root file system needs on %s", machines[i].name);
                        no_module(k, group, why);
                }
        }
}

static void take_configs(Plan *p) {
        static const char *const dirs[] = { "/usr/lib/modprobe.d", "/etc/modprobe.d" };
        for (size_t i = 0; i < ASH_N(dirs); i++) {
                AshNode dir = plan_find(p, ash_slice_str(dirs[i]));
                for (uint32_t c = 0; dir != ASH_NO_NODE && c < ash_tree_node(p->src, dir)->n_children; c++) {
                        AshSlice name = ash_tree_node(p->src, ash_tree_node(p->src, dir)->children[c])->name;
                        _free_ char *path = ash_asprintf("%s/%.*s", dirs[i], ASH_F(name));
                        if (ash_slice_ends(name, ASH_S(".conf")))
                                (void) plan_take(p, ash_slice_str(path));
                }
        }
}

static void take_all(Kernel *k) {
        const AshInitrdInput *in = k->p->in;
        for (size_t i = 0; i < ASH_N(machines); i++)
                take_machine(k, i);
        if (in->root_filesystem.len && !take_module(k, in->root_filesystem))
                no_module(k, in->root_filesystem, "the root's file system");
        for (size_t i = 0; i < in->n_modules; i++)
                if (!take_module(k, in->modules[i]))
                        no_module(k, in->modules[i], "which the definition asks for");
}

int plan_modules(Plan *p) {
        Kernel k = { .p = p, .dir = ash_slice_str(ash_arena_printf(p->arena, "/usr/lib/modules/%.*s", ASH_F(p->in->kernel))) };
        AshSlice dep = text_of(&k, "modules.dep");
        static const char *const for_indices[] = { "modules.order", "modules.builtin", "modules.builtin.modinfo" };
        if (plan_find(p, k.dir) == ASH_NO_NODE)
                return ash_fail(p->diags, -ENOENT, ASH_NOWHERE, "there are no modules of a kernel %.*s", ASH_F(p->in->kernel));
        if (!dep.ptr)
                return ash_fail(p->diags, -ENOENT, ASH_NOWHERE, "%.*s/modules.dep is missing: depmod makes it", ASH_F(k.dir));
        read_dep(&k, dep);
        read_builtin(&k, text_of(&k, "modules.builtin"));
        k.softdep = text_of(&k, "modules.softdep");
        k.alias = text_of(&k, "modules.alias");
        k.builtin_modinfo = text_of(&k, "modules.builtin.modinfo");
        take_all(&k);
        take_configs(p);
        for (size_t i = 0; i < ASH_N(for_indices); i++) {
                _free_ char *path = ash_asprintf("%.*s/%s", ASH_F(k.dir), for_indices[i]);
                (void) plan_take(p, ash_slice_str(path));
        }
        ash_map_done(&k.paths);
        ash_map_done(&k.depends);
        ash_map_done(&k.builtin);
        ash_map_done(&k.taken);
        return 0;
}

/* ---- for the bytes: modules unpacked, their indices made anew ---- */
typedef struct Unpack {
        AshTree *t;
        AshNode dir;                 /* of the kernel */
        ASH_ARRAY(AshNode) nodes;    /* modules */
        AshStr *plain;               /* of each */
} Unpack;

static int collect_module(void *context, const AshTree *t, AshNode n) {
        Unpack *u = context;
        if (S_ISREG(ash_tree_node(t, n)->mode) && ash_kmod_is_file(ash_tree_node(t, n)->name))
                ash_array_push(&u->nodes, n);
        return 0;
}

static int unpack_one(void *context, size_t i) {
        Unpack *u = context;
        AshSlice bytes = ash_image_bytes(u->t, u->nodes.items[i]);
        AshCompression c = ash_compression_detect(bytes);
        return c == ASH_COMP_NONE ? 0 : ash_decompress(bytes, c, 1 << 30, &u->plain[i]);
}

static int make_indices(Unpack *u, AshDiags *diags) {
        AshTree *t = u->t;
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshKmodFile *files = ash_arena_new_items(arena, AshKmodFile, u->nodes.n + 1);
        AshKmodDir dir = { .files = files, .n_files = u->nodes.n, .version = ash_tree_node(t, u->dir)->name };
        struct { const char *name; AshSlice *text; } texts[] = { { "modules.order", &dir.order }, { "modules.builtin", &dir.builtin }, { "modules.builtin.modinfo", &dir.builtin_modinfo } };
        _str_ AshStr base = {}, path = {};
        AshKmodOutputs outputs = {};
        ash_tree_path(t, u->dir, &base);
        for (size_t i = 0; i < u->nodes.n; i++) {
                path.len = 0;
                ash_tree_path(t, u->nodes.items[i], &path);
                files[i] = (AshKmodFile){ ash_arena_slice(arena, ash_slice_from(ash_str_slice(&path), base.len + 1)), ash_image_bytes(t, u->nodes.items[i]) };
        }
        for (size_t i = 0; i < ASH_N(texts); i++) {
                AshNode n = ash_tree_child(t, u->dir, ash_slice_str(texts[i].name));
                if (n != ASH_NO_NODE)
                        *texts[i].text = ash_image_bytes(t, n);
        }
        int r = ash_kmod_depmod(&dir, &outputs, diags);
        for (size_t i = 0; r >= 0 && i < ASH_N(texts); i++) { /* nothing that runs reads them */
                AshNode n = ash_tree_child(t, u->dir, ash_slice_str(texts[i].name));
                if (n != ASH_NO_NODE)
                        ash_tree_remove(t, n);
        }
        ash_array_foreach(&outputs.items, o) {
                AshNode n;
                if (r < 0 || (!ash_slice_ends(ash_slice_str(o->name), ASH_S(".bin")) && !ash_slice_ends(ash_slice_str(o->name), ASH_S("dep"))))
                        continue;
                _free_ char *to = ash_asprintf("%.*s/%s", ASH_F(ash_str_slice(&base)), o->name);
                r = ash_tree_put_file(t, ash_slice_str(to), ash_str_slice(&o->bytes), S_IFREG | 0644, ash_tree_node(t, 0)->origin, &n);
                if (r >= 0)
                        ash_tree_node(t, n)->mtime = ash_tree_node(t, u->dir)->mtime;
        }
        ash_kmod_outputs_done(&outputs);
        return r;
}

/* ".ko.xz" becomes ".ko", in the place where it sorts: the first of both names that a sorted directory can have. */
static void rename_module(AshTree *t, AshNode n, AshSlice bytes) {
        AshTreeNode old = *ash_tree_node(t, n);
        AshNode made;
        ash_tree_remove(t, n);
        if (ash_tree_add(t, old.parent, ash_kmod_plain_path(old.name), old.mode, old.origin, &made) < 0)
                return;
        AshTreeNode *node = ash_tree_node(t, made);
        node->mtime = old.mtime;
        node->content = (AshContent){ .kind = ASH_CONTENT_INLINE, .data = bytes.ptr, .length = bytes.len };
}

int initrd_unpack_modules(AshTree *t, unsigned threads, AshDiags *diags) {
        AshNode modules = ash_tree_lookup(t, ASH_S("/usr/lib/modules"), true);
        if (modules == ASH_NO_NODE || ash_tree_node(t, modules)->n_children != 1)
                return 0;
        Unpack u = { .t = t, .dir = ash_tree_node(t, modules)->children[0] };
        ash_tree_walk(t, u.dir, collect_module, &u);
        u.plain = ash_calloc(u.nodes.n + 1, sizeof *u.plain);
        int r = ash_parallel_for(u.nodes.n, threads, false, unpack_one, &u);
        for (size_t i = 0; i < u.nodes.n; i++) {
                if (r >= 0 && u.plain[i].len)
                        rename_module(t, u.nodes.items[i], ash_arena_slice(t->arena, ash_str_slice(&u.plain[i])));
                ash_str_done(&u.plain[i]);
        }
        free(u.plain);
        u.nodes.n = 0;
        if (r >= 0) {
                ash_tree_walk(t, u.dir, collect_module, &u);
                r = make_indices(&u, diags);
        } else
                ash_fail(diags, r, ASH_NOWHERE, "cannot unpack the kernel's modules: %s", ash_strerror(r));
        ash_array_done(&u.nodes);
        return r;
}
