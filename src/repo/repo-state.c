#include "repo-metadata.h"

/* Text, so that a person can read it: the fragments one after the other, then the table, then a line of fixed length that says where the table begins:
 *   OPTIONS \n  REPOMD \n  m NAME \n ...   p SIZE SHA256 LENGTHS-OF-FRAGMENTS CHECKSUM-OF-THEM \t LOCATION \t KEY \n ...
 *   ashlar-repo-state 2 OFFSET CHECKSUM-OF-THE-TABLE \n
 * Checksums and no digests: it is ours, and finds accidents only. Fragments come first, so that they are written while the metadata is made. */
#define MAGIC "ashlar-repo-state 2 "
enum { FOOTER = sizeof MAGIC - 1 + 16 + 1 + 16 + 1 };

void ash_repo_state_done(AshRepoState *s) {
        ash_bytes_done(&s->bytes);
        ash_array_done(&s->entries);
        ash_array_done(&s->meta);
        ash_map_done(&s->by_key);
        *s = (AshRepoState){};
}

static bool take_number(AshSlice *rest, int base, uint64_t *ret) {
        AshSlice word;
        return ash_slice_next_word(rest, &word) && ash_slice_to_u64(word, base, ret) == 0;
}

static uint64_t fragments_sum(const AshRepoEntry *e) { return ash_checksum(e->primary) ^ 3 * ash_checksum(e->filelists) ^ 5 * ash_checksum(e->other); }

static bool take_fragment(AshSlice *fragments, uint64_t n, AshSlice *ret) {
        if (n > fragments->len)
                return false;
        *ret = ash_slice_sub(*fragments, 0, n);
        *fragments = ash_slice_from(*fragments, n);
        return true;
}

static bool read_entry(AshSlice line, AshSlice *fragments, AshRepoEntry *e) {
        AshSlice head, sha;
        uint64_t primary, filelists, other;
        if (!ash_slice_split(&line, '\t', &head) || !ash_slice_split(&line, '\t', &e->location) || !line.ptr)
                return false;
        e->key = line;
        head = ash_slice_from(head, 2);
        if (!take_number(&head, 10, &e->size) || !ash_slice_next_word(&head, &sha) || sha.len != 64)
                return false;
        memcpy(e->sha256, sha.ptr, 64);
        if (!take_number(&head, 10, &primary) || !take_number(&head, 10, &filelists) || !take_number(&head, 10, &other) || !take_number(&head, 16, &e->sum))
                return false;
        return take_fragment(fragments, primary, &e->primary) && take_fragment(fragments, filelists, &e->filelists) && take_fragment(fragments, other, &e->other) && fragments_sum(e) == e->sum;
}

/* Parts it in two; false when the table is not what was written. */
static bool find_table(AshSlice text, AshSlice *ret_fragments, AshSlice *ret_table) {
        uint64_t at = 0, sum = 0;
        if (text.len < FOOTER)
                return false;
        AshSlice footer = ash_slice_trim_right(ash_slice_from(text, text.len - FOOTER));
        if (!ash_slice_starts(footer, ASH_S(MAGIC)))
                return false;
        footer = ash_slice_from(footer, sizeof MAGIC - 1);
        if (!take_number(&footer, 16, &at) || !take_number(&footer, 16, &sum) || at > text.len - FOOTER)
                return false;
        *ret_fragments = ash_slice(text.ptr, at);
        *ret_table = ash_slice_sub(text, at, text.len - FOOTER - at);
        return ash_checksum(*ret_table) == sum;
}

bool ash_repo_state_parse(AshSlice text, AshRepoState *s) {
        AshSlice rest, fragments, line;
        bool ok = find_table(text, &fragments, &rest) && ash_slice_next_line(&rest, &s->options) && ash_slice_next_line(&rest, &s->repomd);
        while (ok && ash_slice_next_line(&rest, &line)) {
                if (ash_slice_starts(line, ASH_S("m ")))
                        ash_array_add(&s->meta)->name = ash_slice_from(line, 2);
                else
                        ok = ash_slice_starts(line, ASH_S("p ")) && read_entry(line, &fragments, ash_array_add(&s->entries));
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

/* ---- writing ---- */
int ash_repo_state_begin(int dirfd, const char *path, AshRepoStateWriter *ret) { return ash_atomic_open(dirfd, path, 0644, false, &ret->file); }

void ash_repo_state_writer_done(AshRepoStateWriter *w) { ash_atomic_free(w->file); }

int ash_repo_state_fragments(AshRepoStateWriter *w, AshRepoEntry *entries, size_t n) {
        _cleanup_(ash_writer_free_p) AshWriter *out = ash_writer_new_fd(ash_atomic_fd(w->file), false);
        for (size_t i = 0; i < n; i++) {
                AshRepoEntry *e = &entries[i];
                e->sum = fragments_sum(e);
                ash_writer_slice(out, e->primary);
                ash_writer_slice(out, e->filelists);
                ash_writer_slice(out, e->other);
        }
        w->table_at = out->offset;
        return ash_writer_finish(out);
}

int ash_repo_state_commit(AshRepoStateWriter *w, AshSlice options, AshSlice repomd, const AshRepoMeta *meta, size_t n_meta, const AshRepoEntry *entries, size_t n) {
        _str_ AshStr table = {};
        ash_str_appendf(&table, "%.*s\n%.*s\n", ASH_F(options), ASH_F(repomd));
        for (size_t i = 0; i < n_meta; i++)
                ash_str_appendf(&table, "m %.*s\n", ASH_F(meta[i].name));
        for (size_t i = 0; i < n; i++) {
                const AshRepoEntry *e = &entries[i];
                ash_str_appendf(&table, "p %llu %s %zu %zu %zu %016llx\t%.*s\t%.*s\n", (unsigned long long) e->size, e->sha256, e->primary.len, e->filelists.len, e->other.len, (unsigned long long) e->sum,
                                ASH_F(e->location), ASH_F(e->key));
        }
        uint64_t sum = ash_checksum(ash_str_slice(&table));
        ash_str_appendf(&table, MAGIC "%016llx %016llx\n", (unsigned long long) w->table_at, (unsigned long long) sum);
        int r = ash_write_all(ash_atomic_fd(w->file), table.ptr, table.len);
        return r < 0 ? r : ash_atomic_commit(w->file);
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
