#include <stdio.h>
#include "repo-fragment.h"
#include "repo-metadata.h"

#define NS_COMMON "http://linux.duke.edu/metadata/common"
#define NS_RPM "http://linux.duke.edu/metadata/rpm"
#define XML_HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

/* One document of repodata/ while it is made. */
typedef struct Document {
        const char *type, *file; /* "primary", "primary.xml" */
        bool compress;
        AshStr text;
        uint64_t open_size, size;
        char open_digest[ASH_HEX_MAX], digest[ASH_HEX_MAX];
        AshStr name;             /* in repodata/ */
} Document;

typedef struct Writer {
        int dirfd;
        const AshRepoOptions *o;
        AshRepoEntry *entries;
        size_t n;
        Document docs[5];
        size_t n_docs;
        AshDiags *diags;
} Writer;

static AshSlice part_primary(const AshRepoEntry *e) { return e->primary; }
static AshSlice part_filelists(const AshRepoEntry *e) { return e->filelists; }
static AshSlice part_other(const AshRepoEntry *e) { return e->other; }

static void tag(AshStr *out, const char *indent, const char *name, AshSlice text) {
        if (!text.len)
                return;
        ash_str_appendf(out, "%s<%s>", indent, name);
        ash_xml_escape(out, text);
        ash_str_appendf(out, "</%s>\n", name);
}

static void attribute(AshStr *out, const char *name, AshSlice text) {
        ash_str_appendf(out, " %s=\"", name);
        ash_xml_escape(out, text);
        ash_str_append_char(out, '"');
}

static const AshRepoEntry *entry_of(const Writer *w, AshSlice nevra, AshRpmNevra *ret) {
        /* The location's last part is NEVRA.rpm without the epoch; the NEVRA of an advisory may have one. */
        ptrdiff_t dot = ash_slice_rfind_char(nevra, '.'), dash;
        if (dot <= 0)
                return NULL;
        ret->arch = ash_slice_from(nevra, (size_t) dot + 1);
        AshSlice left = ash_slice(nevra.ptr, (size_t) dot);
        if ((dash = ash_slice_rfind_char(left, '-')) <= 0)
                return NULL;
        ret->release = ash_slice_from(left, (size_t) dash + 1);
        left.len = (size_t) dash;
        if ((dash = ash_slice_rfind_char(left, '-')) <= 0)
                return NULL;
        ret->version = ash_slice_from(left, (size_t) dash + 1);
        ret->name = ash_slice(left.ptr, (size_t) dash);
        ptrdiff_t colon = ash_slice_find_char(ret->version, ':');
        uint64_t epoch = 0;
        if (colon >= 0) {
                ash_slice_to_u64(ash_slice(ret->version.ptr, (size_t) colon), 10, &epoch);
                ret->version = ash_slice_from(ret->version, (size_t) colon + 1);
        }
        ret->epoch = (uint32_t) epoch;
        _str_ AshStr file = {};
        ash_str_appendf(&file, "%.*s-%.*s-%.*s.%.*s.rpm", ASH_F(ret->name), ASH_F(ret->version), ASH_F(ret->release), ASH_F(ret->arch));
        for (size_t i = 0; i < w->n; i++)
                if (ash_slice_eq(ash_path_base(w->entries[i].location), ash_str_slice(&file)))
                        return &w->entries[i];
        return NULL;
}

static void advisory(const Writer *w, AshStr *out, const AshRepoAdvisory *a) {
        ash_str_append_str(out, "  <update from=\"ashlar\" status=\"final\"");
        attribute(out, "type", a->type.len ? a->type : ASH_S("security"));
        ash_str_append_str(out, " version=\"1\">\n");
        tag(out, "    ", "id", a->id);
        tag(out, "    ", "title", a->title.len ? a->title : a->id);
        if (a->issued.len) {
                ash_str_append_str(out, "    <issued");
                attribute(out, "date", a->issued);
                ash_str_append_str(out, "/>\n    <updated");
                attribute(out, "date", a->updated.len ? a->updated : a->issued);
                ash_str_append_str(out, "/>\n");
        }
        tag(out, "    ", "rights", a->rights);
        tag(out, "    ", "severity", a->severity);
        tag(out, "    ", "summary", a->summary);
        tag(out, "    ", "description", a->description);
        ash_str_append_str(out, "    <references>\n");
        for (size_t i = 0; i < a->n_references; i++) {
                const AshRepoAdvisoryRef *r = &a->references[i];
                ash_str_append_str(out, "      <reference");
                attribute(out, "href", r->href);
                attribute(out, "id", r->id);
                attribute(out, "type", r->type);
                attribute(out, "title", r->title.len ? r->title : r->id);
                ash_str_append_str(out, "/>\n");
        }
        ash_str_append_str(out, "    </references>\n    <pkglist>\n      <collection>\n");
        for (size_t i = 0; i < a->n_packages; i++) {
                AshRpmNevra n = {};
                const AshRepoEntry *e = entry_of(w, a->packages[i], &n);
                if (!e)
                        continue; /* of another channel */
                ash_str_append_str(out, "        <package");
                attribute(out, "name", n.name);
                attribute(out, "version", n.version);
                attribute(out, "release", n.release);
                ash_str_appendf(out, " epoch=\"%u\"", n.epoch);
                attribute(out, "arch", n.arch);
                ash_str_append_str(out, ">\n  ");
                tag(out, "        ", "filename", ash_path_base(e->location));
                ash_str_appendf(out, "          <sum type=\"sha256\">%s</sum>\n        </package>\n", e->sha256);
        }
        ash_str_append_str(out, "      </collection>\n    </pkglist>\n  </update>\n");
}

static bool concerns(const Writer *w, const AshRepoAdvisory *a) {
        AshRpmNevra n = {};
        for (size_t i = 0; i < a->n_packages; i++)
                if (entry_of(w, a->packages[i], &n))
                        return true;
        return false;
}

static void updateinfo(const Writer *w, AshStr *out) {
        ash_str_append_str(out, XML_HEAD "<updates>\n");
        for (size_t i = 0; i < w->o->n_advisories; i++)
                if (concerns(w, &w->o->advisories[i]))
                        advisory(w, out, &w->o->advisories[i]);
        ash_str_append_str(out, "</updates>\n");
}

static void comps(const Writer *w, AshStr *out) {
        if (w->o->comps_xml.len) {
                ash_str_append(out, w->o->comps_xml);
                return;
        }
        ash_str_append_str(out, XML_HEAD "<!DOCTYPE comps PUBLIC \"-//Red Hat, Inc.//DTD Comps info//EN\" \"comps.dtd\">\n<comps>\n");
        for (size_t i = 0; i < w->o->n_groups; i++) {
                const AshRepoGroup *g = &w->o->groups[i];
                ash_str_append_str(out, "  <group>\n");
                tag(out, "    ", "id", g->id);
                tag(out, "    ", "name", g->name.len ? g->name : g->id);
                tag(out, "    ", "description", g->description);
                ash_str_append_str(out, "    <default>false</default>\n    <uservisible>true</uservisible>\n    <packagelist>\n");
                for (int optional = 0; optional < 2; optional++) {
                        const AshSlice *names = optional ? g->optional : g->mandatory;
                        size_t n = optional ? g->n_optional : g->n_mandatory;
                        for (size_t k = 0; k < n; k++) {
                                ash_str_appendf(out, "      <packagereq type=\"%s\">", optional ? "optional" : "mandatory");
                                ash_xml_escape(out, names[k]);
                                ash_str_append_str(out, "</packagereq>\n");
                        }
                }
                ash_str_append_str(out, "    </packagelist>\n  </group>\n");
        }
        ash_str_append_str(out, "</comps>\n");
}

/* A document as a row of pieces: what belongs to packages is not copied together first. */
typedef ASH_ARRAY(AshSlice) Pieces;

static const struct {
        const char *type, *root, *ns;
        AshSlice (*part)(const AshRepoEntry *);
} per_package[] = {
        { "primary", "metadata", NS_COMMON "\" xmlns:rpm=\"" NS_RPM, part_primary },
        { "filelists", "filelists", "http://linux.duke.edu/metadata/filelists", part_filelists },
        { "other", "otherdata", "http://linux.duke.edu/metadata/other", part_other },
};

static void fill(const Writer *w, Document *d, Pieces *pieces) {
        for (size_t k = 0; k < ASH_N(per_package); k++) {
                if (strcmp(d->type, per_package[k].type) != 0)
                        continue;
                ash_str_appendf(&d->text, XML_HEAD "<%s xmlns=\"%s\" packages=\"%zu\">\n", per_package[k].root, per_package[k].ns, w->n);
                size_t head = d->text.len;
                ash_str_appendf(&d->text, "</%s>\n", per_package[k].root);
                ash_array_push(pieces, ash_slice(d->text.ptr, head));
                for (size_t i = 0; i < w->n; i++)
                        ash_array_push(pieces, per_package[k].part(&w->entries[i]));
                ash_array_push(pieces, ash_slice_from(ash_str_slice(&d->text), head));
                return;
        }
        if (strcmp(d->type, "updateinfo") == 0)
                updateinfo(w, &d->text);
        else
                comps(w, &d->text);
        ash_array_push(pieces, ash_str_slice(&d->text));
}

/* Digested on the way in and, packed, on the way out. */
static int pack(const Pieces *pieces, AshCompression c, Document *d, AshStr *out) {
        _cleanup_(ash_digest_free_p) AshDigest *digest = ash_digest_new(ASH_SHA256);
        uint8_t open_digest[32];
        d->open_size = 0;
        ash_array_foreach(pieces, piece) d->open_size += piece->len;
        _cleanup_(ash_writer_free_p) AshWriter *memory = ash_writer_new_memory(out);
        _cleanup_(ash_writer_free_p) AshWriter *packer = ash_writer_new_compress_sized(memory, c, c == ASH_COMP_ZSTD ? 3 : 0, d->open_size);
        ash_array_foreach(pieces, piece) {
                ash_digest_update(digest, piece->ptr, piece->len);
                ash_writer_slice(packer, *piece);
        }
        ash_digest_final(digest, open_digest);
        ash_hex(open_digest, sizeof open_digest, d->open_digest);
        return ash_writer_finish(packer);
}

/* Made, digested, compressed, digested, written: one document a thread. */
static int make_document(void *context, size_t i) {
        Writer *w = context;
        Document *d = &w->docs[i];
        _str_ AshStr packed = {};
        Pieces pieces = {};
        fill(w, d, &pieces);
        AshCompression c = d->compress ? w->o->compression : ASH_COMP_NONE;
        int r = pack(&pieces, c, d, &packed);
        ash_array_done(&pieces);
        ash_str_done(&d->text);
        if (r < 0)
                return ash_fail(w->diags, r, ASH_NOWHERE, "cannot compress %s: %s", d->file, ash_strerror(r));
        d->size = packed.len;
        ash_digest_hex_of(ASH_SHA256, ash_str_slice(&packed), d->digest);
        ash_str_appendf(&d->name, "%s-%s%s", d->digest, d->file, ash_compression_suffix(c));
        r = ash_file_write_atomic(w->dirfd, d->name.ptr, ash_str_slice(&packed), 0644, false);
        return r < 0 ? ash_fail_file(w->diags, r, d->name.ptr, "cannot write: %s", ash_strerror(r)) : 0;
}

static void repomd(const Writer *w, AshStr *out) {
        ash_str_appendf(out, XML_HEAD "<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" xmlns:rpm=\"" NS_RPM "\">\n  <revision>%llu</revision>\n", (unsigned long long) w->o->time);
        for (size_t i = 0; i < w->n_docs; i++) {
                const Document *d = &w->docs[i];
                ash_str_appendf(out, "  <data type=\"%s\">\n    <checksum type=\"sha256\">%s</checksum>\n", d->type, d->digest);
                if (d->compress)
                        ash_str_appendf(out, "    <open-checksum type=\"sha256\">%s</open-checksum>\n", d->open_digest);
                ash_str_appendf(out, "    <location href=\"repodata/%s\"/>\n    <timestamp>%llu</timestamp>\n    <size>%llu</size>\n", d->name.ptr, (unsigned long long) w->o->time, (unsigned long long) d->size);
                if (d->compress)
                        ash_str_appendf(out, "    <open-size>%llu</open-size>\n", (unsigned long long) d->open_size);
                ash_str_append_str(out, "  </data>\n");
        }
        ash_str_append_str(out, "</repomd>\n");
}

static int sign_repomd(Writer *w, AshSlice text, uint64_t *bytes_written) {
        _str_ AshStr packets = {}, armored = {}, keys = {};
        if (!w->o->n_signers)
                return 0;
        for (size_t i = 0; i < w->o->n_signers; i++) {
                int r = ash_signer_sign(w->o->signers[i], &text, 1, (uint32_t) w->o->time, &packets, w->diags);
                if (r < 0)
                        return r;
                ash_str_append(&keys, ash_signer_public_key(w->o->signers[i]));
        }
        int r = ash_armor_signatures(ash_str_slice(&packets), &armored, w->diags);
        if (r >= 0)
                r = ash_file_write_atomic(w->dirfd, "repomd.xml.asc", ash_str_slice(&armored), 0644, false);
        if (r >= 0)
                r = ash_file_write_atomic(w->dirfd, "repomd.xml.key", ash_str_slice(&keys), 0644, false);
        *bytes_written += armored.len + keys.len;
        return r < 0 ? ash_fail_file(w->diags, r, "repomd.xml.asc", "cannot write: %s", ash_strerror(r)) : 0;
}

static int by_location(const void *a, const void *b) { return ash_slice_cmp(((const AshRepoEntry *) a)->location, ((const AshRepoEntry *) b)->location); }

static void documents_done(Writer *w) {
        for (size_t i = 0; i < ASH_N(w->docs); i++) {
                ash_str_done(&w->docs[i].text);
                ash_str_done(&w->docs[i].name);
        }
}

int ash_repo_metadata_write(int dirfd, const AshRepoOptions *o, AshRepoEntry *entries, size_t n, AshArena *arena, AshRepoMeta ret_meta[8], size_t *ret_n_meta, char ret_repomd[static 65], uint64_t *bytes_written,
                            AshDiags *diags) {
        Writer w __attribute__((__cleanup__(documents_done))) = { .dirfd = dirfd, .o = o, .entries = entries, .n = n, .diags = diags };
        _str_ AshStr text = {};
        if (n)
                qsort(entries, n, sizeof *entries, by_location);
        w.docs[w.n_docs++] = (Document){ .type = "primary", .file = "primary.xml", .compress = true };
        w.docs[w.n_docs++] = (Document){ .type = "filelists", .file = "filelists.xml", .compress = true };
        w.docs[w.n_docs++] = (Document){ .type = "other", .file = "other.xml", .compress = true };
        if (o->n_advisories)
                w.docs[w.n_docs++] = (Document){ .type = "updateinfo", .file = "updateinfo.xml", .compress = true };
        if (o->n_groups || o->comps_xml.len)
                w.docs[w.n_docs++] = (Document){ .type = "group", .file = "comps.xml" };
        int r = ash_parallel_for(w.n_docs, o->threads, false, make_document, &w);
        if (r < 0)
                return r;
        repomd(&w, &text);
        r = sign_repomd(&w, ash_str_slice(&text), bytes_written);
        if (r >= 0)
                r = ash_file_write_atomic(dirfd, "repomd.xml", ash_str_slice(&text), 0644, false);
        if (r < 0)
                return r;
        ash_digest_hex_of(ASH_SHA256, ash_str_slice(&text), ret_repomd);
        *bytes_written += text.len;
        for (size_t i = 0; i < w.n_docs; i++) {
                *bytes_written += w.docs[i].size;
                ret_meta[(*ret_n_meta)++] = (AshRepoMeta){ ash_arena_slice(arena, ash_str_slice(&w.docs[i].name)) };
        }
        return 0;
}
