#include "apt-source.h"
#include "deb.h"

/* ---- names ---- */
static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char) (c | 32) : c; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* "xxHash-0.8.3.tar.gz", "v1.2.zip", "lz4_1.10.0.orig.tar.gz" as a name, a version and what comes behind it. */
typedef struct Parts {
        AshSlice name, version, ext;
} Parts;

static bool is_signature(AshSlice name) {
        static const char *const ends[] = { ".asc", ".sig", ".sign", ".gpg", ".pgp", ".gz.txt", ".xz.txt", ".bz2.txt" };
        for (size_t i = 0; i < ASH_N(ends); i++)
                if (ash_slice_ends(name, ash_slice_str(ends[i])))
                        return true;
        return false;
}

static AshSlice without_extension(AshSlice name, AshSlice *ret_ext) {
        static const char *const known[] = { ".tar.gz", ".tar.xz", ".tar.bz2", ".tar.lz", ".tar.zst", ".tar.lzma", ".tgz", ".txz", ".tbz2", ".tar", ".zip", ".gz", ".xz", ".bz2" };
        for (size_t i = 0; i < ASH_N(known); i++)
                if (ash_slice_ends(name, ash_slice_str(known[i]))) {
                        *ret_ext = ash_slice_from(name, name.len - strlen(known[i]));
                        return ash_slice_sub(name, 0, name.len - strlen(known[i]));
                }
        *ret_ext = ash_slice_from(name, name.len);
        return name;
}

static Parts split_name(AshSlice filename) {
        Parts p = {};
        AshSlice stem = filename;
        if (is_signature(stem)) {
                while (stem.len && stem.ptr[stem.len - 1] != '.')
                        stem.len--;
                stem.len -= stem.len > 0;
        }
        stem = without_extension(stem, &p.ext);
        p.name = stem;
        /* The version begins with a digit behind a separator; tags have one letter before it ("v1.2", "r59"). */
        for (size_t i = 0; i < stem.len; i++)
                if (is_digit(stem.ptr[i]) && (i == 0 || strchr("-_", stem.ptr[i - 1]) || (strchr("vVrR", stem.ptr[i - 1]) && (i == 1 || strchr("-_", stem.ptr[i - 2]))))) {
                        size_t end = i > 0 && strchr("vVrR", stem.ptr[i - 1]) ? i - 1 : i;
                        p.name = ash_slice_sub(stem, 0, end > 0 ? end - 1 : 0);
                        p.version = ash_slice_from(stem, i);
                        break;
                }
        return p;
}

/* What separates words is written in several ways, capital letters too. */
static bool same_text(AshSlice a, AshSlice b, const char *ignored) {
        size_t i = 0, j = 0;
        for (;;) {
                while (i < a.len && a.ptr[i] && strchr(ignored, a.ptr[i]))
                        i++;
                while (j < b.len && b.ptr[j] && strchr(ignored, b.ptr[j]))
                        j++;
                if (i == a.len || j == b.len)
                        return i == a.len && j == b.len && a.len && b.len;
                if (lower(a.ptr[i++]) != lower(b.ptr[j++]))
                        return false;
        }
}

static bool same_word(AshSlice a, AshSlice b) { return same_text(a, b, "-_.+"); }

/* A decimal fraction, as versions of Perl modules are: 4.04 is 4.040. */
static AshSlice without_zeros(AshSlice v) {
        ptrdiff_t dot = ash_slice_find_char(v, '.');
        if (dot < 0 || ash_slice_rfind_char(v, '.') != dot)
                return v;
        while (v.len > (size_t) dot + 2 && v.ptr[v.len - 1] == '0')
                v.len--;
        return v;
}

static bool same_version(AshSlice a, AshSlice b) { return same_text(a, b, "-_~") || same_text(without_zeros(a), without_zeros(b), "-_~"); } /* 1.0rc1, 1.0-rc1, 1.0~rc1 */

static bool holds_word(AshSlice hay, AshSlice needle) {
        for (size_t i = 0; needle.len >= 3 && i + needle.len <= hay.len; i++)
                if (same_word(ash_slice_sub(hay, i, needle.len), needle))
                        return true;
        return false;
}

/* What upstream released: lz4_1.10.0.orig.tar.gz, lz4_1.10.0.orig-docs.tar.gz; of a package whose upstream is the archive itself hostname_3.25.tar.xz. What the packager adds has other names. */
static bool is_upstreams(AshSlice name) {
        return ash_slice_find(name, ASH_S(".orig")) >= 0 || (ash_slice_find(name, ASH_S(".tar")) >= 0 && ash_slice_find(name, ASH_S(".debian.tar")) < 0);
}

/* "1.10.0" of lz4_1.10.0.orig.tar.gz, "3.25" of hostname_3.25.tar.xz; what a packager repacked (+dfsg, +ds) has another digest. */
static AshSlice orig_version(AshSlice name) {
        ptrdiff_t from = ash_slice_find_char(name, '_'), to = ash_slice_find(name, ASH_S(".orig"));
        if (to < 0)
                to = ash_slice_find(name, ASH_S(".tar"));
        return from < 0 || to < from ? (AshSlice){} : ash_slice_sub(name, (size_t) from + 1, (size_t) (to - from) - 1);
}

/* ---- one file of one source package ---- */
typedef struct Search {
        const AshAptSourceQuery *query;
        Parts wanted;
        bool signature;
        ASH_ARRAY(AshAptSourceFile) found;
} Search;

enum { RANK_DIGEST, RANK_PACKAGE, RANK_NAME, RANK_PART, RANK_VERSION, RANK_NONE };

static unsigned name_rank(const Search *s, const AshAptSourceFile *f) {
        bool version = s->wanted.version.len && same_version(orig_version(f->name), s->wanted.version);
        if (same_word(f->package, s->query->package))
                return RANK_PACKAGE;
        if (same_word(f->package, s->wanted.name))
                return RANK_NAME;
        if (version && (holds_word(f->package, s->wanted.name) || holds_word(s->wanted.name, f->package) || holds_word(f->package, s->query->package) || holds_word(s->query->package, f->package)))
                return RANK_PART;
        return version && s->wanted.version.len >= 3 ? RANK_VERSION : RANK_NONE;
}

/* Two steps a rank: what has another version or compression may still be it, but later. */
static unsigned rank_of(const Search *s, const AshAptSourceFile *f) {
        if (is_signature(f->name) != s->signature || !is_upstreams(f->name))
                return RANK_NONE * 4;
        unsigned rank = name_rank(s, f) * 4;
        if (rank == RANK_NONE * 4)
                return rank;
        AshSlice ext;
        without_extension(s->signature ? split_name(f->name).name : f->name, &ext);
        if (!s->signature && !ash_slice_eq(ext, s->wanted.ext))
                rank += 2;
        return rank + !(s->wanted.version.len && same_version(orig_version(f->name), s->wanted.version));
}

/* " DIGEST SIZE NAME" */
static bool next_file(AshSlice *rest, AshSlice *digest, uint64_t *size, AshSlice *name) {
        AshSlice line, word;
        while (ash_slice_next_line(rest, &line)) {
                if (ash_slice_next_word(&line, digest) && ash_slice_next_word(&line, &word) && ash_slice_to_u64(word, 10, size) >= 0 && ash_slice_next_word(&line, name))
                        return true;
        }
        return false;
}

typedef struct Stanza {
        AshSlice package, directory, md5, sha256, sha512;
} Stanza;

static bool stanza_has_digest(const Search *s, const Stanza *z, AshSlice name) {
        AshSlice rest = s->query->kind == ASH_SHA512 ? z->sha512 : s->query->kind == ASH_SHA256 ? z->sha256 : s->query->kind == ASH_MD5 ? z->md5 : (AshSlice){}, digest, other;
        uint64_t size;
        while (next_file(&rest, &digest, &size, &other))
                if (ash_slice_eq(other, name))
                        return ash_slice_eqs(digest, s->query->hex);
        return false;
}

static void take_stanza(Search *s, const Stanza *z) {
        AshSlice rest = z->sha256, digest;
        AshAptSourceFile f = { .package = z->package, .directory = z->directory };
        while (next_file(&rest, &digest, &f.size, &f.name)) {
                if (digest.len != 64 || ash_unhex(digest, f.sha256, 32) < 0 || !ash_path_is_confined(f.name) || !ash_path_is_confined(f.directory))
                        continue;
                f.rank = stanza_has_digest(s, z, f.name) ? RANK_DIGEST : rank_of(s, &f);
                if (f.rank < RANK_NONE * 4)
                        ash_array_push(&s->found, f);
        }
}

static int take_index(Search *s, AshSlice text, AshDiags *diags) {
        static const struct { const char *name; size_t offset; } rows[] = {
                { "Package", offsetof(Stanza, package) }, { "Directory", offsetof(Stanza, directory) }, { "Files", offsetof(Stanza, md5) },
                { "Checksums-Sha256", offsetof(Stanza, sha256) }, { "Checksums-Sha512", offsetof(Stanza, sha512) },
        };
        AshDeb822 in = ash_deb822(text);
        Stanza z = {};
        AshDebField f;
        int e;
        while ((e = ash_deb822_next(&in, &f)) > 0) {
                if (e == ASH_DEB822_STANZA_END) {
                        take_stanza(s, &z);
                        z = (Stanza){};
                        continue;
                }
                for (size_t i = 0; i < ASH_N(rows); i++)
                        if (ash_slice_eq_nocase(f.name, ash_slice_str(rows[i].name)))
                                *(AshSlice *) (void *) ((char *) &z + rows[i].offset) = f.value;
        }
        return e < 0 ? ash_fail(diags, e, ASH_NOWHERE, "the index of source packages is broken") : 0;
}

static int compare(const void *a, const void *b) {
        const AshAptSourceFile *x = a, *y = b;
        if (x->rank != y->rank)
                return x->rank < y->rank ? -1 : 1;
        int c = ash_slice_cmp(x->package, y->package);
        return c ? c : ash_slice_cmp(x->name, y->name);
}

int ash_apt_source_candidates(const AshSlice *texts, size_t n_texts, const AshAptSourceQuery *query, AshArena *arena, AshAptSourceFile **ret, size_t *ret_n, AshDiags *diags) {
        Search s = { .query = query, .wanted = split_name(query->filename), .signature = is_signature(query->filename) };
        int r = 0;
        for (size_t i = 0; r >= 0 && i < n_texts; i++)
                r = take_index(&s, texts[i], diags);
        if (s.found.n)
                qsort(s.found.items, s.found.n, sizeof *s.found.items, compare);
        size_t n = 0;
        *ret = ash_arena_new_items(arena, AshAptSourceFile, ASH_APT_SOURCE_CANDIDATES);
        for (size_t i = 0; r >= 0 && i < s.found.n && n < ASH_APT_SOURCE_CANDIDATES; i++) {
                bool twice = false;
                for (size_t k = 0; k < n; k++)
                        twice = twice || memcmp((*ret)[k].sha256, s.found.items[i].sha256, 32) == 0;
                if (!twice)
                        (*ret)[n++] = s.found.items[i];
        }
        *ret_n = n;
        ash_array_done(&s.found);
        return r;
}

/* ---- armor ---- */
static int base64_value(char c) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const char *at = c ? strchr(digits, c) : NULL;
        return at ? (int) (at - digits) : -1;
}

int ash_apt_source_dearmor(AshSlice text, AshStr *ret) {
        AshSlice line;
        bool body = false;
        unsigned bits = 0, n = 0;
        if (!ash_slice_next_line(&text, &line) || !ash_slice_starts(line, ASH_S("-----BEGIN PGP ")))
                return 0;
        while (ash_slice_next_line(&text, &line)) {
                line = ash_slice_trim(line);
                if (ash_slice_starts(line, ASH_S("-----END PGP ")))
                        return ret->len > 0;
                if (!body) { /* headers, up to an empty line */
                        body = !line.len;
                        continue;
                }
                if (line.len && line.ptr[0] == '=') /* the checksum: a digest decides */
                        continue;
                for (size_t i = 0; i < line.len && line.ptr[i] != '='; i++) {
                        int v = base64_value(line.ptr[i]);
                        if (v < 0)
                                return 0;
                        bits = bits << 6 | (unsigned) v;
                        if ((n = n + 6) >= 8) {
                                n -= 8;
                                ash_str_append_char(ret, (char) (bits >> n & 0xff));
                        }
                }
        }
        return 0;
}
