/* What boots: the boot loader and the kernels with their initrds and menu entries in the boot partition (bootctl install, kernel-install add), the settings by which kernel-install goes on in the
 * running machine, and the growing of the root. Boot Loader Specification (uapi-group.org), kernel-install(8), repart.d(5). */
#include <sys/stat.h>
#include "handlers-private.h"
#include "initrd.h"

#define MODULES "/usr/lib/modules/"

static const struct { const char *arch, *loader, *fallback; } loaders[] = { { "x86_64", "systemd-bootx64.efi", "BOOTX64.EFI" }, { "aarch64", "systemd-bootaa64.efi", "BOOTAA64.EFI" },
                                                                            { "riscv64", "systemd-bootriscv64.efi", "BOOTRISCV64.EFI" } };

typedef struct Kernel {
        AshSlice version;
        AshNode image;
} Kernel;
typedef struct Boot {
        AshHandlerContext *c;
        AshArena *arena;
        const char *esp, *boot;      /* mount points: of the ESP, and of where kernels are: XBOOTLDR where there is one */
        AshSlice token, title;       /* directory of the entries; name in the menu */
        AshSlice options;            /* kernel command line */
        ASH_ARRAY(Kernel) kernels;   /* newest first */
        size_t first;                /* the one that starts unless another is chosen */
} Boot;

static bool says(AshText t, const char *s) { return ash_text_set(t) && ash_slice_eqs(t.s, s); }

bool ash_wants_boot(const AshHandlerContext *c) {
        if (!c->image || says(c->image->boot_loader, "none"))
                return false;
        return ash_text_set(c->image->boot_loader) || says(c->image->kind, "disk");
}

static const AshImagePartition *partition(const Boot *b, const char *type) {
        for (size_t i = 0; i < b->c->image->partitions.n; i++)
                if (says(b->c->image->partitions.items[i].type, type))
                        return &b->c->image->partitions.items[i];
        return NULL;
}

static const char *mount_of(Boot *b, const char *type, const char *standard) {
        const AshImagePartition *p = partition(b, type);
        return p && ash_text_set(p->mount) && p->mount.s.len ? ash_arena_strndup(b->arena, p->mount.s.ptr, p->mount.s.len) : standard;
}

/* ---- putting ---- */
static int put(Boot *b, const char *path, AshSlice text) { return ash_handler_file(b->c, ash_slice_str(path), text, S_IFREG | 0644, NULL); }

/* A second name for the bytes of a file: FAT has no links, so the content is there twice, by reference. */
static int put_copy(Boot *b, AshNode from, const char *path) {
        AshTree *t = b->c->tree;
        AshNode n;
        int r = put(b, path, ASH_S(""));
        if (r < 0)
                return r;
        n = ash_tree_lookup(t, ash_slice_str(path), true);
        const AshTreeNode *body = ash_tree_node(t, from);
        if (body->hardlink != ASH_NO_NODE)
                body = ash_tree_node(t, body->hardlink);
        if (t->origins.items[ash_tree_node(t, n)->origin].kind != ASH_ORIGIN_DEFINITION)
                ash_tree_node(t, n)->content = body->content;
        return 0;
}

/* ---- the boot loader ---- */
static int put_loader(Boot *b) {
        AshHandlerContext *c = b->c;
        size_t i = 0;
        while (i < ASH_N(loaders) && !ash_slice_eqs(c->arch, loaders[i].arch))
                i++;
        if (i == ASH_N(loaders))
                return ash_fail(c->diags, -ASH_ERR_CONFIG, c->image->boot_loader.at, "there is no systemd-boot for %.*s", ASH_F(c->arch));
        const char *from = ash_arena_printf(b->arena, "/usr/lib/systemd/boot/efi/%s", loaders[i].loader);
        AshNode n = ash_tree_lookup(c->tree, ash_slice_str(from), true);
        if (n == ASH_NO_NODE) {
                int r = ash_fail(c->diags, -ASH_ERR_CONFIG, ash_text_set(c->image->boot_loader) ? c->image->boot_loader.at : c->image->name.at, "the image has no boot loader: %s is missing", from);
                ash_hint(c->diags, "add the package that has it (systemd-boot-efi of Debian, systemd-boot-unsigned of Fedora), or say boot-loader = \"none\"");
                return r;
        }
        int r = put_copy(b, n, ash_arena_printf(b->arena, "%s/EFI/systemd/%s", b->esp, loaders[i].loader));
        if (r >= 0)
                r = put_copy(b, n, ash_arena_printf(b->arena, "%s/EFI/BOOT/%s", b->esp, loaders[i].fallback));
        return r;
}

/* ---- kernels ---- */
static int find_kernels(Boot *b) {
        AshHandlerContext *c = b->c;
        AshSlice *versions = NULL;
        size_t n = ash_initrd_kernels(c->tree, b->arena, &versions);
        for (size_t i = 0; i < n; i++) {
                const char *places[] = { ash_arena_printf(b->arena, MODULES "%.*s/vmlinuz", ASH_F(versions[i])), ash_arena_printf(b->arena, "/boot/vmlinuz-%.*s", ASH_F(versions[i])) };
                AshNode image = ash_tree_lookup(c->tree, ash_slice_str(places[0]), true);
                if (image == ASH_NO_NODE)
                        image = ash_tree_lookup(c->tree, ash_slice_str(places[1]), true);
                if (image != ASH_NO_NODE)
                        ash_array_push(&b->kernels, ((Kernel){ versions[i], image }));
        }
        if (b->kernels.n)
                return 0;
        int r = ash_fail(c->diags, -ASH_ERR_CONFIG, c->image->name.at, n ? "the image has modules of a kernel (%.*s), and not the kernel itself" : "the image has no kernel%.*s", n ? (int) versions[0].len : 0,
                         n ? versions[0].ptr : "");
        ash_hint(c->diags, "add its package: linux-image-cloud-amd64 of Debian, kernel-core of Fedora; or say boot-loader = \"none\"");
        return r;
}

/* "kernel" of the definition, else the newest. */
static int choose_kernel(Boot *b) {
        AshHandlerContext *c = b->c;
        const AshText *wanted = &c->image->kernel;
        if (!ash_text_set(*wanted)) {
                if (b->kernels.n > 1)
                        ash_info(c->diags, ASH_NOWHERE, "%zu kernels: the newest, %.*s, starts by default; 'kernel' chooses another", b->kernels.n, ASH_F(b->kernels.items[0].version));
                return 0;
        }
        for (b->first = 0; b->first < b->kernels.n; b->first++)
                if (ash_glob_match(wanted->s, b->kernels.items[b->first].version))
                        return 0;
        int r = ash_fail(c->diags, -ASH_ERR_CONFIG, wanted->at, "the image has no kernel '%.*s'", ASH_F(wanted->s));
        ash_array_foreach(&b->kernels, k)
                ash_note(c->diags, ASH_NOWHERE, "it has %.*s", ASH_F(k->version));
        return r;
}

static const struct { const char *format; unsigned machines; } reaches[] = { /* where images of a format run */
        { "raw", ASH_INITRD_VIRTIO }, { "qcow2", ASH_INITRD_VIRTIO }, { "vhd", ASH_INITRD_HYPERV }, { "vhd-dynamic", ASH_INITRD_HYPERV }, { "vhdx", ASH_INITRD_HYPERV }, { "vmdk", ASH_INITRD_SCSI } };

static int make_initrd(Boot *b, const Kernel *k, AshSlice *ret) {
        AshHandlerContext *c = b->c;
        const AshImage *image = c->image;
        const AshImagePartition *root = partition(b, "root");
        AshSlice *modules = ash_arena_new_items(b->arena, AshSlice, image->kernel_modules.n + 1);
        AshInitrdInput in = { .tree = c->tree, .kernel = k->version, .root_filesystem = root && ash_text_set(root->filesystem) ? root->filesystem.s : ASH_S("ext4"), .modules = modules,
                              .n_modules = image->kernel_modules.n, .time = c->time };
        _cleanup_(ash_tree_free_p) AshTree *initrd = NULL;
        _bytes_ AshBytes kept = {};
        _str_ AshStr out = {};
        AshId key;
        for (size_t i = 0; i < image->kernel_modules.n; i++)
                modules[i] = image->kernel_modules.items[i].s;
        for (size_t i = 0; i < image->formats.n; i++)
                for (size_t x = 0; x < ASH_N(reaches); x++)
                        in.machines |= says(image->formats.items[i], reaches[x].format) ? reaches[x].machines : 0;
        int r = ash_initrd_plan(&in, &initrd, c->diags);
        if (r < 0) {
                ash_note(c->diags, image->name.at, "in the initrd of the kernel %.*s", ASH_F(k->version));
                return r;
        }
        ash_initrd_key(initrd, key.sha256);
        if (c->store && ash_store_cache_get(c->store, "initrd", &key, &kept) >= 0) {
                *ret = ash_arena_slice(c->tree->arena, ash_bytes_slice(&kept));
                return 0;
        }
        r = ash_initrd_pack(initrd, 0, &out, c->diags);
        if (r < 0)
                return r;
        if (c->store)
                (void) ash_store_cache_put(c->store, "initrd", &key, ash_str_slice(&out)); /* only a loss of time */
        *ret = ash_arena_slice(c->tree->arena, ash_str_slice(&out));
        return 0;
}

static int put_kernel(Boot *b, const Kernel *k) {
        AshSlice initrd;
        _str_ AshStr entry = {};
        const char *dir = ash_arena_printf(b->arena, "/%.*s/%.*s", ASH_F(b->token), ASH_F(k->version));
        int r = make_initrd(b, k, &initrd);
        if (r >= 0)
                r = put_copy(b, k->image, ash_arena_printf(b->arena, "%s%s/linux", b->boot, dir));
        if (r >= 0)
                r = put(b, ash_arena_printf(b->arena, "%s%s/initrd", b->boot, dir), initrd);
        if (r < 0)
                return r;
        ash_str_appendf(&entry, "# Boot Loader Specification type#1 entry\ntitle      %.*s\nversion    %.*s\nsort-key   %.*s\noptions    %.*s\nlinux      %s/linux\ninitrd     %s/initrd\n", ASH_F(b->title),
                        ASH_F(k->version), ASH_F(b->token), ASH_F(b->options), dir, dir);
        return put(b, ash_arena_printf(b->arena, "%s/loader/entries/%.*s-%.*s.conf", b->boot, ASH_F(b->token), ASH_F(k->version)), ash_str_slice(&entry));
}

/* ---- settings ---- */
/* A value of os-release(5), without its quotes. */
static AshSlice release_value(AshSlice text, const char *key) {
        for (AshSlice line; ash_slice_next_line(&text, &line);) {
                ptrdiff_t equals = ash_slice_find_char(line, '=');
                if (equals < 0 || !ash_slice_eqs(ash_slice(line.ptr, (size_t) equals), key))
                        continue;
                AshSlice value = ash_slice_trim(ash_slice_from(line, (size_t) equals + 1));
                return value.len >= 2 && (value.ptr[0] == '"' || value.ptr[0] == '\'') ? ash_slice(value.ptr + 1, value.len - 2) : value;
        }
        return ASH_S("");
}

/* Without a root the generators find it by its type in the partition table of the disk that the boot loader came from. */
static void read_options(Boot *b) {
        const AshTexts *words = &b->c->image->kernel_command_line;
        const AshImagePartition *root = partition(b, "root");
        bool has_root = false, has_mode = false;
        _str_ AshStr given = {}, all = {};
        for (size_t i = 0; i < words->n; i++) {
                for (AshSlice rest = words->items[i].s, word; ash_slice_next_word(&rest, &word);) {
                        has_root |= ash_slice_starts(word, ASH_S("root="));
                        has_mode |= ash_slice_eqs(word, "ro") || ash_slice_eqs(word, "rw");
                }
                ash_str_appendf(&given, " %.*s", ASH_F(words->items[i].s));
        }
        ash_str_appendf(&all, "%s%s%.*s", has_root ? "" : "root=gpt-auto", has_mode ? "" : root && root->read_only.value == ASH_YES ? " ro" : " rw", ASH_F(ash_str_slice(&given)));
        b->options = ash_arena_slice(b->arena, ash_slice_trim(ash_str_slice(&all)));
}

static void read_identity(Boot *b) {
        AshSlice release = ash_compose_read(b->c->tree, ASH_S("/etc/os-release"));
        AshSlice token = release_value(release, "IMAGE_ID");
        if (!token.len)
                token = release_value(release, "ID");
        b->token = token.len ? token : ASH_S("linux");
        b->title = release_value(release, "PRETTY_NAME");
        if (!b->title.len)
                b->title = ASH_S("Linux");
}

/* Entries are named after the system, not after a machine that does not exist yet; kernel-install does the same from here on, and gives a new kernel three tries. */
static int put_settings(Boot *b) {
        const char *line = "%.*s\n";
        const Kernel *first = &b->kernels.items[b->first];
        bool chosen = ash_text_set(b->c->image->kernel);
        _str_ AshStr loader = {};
        /* The plug-in of ashlar-boot lets it wait as soon as there is a choice. */
        ash_str_append(&loader, b->kernels.n > 1 ? ASH_S("timeout 2\n") : ASH_S("# one kernel: a key held down shows the menu\ntimeout 0\n"));
        if (chosen)
                ash_str_appendf(&loader, "default %.*s-%.*s*\n", ASH_F(b->token), ASH_F(first->version));
        int r = put(b, ash_arena_printf(b->arena, "%s/loader/loader.conf", b->esp), ash_arena_slice(b->arena, ash_str_slice(&loader)));
        const struct { const char *path, *text; } files[] = {
                { ash_arena_printf(b->arena, "%s/loader/entries.srel", b->boot), "type1\n" },
                { "/etc/kernel/entry-token", ash_arena_printf(b->arena, line, ASH_F(b->token)) },
                { "/etc/kernel/cmdline", ash_arena_printf(b->arena, line, ASH_F(b->options)) },
                { "/etc/kernel/install.conf", "layout=bls\ninitrd_generator=ashlar\n" },
                { "/etc/kernel/tries", "3\n" },
        };
        for (size_t i = 0; r >= 0 && i < ASH_N(files); i++)
                r = put(b, files[i].path, ash_slice_str(files[i].text));
        return r;
}

/* systemd-repart makes partitions as large as the disk allows when the machine starts; their file systems follow by a flag in the partition table. */
static int put_growth(Boot *b) {
        AshHandlerContext *c = b->c;
        const AshImage *image = c->image;
        int r = 0;
        bool root_grows = !partition(b, "root") || partition(b, "root")->grow.value != ASH_NO, grows = root_grows;
        for (size_t i = 0; i < image->partitions.n; i++)
                grows |= image->partitions.items[i].grow.value == ASH_YES;
        if (grows && ash_tree_lookup(c->tree, ASH_S("/usr/bin/systemd-repart"), true) == ASH_NO_NODE) {
                ash_warn(c->diags, image->name.at, "partitions do not grow to the disk: the image has no systemd-repart");
                ash_hint(c->diags, "add the package systemd-repart");
                return 0;
        }
        if (root_grows)
                r = put(b, "/usr/lib/repart.d/50-root.conf", ASH_S("[Partition]\nType=root\n"));
        for (size_t i = 0; r >= 0 && i < image->partitions.n; i++) {
                const AshImagePartition *p = &image->partitions.items[i];
                if (p->grow.value == ASH_YES && !says(p->type, "root"))
                        r = put(b, ash_arena_printf(b->arena, "/usr/lib/repart.d/60-%.*s.conf", ASH_F(p->type.s)), ash_slice_str(ash_arena_printf(b->arena, "[Partition]\nType=%.*s\n", ASH_F(p->type.s))));
        }
        return r;
}

int ash_handle_boot(AshHandlerContext *c) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        Boot b = { .c = c, .arena = arena };
        if (says(c->image->boot_loader, "uki"))
                return ash_fail(c->diags, -ASH_ERR_CONFIG, c->image->boot_loader.at, "boot-loader = \"uki\" is not supported yet: \"systemd-boot\" is");
        b.esp = mount_of(&b, "esp", "/efi");
        b.boot = partition(&b, "xbootldr") ? mount_of(&b, "xbootldr", "/boot") : b.esp;
        read_identity(&b);
        read_options(&b);
        int r = find_kernels(&b);
        if (r >= 0)
                r = choose_kernel(&b);
        if (r >= 0)
                r = put_loader(&b);
        for (size_t i = 0; r >= 0 && i < b.kernels.n; i++)
                r = put_kernel(&b, &b.kernels.items[i]);
        if (r >= 0)
                r = put_settings(&b);
        if (r >= 0)
                r = put_growth(&b);
        ash_array_done(&b.kernels);
        return r;
}
