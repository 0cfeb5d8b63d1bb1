#include <stdio.h>
#include "apt-sync.h"

#define KEYRING "/usr/share/keyrings/debian-archive-keyring.gpg"

void ash_apt_snapshot_free(AshAptSnapshot *s) {
        if (!s)
                return;
        ash_array_foreach(&s->indices, i) {
                free(i->path);
                free(i->component);
        }
        ash_array_done(&s->indices);
        ash_array_foreach(&s->contents, c)
                free(c->path);
        ash_array_done(&s->contents);
        free(s->mirror);
        free(s->date);
        free(s);
}

/* ---- the machine's own configuration (sources.list(5)) ---- */
typedef struct Entry {
        char *uri, *keyring;
} Entry;

static bool has_word(AshSlice words, AshSlice word) {
        AshSlice one;
        while (ash_slice_next_word(&words, &one))
                if (ash_slice_eq(one, word))
                        return true;
        return false;
}

/* One-line style: deb [signed-by=KEYRING ...] URI SUITE COMPONENT... */
static bool parse_line(AshSlice line, AshSlice codename, Entry *ret) {
        AshSlice word, uri, suite, keyring = {};
        line = ash_slice_trim(line);
        if (!ash_slice_next_word(&line, &word) || !ash_slice_eqs(word, "deb"))
                return false;
        line = ash_slice_trim(line);
        if (line.len && line.ptr[0] == '[') {
                ptrdiff_t end = ash_slice_find_char(line, ']');
                if (end < 0)
                        return false;
                AshSlice options = ash_slice_sub(line, 1, (size_t) end - 1);
                while (ash_slice_next_word(&options, &word))
                        if (ash_slice_starts(word, ASH_S("signed-by=")))
                                keyring = ash_slice_from(word, 10);
                line = ash_slice_from(line, (size_t) end + 1);
        }
        if (!ash_slice_next_word(&line, &uri) || !ash_slice_next_word(&line, &suite) || !ash_slice_eq(suite, codename) || !has_word(line, ASH_S("main")))
                return false;
        *ret = (Entry){ ash_slice_dup(uri), keyring.len ? ash_slice_dup(keyring) : NULL };
        return true;
}

/* deb822 style: a stanza of fields. */
static bool parse_stanza(AshSlice stanza, AshSlice codename, Entry *ret) {
        AshSlice line, types = {}, uris = {}, suites = {}, components = {}, keyring = {}, enabled = {};
        while (ash_slice_next_line(&stanza, &line)) {
                ptrdiff_t colon = ash_slice_find_char(line, ':');
                if (colon <= 0 || line.ptr[0] == '#' || line.ptr[0] == ' ' || line.ptr[0] == '\t')
                        continue;
                AshSlice name = ash_slice(line.ptr, (size_t) colon), value = ash_slice_trim(ash_slice_from(line, (size_t) colon + 1));
                AshSlice *field = ash_slice_eq_nocase(name, ASH_S("Types")) ? &types : ash_slice_eq_nocase(name, ASH_S("URIs")) ? &uris : ash_slice_eq_nocase(name, ASH_S("Suites")) ? &suites :
                                  ash_slice_eq_nocase(name, ASH_S("Components")) ? &components : ash_slice_eq_nocase(name, ASH_S("Signed-By")) ? &keyring :
                                  ash_slice_eq_nocase(name, ASH_S("Enabled")) ? &enabled : NULL;
                if (field)
                        *field = value;
        }
        AshSlice uri;
        if (ash_slice_eq_nocase(enabled, ASH_S("no")) || !has_word(types, ASH_S("deb")) || !has_word(suites, codename) || !has_word(components, ASH_S("main")) || !ash_slice_next_word(&uris, &uri))
                return false;
        *ret = (Entry){ ash_slice_dup(uri), keyring.len && keyring.ptr[0] == '/' ? ash_slice_dup(keyring) : NULL };
        return true;
}

static bool parse_sources(AshSlice text, bool deb822, AshSlice codename, Entry *ret) {
        AshSlice line;
        if (!deb822) {
                while (ash_slice_next_line(&text, &line))
                        if (parse_line(line, codename, ret))
                                return true;
                return false;
        }
        while (text.len) {
                ptrdiff_t end = ash_slice_find(text, ASH_S("\n\n"));
                if (parse_stanza(ash_slice(text.ptr, end < 0 ? text.len : (size_t) end + 1), codename, ret))
                        return true;
                text = end < 0 ? ash_slice_from(text, text.len) : ash_slice_from(text, (size_t) end + 2);
        }
        return false;
}

static char *host_codename(const char *root) {
        _free_ char *path = ash_path_join(root, "etc/os-release");
        _bytes_ AshBytes bytes = {};
        AshSlice rest, line;
        if (ash_file_read(AT_FDCWD, path, 1 << 20, &bytes) < 0)
                return NULL;
        for (rest = ash_bytes_slice(&bytes); ash_slice_next_line(&rest, &line);)
                if (ash_slice_starts(line, ASH_S("VERSION_CODENAME="))) {
                        AshSlice value = ash_slice_from(line, 17);
                        if (value.len >= 2 && value.ptr[0] == '"')
                                value = ash_slice_sub(value, 1, value.len - 2);
                        return ash_slice_dup(value);
                }
        return NULL;
}

/* The entry that gives the host its own release: Debian's archive, whatever mirror of it the machine uses. */
static int own_entry(const char *root, Entry *ret) {
        _free_ char *codename = host_codename(root), *list = ash_path_join(root, "etc/apt/sources.list"), *parts = ash_path_join(root, "etc/apt/sources.list.d");
        _dirlist_ AshDirList names = {};
        _bytes_ AshBytes bytes = {};
        if (!codename)
                return -ENOENT;
        if (ash_file_read(AT_FDCWD, list, 1 << 20, &bytes) >= 0 && parse_sources(ash_bytes_slice(&bytes), false, ash_slice_str(codename), ret))
                return 0;
        if (ash_dir_list(AT_FDCWD, parts, &names) < 0)
                return -ENOENT;
        ash_array_foreach(&names.entries, e) {
                _bytes_ AshBytes one = {};
                _free_ char *path = ash_path_join(parts, e->name);
                bool deb822 = ash_slice_ends(ash_slice_str(e->name), ASH_S(".sources"));
                if (!deb822 && !ash_slice_ends(ash_slice_str(e->name), ASH_S(".list")))
                        continue;
                if (ash_file_read(AT_FDCWD, path, 1 << 20, &one) >= 0 && parse_sources(ash_bytes_slice(&one), deb822, ash_slice_str(codename), ret))
                        return 0;
        }
        return -ENOENT;
}

/* Both become fields of a sources entry, where a line break would start another field ("Trusted: yes") and a blank another mirror. */
static int check_mirror(const AshAptArchive *a, const char *mirror, const char *keyring, AshDiags *diags) {
        AshSlice uri = ash_slice_str(mirror);
        ptrdiff_t colon = ash_slice_find(uri, ASH_S(":"));
        bool good = colon > 0 && uri.len > (size_t) colon + 2 && uri.ptr[colon + 1] == '/';
        for (size_t i = 0; i < uri.len; i++)
                good = good && (unsigned char) uri.ptr[i] > ' ' && uri.ptr[i] != 0x7f;
        if (!good)
                return ash_fail(diags, -ASH_ERR_USAGE, a->at, "'%s' is no address of an apt mirror", mirror);
        for (const char *c = keyring; *c; c++)
                if ((unsigned char) *c < ' ')
                        return ash_fail(diags, -ASH_ERR_USAGE, a->at, "'%s' cannot be the path of a keyring", keyring);
        if (keyring[0] != '/')
                return ash_fail(diags, -ASH_ERR_USAGE, a->at, "the path of the keyring '%s' must be absolute", keyring);
        if (!strpbrk(keyring, " ,") && access(keyring, R_OK) < 0) /* an entry of the machine's apt may name several */
                return ash_fail_file(diags, -errno, keyring, "cannot read the keyring that the archive's signature is checked with: %s", ash_strerror(errno));
        return 0;
}

int ash_apt_find_mirror(const AshAptArchive *a, const char *root, char **ret_mirror, char **ret_keyring, AshDiags *diags) {
        const char *mirror = a->mirror ? a->mirror : getenv("ASHLAR_APT_MIRROR"), *keyring = a->keyring ? a->keyring : getenv("ASHLAR_APT_KEYRING");
        Entry own = {};
        int r = mirror && mirror[0] && keyring ? 0 : own_entry(root, &own);
        if (r < 0 && (!mirror || !mirror[0])) {
                ash_fail(diags, -ENOENT, a->at, "no apt mirror is known: the apt configuration below %s has no entry for this machine's own release", root);
                ash_hint(diags, "name one with --apt-mirror URL or ASHLAR_APT_MIRROR");
                return -ENOENT;
        }
        const char *uri = mirror && mirror[0] ? mirror : own.uri;
        *ret_mirror = ash_asprintf("%s%s", uri, uri[0] && uri[strlen(uri) - 1] == '/' ? "" : "/");
        *ret_keyring = ash_strdup(keyring ? keyring : own.keyring ? own.keyring : KEYRING);
        free(own.uri);
        free(own.keyring);
        return 0;
}

/* ---- the private apt ---- */
/* Proxies and the like: what the machine says of Acquire holds here too; its hooks do not. */
static void append_acquire(AshStr *conf) {
        const char *argv[] = { "apt-config", "dump", "Acquire", NULL };
        _process_result_ AshProcessResult out = {};
        AshSlice rest, line;
        if (ash_process_run(&(AshProcess){ .argv = argv, .timeout_ms = 20000 }, &out) < 0 || out.status != 0)
                return;
        for (rest = ash_str_slice(&out.out); ash_slice_next_line(&rest, &line);)
                if (ash_slice_starts(line, ASH_S("Acquire::http")) || ash_slice_starts(line, ASH_S("Acquire::https")) || ash_slice_starts(line, ASH_S("Acquire::ftp")) ||
                    ash_slice_starts(line, ASH_S("Acquire::Retries")) || ash_slice_starts(line, ASH_S("Acquire::Check-Valid-Until"))) {
                        ash_str_append(conf, line);
                        ash_str_append_char(conf, '\n');
                }
}

static int write_text(int dirfd, const char *path, const AshStr *text, const AshAptArchive *a, AshDiags *diags) {
        int r = ash_file_update(dirfd, path, ash_str_slice(text), 0644, false);
        return r < 0 ? ash_fail_file(diags, r, a->state_dir, "cannot write %s: %s", path, ash_strerror(r)) : 0;
}

static int prepare(const AshAptArchive *a, const char *mirror, const char *keyring, int *ret_fd, AshDiags *diags) {
        static const char *const dirs[] = { "etc/apt.conf.d", "etc/preferences.d", "etc/sources.list.d", "etc/trusted.gpg.d", "lists/partial", "cache/archives/partial", "log" };
        _str_ AshStr conf = {}, sources = {}, empty = {};
        int r = ash_mkdir_all(AT_FDCWD, a->state_dir, 0755);
        _close_ int fd = r < 0 ? -1 : open(a->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return ash_fail_file(diags, r < 0 ? r : -errno, a->state_dir, "cannot keep apt's state here: %s", ash_strerror(r < 0 ? r : errno));
        for (size_t i = 0; i < ASH_N(dirs); i++)
                if ((r = ash_mkdir_all(fd, dirs[i], 0755)) < 0)
                        return ash_fail_file(diags, r, a->state_dir, "cannot make %s: %s", dirs[i], ash_strerror(r));
        _free_ char *here = realpath(a->state_dir, NULL);
        if (!here)
                return ash_fail_file(diags, -errno, a->state_dir, "cannot resolve: %s", ash_strerror(errno));
        ash_str_appendf(&sources, "Types: %s\nURIs: %s\nSuites: %s\nComponents: %s\nArchitectures: %s\nSigned-By: %s\n", a->sources ? "deb-src" : "deb", mirror, a->suite, a->components, a->arch, keyring);
        ash_str_appendf(&conf,
                        "Dir \"%s\";\nDir::State \"%s\";\nDir::State::lists \"%s/lists\";\nDir::State::status \"%s/status\";\nDir::Cache \"%s/cache\";\nDir::Log \"%s/log\";\n"
                        "Dir::Etc \"%s/etc\";\nDir::Etc::main \"apt.conf\";\nDir::Etc::parts \"apt.conf.d\";\nDir::Etc::sourcelist \"/dev/null\";\nDir::Etc::sourceparts \"sources.list.d\";\nDir::Etc::trusted \"/dev/null\";\n"
                        "Dir::Etc::trustedparts \"trusted.gpg.d\";\nDir::Bin::methods \"/usr/lib/apt/methods\";\nAPT::Architecture \"%s\";\nAPT::Architectures { \"%s\"; };\nAPT::Sandbox::User \"\";\n"
                        "Acquire::Languages \"none\";\nAcquire::GzipIndexes \"false\";\nAcquire::IndexTargets::deb::Contents-deb::DefaultEnabled \"false\";\nAPT::Get::List-Cleanup \"true\";\n",
                        here, here, here, here, here, here, here, a->arch, a->arch);
        append_acquire(&conf);
        ash_str_append_str(&empty, "");
        r = write_text(fd, "etc/sources.list.d/ashlar.sources", &sources, a, diags);
        if (r >= 0)
                r = write_text(fd, "apt.conf", &conf, a, diags);
        if (r >= 0)
                r = write_text(fd, "status", &empty, a, diags);
        if (r >= 0)
                *ret_fd = ASH_TAKE_FD(fd);
        return r;
}

static int run_apt(const AshAptArchive *a, const char *const *args, const AshProcess *how, AshProcessResult *ret, AshDiags *diags) {
        ASH_ARRAY(const char *) argv = {}, env = {};
        _free_ char *here = realpath(a->state_dir, NULL), *config = ash_asprintf("APT_CONFIG=%s/apt.conf", here ? here : a->state_dir);
        ash_array_push(&argv, "apt-get");
        for (; *args; args++)
                ash_array_push(&argv, *args);
        ash_array_push(&argv, NULL);
        for (char **e = environ; *e; e++)
                if (strncmp(*e, "APT_CONFIG=", 11) != 0 && strncmp(*e, "LC_", 3) != 0 && strncmp(*e, "LANG", 4) != 0)
                        ash_array_push(&env, *e);
        ash_array_push(&env, config);
        ash_array_push(&env, "LC_ALL=C.UTF-8");
        ash_array_push(&env, NULL);
        AshProcess process = *how;
        process.argv = argv.items;
        process.env = env.items;
        process.timeout_ms = 900000;
        int r = ash_process_run(&process, ret);
        ash_array_done(&argv);
        ash_array_done(&env);
        if (r == -ENOENT) {
                ash_fail(diags, r, a->at, "apt-get is not installed; it fetches and verifies the archive's indices");
                ash_hint(diags, "install the package 'apt', or choose another upstream with --upstream");
                return r;
        }
        return r < 0 ? ash_fail(diags, r, a->at, "cannot run apt-get: %s", ash_strerror(r)) : 0;
}

/* apt's own words, the lines that begin with E: or W:, and what they mean for the caller. */
static int explain(const AshAptArchive *a, const AshProcessResult *out, AshDiags *diags) {
        AshSlice rest = ash_str_slice(&out->err), line, text = ash_str_slice(&out->err);
        bool signature = ash_slice_find(text, ASH_S("signature")) >= 0 || ash_slice_find(text, ASH_S("not signed")) >= 0 || ash_slice_find(text, ASH_S("NO_PUBKEY")) >= 0 || ash_slice_find(text, ASH_S("EXPKEYSIG")) >= 0 || ash_slice_find(text, ASH_S("Hash Sum mismatch")) >= 0;
        int code = signature ? -ASH_ERR_VERIFY : -ASH_ERR_AGAIN;
        ash_fail(diags, code, a->at, signature ? "apt refuses the indices of suite '%s'" : "apt cannot fetch the indices of suite '%s'", a->suite);
        while (ash_slice_next_line(&rest, &line))
                if (ash_slice_starts(line, ASH_S("E: ")) || ash_slice_starts(line, ASH_S("W: ")))
                        ash_note(diags, ASH_NOWHERE, "apt: %.*s", ASH_F(ash_slice_from(line, 3)));
        return code;
}

/* ---- what came ---- */
static int add_index(AshAptSnapshot *s, AshSlice line, AshDiags *diags) {
        AshSlice kind, path, component;
        if (!ash_slice_split(&line, '\t', &kind) || !ash_slice_split(&line, '\t', &path) || !ash_slice_split(&line, '\t', &component))
                return 0;
        AshAptIndex *index = ash_array_add(&s->indices);
        index->path = ash_slice_dup(path);
        index->component = ash_slice_dup(component);
        index->is_sources = ash_slice_eqs(kind, "Sources");
        int r = ash_digest_file(ASH_SHA256, AT_FDCWD, index->path, index->sha256, NULL);
        return r < 0 ? ash_fail_file(diags, r, index->path, "cannot read what apt fetched: %s", ash_strerror(r)) : 0;
}

/* apt checks signatures and does not say whose: gpgv, which comes with it, does. */
static void find_signer(const char *path, const char *keyring, AshAptSnapshot *s) {
        const char *argv[] = { "gpgv", "--keyring", keyring, "--status-fd", "1", path, NULL };
        _process_result_ AshProcessResult out = {};
        AshSlice rest, line, fingerprint = {};
        if (ash_process_run(&(AshProcess){ .argv = argv, .timeout_ms = 60000 }, &out) < 0)
                return;
        for (rest = ash_str_slice(&out.out); ash_slice_next_line(&rest, &line);) {
                if (!ash_slice_starts(line, ASH_S("[GNUPG:] VALIDSIG ")))
                        continue;
                /* The last word is the primary key's. */
                AshSlice words = ash_slice_trim(line), word = {};
                while (ash_slice_next_word(&words, &word))
                        fingerprint = word;
                if (fingerprint.len < sizeof s->key)
                        memcpy(s->key, fingerprint.ptr, fingerprint.len);
                return;
        }
}

/* " DIGEST SIZE PATH" below "SHA256:" (wiki.debian.org "RepositoryFormat", MD5Sum, SHA1, SHA256). */
static void find_contents(const AshAptArchive *a, AshSlice release, AshAptSnapshot *s) {
        bool inside = false;
        AshSlice line, digest, size, path, component;
        while (ash_slice_next_line(&release, &line)) {
                if (!line.len || line.ptr[0] != ' ') {
                        inside = ash_slice_starts(line, ASH_S("SHA256:"));
                        continue;
                }
                AshAptContents one = {};
                if (!inside || !ash_slice_next_word(&line, &digest) || !ash_slice_next_word(&line, &size) || !ash_slice_next_word(&line, &path) || digest.len != 64 || ash_unhex(digest, one.sha256, 32) < 0)
                        continue;
                AshSlice words = ash_slice_str(a->components);
                while (ash_slice_next_word(&words, &component)) {
                        _free_ char *own = ash_asprintf("%.*s/Contents-%s.gz", ASH_F(component), a->arch), *all = ash_asprintf("%.*s/Contents-all.gz", ASH_F(component));
                        if (!ash_slice_eqs(path, own) && !ash_slice_eqs(path, all))
                                continue;
                        one.path = ash_slice_dup(path);
                        ash_array_push(&s->contents, one);
                }
        }
}

static int read_release(const AshAptArchive *a, int fd, const char *keyring, AshAptSnapshot *s, AshDiags *diags) {
        _dirlist_ AshDirList list = {};
        int r = ash_dir_list(fd, "lists", &list);
        if (r < 0)
                return ash_fail_file(diags, r, a->state_dir, "cannot read what apt fetched: %s", ash_strerror(r));
        ash_array_foreach(&list.entries, e) {
                _free_ char *path = ash_asprintf("lists/%s", e->name);
                _bytes_ AshBytes bytes = {};
                AshSlice rest, line;
                if (!ash_slice_ends(ash_slice_str(e->name), ASH_S("_InRelease")) || (r = ash_file_read(fd, path, 64 << 20, &bytes)) < 0)
                        continue;
                ash_digest_of(ASH_SHA256, ash_bytes_slice(&bytes), s->release_sha256);
                _free_ char *whole = ash_asprintf("%s/%s", a->state_dir, path);
                find_signer(whole, keyring, s);
                find_contents(a, ash_bytes_slice(&bytes), s);
                for (rest = ash_bytes_slice(&bytes); ash_slice_next_line(&rest, &line);)
                        if (ash_slice_starts(line, ASH_S("Date: "))) {
                                s->date = ash_slice_dup(ash_slice_trim(ash_slice_from(line, 6)));
                                return 0;
                        }
        }
        return ash_fail_file(diags, -ENOENT, a->state_dir, "apt left no InRelease file for suite '%s'", a->suite);
}

static int collect(const AshAptArchive *a, int fd, const char *mirror, const char *keyring, AshAptSnapshot **ret, AshDiags *diags) {
        static const char *const args[] = { "indextargets", "--format", "$(CREATED_BY)\t$(FILENAME)\t$(COMPONENT)", NULL };
        _cleanup_(ash_apt_snapshot_free_p) AshAptSnapshot *s = ash_calloc(1, sizeof *s);
        _process_result_ AshProcessResult out = {};
        AshSlice rest, line;
        s->mirror = ash_strdup(mirror);
        int r = run_apt(a, args, &(AshProcess){}, &out, diags);
        if (r < 0)
                return r;
        for (rest = ash_str_slice(&out.out); ash_slice_next_line(&rest, &line);)
                if (ash_slice_starts(line, ASH_S("Packages\t")) || ash_slice_starts(line, ASH_S("Sources\t")))
                        if ((r = add_index(s, line, diags)) < 0)
                                return r;
        if (!s->indices.n)
                return ash_fail_file(diags, -ENOENT, a->state_dir, "there are no indices of suite '%s' for %s here yet", a->suite, a->arch);
        r = read_release(a, fd, keyring, s, diags);
        if (r >= 0)
                *ret = ASH_TAKE(s);
        return r;
}

static int open_archive(const AshAptArchive *a, char **ret_mirror, char **ret_keyring, int *ret_fd, AshDiags *diags) {
        _free_ char *mirror = NULL, *keyring = NULL;
        int r = ash_apt_find_mirror(a, "/", &mirror, &keyring, diags);
        if (r >= 0)
                r = check_mirror(a, mirror, keyring, diags);
        if (r >= 0)
                r = prepare(a, mirror, keyring, ret_fd, diags);
        if (r >= 0) {
                *ret_mirror = ASH_TAKE(mirror);
                *ret_keyring = ASH_TAKE(keyring);
        }
        return r;
}

/* ---- how far apt is: it tells only a terminal, but what it fetches grows in lists/partial until it is whole ---- */
typedef struct Watch {
        int dirfd;
        AshProgress *progress;
        AshMap sizes;            /* name -> most bytes seen */
        AshArena *arena;
} Watch;

/* What comes over the wire; apt unpacks it beside. */
static bool is_download(AshSlice name) {
        static const char *const ends[] = { "_InRelease", "_Release", ".xz", ".gz", ".bz2", ".lzma", ".lz4", ".zst" };
        for (size_t i = 0; i < ASH_N(ends); i++)
                if (ash_slice_ends(name, ash_slice_str(ends[i])))
                        return true;
        return false;
}

static void watch_file(Watch *w, const char *name) {
        _free_ char *path = ash_asprintf("lists/partial/%s", name);
        struct stat st;
        bool fresh;
        if (!is_download(ash_slice_str(name)) || fstatat(w->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
                return;
        AshMapEntry *e = ash_map_ensure(&w->sizes, ash_slice_str(ash_arena_strdup(w->arena, name)), &fresh);
        if (fresh) {
                const char *what = strstr(name, "_dists_");
                ash_progress_message(w->progress, what ? what + 7 : name);
        }
        if ((uintptr_t) st.st_size <= (uintptr_t) e->value)
                return;
        ash_progress_advance(w->progress, (uint64_t) st.st_size - (uintptr_t) e->value);
        e->value = (void *) (uintptr_t) st.st_size;
}

static void watch(void *data) {
        Watch *w = data;
        _dirlist_ AshDirList list = {};
        if (ash_dir_list(w->dirfd, "lists/partial", &list) >= 0)
                ash_array_foreach(&list.entries, e)
                        watch_file(w, e->name);
}

static int offline_state(const AshAptArchive *a, AshAptSnapshot **ret, AshDiags *diags) {
        int r = ash_apt_last(a, ret, diags);
        if (r != -ENOENT)
                return r;
        ash_note(diags, a->at, "this run is offline");
        return -ASH_ERR_AGAIN;
}

int ash_apt_sync(const AshAptArchive *a, AshAptSnapshot **ret, AshProgress *progress, AshDiags *diags) {
        static const char *const args[] = { "update", "--error-on=any", "-q", NULL };
        _free_ char *mirror = NULL, *keyring = NULL;
        _close_ int fd = -1;
        _cleanup_(ash_lock_free_p) AshLockFile *lock = NULL;
        _process_result_ AshProcessResult out = {};
        if (a->offline)
                return offline_state(a, ret, diags);
        int r = open_archive(a, &mirror, &keyring, &fd, diags);
        if (r >= 0)
                r = ash_lock_acquire(fd, ".lock", true, -1, &lock);
        if (r < 0)
                return r;
        Watch w = { .dirfd = fd, .progress = progress, .arena = ash_arena_new() };
        ash_progress_begin(progress, "fetching the archive's indices", 0, ASH_UNIT_BYTES);
        r = run_apt(a, args, &(AshProcess){ .every = watch, .every_data = &w }, &out, diags);
        ash_progress_end(progress);
        ash_map_done(&w.sizes);
        ash_arena_free(w.arena);
        if (r >= 0 && out.status != 0)
                r = explain(a, &out, diags);
        return r < 0 ? r : collect(a, fd, mirror, keyring, ret, diags);
}

int ash_apt_last(const AshAptArchive *a, AshAptSnapshot **ret, AshDiags *diags) {
        _free_ char *mirror = NULL, *keyring = NULL;
        _close_ int fd = -1;
        int r = open_archive(a, &mirror, &keyring, &fd, diags);
        return r < 0 ? r : collect(a, fd, mirror, keyring, ret, diags);
}

/* ---- packages ---- */
static bool plain_scheme(AshSlice uri) {
        return ash_slice_starts(uri, ASH_S("http://")) || ash_slice_starts(uri, ASH_S("https://")) || ash_slice_starts(uri, ASH_S("file:/")) || ash_slice_starts(uri, ASH_S("copy:/"));
}

const char *ash_apt_url(const char *mirror, AshSlice filename, AshArena *arena) {
        AshSlice uri = ash_slice_str(mirror);
        if (!plain_scheme(uri))
                return NULL;
        bool copy = ash_slice_starts(uri, ASH_S("copy:/"));
        if (copy || (ash_slice_starts(uri, ASH_S("file:/")) && !ash_slice_starts(uri, ASH_S("file://"))))
                return ash_arena_printf(arena, "file://%s%.*s", mirror + 5, ASH_F(filename));
        return ash_arena_printf(arena, "%s%.*s", mirror, ASH_F(filename));
}

int ash_apt_download(const AshAptArchive *a, const char *const *specs, size_t n, const char *into, AshProgress *progress, AshDiags *diags) {
        _process_result_ AshProcessResult out = {};
        ASH_ARRAY(const char *) args = {};
        if (a->offline)
                return ash_fail(diags, -ASH_ERR_AGAIN, a->at, "%s and what else is missing was not fetched before, and this run is offline", specs[0]);
        ash_array_push(&args, "-q");
        ash_array_push(&args, "download");
        for (size_t i = 0; i < n; i++)
                ash_array_push(&args, specs[i]);
        ash_array_push(&args, NULL);
        ash_progress_begin(progress, "apt fetches packages", 0, ASH_UNIT_ITEMS);
        int r = run_apt(a, args.items, &(AshProcess){ .cwd = into }, &out, diags);
        ash_progress_end(progress);
        ash_array_done(&args);
        return r >= 0 && out.status != 0 ? explain(a, &out, diags) : r;
}
