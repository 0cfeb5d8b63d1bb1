#include <sys/stat.h>
#include "elf.h"
#include "flow-host.h"
#include "rpm-write.h"

/* kernel-install(8) runs it, after depmod, with: add|remove VERSION ENTRY-DIR IMAGE. Arguments behind those are ready initrds, and another generator may be chosen. */
static const char plugin[] =
        "#!/bin/sh\n"
        "# Makes the initrd of a kernel that is being installed (ashlar-boot).\n"
        "set -e\n"
        "[ \"$1\" = add ] || exit 0\n"
        "[ $# -le 4 ] || exit 0\n"
        "[ \"${KERNEL_INSTALL_IMAGE_TYPE:-}\" != uki ] || exit 0\n"
        "[ \"${KERNEL_INSTALL_INITRD_GENERATOR:-ashlar}\" = ashlar ] || exit 0\n"
        "# A choice from now on: the menu waits for somebody who wants the older one. Images with one kernel are made without that.\n"
        "conf=$(bootctl --print-esp-path 2>/dev/null)/loader/loader.conf\n"
        "if grep -qsx 'timeout 0' \"$conf\"; then\n"
        "        sed -e 's/^timeout 0$/timeout 2/' -e '/^# one kernel:/d' \"$conf\" >\"$conf.new\" && mv \"$conf.new\" \"$conf\" || echo \"ashlar-boot: $conf cannot be changed: the boot menu does not wait\" >&2\n"
        "fi\n"
        "exec ashlar-initrd --output \"${KERNEL_INSTALL_STAGING_AREA:?}/initrd\" \"$2\"\n";

/* Kernels of Debian have no scriptlets of their own; those of Fedora lie elsewhere and call kernel-install themselves. In a root that is not running there is nothing to do: who makes an image makes its
 * entries. A kernel without an entry is worth an error on the terminal, and no reason to end the transaction, which is over. */
#define FOR_EACH \
        "[ -d /run/systemd/system ] || exit 0\n" \
        "while read -r image; do\n" \
        "        version=${image#/boot/vmlinuz-}\n" \
        "        [ \"$version\" != \"$image\" ] || continue\n"
static const char on_install[] = FOR_EACH "        kernel-install add \"$version\" \"$image\" || echo \"ashlar-boot: $version cannot be started: kernel-install failed\" >&2\ndone\n";
static const char on_removal[] = FOR_EACH "        kernel-install remove \"$version\" || :\ndone\n";
/* The loader on the ESP follows its package, without a look at it at every boot. */
static const char on_loader[] = "[ -d /run/systemd/system ] || exit 0\nbootctl --no-variables --graceful update || echo \"ashlar-boot: the boot loader was not updated\" >&2\n";
#define LOADERS "/usr/lib/systemd/boot/efi/"
#define WATCHED "/boot/" /* rpm looks for directories that begin so: a longer prefix would match none */

void ash_flow_host_free(AshFlowHost *h) {
        if (!h)
                return;
        ash_arena_free(h->arena);
        free(h);
}
ASH_DEFINE_CLEANUP(AshFlowHost *, ash_flow_host_free)

/* Beside this program in a build folder, or where "install" puts it. */
static int read_program(const char *name, AshBytes *ret) {
        static const char *const places[] = { "host/initrd", "../libexec/ashlar" };
        char self[4096];
        ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
        if (n <= 0)
                return -ENOENT;
        AshSlice dir = ash_path_dir(ash_slice(self, (size_t) n));
        int r = -ENOENT;
        for (size_t i = 0; r == -ENOENT && i < ASH_N(places); i++) {
                _free_ char *path = ash_asprintf("%.*s/%s/%s", ASH_F(dir), places[i], name);
                r = ash_file_read(AT_FDCWD, path, 64 << 20, ret);
        }
        return r;
}

static AshSlice elf_arch(const AshElf *e) {
        return e->machine == 62 ? ASH_S("x86_64") : e->machine == 183 ? ASH_S("aarch64") : e->machine == 243 ? ASH_S("riscv64") : ASH_S("");
}

/* Packages by the names that Fedora and the names of imported packages (distro/names.toml) share: an archive's index does not say which package has a library. */
static const struct { const char *library, *package; } libraries[] = {
        { "libc.so.6", "glibc" },         { "libcrypto.so.3", "openssl-libs" }, { "libzstd.so.1", "libzstd" }, { "liblzma.so.5", "xz-libs" },
        { "libbz2.so.1.0", "bzip2-libs" }, { "libz.so.1", "zlib" },             { "libjansson.so.4", "jansson" },
};

static AshSlice package_of(AshFlowHost *h, AshSlice library) {
        for (size_t i = 0; i < ASH_N(libraries); i++)
                if (ash_slice_eqs(library, libraries[i].library))
                        return ash_slice_str(libraries[i].package);
        return ash_slice_str(ash_arena_printf(h->arena, "%.*s()(64bit)", ASH_F(library)));
}

static void add_needs(AshFlowHost *h, const AshElf *e, AshDeps *ret) {
        static const char *const fixed[] = { "/bin/sh", "systemd", "kmod", "coreutils", "grep", "sed" /* the last three for kernel-install's own plug-ins */ };
        ret->items = ash_arena_new_items(h->arena, AshDep, e->n_needed + ASH_N(fixed));
        for (size_t i = 0; i < ASH_N(fixed); i++)
                ret->items[ret->n++].name = ash_slice_str(fixed[i]);
        for (size_t i = 0; i < e->n_needed; i++)
                if (!ash_slice_starts(e->needed[i], ASH_S("ld-linux")))
                        ret->items[ret->n++].name = package_of(h, e->needed[i]);
}

static void describe(AshFlowHost *h, const AshElf *e) {
        AshPackage *p = &h->package;
        *p = (AshPackage){ .name = ASH_S("ashlar-boot"), .version = ASH_S(ASHLAR_VERSION), .release = ASH_S("1"), .arch = elf_arch(e), .summary = ASH_S("Makes the initrd when a kernel is installed"),
                           .license = ASH_S("Apache-2.0"), .location = ASH_S("ashlar-boot"), .vendor = ASH_S("Ashlar") };
        add_needs(h, e, &p->deps[ASH_DEP_REQUIRES]);
        AshDep *provides = ash_arena_new_items(h->arena, AshDep, 2);
        provides[0].name = ASH_S("linux-initramfs-tool"); /* what Debian's kernels ask for: no other is needed */
        provides[1] = (AshDep){ p->name, ash_slice_str(ash_arena_printf(h->arena, "%.*s-%.*s", ASH_F(p->version), ASH_F(p->release))), ASH_DEP_EQ };
        p->deps[ASH_DEP_PROVIDES] = (AshDeps){ provides, 2 };
}

static AshRpmDep *rpm_deps(AshFlowHost *h, AshDepKind kind) {
        const AshDeps *d = &h->package.deps[kind];
        AshRpmDep *out = ash_arena_new_items(h->arena, AshRpmDep, d->n + 1);
        for (size_t i = 0; i < d->n; i++)
                out[i] = (AshRpmDep){ .name = d->items[i].name, .evr = d->items[i].evr, .flags = d->items[i].flags };
        return out;
}

static int write_package(AshFlowHost *h, AshSlice program, AshStr *out, AshDiags *diags) {
        const AshPackage *p = &h->package;
        const AshRpmNewFile files[] = {
                { .path = ASH_S("/usr/bin/ashlar-initrd"), .user = ASH_S("root"), .group = ASH_S("root"), .data = program, .mode = S_IFREG | 0755, .color = 2 },
                { .path = ASH_S("/usr/lib/kernel/install.d/60-ashlar-initrd.install"), .user = ASH_S("root"), .group = ASH_S("root"), .data = ash_slice_str(plugin), .mode = S_IFREG | 0755 },
        };
        const AshRpmNewTrigger triggers[] = { { ASH_S(WATCHED), ash_slice_str(on_install), false }, { ASH_S(WATCHED), ash_slice_str(on_removal), true }, { ASH_S(LOADERS), ash_slice_str(on_loader), false } };
        AshRpmNew n = { .name = p->name, .version = p->version, .release = p->release, .arch = p->arch, .summary = p->summary, .license = p->license, .vendor = p->vendor, .build_host = ASH_S("ashlar"),
                        .description = ASH_S("The program that makes initrds of Ashlar's images, and a plug-in of kernel-install: a kernel that is installed or upgraded gets an initrd and an entry in the boot menu."),
                        .source_rpm = ASH_S("ashlar-boot-" ASHLAR_VERSION "-1.src.rpm"), .files = files, .n_files = ASH_N(files), .triggers = triggers, .n_triggers = ASH_N(triggers) };
        n.deps[ASH_RPM_REQUIRES] = rpm_deps(h, ASH_DEP_REQUIRES);
        n.n_deps[ASH_RPM_REQUIRES] = p->deps[ASH_DEP_REQUIRES].n;
        n.deps[ASH_RPM_PROVIDES] = rpm_deps(h, ASH_DEP_PROVIDES);
        n.n_deps[ASH_RPM_PROVIDES] = 1; /* the one of its own name is the writer's */
        _cleanup_(ash_writer_free_p) AshWriter *w = ash_writer_new_memory(out);
        int r = ash_rpm_write(&n, w, diags);
        return r < 0 ? r : ash_writer_finish(w);
}

int ash_flow_host_open(AshStore *store, AshSlice arch, AshFlowHost **ret, AshDiags *diags) {
        _cleanup_(ash_flow_host_free_p) AshFlowHost *h = ash_calloc(1, sizeof *h);
        _bytes_ AshBytes program = {};
        _str_ AshStr rpm = {};
        AshElf e = {};
        char hex[ASH_ID_HEX];
        h->arena = ash_arena_new();
        int r = read_program("ashlar-initrd", &program);
        if (r >= 0)
                r = ash_elf_read(ash_bytes_slice(&program), h->arena, &e);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "the program ashlar-initrd, which belongs to Ashlar, cannot be read: %s", ash_strerror(r));
        if (ash_slice_eq(elf_arch(&e), arch)) {
                describe(h, &e);
                r = write_package(h, ash_bytes_slice(&program), &rpm, diags);
                if (r >= 0)
                        r = ash_store_put_blob(store, ash_str_slice(&rpm), NULL, &h->id, diags);
                if (r < 0)
                        return r;
                ash_id_hex(&h->id, hex);
                h->package.sha256 = ash_arena_slice(h->arena, ash_slice_str(hex));
                h->package.size = rpm.len;
                h->there = true;
        }
        *ret = ASH_TAKE(h);
        return 0;
}
