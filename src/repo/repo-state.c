#include "repo-metadata.h"

/* Text, so that a person can read it:
 *   ashlar-repo-state 4 CHECKSUM-OF-THE-REST \n  OPTIONS \n  REPOMD \n  m NAME \n ...   p SIZE SHA256 LENGTHS-OF-FRAGMENTS MTIME \t LOCATION \t KEY \n ...
 * A checksum and no digest: it is ours, and finds accidents only. The fragments themselves stand in the metadata files, in this order. */
#define MAGIC "ashlar-repo-state 4 "
enum { HEAD_MAX = 4096 }; /* of a metadata file, before its first package and behind the last */

void ash_repo_state_done(AshRepoState *s) {
        ash_bytes_done(&s->bytes);
        for (size_t i = 0; i < ASH_N(s->documents); i++)
                ash_str_done(&s->documents[i]);
        ash_array_done(&s->entries);
        ash_array_done(&s->meta);
        ash_map_done(&s->by_key);
        *s = (AshRepoState){};
}

static bool take_number(AshSlice *rest, int base, uint64_t *ret) {
        AshSlice word;
        return ash_slice_next_word(rest, &word) && ash_slice_to_u64(word, base, ret) == 0;
}

/* Only the length is known before ash_repo_state_load(). */
static bool take_length(AshSlice *rest, AshSlice *ret) {
        uint64_t n;
        if (!take_number(rest, 10, &n) || n > UINT32_MAX)
                return false;
        *ret = ash_slice(NULL, n);
        return true;
}

static bool read_entry(AshSlice line, AshRepoEntry *e) {
        AshSlice head, sha;
        if (!ash_slice_split(&line, '\t', &head) || !ash_slice_split(&line, '\t', &e->location) || !line.ptr)
                return false;
        e->key = line;
        head = ash_slice_from(head, 2);
        if (!take_number(&head, 10, &e->size) || !ash_slice_next_word(&head, &sha) || sha.len != 64)
                return false;
        memcpy(e->sha256, sha.ptr, 64);
        return take_length(&head, &e->primary) && take_length(&head, &e->filelists) && take_length(&head, &e->other) && take_number(&head, 10, &e->mtime);
}

bool ash_repo_state_parse(AshSlice text, AshRepoState *s) {
        AshSlice line;
        uint64_t sum = 0;
        bool ok = ash_slice_next_line(&text, &line) && ash_slice_starts(line, ASH_S(MAGIC)) && ash_slice_to_u64(ash_slice_from(line, sizeof MAGIC - 1), 16, &sum) == 0 && sum == ash_checksum(text);
        ok = ok && ash_slice_next_line(&text, &s->options) && ash_slice_next_line(&text, &s->repomd);
        while (ok && ash_slice_next_line(&text, &line)) {
                if (ash_slice_starts(line, ASH_S("m ")))
                        ash_array_add(&s->meta)->name = ash_slice_from(line, 2);
                else
                        ok = ash_slice_starts(line, ASH_S("p ")) && read_entry(line, ash_array_add(&s->entries));
        }
        return ok;
}

void ash_repo_state_read(int dirfd, const char *path, AshRepoState *ret) {
        *ret = (AshRepoState){};
        if (ash_file_map(dirfd, path, &ret->bytes) < 0 || !ash_repo_state_parse(ash_bytes_slice(&ret->bytes), ret)) {
                ash_repo_state_done(ret);
                return;
        }
        ash_map_reserve(&ret->by_key, ret->entries.n);
        ash_array_foreach(&ret->entries, e)
                ash_map_put(&ret->by_key, e->key, e, NULL);
}

/* ---- fragments ---- */
static const struct {
        const char *in_name; /* behind the digest */
        size_t part;         /* of an entry */
} documents[] = {
        { "-primary.xml", offsetof(AshRepoEntry, primary) }, { "-filelists.xml", offsetof(AshRepoEntry, filelists) }, { "-other.xml", offsetof(AshRepoEntry, other) },
};

static AshSlice *part_of(AshRepoEntry *e, size_t k) { return (AshSlice *) ((char *) e + documents[k].part); }

static const AshRepoMeta *find_document(const AshRepoState *s, size_t k) {
        ash_array_foreach(&s->meta, m)
                if (m->name.len > 64 && ash_slice_starts(ash_slice_from(m->name, 64), ash_slice_str(documents[k].in_name)))
                        return m;
        return NULL;
}

static int unpack(int dirfd, const AshRepoMeta *m, size_t limit, AshStr *out) {
        _bytes_ AshBytes packed = {};
        char hex[65];
        _free_ char *path = ash_asprintf("repodata/%.*s", ASH_F(m->name));
        int r = ash_file_map(dirfd, path, &packed);
        if (r < 0)
                return r;
        ash_digest_hex_of(ASH_SHA256, ash_bytes_slice(&packed), hex);
        if (!ash_slice_eqs(ash_slice(m->name.ptr, 64), hex))
                return -ASH_ERR_VERIFY;
        return ash_decompress(ash_bytes_slice(&packed), ash_compression_detect(ash_bytes_slice(&packed)), limit, out);
}

typedef struct Load {
        AshRepoState *state;
        int dirfd;
} Load;

static int load_document(void *context, size_t k) {
        Load *l = context;
        AshRepoState *s = l->state;
        AshStr *text = &s->documents[k];
        const AshRepoMeta *m = find_document(s, k);
        uint64_t total = 0;
        ash_array_foreach(&s->entries, e) total += part_of(e, k)->len;
        int r = m ? unpack(l->dirfd, m, total + HEAD_MAX, text) : -ENOENT;
        if (r < 0)
                return r;
        ptrdiff_t end = ash_slice_rfind_char(ash_str_slice(text), '<'); /* of the closing tag of the root */
        if (end < 0 || (uint64_t) end < total)
                return -ASH_ERR_VERIFY;
        const char *at = text->ptr + end - total;
        ash_array_foreach(&s->entries, e) {
                part_of(e, k)->ptr = at;
                at += part_of(e, k)->len;
        }
        return 0;
}

bool ash_repo_state_load(AshRepoState *s, int dirfd) {
        Load l = { s, dirfd };
        return ash_parallel_for(ASH_N(documents), 0, false, load_document, &l) >= 0;
}

/* ---- writing ---- */
int ash_repo_state_write(int dirfd, const char *path, AshSlice options, AshSlice repomd, const AshRepoMeta *meta, size_t n_meta, const AshRepoEntry *entries, size_t n) {
        _str_ AshStr text = {};
        enum { FIRST = sizeof MAGIC - 1 + 16 + 1 };
        ash_str_append_fill(&text, ' ', FIRST);
        ash_str_appendf(&text, "%.*s\n%.*s\n", ASH_F(options), ASH_F(repomd));
        for (size_t i = 0; i < n_meta; i++)
                ash_str_appendf(&text, "m %.*s\n", ASH_F(meta[i].name));
        for (size_t i = 0; i < n; i++) {
                const AshRepoEntry *e = &entries[i];
                ash_str_appendf(&text, "p %llu %s %zu %zu %zu %llu\t%.*s\t%.*s\n", (unsigned long long) e->size, e->sha256, e->primary.len, e->filelists.len, e->other.len, (unsigned long long) e->mtime, ASH_F(e->location), ASH_F(e->key));
        }
        _free_ char *first = ash_asprintf(MAGIC "%016llx\n", (unsigned long long) ash_checksum(ash_slice_from(ash_str_slice(&text), FIRST)));
        memcpy(text.ptr, first, FIRST);
        return ash_file_write_atomic(dirfd, path, ash_str_slice(&text), 0644, false);
}

static bool file_is(int dirfd, const char *path, AshSlice digest) {
        uint8_t have[32];
        char hex[65];
        if (ash_digest_file(ASH_SHA256, dirfd, path, have, NULL) < 0)
                return false;
        ash_hex(have, sizeof have, hex);
        return ash_slice_eqs(digest, hex);
}

/* Names of metadata files start with their digest; one that is lost or damaged makes all of them be written anew. */
bool ash_repo_state_is_intact(const AshRepoState *s, int dirfd) {
        ash_array_foreach(&s->meta, m) {
                _free_ char *path = ash_asprintf("repodata/%.*s", ASH_F(m->name));
                if (m->name.len < 64 || !file_is(dirfd, path, ash_slice(m->name.ptr, 64)))
                        return false;
        }
        return file_is(dirfd, "repodata/repomd.xml", s->repomd);
}

static void digest_text(AshDigest *d, AshSlice s) {
        uint64_t n = s.len;
        ash_digest_update(d, &n, sizeof n);
        ash_digest_update(d, s.ptr, s.len);
}

static void digest_number(AshDigest *d, uint64_t n) { ash_digest_update(d, &n, sizeof n); }

void ash_repo_options_digest(const AshRepoOptions *o, char ret[static 65]) {
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        uint8_t bytes[32];
        digest_text(d, ASH_S(ASHLAR_VERSION));
        digest_number(d, o->compression);
        digest_number(d, o->changelogs);
        digest_number(d, o->time);
        digest_number(d, o->n_signers);
        for (size_t i = 0; i < o->n_signers; i++)
                digest_text(d, ash_slice_str(ash_signer_key_id(o->signers[i])));
        digest_number(d, o->n_advisories);
        for (size_t i = 0; i < o->n_advisories; i++) {
                const AshRepoAdvisory *a = &o->advisories[i];
                const AshSlice texts[] = { a->id, a->type, a->severity, a->title, a->summary, a->description, a->rights, a->issued, a->updated };
                for (size_t k = 0; k < ASH_N(texts); k++)
                        digest_text(d, texts[k]);
                digest_number(d, a->n_references);
                for (size_t k = 0; k < a->n_references; k++) {
                        const AshRepoAdvisoryRef *r = &a->references[k];
                        digest_text(d, r->type), digest_text(d, r->id), digest_text(d, r->href), digest_text(d, r->title);
                }
                digest_number(d, a->n_packages);
                for (size_t k = 0; k < a->n_packages; k++)
                        digest_text(d, a->packages[k]);
        }
        digest_number(d, o->n_groups);
        for (size_t i = 0; i < o->n_groups; i++) {
                const AshRepoGroup *g = &o->groups[i];
                digest_text(d, g->id), digest_text(d, g->name), digest_text(d, g->description);
                digest_number(d, g->n_mandatory);
                for (size_t k = 0; k < g->n_mandatory; k++)
                        digest_text(d, g->mandatory[k]);
                digest_number(d, g->n_optional);
                for (size_t k = 0; k < g->n_optional; k++)
                        digest_text(d, g->optional[k]);
        }
        digest_text(d, o->comps_xml);
        ash_digest_final(d, bytes);
        ash_hex(bytes, sizeof bytes, ret);
}
