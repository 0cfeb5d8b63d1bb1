#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <linux/elf.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "initrd.h"

/* ---- versions ---- */
/* Each is older than the next (Version Format Specification, "Examples", and kernels of Debian and Fedora). */
static const char *const order[] = { "~1", "", "ab", "abb", "abc", "0001", "002", "6.12.63+deb13-cloud-amd64", "6.12.107+deb13-cloud-amd64", "6.16.3-200.fc43.x86_64", "6.17.1-300.fc43.x86_64", "12", "122", "122.9",
                                     "123~rc1", "123", "123-a", "123-a.1", "123-a1", "123-a1.1", "123-3", "123-3.1", "123^patch1", "123^1", "123.a-1", "123.1-1", "123a-1", "124" };

static void test_versions(void **state) {
        (void) state;
        for (size_t i = 1; i < ASH_N(order); i++) {
                if (ash_initrd_compare_versions(ash_slice_str(order[i - 1]), ash_slice_str(order[i])) >= 0 || ash_initrd_compare_versions(ash_slice_str(order[i]), ash_slice_str(order[i - 1])) <= 0)
                        fail_msg("'%s' is older than '%s'", order[i - 1], order[i]);
                assert_int_equal(ash_initrd_compare_versions(ash_slice_str(order[i]), ash_slice_str(order[i])), 0);
        }
}

/* ---- a tree to make one from ---- */
#define KERNEL "/usr/lib/modules/6.1"
typedef struct Program {
        const char *needed;          /* separated by spaces */
        const char *runpath, *interpreter, *note;
} Program;

/* A program or library that says no more than what it needs: header, four segments, strings, dynamic section, note. */
static AshSlice elf(AshTree *t, const Program *p) {
        enum { STRINGS = 1024, DYNAMIC = 2048, NOTE = 3072, SIZE = 8192 };
        char *b = ash_arena_zalloc(t->arena, SIZE), *strings = b + STRINGS;
        Elf64_Ehdr head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = 1, .e_phoff = sizeof head, .e_ehsize = sizeof head,
                            .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 4 };
        Elf64_Dyn dynamic[32] = {};
        size_t n = 0, at = 1;
        for (AshSlice rest = ash_slice_str(p->needed ? p->needed : ""), word; ash_slice_next_word(&rest, &word); at += word.len + 1) {
                memcpy(strings + at, word.ptr, word.len);
                dynamic[n++] = (Elf64_Dyn){ .d_tag = DT_NEEDED, .d_un.d_val = at };
        }
        if (p->runpath) {
                memcpy(strings + at, p->runpath, strlen(p->runpath));
                dynamic[n++] = (Elf64_Dyn){ .d_tag = 29 /* DT_RUNPATH */, .d_un.d_val = at };
                at += strlen(p->runpath) + 1;
        }
        dynamic[n++] = (Elf64_Dyn){ .d_tag = DT_STRTAB, .d_un.d_val = STRINGS };
        dynamic[n++] = (Elf64_Dyn){ .d_tag = DT_STRSZ, .d_un.d_val = 512 };
        memcpy(b + DYNAMIC, dynamic, sizeof dynamic);
        if (p->interpreter)
                memcpy(b + 512, p->interpreter, strlen(p->interpreter));
        size_t note = p->note ? strlen(p->note) + 1 : 0;
        if (p->note) {
                memcpy(b + NOTE, &(Elf64_Nhdr){ 4, (uint32_t) note, 0x407c0c0a }, sizeof(Elf64_Nhdr));
                memcpy(b + NOTE + 12, "FDO", 4);
                memcpy(b + NOTE + 16, p->note, note);
        }
        const Elf64_Phdr segments[] = {
                { .p_type = PT_LOAD, .p_filesz = SIZE, .p_memsz = SIZE },
                { .p_type = PT_DYNAMIC, .p_offset = DYNAMIC, .p_vaddr = DYNAMIC, .p_filesz = sizeof dynamic },
                { .p_type = p->interpreter ? PT_INTERP : PT_NULL, .p_offset = 512, .p_filesz = p->interpreter ? strlen(p->interpreter) + 1 : 0 },
                { .p_type = PT_NOTE, .p_offset = NOTE, .p_filesz = p->note ? 16 + ash_align_up(note, 4) : 0 },
        };
        memcpy(b, &head, sizeof head);
        memcpy(b + sizeof head, segments, sizeof segments);
        return ash_slice(b, SIZE);
}

static void put_text(AshTree *t, const char *path, const char *text) {
        AshNode n;
        assert_true(ash_tree_put_file(t, ash_slice_str(path), ash_slice_str(text), S_IFREG | 0644, 0, &n) >= 0);
}
static void put_elf(AshTree *t, const char *path, Program p) {
        AshNode n;
        assert_true(ash_tree_put_file(t, ash_slice_str(path), elf(t, &p), S_IFREG | 0755, 0, &n) >= 0);
}
static void put_link(AshTree *t, const char *path, const char *target) {
        AshNode n;
        assert_true(ash_tree_put_symlink(t, ash_slice_str(path), ash_slice_str(target), 0, &n) >= 0);
}

static int plan(const AshTree *t, AshTree **ret, AshDiags *diags, unsigned machines, const char *module) {
        AshSlice modules[] = { ash_slice_str(module) };
        AshInitrdInput in = { .tree = t, .kernel = ASH_S("6.1"), .root_filesystem = ASH_S("ext4"), .time = 1000, .machines = machines, .modules = modules, .n_modules = module != NULL };
        return ash_initrd_plan(&in, ret, diags);
}

/* All that it cannot do without, as its own complaints name it: as empty files. */
static AshTree *base_tree(void) {
        AshTree *t = ash_tree_new(), *none = NULL;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        static const char *const kernel[] = { "fs/ext4/ext4", "fs/jbd2/jbd2", "lib/crc-a", "lib/crc-b", "drivers/virtio_blk", "drivers/unrelated" };
        put_text(t, KERNEL "/modules.dep", "kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz\nkernel/fs/jbd2/jbd2.ko.xz:\nkernel/lib/crc-a.ko.xz:\nkernel/lib/crc-b.ko.xz:\nkernel/drivers/virtio_blk.ko.xz:\n"
                                           "kernel/drivers/unrelated.ko.xz:\n");
        put_text(t, KERNEL "/modules.builtin", "kernel/drivers/virtio_pci.ko\nkernel/drivers/scsi/sd_mod.ko\n");
        put_text(t, KERNEL "/modules.softdep", "softdep ext4 pre: crc\n");
        put_text(t, KERNEL "/modules.alias", "alias pci:v0001 unrelated\nalias crc crc_a\nalias crc crc_b\n");
        for (size_t i = 0; i < ASH_N(kernel); i++) {
                _free_ char *path = ash_asprintf(KERNEL "/kernel/%s.ko.xz", kernel[i]);
                put_text(t, path, "module");
        }
        put_link(t, "/lib64", "usr/lib64");
        assert_int_equal(plan(t, &none, diags, 0, NULL), -ENOENT);
        for (size_t i = 0; i < ash_diags_n(diags); i++) {
                static const char before[] = "the initrd needs ";
                const AshDiag *d = ash_diags_at(diags, i);
                const char *end = strchr(d->text, ',');
                if (strncmp(d->text, before, sizeof before - 1) || !end)
                        continue;
                _free_ char *path = ash_strndup(d->text + sizeof before - 1, (size_t) (end - d->text) - (sizeof before - 1));
                assert_non_null(d->hint); /* the package is named */
                put_text(t, path, "");
        }
        return t;
}

static bool has(const AshTree *t, const char *path) { return ash_tree_lookup(t, ash_slice_str(path), false) != ASH_NO_NODE; }
static bool said(const AshDiags *diags, const char *text) {
        for (size_t i = 0; i < ash_diags_n(diags); i++)
                if (strstr(ash_diags_at(diags, i)->text, text))
                        return true;
        return false;
}

static void test_minimal(void **state) {
        (void) state;
        _cleanup_(ash_tree_free_p) AshTree *t = base_tree(), *out = NULL;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        assert_int_equal(plan(t, &out, diags, ASH_INITRD_VIRTIO, NULL), 0);
        assert_true(has(out, "/init") && has(out, "/etc/initrd-release") && has(out, "/usr/lib/systemd/system/initrd.target") && has(out, "/usr/lib/systemd/system/emergency.service"));
        assert_true(said(diags, "is not checked")); /* there is no fsck.ext4 */
}

/* What the root's file system depends on: modules.dep, soft dependencies by alias; what is built in needs no file; nothing else comes along. */
static void test_modules(void **state) {
        (void) state;
        _cleanup_(ash_tree_free_p) AshTree *t = base_tree(), *out = NULL;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        assert_int_equal(plan(t, &out, diags, 0, NULL), 0);
        assert_true(has(out, KERNEL "/kernel/fs/ext4/ext4.ko.xz") && has(out, KERNEL "/kernel/fs/jbd2/jbd2.ko.xz") && has(out, KERNEL "/kernel/lib/crc-a.ko.xz") && has(out, KERNEL "/kernel/lib/crc-b.ko.xz"));
        assert_true(has(out, KERNEL "/kernel/drivers/virtio_blk.ko.xz"));
        assert_false(has(out, KERNEL "/kernel/drivers/unrelated.ko.xz"));
}

static void test_missing_modules(void **state) {
        (void) state;
        _cleanup_(ash_tree_free_p) AshTree *t = base_tree(), *out = NULL;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        assert_int_equal(plan(t, &out, diags, ASH_INITRD_HYPERV, "nosuch"), -ENOENT);
        assert_true(said(diags, "no module 'hv_vmbus'") && said(diags, "no module 'hv_storvsc'") && said(diags, "no module 'nosuch'"));
        assert_false(said(diags, "'sd_mod'"));
        ash_diags_clear(diags);
        put_text(t, KERNEL "/modules.dep", "kernel/drivers/virtio_blk.ko.xz:\n");
        assert_int_equal(plan(t, &out, diags, 0, NULL), -ENOENT);
        assert_true(said(diags, "no module 'ext4', the root's file system"));
        ash_diags_clear(diags);
        ash_tree_remove(t, ash_tree_lookup(t, ASH_S(KERNEL), true));
        assert_int_equal(plan(t, &out, diags, 0, NULL), -ENOENT);
        assert_true(said(diags, "no modules of a kernel 6.1"));
}

#define LIB "/usr/lib/x86_64-linux-gnu"
static void test_libraries(void **state) {
        (void) state;
        _cleanup_(ash_tree_free_p) AshTree *t = base_tree(), *out = NULL;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        put_elf(t, "/usr/lib/systemd/systemd", (Program){ .needed = "libcore.so libshared.so libc.so.6", .runpath = "$ORIGIN/private", .interpreter = "/lib64/ld.so",
                .note = "[{\"feature\":\"a\",\"priority\":\"recommended\",\"soname\":[\"libnone.so.1\",\"libwanted.so.2\"]},{\"feature\":\"b\",\"priority\":\"suggested\",\"soname\":[\"libluxury.so\"]}]" });
        put_elf(t, "/usr/lib/systemd/private/libcore.so", (Program){ .needed = "libshared.so" }); /* no run path: its program has loaded it */
        put_elf(t, "/usr/lib/systemd/private/libshared.so", (Program){ .needed = "libother.so" });
        put_text(t, "/etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n");
        put_text(t, "/etc/ld.so.conf.d/x.conf", "# more\n/opt/lib\n");
        put_elf(t, "/opt/lib/libother.so", (Program){});
        put_elf(t, LIB "/libc.so.6.1", (Program){});
        put_link(t, LIB "/libc.so.6", "libc.so.6.1");
        put_elf(t, LIB "/libwanted.so.2", (Program){});
        put_elf(t, LIB "/libluxury.so", (Program){});
        put_elf(t, LIB "/ld.so", (Program){});
        put_link(t, "/usr/lib64/ld.so", "../lib/x86_64-linux-gnu/ld.so");
        assert_int_equal(plan(t, &out, diags, 0, NULL), 0);
        assert_true(has(out, "/usr/lib/systemd/private/libcore.so") && has(out, "/usr/lib/systemd/private/libshared.so") && has(out, LIB "/libc.so.6") && has(out, LIB "/libc.so.6.1"));
        assert_true(has(out, LIB "/libwanted.so.2"));
        assert_false(has(out, LIB "/libluxury.so"));
        assert_true(has(out, "/opt/lib/libother.so") && has(out, LIB "/libother.so")); /* found without a cache by its link */
        assert_true(has(out, "/lib64") && has(out, "/usr/lib64/ld.so") && has(out, LIB "/ld.so"));
        ash_tree_remove(t, ash_tree_lookup(t, ASH_S("/opt/lib/libother.so"), true));
        ash_tree_free(ASH_TAKE(out));
        assert_int_equal(plan(t, &out, diags, 0, NULL), -ENOENT);
        assert_true(said(diags, "needs the library libother.so"));
}

static void test_programs(void **state) {
        (void) state;
        _cleanup_(ash_tree_free_p) AshTree *t = base_tree(), *out = NULL;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        put_text(t, "/usr/lib/systemd/system/systemd-udevd.service", "[Service]\nExecStart=/usr/lib/systemd/the-daemon --x\nExecStartPre=-+helper\n");
        put_text(t, "/usr/lib/systemd/system/systemd-udevd.service.d/10-more.conf", "[Service]\n");
        put_text(t, "/usr/lib/systemd/system/sysinit.target.wants/systemd-udevd.service", "");
        put_text(t, "/usr/lib/systemd/system/sysinit.target.wants/ldconfig.service", "");
        put_text(t, "/usr/lib/udev/rules.d/60-block.rules", "# PROGRAM=\"no_id\"\nKERNEL==\"sd*\", IMPORT{program}=\"disk_id --export $devnode\"\nPROGRAM==\"/usr/bin/tool x\"\n");
        static const char *const programs[] = { "/usr/lib/systemd/the-daemon", "/usr/bin/helper", "/usr/lib/udev/disk_id", "/usr/lib/udev/no_id", "/usr/bin/tool" };
        for (size_t i = 0; i < ASH_N(programs); i++)
                put_text(t, programs[i], "");
        put_text(t, "/etc/passwd", "root:x:0:0:root:/root:/bin/bash\ndisk:secret:5:6:d:/:/bin/sh\nann:x:1000:1000:Ann:/home/ann:/bin/bash\n");
        put_text(t, "/etc/group", "root:x:0:\ndisk:x:6:ann\nann:x:1000:\n");
        assert_int_equal(plan(t, &out, diags, 0, NULL), 0);
        for (size_t i = 0; i < ASH_N(programs); i++)
                if (has(out, programs[i]) != (i != 3))
                        fail_msg("%s", programs[i]);
        assert_true(has(out, "/usr/lib/systemd/system/systemd-udevd.service.d/10-more.conf") && has(out, "/usr/lib/systemd/system/sysinit.target.wants/systemd-udevd.service"));
        assert_false(has(out, "/usr/lib/systemd/system/sysinit.target.wants/ldconfig.service"));
        const AshTreeNode *users = ash_tree_node(out, ash_tree_lookup(out, ASH_S("/etc/passwd"), true)), *groups = ash_tree_node(out, ash_tree_lookup(out, ASH_S("/etc/group"), true));
        assert_true(ash_slice_eqs(ash_slice(users->content.data, users->content.length), "root:x:0:0::/:/usr/sbin/nologin\ndisk:x:5:6::/:/usr/sbin/nologin\n"));
        assert_true(ash_slice_eqs(ash_slice(groups->content.data, groups->content.length), "root:x:0:\ndisk:x:6:\n"));
}

/* The key follows from what is in, and from nothing else; links that lead nowhere or in circles are no trouble. */
static void test_key(void **state) {
        (void) state;
        _cleanup_(ash_tree_free_p) AshTree *t = base_tree();
        uint8_t keys[4][32];
        put_link(t, "/sbin", "loop");
        put_link(t, "/loop", "sbin");
        for (size_t i = 0; i < ASH_N(keys); i++) {
                _cleanup_(ash_tree_free_p) AshTree *out = NULL;
                if (i == 2)
                        put_text(t, "/usr/share/other", "not in it");
                if (i == 3)
                        put_text(t, "/usr/bin/mount", "changed");
                assert_int_equal(plan(t, &out, NULL, 0, NULL), 0);
                ash_initrd_key(out, keys[i]);
        }
        assert_memory_equal(keys[0], keys[1], 32);
        assert_memory_equal(keys[0], keys[2], 32);
        assert_memory_not_equal(keys[0], keys[3], 32);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_versions), cmocka_unit_test(test_minimal), cmocka_unit_test(test_modules), cmocka_unit_test(test_missing_modules), cmocka_unit_test(test_libraries), cmocka_unit_test(test_programs),
                cmocka_unit_test(test_key),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
