#include "repo-metadata.h"

/* Text, so that a person can read it:
 *   ashlar-repo-state 1 SHA256-OF-ALL-THAT-FOLLOWS \n  OPTIONS \n  REPOMD \n
 *   m NAME \n ...   p SIZE SHA256 LENGTHS-OF-FRAGMENTS \t LOCATION \t KEY \n ...   empty line, then the fragments one after the other. */
#define MAGIC "ashlar-repo-state 1 "

void ash_repo_state_done(AshRepoState *s) {
        ash_bytes_done(&s->bytes);
        ash_array_done(&s->entries);
        ash_array_done(&s->meta);
        ash_map_done(&s->by_key);
        *s = (AshRepoState){};
}

static bool take_number(AshSlice *rest, uint64_t *ret) {
        AshSlice word;
        return ash_slice_next_word(rest, &word) && ash_slice_to_u64(word, 10, ret) == 0;
}

typedef struct Lengths {
        uint64_t primary, filelists, other;
} Lengths;

static bool read_entry(AshSlice line, AshRepoEntry *e, Lengths *n) {
        AshSlice head, sha;
        if (!ash_slice_split(&line, '\t', &head) || !ash_slice_split(&line, '\t', &e->location) || !line.ptr)
                return false;
        e->key = line;
        head = ash_slice_from(head, 2);
        if (!take_number(&head, &e->size) || !ash_slice_next_word(&head, &sha) || sha.len != 64)
                return false;
        memcpy(e->sha256, sha.ptr, 64);
        return take_number(&head, &n->primary) && take_number(&head, &n->filelists) && take_number(&head, &n->other);
}

bool ash_repo_state_parse(AshSlice text, AshRepoState *s) {
        AshSlice rest = text, line;
        char hex[ASH_HEX_MAX];
        ASH_ARRAY(Lengths) lengths = {};
        if (!ash_slice_next_line(&rest, &line) || !ash_slice_starts(line, ASH_S(MAGIC)))
                return false;
        ash_digest_hex_of(ASH_SHA256, rest, hex);
        if (!ash_slice_eqs(ash_slice_from(line, sizeof MAGIC - 1), hex))
                return false;
        bool ok = ash_slice_next_line(&rest, &s->options) && ash_slice_next_line(&rest, &s->repomd);
        while (ok && (ok = ash_slice_next_line(&rest, &line)) && line.len) {
                if (line.ptr[0] == 'm')
                        ash_array_add(&s->meta)->name = ash_slice_from(line, 2);
                else
                        ok = read_entry(line, ash_array_add(&s->entries), ash_array_add(&lengths));
        }
        for (size_t i = 0; ok && i < s->entries.n; i++) {
                AshRepoEntry *e = &s->entries.items[i];
                const Lengths *n = &lengths.items[i];
                if (n->primary > rest.len || n->filelists > rest.len - n->primary || n->other > rest.len - n->primary - n->filelists)
                        ok = false;
                e->primary = ash_slice_sub(rest, 0, n->primary);
                rest = ash_slice_from(rest, n->primary);
                e->filelists = ash_slice_sub(rest, 0, n->filelists);
                rest = ash_slice_from(rest, n->filelists);
                e->other = ash_slice_sub(rest, 0, n->other);
                rest = ash_slice_from(rest, n->other);
        }
        ash_array_done(&lengths);
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

int ash_repo_state_write(int dirfd, const char *path, AshSlice options, AshSlice repomd, const AshRepoMeta *meta, size_t n_meta, const AshRepoEntry *entries, size_t n) {
        _str_ AshStr body = {};
        char hex[ASH_HEX_MAX];
        size_t total = 4096, head = sizeof MAGIC - 1 + 64 + 1;
        for (size_t i = 0; i < n; i++)
                total += 512 + entries[i].key.len + entries[i].location.len + entries[i].primary.len + entries[i].filelists.len + entries[i].other.len;
        ash_str_reserve(&body, total);
        ash_str_append_fill(&body, ' ', head); /* the digest's place */
        ash_str_appendf(&body, "%.*s\n%.*s\n", ASH_F(options), ASH_F(repomd));
        for (size_t i = 0; i < n_meta; i++)
                ash_str_appendf(&body, "m %.*s\n", ASH_F(meta[i].name));
        for (size_t i = 0; i < n; i++) {
                const AshRepoEntry *e = &entries[i];
                ash_str_appendf(&body, "p %llu %s %zu %zu %zu\t%.*s\t%.*s\n", (unsigned long long) e->size, e->sha256, e->primary.len, e->filelists.len, e->other.len, ASH_F(e->location), ASH_F(e->key));
        }
        ash_str_append_char(&body, '\n');
        for (size_t i = 0; i < n; i++) {
                ash_str_append(&body, entries[i].primary);
                ash_str_append(&body, entries[i].filelists);
                ash_str_append(&body, entries[i].other);
        }
        ash_digest_hex_of(ASH_SHA256, ash_slice_from(ash_str_slice(&body), head), hex);
        memcpy(body.ptr, MAGIC, sizeof MAGIC - 1);
        memcpy(body.ptr + sizeof MAGIC - 1, hex, 64);
        body.ptr[head - 1] = '\n';
        return ash_file_write_atomic(dirfd, path, ash_str_slice(&body), 0644, false);
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
