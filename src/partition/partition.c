#include "partition.h"
#include "io.h"

/* UAPI Group, Discoverable Partitions Specification. */
typedef struct Type {
        const char *name, *arch, *guid, *mount;
        AshFilesystem fs;
        bool found;
} Type;
static const Type types[] = {
        { "esp",      NULL,      "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "/efi",     ASH_FS_VFAT, true },
        { "xbootldr", NULL,      "bc13c2ff-59e6-4262-a352-b275fd6f7172", "/boot",    ASH_FS_VFAT, true },
        { "root",     "x86_64",  "4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "/",        ASH_FS_EXT4, true },
        { "root",     "aarch64", "b921b045-1df0-41c3-af44-4c6f280d3fae", "/",        ASH_FS_EXT4, true },
        { "root",     "riscv64", "72ec70a6-cf74-40e6-bd49-4bda08e8f224", "/",        ASH_FS_EXT4, true },
        { "root",     "ppc64le", "c31c45e6-3f39-412e-80fb-4809c4980599", "/",        ASH_FS_EXT4, true },
        { "root",     "s390x",   "5eead9a9-fe09-4a1e-a1d7-520d00531306", "/",        ASH_FS_EXT4, true },
        { "usr",      "x86_64",  "8484680c-9521-48c6-9c11-b0720656f69e", "/usr",     ASH_FS_EXT4, true },
        { "usr",      "aarch64", "b0e01050-ee5f-4390-949a-9101b17104e9", "/usr",     ASH_FS_EXT4, true },
        { "usr",      "riscv64", "beaec34b-8442-439b-a40b-984381ed097d", "/usr",     ASH_FS_EXT4, true },
        { "usr",      "ppc64le", "15bb03af-77e7-4d4a-b12b-c0d084f7491c", "/usr",     ASH_FS_EXT4, true },
        { "usr",      "s390x",   "8a4f5770-50aa-4ed3-874a-99b710db6fea", "/usr",     ASH_FS_EXT4, true },
        { "home",     NULL,      "933ac7e1-2eb4-4f13-b844-0e14e2aef915", "/home",    ASH_FS_EXT4, true },
        { "srv",      NULL,      "3b8f8425-20e0-4f3b-907f-1a25a76f98e8", "/srv",     ASH_FS_EXT4, true },
        /* systemd takes this one only when its identifier follows from the machine's, which is not known yet. */
        { "var",      NULL,      "4d21b016-b534-45c2-a9fb-5c16e091fd2d", "/var",     ASH_FS_EXT4, false },
        { "tmp",      NULL,      "7ec6f557-3bc5-4aca-b293-16ef5df639d1", "/var/tmp", ASH_FS_EXT4, true },
        { "swap",     NULL,      "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", "",         ASH_FS_SWAP, true },
        { "linux",    NULL,      "0fc63daf-8483-4772-8e79-3d69d8477de4", "",         ASH_FS_EXT4, false },
};
static const char *const filesystems[ASH_FS_MAX_] = { "none", "ext4", "vfat", "swap" };

const char *ash_filesystem_name(AshFilesystem fs) { return filesystems[fs]; }

void ash_uuid_derive(AshSlice seed, AshSlice name, uint8_t ret[static 16]) {
        _str_ AshStr text = {};
        uint8_t space[16], sum[ASH_DIGEST_SIZE_MAX];
        if (ash_uuid_parse(seed, space) < 0)
                ash_str_append(&text, seed); /* a lock without one: still the same for the same */
        else
                ash_str_append(&text, ash_slice((char *) space, 16));
        ash_str_append(&text, name);
        ash_digest_of(ASH_SHA1, ash_str_slice(&text), sum);
        sum[6] = (sum[6] & 0x0f) | 0x50;
        sum[8] = (sum[8] & 0x3f) | 0x80;
        memcpy(ret, sum, 16);
}

int ash_size_parse(AshSlice text, uint64_t *ret, bool *ret_percent) {
        static const struct { char unit; unsigned shift; } units[] = { { 'K', 10 }, { 'M', 20 }, { 'G', 30 }, { 'T', 40 }, { '%', 0 } };
        unsigned shift = 0;
        bool percent = false;
        *ret = 0;
        *ret_percent = false;
        if (ash_slice_eqs(text, "auto"))
                return 0;
        for (size_t i = 0; i < ASH_N(units) && text.len; i++)
                if (text.ptr[text.len - 1] == units[i].unit) {
                        shift = units[i].shift;
                        percent = units[i].unit == '%';
                        text.len--;
                        break;
                }
        uint64_t n;
        int r = ash_slice_to_u64(text, 10, &n);
        if (r < 0 || n > UINT64_MAX >> shift >> 1)
                return -EINVAL;
        *ret = n << shift;
        *ret_percent = percent;
        return 0;
}

/* ---- one partition ---- */
typedef struct Context {
        const AshImage *image;
        AshSlice seed, arch;
        AshArena *arena;
        AshDiags *diags;
} Context;

static void derive(const Context *c, const char *what, size_t i, const char *name, uint8_t ret[static 16]) {
        _free_ char *text = ash_asprintf("image %.*s %.*s %s %zu %s", ASH_F(c->image->name.s), ASH_F(c->arch), what, i, name);
        ash_uuid_derive(c->seed, ash_slice_str(text), ret);
}

static const Type *find_type(const Context *c, AshSlice name) {
        for (size_t i = 0; i < ASH_N(types); i++)
                if (ash_slice_eqs(name, types[i].name) && (!types[i].arch || ash_slice_eqs(c->arch, types[i].arch)))
                        return &types[i];
        return NULL;
}

static int unknown_type(const Context *c, AshText type) {
        int r;
        for (size_t i = 0; i < ASH_N(types); i++)
                if (ash_slice_eqs(type.s, types[i].name))
                        return ash_fail(c->diags, -ASH_ERR_CONFIG, type.at, "no partition type is known for '%.*s' of %.*s", ASH_F(type.s), ASH_F(c->arch));
        AshSlice names[ASH_N(types)];
        for (size_t i = 0; i < ASH_N(types); i++)
                names[i] = ash_slice_str(types[i].name);
        ptrdiff_t near = ash_slice_nearest(type.s, names, ASH_N(types));
        r = ash_fail(c->diags, -ASH_ERR_CONFIG, type.at, "'%.*s' is no partition type, and no GUID", ASH_F(type.s));
        ash_hint(c->diags, near >= 0 ? "did you mean '%s'?" : "known are esp, xbootldr, root, usr, home, srv, var, tmp, swap and linux%.0s", near >= 0 ? types[near].name : "");
        return r;
}

static int sizes_of(const Context *c, const AshImagePartition *o, AshPartition *p) {
        bool percent = false;
        uint64_t n;
        p->margin_percent = 20;
        if (ash_text_set(o->size) && (ash_size_parse(o->size.s, &p->size, &percent) < 0 || percent))
                return ash_fail(c->diags, -ASH_ERR_CONFIG, o->size.at, "'%.*s' is no size of a partition: \"auto\", or bytes with an optional K, M, G or T", ASH_F(o->size.s));
        if (!ash_text_set(o->margin))
                return 0;
        if (ash_slice_eqs(o->margin.s, "auto") || ash_size_parse(o->margin.s, &n, &percent) < 0 || (percent && n > 10000))
                return ash_fail(c->diags, -ASH_ERR_CONFIG, o->margin.at, "'%.*s' is no margin: a percentage, or bytes with an optional K, M, G or T", ASH_F(o->margin.s));
        p->margin_percent = percent ? (unsigned) n : 0;
        p->margin = percent ? 0 : n;
        return 0;
}

static int filesystem_of(const Context *c, const AshImagePartition *o, const Type *type, AshPartition *p) {
        p->fs = type ? type->fs : ASH_FS_NONE;
        if (!ash_text_set(o->filesystem))
                return 0;
        for (size_t i = 0; i < ASH_N(filesystems); i++)
                if (ash_slice_eqs(o->filesystem.s, filesystems[i])) {
                        p->fs = (AshFilesystem) i;
                        return 0;
                }
        int r = ash_fail(c->diags, -ASH_ERR_CONFIG, o->filesystem.at, "the file system '%.*s' is not supported yet", ASH_F(o->filesystem.s));
        ash_hint(c->diags, "what can be written: ext4, vfat, swap");
        return r;
}

static int mount_of(const Context *c, const AshImagePartition *o, const Type *type, AshPartition *p) {
        p->mount = ash_text_set(o->mount) ? o->mount.s : ash_slice_str(type && p->fs != ASH_FS_SWAP && p->fs != ASH_FS_NONE ? type->mount : "");
        if (ash_slice_eqs(p->mount, "none") || ash_slice_eqs(p->mount, "swap"))
                p->mount = ASH_S("");
        if (!p->mount.len)
                return 0;
        _free_ char *plain = ash_path_normalize(p->mount);
        if (p->mount.ptr[0] != '/' || !ash_slice_eqs(p->mount, plain))
                return ash_fail(c->diags, -ASH_ERR_CONFIG, o->mount.at, "'%.*s' is no absolute path of a mount point", ASH_F(p->mount));
        if (p->fs == ASH_FS_SWAP || p->fs == ASH_FS_NONE)
                return ash_fail(c->diags, -ASH_ERR_CONFIG, o->mount.at, "a partition with the file system '%s' has no mount point", filesystems[p->fs]);
        return 0;
}

static int label_of(const Context *c, const AshImagePartition *o, AshPartition *p) {
        static const size_t most[ASH_FS_MAX_] = { 36, 16, 11, 15 };
        p->label = ash_text_set(o->label) ? ash_arena_strndup(c->arena, o->label.s.ptr, o->label.s.len) : p->name;
        size_t limit = ash_text_set(o->label) ? most[p->fs] : 36;
        if (strlen(p->label) > limit)
                return ash_fail(c->diags, -ASH_ERR_CONFIG, o->label.at, "the label '%s' is longer than the %zu bytes that %s has", p->label, limit, p->fs ? filesystems[p->fs] : "a partition table");
        return 0;
}

static int fill(const Context *c, const AshImagePartition *o, size_t i, AshPartition *p) {
        const Type *type = find_type(c, o->type.s);
        *p = (AshPartition){ .own = o, .at = o->at, .options = o->options.s, .read_only = o->read_only.value == ASH_YES };
        p->name = ash_arena_strndup(c->arena, o->type.s.ptr, o->type.s.len);
        if (ash_uuid_parse(type ? ash_slice_str(type->guid) : o->type.s, p->type) < 0)
                return unknown_type(c, o->type);
        p->grow = o->grow.value == ASH_YES || (o->grow.value == ASH_UNSET && !strcmp(p->name, "root"));
        derive(c, "partition", i, p->name, p->uuid);
        derive(c, "file system", i, p->name, p->fs_uuid);
        if (ash_text_set(o->uuid) && ash_uuid_parse(o->uuid.s, p->uuid) < 0)
                return ash_fail(c->diags, -ASH_ERR_CONFIG, o->uuid.at, "'%.*s' is no UUID", ASH_F(o->uuid.s));
        ash_uuid_text(p->uuid, p->uuid_text);
        int r = filesystem_of(c, o, type, p);
        if (r >= 0)
                r = sizes_of(c, o, p);
        if (r >= 0)
                r = mount_of(c, o, type, p);
        if (r >= 0)
                r = label_of(c, o, p);
        p->found = type && type->found && !p->options.len && (ash_slice_eqs(p->mount, type->mount) || (!strcmp(p->name, "esp") && ash_slice_eqs(p->mount, "/boot")));
        return r;
}

/* ---- all of them ---- */
static int check(const Context *c, const AshPartitions *p) {
        const AshPartition *root = NULL;
        int r = 0;
        for (size_t i = 0; i < p->n; i++) {
                if (ash_slice_eqs(p->items[i].mount, "/"))
                        root = &p->items[i];
                for (size_t k = 0; k < i; k++) {
                        if (p->items[i].mount.len && ash_slice_eq(p->items[i].mount, p->items[k].mount)) {
                                r = ash_fail(c->diags, -ASH_ERR_CONFIG, p->items[i].at, "two partitions have the mount point '%.*s'", ASH_F(p->items[i].mount));
                                ash_note(c->diags, p->items[k].at, "the other one is here");
                        }
                        if (!memcmp(p->items[i].uuid, p->items[k].uuid, 16))
                                r = ash_fail(c->diags, -ASH_ERR_CONFIG, p->items[i].at, "two partitions have the identifier %s", p->items[i].uuid_text);
                }
        }
        if (!root) {
                r = ash_fail(c->diags, -ASH_ERR_CONFIG, c->image->partitions.n ? c->image->partitions.items[0].at : c->image->name.at, "the disk has no partition for '/'");
                ash_hint(c->diags, "add one with type = \"root\"");
        } else if (root->fs != ASH_FS_EXT4)
                r = ash_fail(c->diags, -ASH_ERR_CONFIG, root->at, "the file system of '/' is %s: it has no owners and modes", filesystems[root->fs]);
        return r;
}

int ash_partitions(const AshImage *image, AshSlice seed, AshSlice arch, AshArena *arena, AshPartitions *ret, AshDiags *diags) {
        static const AshImagePartition esp = { .type = { .s = { "esp", 3 } } }, root = { .type = { .s = { "root", 4 } } };
        Context c = { image, seed, arch, arena, diags };
        bool boots = !ash_slice_eqs(image->boot_loader.s, "none");
        size_t n = image->partitions.n ? image->partitions.n : boots ? 2 : 1;
        AshPartitions p = { .items = ash_arena_new_items(arena, AshPartition, n), .n = n };
        int r = 0;
        for (size_t i = 0; i < n; i++) {
                int one = fill(&c, image->partitions.n ? &image->partitions.items[i] : i + 1 == n ? &root : &esp, i, &p.items[i]);
                if (!image->partitions.n) {
                        p.items[i].own = NULL;
                        p.items[i].at = image->name.at;
                }
                r = r < 0 ? r : one;
        }
        if (r >= 0)
                r = check(&c, &p);
        if (r < 0)
                return r;
        derive(&c, "disk", 0, "", p.disk);
        *ret = p;
        return 0;
}

const AshPartition *ash_partition_find(const AshPartitions *p, const char *name) {
        for (size_t i = 0; i < p->n; i++)
                if (!strcmp(p->items[i].name, name))
                        return &p->items[i];
        return NULL;
}
