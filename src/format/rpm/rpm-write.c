/* RPM v4 packages: lead, signature header, header, payload. Format: rpm.org "RPM V4 Package format" and "RPM Tags". */
#include "rpm-write.h"
#include <sys/stat.h>

/* ---- headers ---- */
typedef struct Entry {
        uint32_t tag;
        AshRpmType type;
        uint32_t count;
        AshStr data;
} Entry;
typedef struct Builder {
        ASH_ARRAY(Entry) entries;
} Builder;

static void builder_done(Builder *b) {
        ash_array_foreach(&b->entries, e)
                ash_str_done(&e->data);
        ash_array_done(&b->entries);
}

static void put32(AshStr *s, uint32_t v) { ash_str_append(s, ash_slice((char[]){ (char) (v >> 24), (char) (v >> 16), (char) (v >> 8), (char) v }, 4)); }
static void put16(AshStr *s, uint32_t v) { ash_str_append(s, ash_slice((char[]){ (char) (v >> 8), (char) v }, 2)); }
static void put64(AshStr *s, uint64_t v) {
        put32(s, (uint32_t) (v >> 32));
        put32(s, (uint32_t) v);
}

static AshStr *add(Builder *b, uint32_t tag, AshRpmType type, size_t count) {
        Entry *e = ash_array_add(&b->entries);
        *e = (Entry){ tag, type, (uint32_t) count, {} };
        return &e->data;
}

static void add_text(Builder *b, uint32_t tag, AshRpmType type, AshSlice s) {
        AshStr *d = add(b, tag, type, 1);
        const char *nul = s.len ? memchr(s.ptr, '\0', s.len) : NULL; /* a NUL would end it for every reader */
        ash_str_append(d, nul ? ash_slice(s.ptr, (size_t) (nul - s.ptr)) : s);
        ash_str_append_char(d, '\0');
}
static void add_string(Builder *b, uint32_t tag, AshSlice s) {
        if (s.len > 0)
                add_text(b, tag, ASH_RPM_STRING, s);
}
static void add_u32(Builder *b, uint32_t tag, uint32_t v) { put32(add(b, tag, ASH_RPM_INT32, 1), v); }
static void add_bytes(Builder *b, uint32_t tag, AshSlice s) { ash_str_append(add(b, tag, ASH_RPM_BIN, s.len), s); }
static void put_string(AshStr *d, AshSlice s) {
        ash_str_append(d, s);
        ash_str_append_char(d, '\0');
}

static int entry_order(const void *a, const void *b) {
        uint32_t x = ((const Entry *) a)->tag, y = ((const Entry *) b)->tag;
        return x < y ? -1 : x > y;
}

static uint64_t alignment(AshRpmType t) { return t == ASH_RPM_INT16 ? 2 : t == ASH_RPM_INT32 ? 4 : t == ASH_RPM_INT64 ? 8 : 1; }

/* The whole header with its magic, under one region that covers everything. */
static void builder_finish(Builder *b, uint32_t region, AshStr *out) {
        qsort(b->entries.items, b->entries.n, sizeof(Entry), entry_order);
        _str_ AshStr index = {}, data = {};
        ash_array_foreach(&b->entries, e) {
                ash_str_append_fill(&data, '\0', ash_align_up(data.len, alignment(e->type)) - data.len);
                put32(&index, e->tag);
                put32(&index, e->type);
                put32(&index, (uint32_t) data.len);
                put32(&index, e->count);
                ash_str_append(&data, ash_str_slice(&e->data));
        }
        uint32_t il = (uint32_t) b->entries.n + 1;
        uint32_t trailer = (uint32_t) data.len;
        put32(&data, region);
        put32(&data, ASH_RPM_BIN);
        put32(&data, -(il * 16));
        put32(&data, 16);
        ash_str_append(out, ash_slice("\x8e\xad\xe8\x01\0\0\0\0", 8));
        put32(out, il);
        put32(out, (uint32_t) data.len);
        put32(out, region);
        put32(out, ASH_RPM_BIN);
        put32(out, trailer);
        put32(out, 16);
        ash_str_append(out, ash_str_slice(&index));
        ash_str_append(out, ash_str_slice(&data));
}

/* ---- files ---- */
typedef struct Plan { /* what is worked out before anything is written */
        const AshRpmNew *p;
        const AshRpmNewFile **files; /* sorted by path */
        uint32_t *inode;             /* by place in files */
        uint32_t *nlink;             /* members of its group */
        uint32_t *next;              /* the next member of its group; 0: none */
        bool *carries;               /* has its bytes in the payload: no ghost, and the last of its group */
        bool large;                  /* stripped cpio */
        uint64_t size;               /* installed bytes */
        uint64_t archive_size;
        char payload_hex[ASH_HEX_MAX], archive_hex[ASH_HEX_MAX];
        AshStr payload;
} Plan;

static void plan_done(Plan *plan) {
        free(plan->files);
        free(plan->inode);
        free(plan->nlink);
        free(plan->next);
        free(plan->carries);
        ash_str_done(&plan->payload);
}

static int path_order(const void *a, const void *b) { return ash_slice_cmp((*(const AshRpmNewFile *const *) a)->path, (*(const AshRpmNewFile *const *) b)->path); }

static uint64_t file_size(const AshRpmNewFile *f) {
        if (S_ISLNK(f->mode))
                return f->link.len;
        if (!S_ISREG(f->mode))
                return 0;
        return f->flags & ASH_RPMFILE_GHOST ? f->size : f->data.len;
}

static int check_file(const AshRpmNewFile *f, const AshRpmNewFile *before, AshDiags *diags) {
        if (f->path.len < 2 || f->path.ptr[0] != '/' || f->path.ptr[f->path.len - 1] == '/' || f->path.len > 4095)
                return ash_fail(diags, -EINVAL, ASH_NOWHERE, "'%.*s' cannot be a path in a package", ASH_F(f->path));
        if (before && ash_slice_eq(before->path, f->path))
                return ash_fail(diags, -EINVAL, ASH_NOWHERE, "'%.*s' is there twice", ASH_F(f->path));
        if (!(f->mode & S_IFMT) || f->mode > UINT16_MAX)
                return ash_fail(diags, -EINVAL, ASH_NOWHERE, "'%.*s' has no type", ASH_F(f->path));
        return 0;
}

/* Inode numbers count from 1 in the order of paths; members of a hard link group share one. The last member that is no ghost carries the bytes. */
static void number_inodes(Plan *plan) {
        size_t n = plan->p->n_files;
        _map_ AshMap groups = {};
        for (size_t i = 0; i < n; i++) {
                const AshRpmNewFile *f = plan->files[i];
                plan->inode[i] = (uint32_t) i + 1;
                plan->nlink[i] = 1;
                plan->carries[i] = !(f->flags & ASH_RPMFILE_GHOST);
                if (f->hardlink == 0 || f->flags & ASH_RPMFILE_GHOST)
                        continue;
                void *old = NULL;
                ash_map_put(&groups, ash_slice((const char *) &f->hardlink, sizeof(f->hardlink)), (void *) (uintptr_t) (i + 1), &old);
                if (!old)
                        continue;
                size_t last = (uintptr_t) old - 1;
                plan->inode[i] = plan->inode[last];
                plan->nlink[i] = plan->nlink[last] + 1;
                plan->carries[last] = false;
                plan->next[last] = (uint32_t) i;
        }
        for (size_t i = n; i-- > 0;) { /* the last member knows the count: hand it to the others */
                const AshRpmNewFile *f = plan->files[i];
                if (f->hardlink == 0 || f->flags & ASH_RPMFILE_GHOST)
                        continue;
                size_t last = (uintptr_t) ash_map_get(&groups, ash_slice((const char *) &f->hardlink, sizeof(f->hardlink))) - 1;
                plan->nlink[i] = plan->nlink[last];
        }
}

static int plan_files(Plan *plan, AshDiags *diags) {
        size_t n = plan->p->n_files;
        plan->files = ash_calloc(n + 1, sizeof(*plan->files));
        plan->inode = ash_calloc(n + 1, sizeof(*plan->inode));
        plan->nlink = ash_calloc(n + 1, sizeof(*plan->nlink));
        plan->next = ash_calloc(n + 1, sizeof(*plan->next));
        plan->carries = ash_calloc(n + 1, sizeof(*plan->carries));
        for (size_t i = 0; i < n; i++)
                plan->files[i] = &plan->p->files[i];
        qsort(plan->files, n, sizeof(*plan->files), path_order);
        for (size_t i = 0; i < n; i++) {
                int r = check_file(plan->files[i], i ? plan->files[i - 1] : NULL, diags);
                if (r < 0)
                        return r;
        }
        number_inodes(plan);
        for (size_t i = 0; i < n; i++) {
                uint64_t size = file_size(plan->files[i]);
                plan->large |= size > UINT32_MAX;
                if (plan->carries[i])
                        plan->size += size;
        }
        return 0;
}

static void add_file_numbers(const Plan *plan, Builder *b) {
        size_t n = plan->p->n_files;
        AshStr *d = add(b, plan->large ? ASH_RPMTAG_LONGFILESIZES : ASH_RPMTAG_FILESIZES, plan->large ? ASH_RPM_INT64 : ASH_RPM_INT32, n);
        for (size_t i = 0; i < n; i++) {
                uint64_t size = file_size(plan->files[i]);
                if (plan->large)
                        put64(d, size);
                else
                        put32(d, (uint32_t) size);
        }
        struct {
                uint32_t tag;
                AshRpmType type;
                size_t offset;
        } fields[] = {
                { ASH_RPMTAG_FILEMODES, ASH_RPM_INT16, offsetof(AshRpmNewFile, mode) },   { ASH_RPMTAG_FILERDEVS, ASH_RPM_INT16, offsetof(AshRpmNewFile, rdev) },
                { ASH_RPMTAG_FILEMTIMES, ASH_RPM_INT32, offsetof(AshRpmNewFile, mtime) }, { ASH_RPMTAG_FILEFLAGS, ASH_RPM_INT32, offsetof(AshRpmNewFile, flags) },
                { ASH_RPMTAG_FILECOLORS, ASH_RPM_INT32, offsetof(AshRpmNewFile, color) },
        };
        for (size_t k = 0; k < ASH_N(fields); k++) {
                d = add(b, fields[k].tag, fields[k].type, n);
                for (size_t i = 0; i < n; i++) {
                        uint32_t v = *(const uint32_t *) ((const char *) plan->files[i] + fields[k].offset);
                        if (fields[k].type == ASH_RPM_INT16)
                                put16(d, v);
                        else
                                put32(d, v);
                }
        }
        d = add(b, ASH_RPMTAG_FILEINODES, ASH_RPM_INT32, n);
        for (size_t i = 0; i < n; i++)
                put32(d, plan->inode[i]);
        d = add(b, ASH_RPMTAG_FILEDEVICES, ASH_RPM_INT32, n);
        for (size_t i = 0; i < n; i++)
                put32(d, 1);
        /* Of a ghost, and of what others write, rpm checks neither content nor time: RPMVERIFY_ALL without FILEDIGEST, FILESIZE, LINKTO and MTIME, as rpmbuild does. */
        d = add(b, ASH_RPMTAG_FILEVERIFYFLAGS, ASH_RPM_INT32, n);
        for (size_t i = 0; i < n; i++)
                put32(d, plan->files[i]->flags & ASH_RPMFILE_GHOST || plan->files[i]->unverified ? ~(uint32_t) (1 << 0 | 1 << 1 | 1 << 2 | 1 << 5) : ~(uint32_t) 0);
        add_u32(b, ASH_RPMTAG_FILEDIGESTALGO, ASH_RPMDIGEST_SHA256);
}

static void add_file_digests(const Plan *plan, Builder *b) {
        AshStr *d = add(b, ASH_RPMTAG_FILEDIGESTS, ASH_RPM_STRING_ARRAY, plan->p->n_files);
        char hex[ASH_HEX_MAX] = "";
        for (size_t i = 0; i < plan->p->n_files; i++) {
                const AshRpmNewFile *f = plan->files[i];
                bool has = S_ISREG(f->mode) && !(f->flags & ASH_RPMFILE_GHOST);
                if (has)
                        ash_digest_hex_of(ASH_SHA256, f->data, hex);
                put_string(d, has ? ash_slice_str(hex) : ASH_S(""));
        }
}

static void add_file_strings(const Plan *plan, Builder *b) {
        size_t n = plan->p->n_files;
        struct {
                uint32_t tag;
                size_t offset;
        } fields[] = {
                { ASH_RPMTAG_FILELINKTOS, offsetof(AshRpmNewFile, link) },
                { ASH_RPMTAG_FILEUSERNAME, offsetof(AshRpmNewFile, user) },
                { ASH_RPMTAG_FILEGROUPNAME, offsetof(AshRpmNewFile, group) },
                { ASH_RPMTAG_FILECAPS, offsetof(AshRpmNewFile, caps) },
        };
        bool caps = false;
        for (size_t i = 0; i < n; i++)
                caps |= plan->files[i]->caps.len > 0;
        for (size_t k = 0; k < ASH_N(fields); k++) {
                if (fields[k].tag == ASH_RPMTAG_FILECAPS && !caps)
                        continue;
                AshStr *d = add(b, fields[k].tag, ASH_RPM_STRING_ARRAY, n);
                for (size_t i = 0; i < n; i++)
                        put_string(d, *(const AshSlice *) ((const char *) plan->files[i] + fields[k].offset));
        }
        ash_str_append_fill(add(b, ASH_RPMTAG_FILELANGS, ASH_RPM_STRING_ARRAY, n), '\0', n);
}

/* Strings that repeat, numbered in the order of their first use. */
typedef struct Dict {
        AshMap map;
        AshStr strings;
} Dict;
static void dict_done(Dict *d) {
        ash_map_done(&d->map);
        ash_str_done(&d->strings);
}
static uint32_t dict_id(Dict *d, AshSlice s) {
        bool fresh;
        AshMapEntry *e = ash_map_ensure(&d->map, s, &fresh);
        if (fresh) {
                e->value = (void *) (uintptr_t) d->map.n;
                put_string(&d->strings, s);
        }
        return (uint32_t) (uintptr_t) e->value - 1;
}

static void add_file_names(const Plan *plan, Builder *b) {
        size_t n = plan->p->n_files;
        _cleanup_(dict_done) Dict dirs = {}, types = {};
        AshStr *d = add(b, ASH_RPMTAG_BASENAMES, ASH_RPM_STRING_ARRAY, n);
        _str_ AshStr indexes = {}, classes = {};
        for (size_t i = 0; i < n; i++) {
                AshSlice path = plan->files[i]->path;
                size_t cut = (size_t) ash_slice_rfind_char(path, '/') + 1;
                put_string(d, ash_slice_from(path, cut));
                put32(&indexes, dict_id(&dirs, ash_slice_sub(path, 0, cut)));
                put32(&classes, dict_id(&types, plan->files[i]->type.ptr ? plan->files[i]->type : ASH_S("")));
        }
        ash_str_append(add(b, ASH_RPMTAG_DIRINDEXES, ASH_RPM_INT32, n), ash_str_slice(&indexes));
        ash_str_append(add(b, ASH_RPMTAG_DIRNAMES, ASH_RPM_STRING_ARRAY, dirs.map.n), ash_str_slice(&dirs.strings));
        ash_str_append(add(b, ASH_RPMTAG_FILECLASS, ASH_RPM_INT32, n), ash_str_slice(&classes));
        ash_str_append(add(b, ASH_RPMTAG_CLASSDICT, ASH_RPM_STRING_ARRAY, types.map.n), ash_str_slice(&types.strings));
}

/* ---- payload ---- */
static void pad4(AshWriter *w) { ash_writer_zeros(w, ash_align_up(w->offset, 4) - w->offset); }

typedef struct Cpio {
        uint32_t inode, mode, nlink, mtime, size, rdev;
} Cpio;

/* "newc", SVR4 without checksums: cpio(5). */
static void write_newc(AshWriter *w, const Cpio *c, const char *prefix, AshSlice name) {
        char head[111];
        snprintf(head, sizeof(head), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", c->inode, c->mode, 0u, 0u, c->nlink, c->mtime, c->size, 0u, 0u,
                 c->rdev >> 8, c->rdev & 255, (unsigned) (strlen(prefix) + name.len + 1), 0u);
        ash_writer_write(w, head, 110);
        ash_writer_write(w, prefix, strlen(prefix));
        ash_writer_slice(w, name);
        ash_writer_zeros(w, 1);
        pad4(w);
}

static void write_member(const Plan *plan, size_t i, AshWriter *w) {
        const AshRpmNewFile *f = plan->files[i];
        AshSlice data = S_ISLNK(f->mode) ? f->link : S_ISREG(f->mode) && plan->carries[i] ? f->data : ASH_S("");
        if (plan->large) { /* rpm's stripped form: the place in the header's list instead of everything */
                char head[15];
                snprintf(head, sizeof(head), "07070X%08x", (unsigned) i);
                ash_writer_write(w, head, 14);
                pad4(w);
        } else
                write_newc(w, &(Cpio){ plan->inode[i], f->mode, plan->nlink[i], f->mtime, (uint32_t) data.len, f->rdev }, ".", f->path);
        ash_writer_slice(w, data);
        pad4(w);
}

/* Members of a hard link group follow each other, as rpm wants it: while a group is open, it makes whatever comes next a link of it. So all come where the last one stands. */
static void write_group(const Plan *plan, size_t last, AshWriter *w) {
        for (size_t i = plan->inode[last] - 1; i != last; i = plan->next[i])
                write_member(plan, i, w);
        write_member(plan, last, w);
}

static int write_payload(Plan *plan, AshDiags *diags) {
        _cleanup_(ash_digest_free_p) AshDigest *packed = ash_digest_new(ASH_SHA256);
        _cleanup_(ash_digest_free_p) AshDigest *plain = ash_digest_new(ASH_SHA256);
        _cleanup_(ash_writer_free_p) AshWriter *memory = ash_writer_new_memory(&plan->payload);
        _cleanup_(ash_writer_free_p) AshWriter *packed_out = ash_writer_new_digest(memory, packed);
        _cleanup_(ash_writer_free_p) AshWriter *zstd = ash_writer_new_compress(packed_out, ASH_COMP_ZSTD, plan->p->zstd_level ? plan->p->zstd_level : 3);
        _cleanup_(ash_writer_free_p) AshWriter *w = ash_writer_new_digest(zstd, plain);
        for (size_t i = 0; i < plan->p->n_files; i++)
                if (plan->carries[i])
                        write_group(plan, i, w);
        write_newc(w, &(Cpio){ .nlink = 1 }, "", ASH_S("TRAILER!!!"));
        plan->archive_size = w->offset;
        AshWriter *chain[] = { w, zstd, packed_out, memory };
        for (size_t i = 0; i < ASH_N(chain); i++) {
                int r = ash_writer_finish(chain[i]);
                if (r < 0)
                        return ash_fail(diags, r, ASH_NOWHERE, "cannot compress the payload of %.*s: %s", ASH_F(plan->p->name), ash_strerror(r));
        }
        uint8_t digest[ASH_DIGEST_SIZE_MAX];
        ash_digest_final(packed, digest);
        ash_hex(digest, 32, plan->payload_hex);
        ash_digest_final(plain, digest);
        ash_hex(digest, 32, plan->archive_hex);
        return 0;
}

/* ---- relations ---- */
typedef struct Deps {
        ASH_ARRAY(AshRpmDep) items;
} Deps;
static void deps_done(Deps *d) { ash_array_done(&d->items); }

static int dep_order(const void *a, const void *b) {
        const AshRpmDep *x = a, *y = b;
        int r = ash_slice_cmp(x->name, y->name);
        if (r == 0)
                r = ash_slice_cmp(x->evr, y->evr);
        return r != 0 ? r : x->flags < y->flags ? -1 : x->flags > y->flags;
}

static void sort_deps(Deps *d) {
        qsort(d->items.items, d->items.n, sizeof(AshRpmDep), dep_order);
        size_t n = 0;
        for (size_t i = 0; i < d->items.n; i++)
                if (n == 0 || dep_order(&d->items.items[n - 1], &d->items.items[i]) != 0)
                        d->items.items[n++] = d->items.items[i];
        d->items.n = n;
}

static const struct {
        uint32_t name, version, flags;
} dep_tags[ASH_RPM_ENHANCES + 1] = {
        [ASH_RPM_PROVIDES] = { ASH_RPMTAG_PROVIDENAME, ASH_RPMTAG_PROVIDEVERSION, ASH_RPMTAG_PROVIDEFLAGS },
        [ASH_RPM_REQUIRES] = { ASH_RPMTAG_REQUIRENAME, ASH_RPMTAG_REQUIREVERSION, ASH_RPMTAG_REQUIREFLAGS },
        [ASH_RPM_CONFLICTS] = { ASH_RPMTAG_CONFLICTNAME, ASH_RPMTAG_CONFLICTVERSION, ASH_RPMTAG_CONFLICTFLAGS },
        [ASH_RPM_OBSOLETES] = { ASH_RPMTAG_OBSOLETENAME, ASH_RPMTAG_OBSOLETEVERSION, ASH_RPMTAG_OBSOLETEFLAGS },
        [ASH_RPM_RECOMMENDS] = { ASH_RPMTAG_RECOMMENDNAME, ASH_RPMTAG_RECOMMENDVERSION, ASH_RPMTAG_RECOMMENDFLAGS },
        [ASH_RPM_SUGGESTS] = { ASH_RPMTAG_SUGGESTNAME, ASH_RPMTAG_SUGGESTVERSION, ASH_RPMTAG_SUGGESTFLAGS },
        [ASH_RPM_SUPPLEMENTS] = { ASH_RPMTAG_SUPPLEMENTNAME, ASH_RPMTAG_SUPPLEMENTVERSION, ASH_RPMTAG_SUPPLEMENTFLAGS },
        [ASH_RPM_ENHANCES] = { ASH_RPMTAG_ENHANCENAME, ASH_RPMTAG_ENHANCEVERSION, ASH_RPMTAG_ENHANCEFLAGS },
};

static void add_deps(Builder *b, AshRpmRelation kind, Deps *d) {
        if (d->items.n == 0)
                return;
        sort_deps(d);
        AshStr *names = add(b, dep_tags[kind].name, ASH_RPM_STRING_ARRAY, d->items.n);
        ash_array_foreach(&d->items, i)
                put_string(names, i->name);
        AshStr *versions = add(b, dep_tags[kind].version, ASH_RPM_STRING_ARRAY, d->items.n);
        ash_array_foreach(&d->items, i)
                put_string(versions, i->evr.ptr ? i->evr : ASH_S(""));
        AshStr *flags = add(b, dep_tags[kind].flags, ASH_RPM_INT32, d->items.n);
        ash_array_foreach(&d->items, i)
                put32(flags, i->flags);
}

static bool has_rich(const Deps *d) {
        ash_array_foreach(&d->items, i)
                if (i->name.len > 0 && i->name.ptr[0] == '(')
                        return true;
        return false;
}
static bool has_char(const Deps *d, char c) {
        ash_array_foreach(&d->items, i)
                if (i->evr.len > 0 && memchr(i->evr.ptr, c, i->evr.len))
                        return true;
        return false;
}

/* What rpm itself must be able to do before it may touch the package: lib/rpmds.c's table of rpmlib() provides. */
static void add_rpmlib(const Plan *plan, const Deps *all, Deps *requires) {
        bool rich = false, tilde = false, caret = false, caps = false;
        for (int k = 0; k <= ASH_RPM_ENHANCES; k++) {
                rich |= has_rich(&all[k]);
                tilde |= has_char(&all[k], '~');
                caret |= has_char(&all[k], '^');
        }
        for (size_t i = 0; i < plan->p->n_files; i++)
                caps |= plan->files[i]->caps.len > 0;
        bool files = plan->p->n_files > 0;
        const struct {
                bool needed;
                const char *name, *evr;
        } table[] = {
                { true, "rpmlib(CompressedFileNames)", "3.0.4-1" },
                { files, "rpmlib(FileDigests)", "4.6.0-1" },
                { files && !plan->large, "rpmlib(PayloadFilesHavePrefix)", "4.0-1" },
                { true, "rpmlib(PayloadIsZstd)", "5.4.18-1" },
                { rich, "rpmlib(RichDependencies)", "4.12.0-1" },
                { tilde, "rpmlib(TildeInVersions)", "4.10.0-1" },
                { caret, "rpmlib(CaretInVersions)", "4.15.0-1" },
                { plan->large, "rpmlib(LargeFiles)", "4.12.0-1" },
                { caps, "rpmlib(FileCaps)", "4.6.1-1" },
        };
        for (size_t i = 0; i < ASH_N(table); i++)
                if (table[i].needed)
                        ash_array_push(&requires->items, ((AshRpmDep){ ash_slice_str(table[i].name), ash_slice_str(table[i].evr),
                                                                         ASH_RPMSENSE_RPMLIB | ASH_RPMSENSE_LESS | ASH_RPMSENSE_EQUAL }));
}

const char *ash_rpm_isa(AshSlice arch) {
        static const char *const table[][2] = { { "x86_64", "x86-64" }, { "aarch64", "aarch-64" }, { "i686", "x86-32" }, { "riscv64", "riscv-64" }, { "ppc64le", "ppc-64" }, { "s390x", "s390-64" } };
        for (size_t i = 0; i < ASH_N(table); i++)
                if (ash_slice_eqs(arch, table[i][0]))
                        return table[i][1];
        return NULL;
}

static void add_relations(const Plan *plan, Builder *b) {
        const AshRpmNew *p = plan->p;
        _free_ char *evr = p->has_epoch ? ash_asprintf("%u:%.*s-%.*s", p->epoch, ASH_F(p->version), ASH_F(p->release))
                                        : ash_asprintf("%.*s-%.*s", ASH_F(p->version), ASH_F(p->release));
        const char *isa = ash_rpm_isa(p->arch);
        _free_ char *own_isa = isa ? ash_asprintf("%.*s(%s)", ASH_F(p->name), isa) : NULL;
        Deps all[ASH_RPM_ENHANCES + 1] = {};
        for (int k = 0; k <= ASH_RPM_ENHANCES; k++)
                for (size_t i = 0; i < p->n_deps[k]; i++)
                        ash_array_push(&all[k].items, p->deps[k][i]);
        ash_array_push(&all[ASH_RPM_PROVIDES].items, ((AshRpmDep){ p->name, ash_slice_str(evr), ASH_RPMSENSE_EQUAL }));
        if (own_isa)
                ash_array_push(&all[ASH_RPM_PROVIDES].items, ((AshRpmDep){ ash_slice_str(own_isa), ash_slice_str(evr), ASH_RPMSENSE_EQUAL }));
        add_rpmlib(plan, all, &all[ASH_RPM_REQUIRES]);
        for (int k = 0; k <= ASH_RPM_ENHANCES; k++) {
                add_deps(b, k, &all[k]);
                deps_done(&all[k]);
        }
}

/* ---- the rest of the header ---- */
static void add_changes(const AshRpmNew *p, Builder *b) {
        if (p->n_changes == 0)
                return;
        AshStr *d = add(b, ASH_RPMTAG_CHANGELOGTIME, ASH_RPM_INT32, p->n_changes);
        for (size_t i = 0; i < p->n_changes; i++)
                put32(d, p->changes[i].time);
        d = add(b, ASH_RPMTAG_CHANGELOGNAME, ASH_RPM_STRING_ARRAY, p->n_changes);
        for (size_t i = 0; i < p->n_changes; i++)
                put_string(d, p->changes[i].name);
        d = add(b, ASH_RPMTAG_CHANGELOGTEXT, ASH_RPM_STRING_ARRAY, p->n_changes);
        for (size_t i = 0; i < p->n_changes; i++)
                put_string(d, p->changes[i].text);
}

/* As rpmbuild writes them: a script each, named by its prefix, with the standard priority. */
static void add_triggers(const AshRpmNew *p, Builder *b) {
        enum { TRIGGER_IN = 1 << 16, TRIGGER_UN = 1 << 17, PRIORITY = 1000000 };
        const struct { uint32_t tag; AshRpmType type; } tags[] = {
                { ASH_RPMTAG_TRANSFILETRIGGERSCRIPTS, ASH_RPM_STRING_ARRAY }, { ASH_RPMTAG_TRANSFILETRIGGERSCRIPTPROG, ASH_RPM_STRING_ARRAY }, { ASH_RPMTAG_TRANSFILETRIGGERNAME, ASH_RPM_STRING_ARRAY },
                { ASH_RPMTAG_TRANSFILETRIGGERVERSION, ASH_RPM_STRING_ARRAY }, { ASH_RPMTAG_TRANSFILETRIGGERINDEX, ASH_RPM_INT32 }, { ASH_RPMTAG_TRANSFILETRIGGERFLAGS, ASH_RPM_INT32 },
                       };
        for (size_t k = 0; k < ASH_N(tags) && p->n_triggers; k++) {
                AshStr *d = add(b, tags[k].tag, tags[k].type, p->n_triggers);
                for (size_t i = 0; i < p->n_triggers; i++) {
                        const AshRpmNewTrigger *t = &p->triggers[i];
                        const AshSlice strings[] = { t->script, ASH_S("/bin/sh"), t->prefix, ASH_S("") };
                        const uint32_t numbers[] = { (uint32_t) i, t->removal ? TRIGGER_UN : TRIGGER_IN, PRIORITY };
                        if (k < ASH_N(strings))
                                put_string(d, strings[k]);
                        else
                                put32(d, numbers[k - ASH_N(strings)]);
                }
        }
}

static void add_identity(const Plan *plan, Builder *b) {
        const AshRpmNew *p = plan->p;
        put_string(add(b, ASH_RPMTAG_HEADERI18NTABLE, ASH_RPM_STRING_ARRAY, 1), ASH_S("C"));
        const struct {
                uint32_t tag;
                AshSlice text;
        } strings[] = {
                { ASH_RPMTAG_NAME, p->name },         { ASH_RPMTAG_VERSION, p->version }, { ASH_RPMTAG_RELEASE, p->release },   { ASH_RPMTAG_BUILDHOST, p->build_host },
                { ASH_RPMTAG_DISTRIBUTION, p->distribution }, { ASH_RPMTAG_VENDOR, p->vendor }, { ASH_RPMTAG_LICENSE, p->license }, { ASH_RPMTAG_PACKAGER, p->packager },
                { ASH_RPMTAG_URL, p->url },           { ASH_RPMTAG_OS, ASH_S("linux") },  { ASH_RPMTAG_ARCH, p->arch },         { ASH_RPMTAG_SOURCERPM, p->source_rpm },
                { ASH_RPMTAG_RPMVERSION, ASH_S("4.18.0") }, /* the rpm whose features the package may use */
                { ASH_RPMTAG_ENCODING, ASH_S("utf-8") },
                { ASH_RPMTAG_PAYLOADFORMAT, ASH_S("cpio") }, { ASH_RPMTAG_PAYLOADCOMPRESSOR, ASH_S("zstd") },
        };
        for (size_t i = 0; i < ASH_N(strings); i++)
                add_string(b, strings[i].tag, strings[i].text);
        add_text(b, ASH_RPMTAG_SUMMARY, ASH_RPM_I18NSTRING, p->summary);
        add_text(b, ASH_RPMTAG_DESCRIPTION, ASH_RPM_I18NSTRING, p->description);
        add_text(b, ASH_RPMTAG_GROUP, ASH_RPM_I18NSTRING, p->group.len ? p->group : ASH_S("Unspecified"));
        if (p->has_epoch)
                add_u32(b, ASH_RPMTAG_EPOCH, p->epoch);
        add_u32(b, ASH_RPMTAG_BUILDTIME, p->build_time);
        if (plan->size > UINT32_MAX)
                put64(add(b, ASH_RPMTAG_LONGSIZE, ASH_RPM_INT64, 1), plan->size);
        else
                add_u32(b, ASH_RPMTAG_SIZE, (uint32_t) plan->size);
        _free_ char *platform = ash_asprintf("%.*s-ashlar-linux", ASH_F(p->arch));
        add_string(b, ASH_RPMTAG_PLATFORM, ash_slice_str(platform));
        _free_ char *level = ash_asprintf("%d", p->zstd_level ? p->zstd_level : 3);
        add_string(b, ASH_RPMTAG_PAYLOADFLAGS, ash_slice_str(level));
        put_string(add(b, ASH_RPMTAG_PAYLOADDIGEST, ASH_RPM_STRING_ARRAY, 1), ash_slice_str(plan->payload_hex));
        add_u32(b, ASH_RPMTAG_PAYLOADDIGESTALGO, ASH_RPMDIGEST_SHA256);
        put_string(add(b, ASH_RPMTAG_PAYLOADDIGESTALT, ASH_RPM_STRING_ARRAY, 1), ash_slice_str(plan->archive_hex));
}

static void build_header(const Plan *plan, AshStr *out) {
        _cleanup_(builder_done) Builder b = {};
        add_identity(plan, &b);
        add_relations(plan, &b);
        add_changes(plan->p, &b);
        add_triggers(plan->p, &b);
        if (plan->p->n_files > 0) {
                add_file_numbers(plan, &b);
                add_file_digests(plan, &b);
                add_file_strings(plan, &b);
                add_file_names(plan, &b);
        }
        builder_finish(&b, ASH_RPMTAG_HEADERIMMUTABLE, out);
}

static void build_signature_header(const Plan *plan, AshSlice header, AshStr *out) {
        _cleanup_(builder_done) Builder b = {};
        char hex[ASH_HEX_MAX];
        ash_digest_hex_of(ASH_SHA1, header, hex);
        add_string(&b, ASH_RPMSIG_SHA1, ash_slice_str(hex));
        ash_digest_hex_of(ASH_SHA256, header, hex);
        add_string(&b, ASH_RPMSIG_SHA256, ash_slice_str(hex));
        uint64_t size = header.len + plan->payload.len;
        if (size > UINT32_MAX)
                put64(add(&b, ASH_RPMSIG_LONGSIZE, ASH_RPM_INT64, 1), size);
        else
                add_u32(&b, ASH_RPMSIG_SIZE, (uint32_t) size);
        if (plan->archive_size > UINT32_MAX)
                put64(add(&b, ASH_RPMSIG_LONGARCHIVESIZE, ASH_RPM_INT64, 1), plan->archive_size);
        else
                add_u32(&b, ASH_RPMSIG_PAYLOADSIZE, (uint32_t) plan->archive_size);
        _str_ AshStr room = {};
        ash_str_append_fill(&room, '\0', plan->p->reserve ? plan->p->reserve : 4096);
        add_bytes(&b, ASH_RPMSIG_RESERVEDSPACE, ash_str_slice(&room));
        builder_finish(&b, ASH_RPMTAG_HEADERSIGNATURES, out);
        ash_str_append_fill(out, '\0', ash_align_up(out->len, 8) - out->len);
}

/* 96 bytes that nobody reads any more but file(1): magic, version 3.0, binary package, architecture, name, Linux, header-style signature. */
static void write_lead(const AshRpmNew *p, AshWriter *out) {
        char lead[96] = { '\xed', '\xab', '\xee', '\xdb', 3, 0, 0, 0, 0, ash_slice_eqs(p->arch, "aarch64") ? 19 : 1 };
        snprintf(lead + 10, 66, "%.*s-%.*s-%.*s", ASH_F(p->name), ASH_F(p->version), ASH_F(p->release));
        lead[77] = 1;
        lead[79] = 5;
        ash_writer_write(out, lead, sizeof(lead));
}

static bool nevra_part(AshSlice s, const char *forbidden) {
        for (size_t i = 0; i < s.len; i++)
                if ((unsigned char) s.ptr[i] <= ' ' || s.ptr[i] == 127 || s.ptr[i] == '/' || strchr(forbidden, s.ptr[i]))
                        return false;
        return s.len > 0;
}

int ash_rpm_write(const AshRpmNew *p, AshWriter *out, AshDiags *diags) {
        if (!nevra_part(p->name, ":()") || !nevra_part(p->version, "-:") || !nevra_part(p->release, "-:") || !nevra_part(p->arch, "-."))
                return ash_fail(diags, -EINVAL, ASH_NOWHERE, "'%.*s-%.*s-%.*s.%.*s' cannot be a package's name", ASH_F(p->name), ASH_F(p->version), ASH_F(p->release), ASH_F(p->arch));
        _cleanup_(plan_done) Plan plan = { .p = p };
        int r = plan_files(&plan, diags);
        if (r >= 0)
                r = write_payload(&plan, diags);
        if (r < 0)
                return r;
        _str_ AshStr header = {}, signature = {};
        build_header(&plan, &header);
        build_signature_header(&plan, ash_str_slice(&header), &signature);
        write_lead(p, out);
        ash_writer_slice(out, ash_str_slice(&signature));
        ash_writer_slice(out, ash_str_slice(&header));
        ash_writer_slice(out, ash_str_slice(&plan.payload));
        return out->error;
}
