/* Snapshots that are kept: what apt verified once can be opened again by its digest, without network, without parsing. */
#include "apt.h"

void ash_apt_kept_done(AshAptKept *s) {
        free(s->suite);
        free(s->codename);
        free(s->version);
        free(s->date);
        free(s->mirror);
        *s = (AshAptKept){};
}

/* One apt state a suite and architecture: another mirror replaces its contents, as apt does by itself. */
static char *place_of(const AshAptConfig *c) { return ash_asprintf("%s/%s-%s", c->dir, c->suite, c->arch); }

static bool word_ok(const char *s) {
        for (; s && *s; s++)
                if ((unsigned char) *s < ' ' || *s == '"' || *s == '\\' || *s == ' ')
                        return false;
        return s != NULL;
}

static int check_config(const AshAptConfig *c, AshDiags *diags) {
        if (!word_ok(c->suite) || strchr(c->suite, '/') || !word_ok(c->arch) || strchr(c->arch, '/'))
                return ash_fail(diags, -ASH_ERR_CONFIG, ASH_NOWHERE, "'%s' and '%s' cannot be a suite and an architecture", c->suite ? c->suite : "", c->arch ? c->arch : "");
        if (!word_ok(c->dir))
                return ash_fail(diags, -ASH_ERR_CONFIG, ASH_NOWHERE, "apt cannot work in '%s': quotes, blanks and backslashes are not possible in the path of the store", c->dir);
        return 0;
}

/* ---- snapshots: dir/indices/ID/{InRelease,Packages.N.zst}; dir/SUITE-ARCH.current names the last ID and its mirror ---- */
static void fill_snapshot(AshSlice inrelease, const char *mirror, AshAptKept *ret) {
        AshSlice text = ash_deb_clearsigned_text(inrelease);
        *ret = (AshAptKept){};
        ash_digest_hex_of(ASH_SHA256, inrelease, ret->id);
        struct {
                const char *field;
                char **to;
        } fields[] = { { "Suite", &ret->suite }, { "Codename", &ret->codename }, { "Version", &ret->version }, { "Date", &ret->date } };
        for (size_t i = 0; i < ASH_N(fields); i++) {
                AshSlice v = ash_deb822_get(text, fields[i].field);
                *fields[i].to = ash_slice_dup(v.ptr ? v : ASH_S(""));
        }
        ret->mirror = ash_strdup(mirror);
}

static int keep_index(int fd, const char *name, const AshBytes *bytes, size_t i, AshDiags *diags) {
        _str_ AshStr packed = {};
        _free_ char *path = ash_asprintf("Packages.%zu.zst", i);
        int r = ash_compress(ash_bytes_slice(bytes), ASH_COMP_ZSTD, 1, &packed);
        if (r >= 0)
                r = ash_file_write_atomic(fd, path, ash_str_slice(&packed), 0644, false);
        return r < 0 ? ash_fail_file(diags, r, name, "cannot keep the index: %s", ash_strerror(r)) : 0;
}

/* Called with the lock of the place held. InRelease is written last: it says that the rest is whole. */
static int keep_indices(const AshAptConfig *c, const char *kept, const AshAptSnapshot *s, AshSlice inrelease, AshDiags *diags) {
        int r = ash_mkdir_all(AT_FDCWD, kept, 0755);
        _close_ int to = r < 0 ? -1 : open(kept, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (to < 0)
                return ash_fail_file(diags, r < 0 ? r : -errno, kept, "cannot make the directory");
        if (faccessat(to, "InRelease", R_OK, 0) == 0)
                return 0;
        size_t n = 0;
        ash_array_foreach(&s->indices, i) {
                _bytes_ AshBytes bytes = {};
                if (i->is_sources)
                        continue;
                r = ash_file_map(AT_FDCWD, i->path, &bytes);
                if (r >= 0)
                        r = keep_index(to, i->path, &bytes, n++, diags);
                if (r < 0)
                        return r;
        }
        if (n == 0)
                return ash_fail(diags, -ENOENT, ASH_NOWHERE, "apt fetched no index of packages for %s", c->arch);
        r = ash_file_write_atomic(to, "InRelease", inrelease, 0644, false);
        return r < 0 ? ash_fail_file(diags, r, kept, "cannot keep the snapshot: %s", ash_strerror(r)) : 0;
}

static int read_inrelease(const char *state, AshBytes *ret, AshDiags *diags) {
        _free_ char *lists = ash_asprintf("%s/lists", state);
        _dirlist_ AshDirList list = {};
        _close_ int fd = open(lists, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r = fd < 0 ? -errno : ash_dir_list(fd, ".", &list);
        if (r >= 0)
                ash_array_foreach(&list.entries, e)
                        if (ash_slice_ends(ash_slice_str(e->name), ASH_S("_InRelease")))
                                return ash_file_read(fd, e->name, 16u << 20, ret);
        return ash_fail_file(diags, r < 0 ? r : -ENOENT, lists, "apt kept no InRelease file");
}

static AshAptArchive archive_of(const AshAptConfig *c, const char *state, AshStr *words) {
        for (const char *const *p = c->components; p && *p; p++)
                ash_str_appendf(words, "%s%s", words->len ? " " : "", *p);
        if (words->len == 0)
                ash_str_append_str(words, "main");
        return (AshAptArchive){ .suite = c->suite, .components = words->ptr, .arch = c->arch, .mirror = c->mirror, .keyring = c->keyring, .state_dir = state };
}

int ash_apt_update(const AshAptConfig *c, AshAptKept *ret, AshDiags *diags) {
        int r = check_config(c, diags);
        if (r < 0)
                return r;
        _free_ char *place = place_of(c), *lock_path = ash_asprintf("%s.lock", place), *current = ash_asprintf("%s.current", place);
        _cleanup_(ash_lock_free_p) AshLockFile *lock = NULL;
        r = ash_mkdir_all(AT_FDCWD, c->dir, 0755);
        if (r >= 0)
                r = ash_lock_acquire(AT_FDCWD, lock_path, true, 600000, &lock);
        if (r < 0)
                return ash_fail_file(diags, r, lock_path, "cannot lock: %s", ash_strerror(r));
        _str_ AshStr words = {};
        AshAptArchive archive = archive_of(c, place, &words);
        _cleanup_(ash_apt_snapshot_free_p) AshAptSnapshot *s = NULL;
        _bytes_ AshBytes inrelease = {};
        r = ash_apt_sync(&archive, &s, c->progress, diags);
        if (r >= 0)
                r = read_inrelease(place, &inrelease, diags);
        if (r < 0)
                return r;
        AshAptKept kept = {};
        fill_snapshot(ash_bytes_slice(&inrelease), s->mirror, &kept);
        _free_ char *dir = ash_asprintf("%s/indices/%s-%s", c->dir, kept.id, c->arch), *line = ash_asprintf("%s %s\n", kept.id, s->mirror);
        r = keep_indices(c, dir, s, ash_bytes_slice(&inrelease), diags);
        if (r >= 0)
                r = ash_file_update(AT_FDCWD, current, ash_slice_str(line), 0644, false);
        if (r < 0) {
                ash_apt_kept_done(&kept);
                return r;
        }
        *ret = kept;
        return 0;
}

/* ---- opening ---- */
static int current_snapshot(const AshAptConfig *c, char id[static 65], char **ret_mirror, AshDiags *diags) {
        _free_ char *place = place_of(c), *path = ash_asprintf("%s.current", place);
        _bytes_ AshBytes bytes = {};
        int r = ash_file_read(AT_FDCWD, path, 65536, &bytes);
        AshSlice text = ash_slice_trim(ash_bytes_slice(&bytes)), word;
        if (r < 0 || !ash_slice_next_word(&text, &word) || word.len != 64) {
                r = ash_fail(diags, -ENOENT, ASH_NOWHERE, "the archive's indices for %s (%s) are not here", c->suite, c->arch);
                ash_hint(diags, "run 'ashlar upstream sync'");
                return r;
        }
        memcpy(id, word.ptr, 64);
        id[64] = '\0';
        *ret_mirror = ash_slice_dup(ash_slice_trim(text));
        return 0;
}

static int build_from_kept(const AshAptConfig *c, const char *kept, AshApt **ret, AshDiags *diags) {
        AshStr texts[16] = {};
        AshSlice slices[16];
        size_t n = 0;
        int r = 0;
        for (; r >= 0 && n < ASH_N(texts); n++) {
                _free_ char *path = ash_asprintf("%s/Packages.%zu.zst", kept, n);
                _bytes_ AshBytes packed = {};
                r = ash_file_map(AT_FDCWD, path, &packed);
                if (r == -ENOENT && n > 0) {
                        r = 0;
                        break;
                }
                if (r >= 0)
                        r = ash_decompress(ash_bytes_slice(&packed), ASH_COMP_ZSTD, 2u << 30, &texts[n]);
                if (r < 0)
                        ash_fail_file(diags, r, path, "cannot read the kept index: %s", ash_strerror(r));
                slices[n] = ash_str_slice(&texts[n]);
        }
        if (r >= 0)
                r = ash_apt_build(slices, n, ash_slice_str(c->arch), c->tables, "Packages", ret, diags);
        for (size_t i = 0; i < ASH_N(texts); i++)
                ash_str_done(&texts[i]);
        return r;
}

/* The translated form is named after all that it was made from. */
static void universe_path(const AshAptConfig *c, const char *id, AshStr *out) {
        _free_ char *inputs = ash_asprintf("%d %s %s %s", ASH_APT_IMPORTER_VERSION, id, c->arch, ash_apt_tables_digest(c->tables));
        char hex[ASH_HEX_MAX];
        ash_digest_hex_of(ASH_SHA256, ash_slice_str(inputs), hex);
        ash_str_appendf(out, "%s/universes/%s", c->dir, hex);
}

static int open_universe(const AshAptConfig *c, const char *id, const char *kept, bool *ret_cached, AshApt **ret, AshDiags *diags) {
        _str_ AshStr path = {};
        universe_path(c, id, &path);
        _bytes_ AshBytes bytes = {};
        *ret_cached = ash_file_map(AT_FDCWD, path.ptr, &bytes) >= 0 && ash_apt_load(&bytes, ret) >= 0;
        if (*ret_cached)
                return 0;
        ash_progress_message(c->progress, "translating the archive's relations");
        int r = build_from_kept(c, kept, ret, diags);
        if (r < 0)
                return r;
        _free_ char *dir = ash_asprintf("%s/universes", c->dir);
        r = ash_mkdir_all(AT_FDCWD, dir, 0755);
        if (r >= 0)
                r = ash_file_write_atomic(AT_FDCWD, path.ptr, ash_apt_blob(*ret), 0644, false);
        if (r < 0) /* a cache that cannot be written costs time, nothing else */
                ash_warn(diags, ASH_NOWHERE, "cannot keep the translated archive in '%s': %s", path.ptr, ash_strerror(r));
        return 0;
}

int ash_apt_open(const AshAptConfig *c, const char *id, AshApt **ret, AshAptKept *ret_snapshot, AshDiags *diags) {
        char current[65];
        _free_ char *mirror = NULL;
        int r = check_config(c, diags);
        if (r >= 0 && !id) {
                r = current_snapshot(c, current, &mirror, diags);
                id = current;
        }
        if (r < 0)
                return r;
        _free_ char *kept = ash_asprintf("%s/indices/%s-%s", c->dir, id, c->arch), *path = ash_asprintf("%s/InRelease", kept);
        _bytes_ AshBytes inrelease = {};
        r = ash_file_read(AT_FDCWD, path, 16u << 20, &inrelease);
        if (r < 0) {
                ash_fail(diags, -ENOENT, ASH_NOWHERE, "snapshot %.12s of %s (%s) is not here", id, c->suite, c->arch);
                ash_hint(diags, "run 'ashlar upstream sync'");
                return -ENOENT;
        }
        AshAptKept s;
        fill_snapshot(ash_bytes_slice(&inrelease), mirror ? mirror : "", &s);
        AshApt *universe = NULL;
        r = strcmp(s.id, id) == 0 ? open_universe(c, id, kept, &s.cached, &universe, diags) : ash_fail_file(diags, -ASH_ERR_VERIFY, path, "is not the snapshot %.12s that its name says", id);
        if (r < 0) {
                ash_apt_kept_done(&s);
                return r;
        }
        *ret = universe;
        if (ret_snapshot)
                *ret_snapshot = s;
        else
                ash_apt_kept_done(&s);
        return 0;
}
