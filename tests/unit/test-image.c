/* Trees as text and back, and what every writer makes of both: the same bytes, with any number of threads. The golden text says what the format is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "image.h"

static const char golden[] =
        "# ashlar tree 1\n"
        "/ dir 0755 0:0 root:root 0 implied:\n"
        "/dev dir 0755 0:0 root:root 5 package:a-1-1.x86_64\n"
        "/dev/sda block 0660 0:6 root:disk 5 handler:tmpfiles rdev=2049\n"
        "/dev/zero char 0666 0:0 root:root 5 handler:tmpfiles rdev=261\n"
        "/etc dir 0755 0:0 root:root 5 package:a-1-1.x86_64\n"
        "/etc/a\\x20b\\x5c\\xc3\\xbc file 0640 0:7 root:shadow 6 definition:files./etc/a\\x20b size=3 sha256=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad flags=cn\n"
        "/etc/empty file 0644 0:0 root:root 6 package:b-1-1.noarch size=0 flags=dlg\n"
        "/etc/link link 0777 0:0 root:root 6 package:b-1-1.noarch to=../etc/a\\x20b\\x5c\\xc3\\xbc\n"
        "/run dir 0755 0:0 root:root 0 implied:\n"
        "/run/fifo fifo 0600 70000:4000000 u:g -1 handler:tmpfiles\n"
        "/usr dir 2755 0:0 root:root 5 package:a-1-1.x86_64\n"
        "/usr/big file 4755 0:0 root:root 5 package:a-1-1.x86_64 size=9437184 sha256=@BIG@ xattr.security.capability=0100000200040000\n"
        "/usr/two file 4755 0:0 root:root 5 package:a-1-1.x86_64 hard=/usr/big xattr.security.capability=0100000200040000\n";

/* Nine MiB that compress a little: several chunks, and a part that does not. */
static char *big;
enum { BIG = 9 << 20 };

static void make_big(void) {
        uint32_t x = 7;
        big = ash_malloc(BIG);
        for (size_t i = 0; i < BIG; i++)
                big[i] = (char) (i & 4096 ? (x = x * 1664525U + 1013904223U) >> 24 : i >> 3);
}

static int bytes_of(void *context, AshSlice hex, AshArena *arena, AshSlice *ret, AshDiags *diags) {
        const AshSlice all[] = { ash_slice(big, BIG), ASH_S("abc") };
        char text[65];
        (void) context, (void) arena, (void) diags;
        for (size_t i = 0; i < ASH_N(all); i++) {
                ash_digest_hex_of(ASH_SHA256, all[i], text);
                if (ash_slice_eqs(hex, text)) {
                        *ret = all[i];
                        return 0;
                }
        }
        return -ENOENT;
}

static AshTree *parse(AshSlice text, AshSource **ret_source) {
        const AshDumpContent content = { .bytes = bytes_of };
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        AshTree *t = NULL;
        *ret_source = ash_source_new("dump", text);
        int r = ash_tree_parse(*ret_source, &content, &t, diags);
        for (size_t i = 0; i < ash_diags_n(diags); i++)
                print_error("%s\n", ash_diags_at(diags, i)->text);
        assert_int_equal(r, 0);
        return t;
}

static void golden_text(AshStr *out) {
        char hex[65];
        AshSlice rest = ash_slice_str(golden);
        ash_digest_hex_of(ASH_SHA256, ash_slice(big, BIG), hex);
        ptrdiff_t at = ash_slice_find(rest, ASH_S("@BIG@"));
        ash_str_append(out, ash_slice(rest.ptr, (size_t) at));
        ash_str_append_str(out, hex);
        ash_str_append(out, ash_slice_from(rest, (size_t) at + 5));
}

static void test_golden(void **state) {
        AshSource *source, *source2;
        _str_ AshStr text = {}, dump = {}, again = {};
        (void) state;
        golden_text(&text);
        AshTree *t = parse(ash_str_slice(&text), &source);
        ash_tree_dump(t, &dump);
        assert_string_equal(dump.ptr, text.ptr);
        AshTree *u = parse(ash_str_slice(&dump), &source2);
        ash_tree_dump(u, &again);
        assert_string_equal(again.ptr, text.ptr);
        ash_tree_free(t);
        ash_tree_free(u);
        ash_source_free(source);
        ash_source_free(source2);
}

/* ---- writers ---- */
static void digest_below(int dirfd, const char *path, AshStr *out) {
        _dirlist_ AshDirList list = {};
        assert_int_equal(ash_dir_list(dirfd, path, &list), 0);
        ash_array_foreach(&list.entries, e) {
                _free_ char *below = ash_path_join(path, e->name);
                struct stat st;
                uint8_t sha256[32];
                char hex[65] = "", target[4096] = "";
                assert_int_equal(fstatat(dirfd, below, &st, AT_SYMLINK_NOFOLLOW), 0);
                if (S_ISREG(st.st_mode) && st.st_mode & 0400) {
                        assert_int_equal(ash_digest_file(ASH_SHA256, dirfd, below, sha256, NULL), 0);
                        ash_hex(sha256, 32, hex);
                }
                if (S_ISLNK(st.st_mode))
                        assert_true(readlinkat(dirfd, below, target, sizeof target - 1) > 0);
                ash_str_appendf(out, "%s %o %ld %s%s\n", below, st.st_mode, S_ISDIR(st.st_mode) ? 0 : (long) st.st_nlink, hex, target);
                if (S_ISDIR(st.st_mode))
                        digest_below(dirfd, below, out);
        }
}

/* Everything that can be written of a tree, as digests. */
static void write_all(const AshTree *t, unsigned threads, bool cached, AshStr *out) {
        char dir[] = "/tmp/ashlar-image-XXXXXX", store_path[] = "/tmp/ashlar-image-store-XXXXXX";
        AshStore *store = NULL;
        AshSlice tag = ASH_S("t");
        uint32_t layers[8] = { 2, 0, 1, 2, 2, 2, 2, 2 };
        assert_non_null(mkdtemp(dir));
        assert_non_null(mkdtemp(store_path));
        int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (cached)
                assert_int_equal(ash_store_open(store_path, &store, NULL), 0);
        for (size_t i = 0; i < t->origins.n; i++)
                layers[i] = ash_slice_starts(t->origins.items[i].name, ASH_S("a-")) ? 0 : ash_slice_starts(t->origins.items[i].name, ASH_S("b-")) ? 1 : 2;
        for (int round = 0; round <= cached; round++) { /* the second time the chunks come from the store */
                for (AshCompression c = ASH_COMP_NONE; c <= ASH_COMP_ZSTD; c++) {
                        if (c != ASH_COMP_NONE && c != ASH_COMP_GZIP && c != ASH_COMP_ZSTD)
                                continue;
                        AshImageFacts f = { .name = "x", .arch = "aarch64", .time = 5, .compression = c, .threads = threads, .store = store, .tags = &tag, .n_tags = 1 };
                        AshOciImage image;
                        AshWritten written;
                        for (int kind = 0; kind < 2; kind++) {
                                _free_ char *name = ash_asprintf("oci-%s-%d", ash_compression_name(c), kind);
                                f.layers = kind ? layers : NULL;
                                f.n_layers = 3;
                                assert_true(mkdirat(fd, name, 0755) == 0 || round);
                                _close_ int sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                                assert_int_equal(ash_oci_add(sub, t, &f, &image, NULL), 0);
                                assert_int_equal(ash_oci_finish(sub, &f, &image, 1, NULL), 0);
                        }
                        for (int kind = 0; kind < 2; kind++) {
                                _cleanup_(ash_layout_free_p) AshLayout *l = ash_layout_new();
                                _free_ char *name = ash_asprintf("%s-%s", kind ? "cpio" : "tar", ash_compression_name(c));
                                _close_ int file = openat(fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
                                assert_int_equal(kind ? ash_layout_cpio(l, t, NULL) : ash_layout_tar(l, t, false, NULL), 0);
                                assert_int_equal(ash_layout_write(l, file, &(AshWriteOptions){ .compression = c, .threads = threads, .digest = true, .store = store }, &written, NULL), 0);
                                assert_int_equal(written.size, l->size);
                                uint8_t plain[32], packed[32];
                                ash_layout_digest(l, plain);
                                assert_memory_equal(plain, written.sha256, 32);
                                assert_int_equal(ash_digest_file(ASH_SHA256, fd, name, packed, NULL), 0);
                                assert_memory_equal(packed, written.compressed_sha256, 32);
                        }
                }
        }
        AshWritten written;
        _close_ int docker = openat(fd, "docker", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        assert_int_equal(ash_docker_write(docker, t, &(AshImageFacts){ .name = "x", .arch = "x86_64", .time = 5, .threads = threads }, &written, NULL), 0);
        assert_int_equal(mkdirat(fd, "plain", 0755), 0);
        int plain = openat(fd, "plain", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(ash_directory_write(plain, t, NULL), 0);
        close(plain);
        digest_below(fd, ".", out);
        close(fd);
        ash_store_free(store);
        assert_int_equal(ash_remove_all(AT_FDCWD, dir), 0);
        assert_int_equal(ash_remove_all(AT_FDCWD, store_path), 0);
}

static void test_writers(void **state) {
        AshSource *source, *source2;
        _str_ AshStr text = {}, dump = {}, first = {};
        (void) state;
        golden_text(&text);
        AshTree *t = parse(ash_str_slice(&text), &source);
        ash_tree_dump(t, &dump);
        AshTree *u = parse(ash_str_slice(&dump), &source2);
        write_all(t, 1, false, &first);
        const struct { const AshTree *tree; unsigned threads; bool cached; } runs[] = { { u, 1, false }, { u, 3, false }, { t, 8, true }, { u, 2, true } };
        for (size_t i = 0; i < ASH_N(runs); i++) {
                _str_ AshStr other = {};
                write_all(runs[i].tree, runs[i].threads, runs[i].cached, &other);
                assert_string_equal(other.ptr, first.ptr);
        }
        ash_tree_free(t);
        ash_tree_free(u);
        ash_source_free(source);
        ash_source_free(source2);
}

/* A chunk ends where members say so: what comes before a big file does not change that file's chunks. */
static void test_shared_chunks(void **state) {
        char path[] = "/tmp/ashlar-image-store-XXXXXX";
        _cleanup_(ash_store_free_p) AshStore *store = NULL;
        AshStoreUsage before, after;
        AshWritten written;
        (void) state;
        assert_non_null(mkdtemp(path));
        assert_int_equal(ash_store_open(path, &store, NULL), 0);
        int fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        for (int round = 0; round < 2; round++) {
                _cleanup_(ash_layout_free_p) AshLayout *l = ash_layout_new();
                for (int i = 0; i < 1 + 5 * round; i++) {
                        _free_ char *name = ash_asprintf("small-%d", i);
                        ash_layout_tar_file(l, name, 0, 5);
                }
                ash_layout_tar_file(l, "big", BIG, 5);
                ash_layout_add(l, ash_slice(big, BIG));
                ash_layout_tar_end(l);
                before = after;
                assert_int_equal(ash_layout_write(l, fd, &(AshWriteOptions){ .compression = ASH_COMP_ZSTD, .digest = true, .store = store }, &written, NULL), 0);
                assert_int_equal(ash_store_du(store, &after, NULL), 0);
        }
        assert_true(before.cached >= 4); /* three of the big one, the one before, and the digest of the stream */
        assert_int_equal(after.cached - before.cached, 2);
        close(fd);
        assert_int_equal(ash_remove_all(AT_FDCWD, path), 0);
}

static void test_bad_dumps(void **state) {
        static const char *const bad[] = {
                "", "x\n", "# ashlar tree 1\n/a dir 0755 0:0 r:r 0 implied:\n/a/b/c dir 0755 0:0 r:r 0 implied:\n", "# ashlar tree 1\n/a what 0755 0:0 r:r 0 implied:\n",
                "# ashlar tree 1\n/a dir 9 0:0 r:r 0 implied:\n", "# ashlar tree 1\n/a dir 0755 0:0 r:r 0 implied:\n/a dir 0755 0:0 r:r 0 implied:\n", "# ashlar tree 1\n/../a dir 0755 0:0 r:r 0 implied:\n",
                "# ashlar tree 1\n/a file 0644 0:0 r:r 0 implied: size=3\n", "# ashlar tree 1\n/a file 0644 0:0 r:r 0 implied: hard=/nothing\n", "# ashlar tree 1\n/a\\x00 dir 0755 0:0 r:r 0 implied:\n",
                "# ashlar tree 1\n/a file 0644 0:0 r:r 0 implied: size=4 sha256=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n",
        };
        (void) state;
        for (size_t i = 0; i < ASH_N(bad); i++) {
                _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
                _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("dump", ash_slice_str(bad[i]));
                const AshDumpContent content = { .bytes = bytes_of };
                AshTree *t = NULL;
                if (ash_tree_parse(source, &content, &t, diags) >= 0)
                        fail_msg("taken: %s", bad[i]);
                assert_true(ash_diags_n(diags) > 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_golden), cmocka_unit_test(test_writers), cmocka_unit_test(test_shared_chunks), cmocka_unit_test(test_bad_dumps) };
        make_big();
        int r = cmocka_run_group_tests(tests, NULL, NULL);
        free(big);
        return r;
}
