/* The files behind repomd.xml: into the store by their digests, checked compressed and uncompressed, then read. */
#include <stdio.h>
#include "upstream-rpmmd-private.h"

#define FILE_LIMIT ((uint64_t) 2 << 30)  /* compressed */
#define OPEN_LIMIT ((uint64_t) 16 << 30) /* uncompressed */

static bool strong(AshDigestKind kind) { return kind == ASH_SHA256 || kind == ASH_SHA384 || kind == ASH_SHA512; }

/* "group" stands compressed under another type. */
static const AshRpmmdData *find_data(const AshRepomd *md, const char *type) {
        static const char *const groups[] = { "group_zst", "group_gz", "group_xz", "group" };
        if (strcmp(type, "group") != 0)
                return ash_repomd_find(md, type);
        for (size_t i = 0; i < ASH_N(groups); i++) {
                const AshRpmmdData *d = ash_repomd_find(md, groups[i]);
                if (d)
                        return d;
        }
        return NULL;
}

static int check_declared(const AshRpmmdRepo *r, const AshRpmmdData *d, AshDiags *diags) {
        if (!strong(d->checksum.kind))
                return ash_fail(diags, -ASH_ERR_VERIFY, r->source.at, "metadata file '%.*s' has no checksum of SHA-256 or better", ASH_F(d->href));
        if (d->size != UINT64_MAX && d->size > FILE_LIMIT)
                return ash_fail(diags, -ASH_ERR_LIMIT, r->source.at, "metadata file '%.*s' is said to have %llu bytes, at most %llu are read", ASH_F(d->href), (unsigned long long) d->size,
                                (unsigned long long) FILE_LIMIT);
        if (d->open_size != UINT64_MAX && d->open_size > OPEN_LIMIT)
                return ash_fail(diags, -ASH_ERR_LIMIT, r->source.at, "metadata file '%.*s' is said to unpack to %llu bytes, at most %llu are read", ASH_F(d->href),
                                (unsigned long long) d->open_size, (unsigned long long) OPEN_LIMIT);
        return 0;
}

const char *const *ash_rpmmd_urls(AshRpmmdRepo *r, AshSlice href) {
        const char **urls = ash_arena_new_items(r->arena, const char *, r->mirrors.n + 1);
        for (size_t i = 0; i < r->mirrors.n; i++)
                urls[i] = ash_arena_printf(r->arena, "%s%.*s", r->mirrors.items[(r->first_mirror + i) % r->mirrors.n], ASH_F(href));
        return urls;
}

/* A checksum other than SHA-256: fetched under a temporary name, checked, then taken over. What it became is kept, so that it is fetched once only. */
static AshId alias_key(const AshRpmmdChecksum *c) {
        _str_ AshStr text = {};
        char hex[ASH_HEX_MAX];
        ash_hex(c->digest, ash_digest_size(c->kind), hex);
        ash_str_appendf(&text, "%s %s", ash_digest_name(c->kind), hex);
        return ash_id_of(ash_str_slice(&text));
}

static bool find_alias(AshRpmmdRepo *r, const AshRpmmdChecksum *c, AshId *ret) {
        _bytes_ AshBytes text = {};
        AshId key = alias_key(c);
        return ash_store_cache_get(r->store, "alias", &key, &text) >= 0 && ash_id_parse(ash_slice_trim(ash_bytes_slice(&text)), ret) >= 0 && ash_store_has_blob(r->store, ret);
}

static int fetch_other_kind(AshRpmmdRepo *r, const AshRpmmdChecksum *c, AshSlice href, uint64_t size, AshId *ret, AshDiags *diags) {
        char path[64], hex[ASH_ID_HEX];
        if (find_alias(r, c, ret))
                return 0;
        AshId key = alias_key(c);
        ash_id_hex(&key, hex);
        snprintf(path, sizeof(path), "tmp/%.40s-%d", hex, getpid());
        AshFetch item = { .urls = ash_rpmmd_urls(r, href), .dirfd = ash_store_fd(r->store), .path = path, .digest_kind = c->kind, .digest = c->digest, .size = size, .limit = FILE_LIMIT };
        int k = ash_fetch(&item, 1, &r->source.fetch, NULL, diags);
        if (k >= 0)
                k = ash_store_put_file(r->store, ash_store_fd(r->store), path, NULL, ret, diags);
        unlinkat(ash_store_fd(r->store), path, 0);
        if (k >= 0) {
                ash_id_hex(ret, hex);
                ash_store_cache_put(r->store, "alias", &key, ash_slice_str(hex));
        }
        return k;
}

static int fetch_files(AshRpmmdRepo *r, AshProgress *progress, AshDiags *diags) {
        AshStoreWant *wants = ash_arena_new_items(r->arena, AshStoreWant, r->files.n);
        size_t n = 0;
        ash_array_foreach(&r->files, f) {
                if (f->data->checksum.kind != ASH_SHA256) {
                        int k = fetch_other_kind(r, &f->data->checksum, f->data->href, f->data->size, &f->id, diags);
                        if (k < 0)
                                return k;
                        continue;
                }
                memcpy(f->id.sha256, f->data->checksum.digest, 32);
                wants[n++] = (AshStoreWant){ .urls = ash_rpmmd_urls(r, f->data->href), .id = &f->id, .size = f->data->size,
                                             .label = ash_arena_printf(r->arena, "%.*s of upstream '%s'", ASH_F(f->data->type), r->source.name) };
        }
        return ash_store_fetch(r->store, wants, n, &r->source.fetch, progress, diags);
}

/* ---- uncompressed size and checksum, before any parser reads it ---- */
static int digest_open(AshRpmmdRepo *r, AshRpmmdFile *f, AshSlice bytes, AshDiags *diags) {
        const AshRpmmdData *d = f->data;
        uint64_t limit = d->open_size != UINT64_MAX ? d->open_size : ASH_MIN(OPEN_LIMIT, (uint64_t) bytes.len * 1000 + (1 << 20)), size = 0;
        bool digest = strong(d->open_checksum.kind) && d->open_size != UINT64_MAX;
        uint8_t got[ASH_DIGEST_SIZE_MAX];
        _free_ char *buffer = ash_malloc(256 << 10);
        _cleanup_(ash_digest_free_p) AshDigest *sum = digest ? ash_digest_new(d->open_checksum.kind) : NULL;
        _cleanup_(ash_reader_free_p) AshReader *in = ash_reader_new_decompress(ash_reader_new_memory(bytes), true, f->compression, limit);
        for (ssize_t n; (n = ash_reader_read(in, buffer, 256 << 10)) > 0; size += (uint64_t) n)
                if (sum)
                        ash_digest_update(sum, buffer, (size_t) n);
        if (in->error == -ASH_ERR_LIMIT || (!in->error && d->open_size != UINT64_MAX && size != d->open_size))
                return ash_fail(diags, -ASH_ERR_VERIFY, r->source.at, "metadata file '%.*s' does not unpack to the %llu bytes that repomd.xml says", ASH_F(d->href), (unsigned long long) limit);
        if (in->error)
                return ash_fail(diags, in->error, r->source.at, "metadata file '%.*s' cannot be unpacked: %s", ASH_F(d->href), ash_strerror(in->error));
        if (sum) {
                ash_digest_final(sum, got);
                if (memcmp(got, d->open_checksum.digest, ash_digest_size(d->open_checksum.kind)) != 0)
                        return ash_fail(diags, -ASH_ERR_VERIFY, r->source.at, "metadata file '%.*s' does not have the open checksum that repomd.xml says", ASH_F(d->href));
        }
        return 0;
}

/* Checked once for each content and declaration. */
static AshId open_key(const AshRpmmdFile *f) {
        _str_ AshStr text = {};
        ash_str_append_str(&text, "rpmmd-open-1");
        ash_str_append(&text, ash_slice((const char *) f->id.sha256, 32));
        ash_str_append(&text, ash_slice((const char *) &f->data->open_size, sizeof(f->data->open_size)));
        ash_str_append(&text, ash_slice((const char *) f->data->open_checksum.digest, ASH_DIGEST_SIZE_MAX));
        return ash_id_of(ash_str_slice(&text));
}

static int check_blob(AshRpmmdRepo *r, AshRpmmdFile *f, AshBytes *ret, AshDiags *diags) {
        char path[ASH_BLOB_PATH_MAX];
        int k = ash_store_map_blob(r->store, &f->id, true, ret, diags);
        if (k < 0)
                return k == -ENOENT ? ash_fail(diags, -ASH_ERR_AGAIN, r->source.at, "metadata file '%.*s' is gone from the store: try again", ASH_F(f->data->href)) : k;
        if (f->data->size != UINT64_MAX && f->data->size != ret->len)
                return ash_fail(diags, -ASH_ERR_VERIFY, r->source.at, "metadata file '%.*s' has %zu bytes, repomd.xml says %llu", ASH_F(f->data->href), ret->len,
                                (unsigned long long) f->data->size);
        f->compression = ash_compression_detect(ash_bytes_slice(ret));
        ash_store_blob_path(&f->id, path);
        f->path = ash_arena_printf(r->arena, "%s/%s", ash_store_path(r->store), path);
        return 0;
}

static int verify_file(AshRpmmdRepo *r, AshRpmmdFile *f, AshDiags *diags) {
        _bytes_ AshBytes bytes = {}, known = {};
        AshId key = open_key(f);
        int k = check_blob(r, f, &bytes, diags);
        if (k < 0 || ash_store_cache_get(r->store, "rpmmd-open", &key, &known) >= 0)
                return k;
        k = digest_open(r, f, ash_bytes_slice(&bytes), diags);
        if (k >= 0)
                ash_store_cache_put(r->store, "rpmmd-open", &key, ASH_S("ok"));
        return k;
}

/* ---- packages ---- */
static bool wanted_arch(const AshRpmmdSource *s, AshSlice arch) {
        if (!s->arches || ash_slice_eqs(arch, "noarch"))
                return true;
        for (size_t i = 0; s->arches[i]; i++)
                if (ash_slice_eqs(arch, s->arches[i]))
                        return true;
        return false;
}

static char *nevra_key(AshArena *arena, const AshRpmmdPackage *p) {
        if (p->epoch)
                return ash_arena_printf(arena, "%.*s-%u:%.*s-%.*s.%.*s", ASH_F(p->name), p->epoch, ASH_F(p->version), ASH_F(p->release), ASH_F(p->arch));
        return ash_arena_printf(arena, "%.*s-%.*s-%.*s.%.*s", ASH_F(p->name), ASH_F(p->version), ASH_F(p->release), ASH_F(p->arch));
}

static bool same_content(const AshRpmmdPackage *a, const AshRpmmdPackage *b) {
        return a->checksum.kind == b->checksum.kind && memcmp(a->checksum.digest, b->checksum.digest, ash_digest_size(a->checksum.kind)) == 0;
}

static int index_packages(AshRpmmdRepo *r, AshDiags *diags) {
        size_t kept = 0;
        ash_map_done(&r->by_nevra);
        r->by_nevra = (AshMap){};
        ash_map_reserve(&r->by_nevra, r->primary.n);
        for (size_t i = 0; i < r->primary.n; i++) {
                if (!wanted_arch(&r->source, r->primary.packages[i].arch))
                        continue;
                AshRpmmdPackage *p = &r->primary.packages[kept];
                *p = r->primary.packages[i];
                if (!strong(p->checksum.kind))
                        return ash_fail(diags, -ASH_ERR_VERIFY, r->source.at, "package '%.*s' has no checksum of SHA-256 or better", ASH_F(p->name));
                bool is_new;
                AshMapEntry *e = ash_map_ensure(&r->by_nevra, ash_slice_str(nevra_key(r->arena, p)), &is_new);
                if (is_new) {
                        e->value = (void *) (uintptr_t) kept++;
                } else if (!same_content(p, &r->primary.packages[(uintptr_t) e->value])) {
                        return ash_fail(diags, -ASH_ERR_VERIFY, r->source.at, "upstream '%s' lists %.*s twice with different content: '%.*s' and '%.*s'", r->source.name, ASH_F(e->key),
                                        ASH_F(r->primary.packages[(uintptr_t) e->value].href), ASH_F(p->href));
                }
        }
        r->primary.n = kept;
        return 0;
}

/* ---- the parsed form of primary, kept in the store: reading it again takes a tenth of the time ----
 * Native byte order and layout: it never leaves this machine, and the store's digest protects it. */
typedef struct Row {
        uint32_t at[7], len[7]; /* of the strings below, each followed by a NUL; at UINT32_MAX: it is missing */
        uint32_t epoch;
        int32_t kind;
        uint8_t digest[ASH_DIGEST_SIZE_MAX];
        uint64_t size, installed_size, archive_size, build_time, file_time, header_start, header_end;
} Row;
#define ROW_VERSION 1

static void strings_of(AshRpmmdPackage *p, AshSlice *(*ret)[7]) {
        AshSlice *const all[] = { &p->name, &p->version, &p->release, &p->arch, &p->href, &p->summary, &p->sourcerpm };
        memcpy(*ret, all, sizeof(all));
}

static AshId rows_key(const AshId *primary) {
        const uint32_t layout[] = { ROW_VERSION, sizeof(Row), ASH_DIGEST_MAX_ };
        _str_ AshStr text = {};
        ash_str_append_str(&text, "rpmmd-rows");
        ash_str_append(&text, ash_slice((const char *) layout, sizeof(layout)));
        ash_str_append(&text, ash_slice((const char *) primary->sha256, 32));
        return ash_id_of(ash_str_slice(&text));
}

static void save_rows(AshRpmmdRepo *r, const AshId *primary) {
        _free_ Row *rows = ash_calloc(r->primary.n + 1, sizeof(Row));
        _str_ AshStr strings = {}, out = {};
        for (size_t i = 0; i < r->primary.n; i++) {
                AshRpmmdPackage *p = &r->primary.packages[i];
                AshSlice *s[7];
                strings_of(p, &s);
                rows[i] = (Row){ .epoch = p->epoch, .kind = p->checksum.kind, .size = p->size, .installed_size = p->installed_size, .archive_size = p->archive_size,
                                 .build_time = p->build_time, .file_time = p->file_time, .header_start = p->header_start, .header_end = p->header_end };
                memcpy(rows[i].digest, p->checksum.digest, sizeof(rows[i].digest));
                for (size_t k = 0; k < ASH_N(s); k++) {
                        rows[i].at[k] = s[k]->ptr ? (uint32_t) strings.len : UINT32_MAX;
                        rows[i].len[k] = (uint32_t) s[k]->len;
                        ash_str_append(&strings, *s[k]);
                        ash_str_append_char(&strings, 0);
                }
                if (strings.len > UINT32_MAX / 2)
                        return;
        }
        uint64_t n = r->primary.n;
        ash_str_append(&out, ash_slice((const char *) &n, sizeof(n)));
        ash_str_append(&out, ash_slice((const char *) rows, r->primary.n * sizeof(Row)));
        ash_str_append(&out, ash_str_slice(&strings));
        AshId key = rows_key(primary);
        ash_store_cache_put(r->store, "rpmmd-rows", &key, ash_str_slice(&out)); /* without it the next run parses again */
}

static bool load_row(const Row *row, AshSlice strings, AshRpmmdPackage *p) {
        AshSlice *s[7];
        *p = (AshRpmmdPackage){ .epoch = row->epoch, .checksum.kind = row->kind, .size = row->size, .installed_size = row->installed_size, .archive_size = row->archive_size,
                                .build_time = row->build_time, .file_time = row->file_time, .header_start = row->header_start, .header_end = row->header_end };
        memcpy(p->checksum.digest, row->digest, sizeof(row->digest));
        strings_of(p, &s);
        for (size_t k = 0; k < ASH_N(s); k++) {
                if (row->at[k] == UINT32_MAX)
                        continue;
                if (row->at[k] >= strings.len || row->len[k] >= strings.len - row->at[k])
                        return false;
                *s[k] = ash_slice_sub(strings, row->at[k], row->len[k]);
        }
        return true;
}

static bool load_rows(AshRpmmdRepo *r, const AshId *primary) {
        AshId key = rows_key(primary);
        uint64_t n = 0;
        ash_bytes_done(&r->rows);
        r->rows = (AshBytes){};
        if (ash_store_cache_get(r->store, "rpmmd-rows", &key, &r->rows) < 0 || r->rows.len < sizeof(n))
                return false;
        memcpy(&n, r->rows.ptr, sizeof(n));
        if (n > (r->rows.len - sizeof(n)) / sizeof(Row))
                return false;
        AshSlice strings = ash_slice_from(ash_bytes_slice(&r->rows), sizeof(n) + (size_t) n * sizeof(Row));
        r->primary = (AshPrimary){ .packages = ash_arena_new_items(r->arena, AshRpmmdPackage, n), .n = (size_t) n };
        for (size_t i = 0; i < r->primary.n; i++) {
                Row row;
                memcpy(&row, r->rows.ptr + sizeof(n) + i * sizeof(Row), sizeof(row));
                if (!load_row(&row, strings, &r->primary.packages[i]))
                        return false;
        }
        return true;
}

static int read_primary(AshRpmmdRepo *r, const AshRpmmdFile *f, AshDiags *diags) {
        _bytes_ AshBytes bytes = {};
        if (load_rows(r, &f->id))
                return index_packages(r, diags);
        int k = ash_store_map_blob(r->store, &f->id, false, &bytes, diags);
        if (k < 0)
                return k;
        uint64_t limit = f->data->open_size != UINT64_MAX ? f->data->open_size : OPEN_LIMIT;
        _cleanup_(ash_reader_free_p) AshReader *in = ash_reader_new_decompress(ash_reader_new_memory(ash_bytes_slice(&bytes)), true, f->compression, limit);
        _free_ char *name = ash_asprintf("%s: %.*s", r->source.name, ASH_F(f->data->href));
        k = ash_primary_parse(in, name, 0, r->arena, &r->primary, diags);
        if (k < 0)
                return k;
        save_rows(r, &f->id);
        return index_packages(r, diags);
}

static int choose_files(AshRpmmdRepo *r, const char *const *want, AshDiags *diags) {
        ash_array_done(&r->files);
        const AshRpmmdData *primary = ash_repomd_find(&r->md, "primary");
        if (!primary)
                return ash_fail(diags, -ASH_ERR_SYNTAX, r->source.at, "repomd.xml of upstream '%s' has no primary metadata", r->source.name);
        *ash_array_add(&r->files) = (AshRpmmdFile){ .data = primary, .wanted = "primary" };
        for (size_t i = 0; want && want[i]; i++) {
                const AshRpmmdData *d = strcmp(want[i], "primary") != 0 ? find_data(&r->md, want[i]) : NULL;
                if (d)
                        *ash_array_add(&r->files) = (AshRpmmdFile){ .data = d, .wanted = ash_arena_strdup(r->arena, want[i]) };
        }
        ash_array_foreach(&r->files, f) {
                int k = check_declared(r, f->data, diags);
                if (k < 0)
                        return k;
        }
        return 0;
}

/* All that decides whether the files as they are declared are good, and the list of packages in them. */
static AshId good_key(const AshRpmmdRepo *r) {
        _str_ AshStr text = {};
        ash_str_append_str(&text, "rpmmd-good-1");
        for (size_t i = 0; r->source.arches && r->source.arches[i]; i++)
                ash_str_appendf(&text, " %s", r->source.arches[i]);
        ash_array_foreach(&r->files, f) {
                AshId id = open_key(f);
                ash_str_append(&text, ash_slice((const char *) id.sha256, sizeof id.sha256));
                ash_str_append(&text, ash_slice((const char *) &f->data->size, sizeof f->data->size));
        }
        return ash_id_of(ash_str_slice(&text));
}

static int verify_files(AshRpmmdRepo *r, AshDiags *diags) {
        int k = 0;
        for (size_t i = 0; i < r->files.n && k >= 0; i++)
                k = verify_file(r, &r->files.items[i], diags);
        return k;
}

/* What the store had damaged is fetched again. */
static int heal(AshRpmmdRepo *r, AshDiags *diags) {
        int k = ash_rpmmd_need_mirrors(r, diags);
        if (k >= 0)
                k = fetch_files(r, NULL, diags);
        return k < 0 ? k : verify_files(r, diags);
}

int ash_rpmmd_load(AshRpmmdRepo *r, AshDiags *diags) {
        _cleanup_(ash_diags_free_p) AshDiags *first = ash_diags_new();
        if (r->loaded)
                return 0;
        int k = verify_files(r, first);
        if (k == -ASH_ERR_AGAIN)
                k = heal(r, diags);
        else
                ash_diags_merge(diags, first);
        if (k >= 0)
                k = read_primary(r, &r->files.items[0], diags);
        r->loaded = k >= 0;
        return k;
}

int ash_rpmmd_fetch_metadata(AshRpmmdRepo *r, const char *const *want, AshProgress *progress, AshDiags *diags) {
        char path[ASH_BLOB_PATH_MAX];
        _bytes_ AshBytes known = {};
        r->loaded = false;
        int k = choose_files(r, want, diags);
        if (k >= 0)
                k = fetch_files(r, progress, diags);
        if (k < 0)
                return k;
        ash_store_blob_path(&r->repomd_id, path);
        r->repomd_path = ash_arena_printf(r->arena, "%s/%s", ash_store_path(r->store), path);
        /* What was found good once is looked at again (its digests, too) when it is read, and not before: who has kept what was made of it does not read it. */
        AshId key = good_key(r);
        if (ash_store_cache_get(r->store, "rpmmd-good", &key, &known) >= 0)
                return 0;
        k = ash_rpmmd_load(r, diags);
        if (k >= 0)
                ash_store_cache_put(r->store, "rpmmd-good", &key, ASH_S("ok"));
        return k;
}

bool ash_rpmmd_have_metadata(AshRpmmdRepo *r, const char *const *want) {
        if (choose_files(r, want, NULL) < 0)
                return false;
        ash_array_foreach(&r->files, f) {
                AshId id;
                if (f->data->checksum.kind == ASH_SHA256)
                        memcpy(id.sha256, f->data->checksum.digest, 32);
                else if (!find_alias(r, &f->data->checksum, &id))
                        return false;
                if (!ash_store_has_blob(r->store, &id))
                        return false;
        }
        return true;
}

const char *ash_rpmmd_file(const AshRpmmdRepo *r, const char *type, AshCompression *ret_compression) {
        if (strcmp(type, "repomd") == 0) {
                if (ret_compression)
                        *ret_compression = ASH_COMP_NONE;
                return r->repomd_path;
        }
        ash_array_foreach(&r->files, f) {
                if (strcmp(f->wanted, type) != 0)
                        continue;
                if (ret_compression)
                        *ret_compression = f->compression;
                return f->path;
        }
        return NULL;
}

/* ---- look-up ---- */
int ash_rpmmd_find(const AshRpmmdRepo *r, AshSlice nevra, AshRpmmdFound *ret) {
        _free_ char *text = ash_slice_dup(nevra);
        char *zero = strstr(text, "-0:"); /* epoch 0 is not written */
        if (zero)
                memmove(zero + 1, zero + 3, strlen(zero + 3) + 1);
        AshMapEntry *e = ash_map_find(&r->by_nevra, ash_slice_str(text));
        if (!e)
                return -ENOENT;
        *ret = (AshRpmmdFound){ .package = &r->primary.packages[(uintptr_t) e->value] };
        ret->has_id = ret->package->checksum.kind == ASH_SHA256;
        if (ret->has_id)
                memcpy(ret->id.sha256, ret->package->checksum.digest, 32);
        return 0;
}

size_t ash_rpmmd_count(const AshRpmmdRepo *r) { return r->primary.n; }
const AshRpmmdPackage *ash_rpmmd_at(const AshRpmmdRepo *r, size_t i) { return &r->primary.packages[i]; }

int ash_rpmmd_fetch(AshRpmmdRepo *r, AshStore *store, const AshRpmmdPackage *const *packages, size_t n, AshId *ret_ids, AshProgress *progress, AshDiags *diags) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshStoreWant *wants = ash_arena_new_items(arena, AshStoreWant, n);
        size_t m = 0;
        int k = ash_rpmmd_need_mirrors(r, diags);
        for (size_t i = 0; i < n && k >= 0; i++) {
                const AshRpmmdPackage *p = packages[i];
                if (p->checksum.kind != ASH_SHA256) {
                        k = fetch_other_kind(r, &p->checksum, p->href, p->size ? p->size : UINT64_MAX, &ret_ids[i], diags);
                        continue;
                }
                memcpy(ret_ids[i].sha256, p->checksum.digest, 32);
                wants[m++] = (AshStoreWant){ .urls = ash_rpmmd_urls(r, p->href), .id = &ret_ids[i], .size = p->size ? p->size : UINT64_MAX, .label = nevra_key(arena, p) };
        }
        return k < 0 ? k : ash_store_fetch(store, wants, m, &r->source.fetch, progress, diags);
}
