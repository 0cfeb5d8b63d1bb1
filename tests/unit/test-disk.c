/* The writers of file systems and partition tables at their edges; e2fsck, debugfs and fsck.fat are the judges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "ext4.h"
#include "fat.h"
#include "gpt.h"
#include "io.h"
#include "io-crc.h"
#include "partition.h"

static AshTempDir *temp;

static int setup(void **state) {
        (void) state;
        return ash_tempdir_new(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : NULL, &temp);
}
static int teardown(void **state) {
        (void) state;
        ash_tempdir_free(temp);
        return 0;
}

static void write_image(AshSparse *s, const char *name, unsigned threads) {
        _close_ int fd = openat(temp->fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(ash_sparse_sort(s), 0);
        assert_int_equal(ash_sparse_write(s, fd, threads, NULL), 0);
}

static AshSlice run(AshArena *arena, const char *const *argv, int status) {
        _process_result_ AshProcessResult r = {};
        AshProcess p = { .argv = argv, .cwd = temp->path };
        assert_int_equal(ash_process_run(&p, &r), 0);
        if (r.status != status)
                fail_msg("%s: exit status %d\n%.*s%.*s", argv[0], r.status, ASH_F(ash_str_slice(&r.out)), ASH_F(ash_str_slice(&r.err)));
        return ash_arena_slice(arena, ash_str_slice(&r.out));
}

static void assert_says(AshSlice text, const char *what) {
        if (ash_slice_find(text, ash_slice_str(what)) < 0)
                fail_msg("'%s' is not in:\n%.*s", what, ASH_F(text));
}

/* ---- checksums, numbers ---- */
static void test_crc(void **state) {
        (void) state;
        char data[100];
        assert_int_equal(ash_crc32(0, "123456789", 9), 0xcbf43926);
        assert_int_equal(ash_crc32c("123456789", 9), 0xe3069283);
        for (size_t i = 0; i < sizeof data; i++)
                data[i] = (char) (i * 7);
        for (size_t cut = 0; cut < sizeof data; cut++) /* in two parts: the same, at every alignment */
                assert_int_equal(ash_crc32c_raw(ash_crc32c_raw(~0U, data, cut), data + cut, sizeof data - cut), ash_crc32c_raw(~0U, data, sizeof data));
}

static void test_sizes(void **state) {
        (void) state;
        static const struct { const char *text; uint64_t bytes; bool percent; int r; } rows[] = {
                { "auto", 0, false, 0 }, { "1", 1, false, 0 }, { "2K", 2048, false, 0 }, { "3M", 3 << 20, false, 0 }, { "4G", UINT64_C(4) << 30, false, 0 }, { "5T", UINT64_C(5) << 40, false, 0 }, { "20%", 20, true, 0 },
                { "", 0, false, -EINVAL }, { "M", 0, false, -EINVAL }, { "1X", 0, false, -EINVAL }, { "-1", 0, false, -EINVAL }, { "99999999999T", 0, false, -EINVAL },
        };
        for (size_t i = 0; i < ASH_N(rows); i++) {
                uint64_t n;
                bool percent;
                assert_int_equal(ash_size_parse(ash_slice_str(rows[i].text), &n, &percent), rows[i].r);
                if (rows[i].r == 0) {
                        assert_int_equal(n, rows[i].bytes);
                        assert_int_equal(percent, rows[i].percent);
                }
        }
}

static void test_uuid(void **state) {
        (void) state;
        uint8_t u[16];
        char text[37];
        /* uuid.uuid5(uuid.NAMESPACE_DNS, "python.org") of Python's documentation */
        ash_uuid_derive(ASH_S("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), ASH_S("python.org"), u);
        ash_uuid_text(u, text);
        assert_string_equal(text, "886313e1-3b8a-5372-9b90-0c9aee199e5d");
        assert_int_equal(ash_uuid_parse(ASH_S("886313E1-3B8A-5372-9B90-0C9AEE199E5D"), u), 0);
        assert_int_equal(ash_uuid_parse(ASH_S("886313e1+3b8a-5372-9b90-0c9aee199e5d"), u), -EINVAL);
        assert_int_equal(ash_uuid_parse(ASH_S("886313e1-3b8a-5372-9b90-0c9aee199e5"), u), -EINVAL);
        assert_int_equal(ash_uuid_parse(ASH_S("886313e1-3b8a-5372-9b90-0c9aee199e5g"), u), -EINVAL);
}

/* ---- bytes at places ---- */
static void test_sparse(void **state) {
        (void) state;
        _cleanup_(ash_sparse_free_p) AshSparse *s = ash_sparse_new();
        _free_ char *big = ash_malloc(9 << 20), *expect = ash_calloc(1, 20 << 20);
        memset(big, 'b', 9 << 20);
        ash_sparse_put(s, 10 << 20, ash_slice(big, 9 << 20)); /* over several chunks */
        ash_sparse_put(s, 100, ash_slice(big, 50));
        for (unsigned i = 0; i < 2000; i++) /* more than one call takes */
                ash_sparse_put(s, 4096 + 700 * (uint64_t) i, ash_slice(big, i % 699 + 1));
        s->size = 20 << 20;
        ash_array_foreach(&s->pieces, p)
                memcpy(expect + p->offset, p->bytes.ptr, p->bytes.len);
        for (unsigned threads = 1; threads < 4; threads++) {
                _bytes_ AshBytes back = {};
                write_image(s, "sparse", threads);
                assert_int_equal(ash_file_map(temp->fd, "sparse", &back), 0);
                assert_int_equal(back.len, 20 << 20);
                assert_memory_equal(back.ptr, expect, back.len);
        }
        char part[5000];
        ash_sparse_read(s, 4000, part, sizeof part);
        assert_memory_equal(part, expect + 4000, sizeof part);
        ash_sparse_put(s, 120, ash_slice(big, 1));
        assert_int_equal(ash_sparse_sort(s), -EINVAL);
}

/* ---- ext4 ---- */
typedef struct Fs {
        AshArena *arena;
        ASH_ARRAY(AshExt4Node) nodes;
        AshExt4Options o;
} Fs;

static uint32_t add(Fs *f, uint32_t parent, const char *name, uint32_t mode, AshSlice bytes) {
        ash_array_push(&f->nodes, ((AshExt4Node){ .name = ash_slice_str(name), .parent = parent, .same = UINT32_MAX, .mode = mode, .mtime = 1700000000, .bytes = bytes }));
        return (uint32_t) f->nodes.n - 1;
}

static void fs_init(Fs *f) {
        *f = (Fs){ .arena = ash_arena_new(), .o = { .uuid = { 1, 2, 3, 4, 5, 6, 0x50, 8, 0x80, 9 }, .hash_seed = { 7, 7, 7, 7 }, .label = "test", .time = 1700000000 } };
        add(f, 0, "", S_IFDIR | 0755, ASH_NOSLICE);
}
static void fs_done(Fs *f) {
        ash_array_done(&f->nodes);
        ash_arena_free(f->arena);
}

/* Lays it out (size 0: the smallest), writes it and asks e2fsck. */
static void judge(Fs *f, uint64_t size, AshExt4Usage *usage) {
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        _cleanup_(ash_ext4_free_p) AshExt4 *e = NULL;
        _cleanup_(ash_sparse_free_p) AshSparse *s = ash_sparse_new();
        if (ash_ext4_new(f->nodes.items, f->nodes.n, &f->o, &e, diags) < 0)
                fail_msg("%s", ash_diags_at(diags, 0)->text);
        s->size = size ? size : ash_ext4_size(e, 0, 0);
        assert_int_equal(ash_ext4_put(e, s->size, 0, s, usage), 0);
        write_image(s, "ext4", 2);
        AshSlice out = run(f->arena, (const char *const[]){ "e2fsck", "-fn", "ext4", NULL }, 0);
        assert_true(ash_slice_find(out, ASH_S("Pass 5")) > 0);
}

static AshSlice debugfs(Fs *f, const char *command) { return run(f->arena, (const char *const[]){ "debugfs", "-R", command, "ext4", NULL }, 0); }

static void test_ext4_sizes(void **state) {
        (void) state;
        static const unsigned mib[] = { 1, 2, 7, 8, 63, 127, 128, 129, 130, 131, 135, 255, 257, 1024, 2048, 2049, 2060, 5000, 40000, 70000 };
        Fs f __attribute__((__cleanup__(fs_done)));
        fs_init(&f);
        add(&f, 0, "file", S_IFREG | 0644, ASH_S("x"));
        for (size_t i = 0; i < ASH_N(mib); i++) {
                AshExt4Usage u;
                judge(&f, (uint64_t) mib[i] << 20, &u);
                assert_true(u.free_blocks < u.blocks && u.blocks <= (uint64_t) mib[i] << 8);
        }
        AshExt4Usage u;
        judge(&f, 0, &u);
        assert_true(u.blocks <= 512);
}

static void test_ext4_no_space(void **state) {
        (void) state;
        Fs f __attribute__((__cleanup__(fs_done)));
        _free_ char *bytes = ash_malloc(5 << 20);
        _cleanup_(ash_ext4_free_p) AshExt4 *e = NULL;
        _cleanup_(ash_sparse_free_p) AshSparse *s = ash_sparse_new();
        memset(bytes, 'x', 5 << 20);
        fs_init(&f);
        add(&f, 0, "file", S_IFREG | 0644, ash_slice(bytes, 5 << 20));
        assert_int_equal(ash_ext4_new(f.nodes.items, f.nodes.n, &f.o, &e, NULL), 0);
        assert_int_equal(ash_ext4_put(e, 5 << 20, 0, s, NULL), -ENOSPC);
        assert_int_equal(ash_ext4_put(e, 0, 0, s, NULL), -ENOSPC);
        assert_int_equal(s->pieces.n, 0);
        uint64_t least = ash_ext4_size(e, 0, 0);
        assert_int_equal(ash_ext4_put(e, least - (1 << 20), 0, s, NULL), -ENOSPC);
        assert_int_equal(ash_ext4_put(e, least, 0, s, NULL), 0);
        assert_true(ash_ext4_size(e, 100, 0) >= least + (5 << 20));
}

/* A directory whose index has two levels, one with colliding names is covered by chance; all are found by the kernel's way, which e2fsck checks. */
static void test_ext4_directories(void **state) {
        (void) state;
        Fs f __attribute__((__cleanup__(fs_done)));
        fs_init(&f);
        uint32_t big = add(&f, 0, "big", S_IFDIR | 0755, ASH_NOSLICE), middle = add(&f, 0, "middle", S_IFDIR | 0700, ASH_NOSLICE);
        for (unsigned i = 0; i < 60000; i++)
                add(&f, big, ash_arena_printf(f.arena, "a-name-that-is-long-enough-to-fill-blocks-%06u-\xc3\xbc-%u", i * 7919, i), S_IFREG | 0600, ASH_NOSLICE);
        for (unsigned i = 0; i < 300; i++)
                add(&f, middle, ash_arena_printf(f.arena, "directory-%u", i), S_IFDIR | 0711, ASH_NOSLICE);
        add(&f, 0, "lost+found", S_IFDIR | 0700, ASH_NOSLICE);
        AshExt4Usage u;
        judge(&f, 0, &u);
        assert_says(debugfs(&f, "htree /big"), "Indirect levels: 1");
        assert_says(debugfs(&f, "stat /middle"), "Links: 302");
        assert_says(debugfs(&f, "stat /big/a-name-that-is-long-enough-to-fill-blocks-007919-\xc3\xbc-1"), "Type: regular");
}

/* Holes in many places: extents in leaves; and a file over group borders. */
static void test_ext4_extents(void **state) {
        (void) state;
        Fs f __attribute__((__cleanup__(fs_done)));
        enum { PIECES = 900, STRIDE = 80 * 1024, MANY = 1500 };
        _free_ char *bytes = ash_calloc(PIECES, STRIDE), *large = ash_malloc(300 << 20);
        fs_init(&f);
        for (size_t i = 0; i < PIECES; i++)
                memset(bytes + i * STRIDE, 'x', 4096);
        memset(large, 'l', 300 << 20);
        add(&f, 0, "holes", S_IFREG | 0644, ash_slice(bytes, (size_t) PIECES * STRIDE - 5));
        _free_ char *many = ash_calloc(MANY, STRIDE);
        for (size_t i = 0; i < MANY; i++)
                many[i * STRIDE] = 'x';
        add(&f, 0, "many", S_IFREG | 0644, ash_slice(many, (size_t) MANY * STRIDE)); /* more holes than extents: it has none */
        add(&f, 0, "large", S_IFREG | 0644, ash_slice(large, (300 << 20) - 1));
        AshExt4Usage u;
        judge(&f, 0, &u);
        debugfs(&f, "dump /holes holes");
        debugfs(&f, "dump /large large");
        _bytes_ AshBytes back = {}, back_large = {};
        assert_int_equal(ash_file_map(temp->fd, "holes", &back), 0);
        assert_int_equal(back.len, (size_t) PIECES * STRIDE - 5);
        assert_memory_equal(back.ptr, bytes, back.len);
        assert_int_equal(ash_file_map(temp->fd, "large", &back_large), 0);
        assert_memory_equal(back_large.ptr, large, (300 << 20) - 1);
        assert_true(ash_slice_find(debugfs(&f, "stat /holes"), ASH_S("Blockcount: 7224")) > 0); /* 900 blocks and three leaves, in sectors */
}

static void test_ext4_attributes(void **state) {
        (void) state;
        /* user::rw-, user:7:r--, group::r--, mask::r--, other::---: as getxattr(2) gives it */
        static const char acl[] = "\2\0\0\0" "\1\0\6\0\xff\xff\xff\xff" "\2\0\4\0\7\0\0\0" "\4\0\4\0\xff\xff\xff\xff" "\x10\0\4\0\xff\xff\xff\xff" "\x20\0\0\0\xff\xff\xff\xff";
        Fs f __attribute__((__cleanup__(fs_done)));
        _free_ char *long_value = ash_malloc(3000);
        memset(long_value, 'v', 3000);
        AshExt4Xattr small[] = { { ASH_S("security.capability"), ash_slice("\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20) } },
                     both[] = { small[0], { ASH_S("security.selinux"), ASH_S("system_u:object_r:bin_t:s0\0") }, { ASH_S("user.long"), ash_slice(long_value, 3000) }, { ASH_S("user.none"), ASH_S("") } },
                     label[] = { { ASH_S("security.selinux"), ASH_S("system_u:object_r:bin_t:s0\0") } }, listed[] = { { ASH_S("system.posix_acl_access"), ash_slice(acl, sizeof acl - 1) } };
        fs_init(&f);
        const struct { const char *name; const AshExt4Xattr *x; uint32_t n; } rows[] = { { "small", small, 1 }, { "both", both, 4 }, { "label", label, 1 }, { "acl", listed, 1 } };
        for (size_t i = 0; i < ASH_N(rows); i++) {
                uint32_t n = add(&f, 0, rows[i].name, S_IFREG | 0640, ASH_S("x"));
                f.nodes.items[n].xattrs = rows[i].x;
                f.nodes.items[n].n_xattrs = rows[i].n;
        }
        for (unsigned i = 0; i < 2500; i++) { /* more than may share a block */
                uint32_t n = add(&f, 0, ash_arena_printf(f.arena, "shared-%u", i), S_IFREG | 0640, ASH_NOSLICE);
                f.nodes.items[n].xattrs = both;
                f.nodes.items[n].n_xattrs = 4;
        }
        AshExt4Usage u;
        judge(&f, 0, &u);
        assert_says(debugfs(&f, "ea_get -x /small security.capability"), "01 00 00 02 00 20");
        assert_says(debugfs(&f, "ea_get /both security.selinux"), "system_u:object_r:bin_t:s0");
        assert_says(debugfs(&f, "ea_list /both"), "user.long (3000)");
        assert_says(debugfs(&f, "ea_list /shared-2499"), "user.none (0)");
        assert_says(debugfs(&f, "ea_get -x /acl system.posix_acl_access"), "02 00 00 00 01 00 06 00 00 00 00 00 02 00 04 00 07 00 00 00 04 00 04 00");
        AshSlice block = debugfs(&f, "stat /shared-0");
        assert_true(ash_slice_find(block, ASH_S("File ACL: 0")) < 0);

        static const struct { AshExt4Xattr x; const char *says; } bad[] = { { { { "security.big", 12 }, { NULL, 5000 } }, "need more than a block" }, { { { "other.name", 10 }, { "v", 1 } }, "no place" },
                                                                           { { { "system.posix_acl_access", 23 }, { "abc", 3 } }, "no place" } };
        _free_ char *zeros = ash_calloc(1, 5000);
        for (size_t i = 0; i < ASH_N(bad); i++) {
                _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
                AshExt4 *e = NULL;
                AshExt4Xattr x = bad[i].x;
                x.value.ptr = x.value.ptr ? x.value.ptr : zeros;
                f.nodes.items[1].xattrs = &x;
                assert_true(ash_ext4_new(f.nodes.items, f.nodes.n, &f.o, &e, diags) < 0);
                assert_says(ash_slice_str(ash_diags_at(diags, 0)->text), bad[i].says);
        }
}

static void test_ext4_nodes(void **state) {
        (void) state;
        Fs f __attribute__((__cleanup__(fs_done)));
        fs_init(&f);
        char name[256], target[4096];
        memset(name, 'n', 255);
        memset(target, 't', 4095);
        name[255] = 0;
        uint32_t dev = add(&f, 0, "wide", S_IFCHR | 0600, ASH_NOSLICE), old = add(&f, 0, "old", S_IFREG | 0644, ASH_S("a")), late = add(&f, 0, "late", S_IFREG | 0644, ASH_S("b"));
        f.nodes.items[dev].major = 300;
        f.nodes.items[dev].minor = 70000;
        f.nodes.items[old].mtime = -86400;
        f.nodes.items[old].uid = 70000;
        f.nodes.items[old].gid = 4000000000U;
        f.nodes.items[late].mtime = 5000000000; /* the year 2128 */
        add(&f, 0, name, S_IFSOCK | 0600, ASH_NOSLICE);
        add(&f, 0, "longest", S_IFLNK | 0777, ash_slice(target, 4095));
        uint32_t again = add(&f, 0, "again", 0, ASH_NOSLICE);
        f.nodes.items[again].same = old;
        AshExt4Usage u;
        judge(&f, 0, &u);
        assert_says(debugfs(&f, "stat /wide"), "(New-style) Device major/minor number: 300:70000");
        assert_says(debugfs(&f, "stat /late"), "2128");
        assert_says(debugfs(&f, "stat /old"), "1969");
        assert_says(debugfs(&f, "stat /again"), "User: 70000   Group: -294967296"); /* as debugfs prints 4000000000 */
        assert_says(debugfs(&f, "stat /again"), "Links: 2");

        static const struct { const char *name; uint32_t parent, mode; } bad[] = { { "a/b", 0, S_IFREG }, { "", 0, S_IFREG }, { "..", 0, S_IFREG }, { "old", 0, S_IFREG }, { "x", 2, S_IFREG }, { "y", 0, 0 }, { "l", 0, S_IFLNK } };
        size_t n = f.nodes.n;
        for (size_t i = 0; i < ASH_N(bad); i++) {
                AshExt4 *e = NULL;
                f.nodes.n = n;
                add(&f, bad[i].parent, bad[i].name, bad[i].mode, ASH_NOSLICE);
                assert_true(ash_ext4_new(f.nodes.items, f.nodes.n, &f.o, &e, NULL) < 0);
        }
}

/* ---- FAT ---- */
static void test_fat(void **state) {
        (void) state;
        static const unsigned mib[] = { 3, 8, 31, 33, 40, 64, 100, 256, 300, 2000, 9000, 40000 };
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        ASH_ARRAY(AshFatNode) nodes = {};
        ash_array_push(&nodes, ((AshFatNode){ .directory = true }));
        ash_array_push(&nodes, ((AshFatNode){ .name = ASH_S("EFI"), .directory = true, .mtime = 1700000001 }));
        for (unsigned i = 0; i < 200; i++) /* the same short name for all */
                ash_array_push(&nodes, ((AshFatNode){ .name = ash_slice_str(ash_arena_printf(arena, "a long name of file number %u.conf", i)), .parent = 1, .mtime = -5, .bytes = ASH_S("x") }));
        ash_array_push(&nodes, ((AshFatNode){ .name = ASH_S(".hidden"), .parent = 1, .bytes = ASH_S("h") }));
        ash_array_push(&nodes, ((AshFatNode){ .name = ASH_S("PLAIN.TXT"), .parent = 1, .mtime = 4000000000, .bytes = ASH_S("p") }));
        ash_array_push(&nodes, ((AshFatNode){ .name = ASH_S("\xc3\xbc\xf0\x9f\x90\xa7.x"), .parent = 1 }));
        AshFatOptions o = { .volume_id = 0x12345678, .label = "esp", .time = 1700000000 };
        for (size_t i = 0; i < ASH_N(mib); i++) {
                _cleanup_(ash_fat_free_p) AshFat *f = NULL;
                _cleanup_(ash_sparse_free_p) AshSparse *s = ash_sparse_new();
                AshFatUsage u;
                assert_int_equal(ash_fat_new(nodes.items, nodes.n, &o, &f, NULL), 0);
                s->size = (uint64_t) mib[i] << 20;
                assert_int_equal(ash_fat_put(f, s->size, 0, s, &u), 0);
                assert_int_equal(u.bits, mib[i] < 33 ? 16 : 32);
                write_image(s, "fat", 1);
                AshSlice out = run(arena, (const char *const[]){ "fsck.fat", "-n", "fat", NULL }, 0);
                assert_says(out, ash_arena_printf(arena, "/%llu clusters", (unsigned long long) u.clusters));
                assert_says(run(arena, (const char *const[]){ "mdir", "-b", "-i", "fat", "::EFI", NULL }, 0), "a long name of file number 199.conf");
        }
        _cleanup_(ash_fat_free_p) AshFat *small = NULL;
        assert_int_equal(ash_fat_new(nodes.items, nodes.n, &o, &small, NULL), 0);
        assert_int_equal(ash_fat_put(small, 1 << 20, 0, NULL, NULL), -ENOSPC);
        assert_true(ash_fat_size(small, 0) <= 4 << 20);

        static const char *const bad[] = { "a:b", "dot.", "space ", "PLAIN.txt", "bad\xff", "q?" };
        for (size_t i = 0; i < ASH_N(bad); i++) {
                AshFat *f = NULL;
                ash_array_push(&nodes, ((AshFatNode){ .name = ash_slice_str(bad[i]), .parent = 1 }));
                assert_true(ash_fat_new(nodes.items, nodes.n, &o, &f, NULL) < 0);
                nodes.n--;
        }
        ash_array_done(&nodes);
}

/* ---- GPT ---- */
static void test_gpt(void **state) {
        (void) state;
        uint8_t disk[16] = { 1 };
        uint64_t size = 10 << 20;
        AshGptPartition p[2] = { { .type = { 1 }, .uuid = { 2 }, .offset = 1 << 20, .size = 1 << 20, .label = "one" }, { .type = { 3 }, .uuid = { 4 }, .offset = 2 << 20, .size = 7 << 20, .label = "\xf0\x9f\x90\xa7" } };
        _cleanup_(ash_sparse_free_p) AshSparse *s = ash_sparse_new();
        s->size = size;
        assert_int_equal(ash_gpt_put(p, 2, disk, size, s), 0);
        write_image(s, "gpt", 1);
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        assert_says(run(arena, (const char *const[]){ "sfdisk", "--verify", "gpt", NULL }, 0), "No errors detected");
        p[1].offset = 3 << 19;
        assert_int_equal(ash_gpt_put(p, 2, disk, size, s), -EINVAL); /* overlap */
        p[1].offset = 2 << 20;
        p[1].size = 8 << 20;
        assert_int_equal(ash_gpt_put(p, 2, disk, size, s), -EINVAL); /* the table at the end */
        p[1].size = 1000;
        assert_int_equal(ash_gpt_put(p, 2, disk, size, s), -EINVAL);
        p[1].size = 1 << 20;
        p[1].label = "a-label-of-more-than-thirty-six-units";
        assert_int_equal(ash_gpt_put(p, 2, disk, size, s), -ASH_ERR_LIMIT);
        assert_int_equal(ash_gpt_put(p, 129, disk, size, s), -ASH_ERR_LIMIT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_crc), cmocka_unit_test(test_sizes), cmocka_unit_test(test_uuid), cmocka_unit_test(test_sparse), cmocka_unit_test(test_ext4_sizes), cmocka_unit_test(test_ext4_no_space),
                cmocka_unit_test(test_ext4_directories), cmocka_unit_test(test_ext4_extents), cmocka_unit_test(test_ext4_attributes), cmocka_unit_test(test_ext4_nodes), cmocka_unit_test(test_fat), cmocka_unit_test(test_gpt),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
