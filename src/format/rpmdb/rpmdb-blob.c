#include <endian.h>
#include "rpmdb.h"

enum { LEGACY_SIGSIZE = 257, LEGACY_LONGSIGSIZE = 270, LEGACY_SIGPGP = 259, LEGACY_SIGGPG = 262, SIG_BASE = 256, SIG_END = 1000, BIN_MAX = 16 * 1024 };

typedef struct Extra { /* an entry behind the immutable region */
        uint32_t tag, type, count;
        AshSlice data;           /* as stored: numbers big-endian */
} Extra;
typedef struct Extras {
        ASH_ARRAY(Extra) items;
        AshArena *arena;
} Extras;

/* Under which tag an entry of the signature header stands in a database; 0: it does not. */
static uint32_t merged_tag(uint32_t tag) {
        static const struct {
                uint32_t from, to;
        } legacy[] = {
                { ASH_RPMSIG_SIZE, LEGACY_SIGSIZE }, { ASH_RPMSIG_PGP, LEGACY_SIGPGP }, { ASH_RPMSIG_MD5, ASH_RPMTAG_SIGMD5 }, { ASH_RPMSIG_GPG, LEGACY_SIGGPG },
                { ASH_RPMSIG_PAYLOADSIZE, ASH_RPMTAG_ARCHIVESIZE }, { ASH_RPMSIG_FILESIGNATURES, ASH_RPMTAG_FILESIGNATURES }, { ASH_RPMSIG_FILESIGNATURELENGTH, ASH_RPMTAG_FILESIGNATURELENGTH },
        };
        for (size_t i = 0; i < ASH_N(legacy); i++)
                if (legacy[i].from == tag)
                        return legacy[i].to;
        return tag >= SIG_BASE && tag < SIG_END ? tag : 0;
}

static void merge(Extras *x, const AshRpmHeader *sig, const AshRpmHeader *h) {
        for (uint32_t i = 0; i < sig->n; i++) {
                const AshRpmTag *t = &sig->tags[i];
                uint32_t tag = merged_tag(t->tag);
                if (!tag || ash_rpm_has(h, tag) || (t->type == ASH_RPM_BIN && t->count >= BIN_MAX))
                        continue;
                ash_array_push(&x->items, ((Extra){ tag, t->type, t->count, ash_slice_sub(sig->data, t->offset, t->len) }));
        }
}

static void add_number(Extras *x, uint32_t tag, uint32_t value) {
        uint32_t *v = ash_arena_alloc(x->arena, sizeof *v);
        *v = htobe32(value);
        ash_array_push(&x->items, ((Extra){ tag, ASH_RPM_INT32, 1, { (const char *) v, 4 } }));
}

static int cmp_extras(const void *a, const void *b) {
        uint32_t x = ((const Extra *) a)->tag, y = ((const Extra *) b)->tag;
        return x < y ? -1 : x > y;
}

static void put32(AshStr *out, uint32_t v) {
        v = htobe32(v);
        ash_str_append(out, ash_slice((const char *) &v, 4));
}

static unsigned alignment(uint32_t type) { return type == ASH_RPM_INT16 ? 2 : type == ASH_RPM_INT32 ? 4 : type == ASH_RPM_INT64 ? 8 : 1; }

/* Counts, index and data of the package's header as they are; behind each the additions, sorted by tag. */
static void assemble(const AshRpmHeader *h, const Extras *x, AshStr *out) {
        _str_ AshStr data = {}, index = {};
        uint32_t n = 0, len = 0;
        memcpy(&n, h->blob.ptr, 4);
        memcpy(&len, h->blob.ptr + 4, 4);
        n = be32toh(n);
        len = be32toh(len);
        for (size_t i = 0; i < x->items.n; i++) {
                const Extra *e = &x->items.items[i];
                uint64_t at = ash_align_up(len + data.len, alignment(e->type));
                ash_str_append_fill(&data, 0, at - len - data.len);
                put32(&index, e->tag);
                put32(&index, e->type);
                put32(&index, (uint32_t) at);
                put32(&index, e->count);
                ash_str_append(&data, e->data);
        }
        put32(out, n + (uint32_t) x->items.n);
        put32(out, len + (uint32_t) data.len);
        ash_str_append(out, ash_slice(h->blob.ptr + 8, 16 * (size_t) n));
        ash_str_append(out, ash_str_slice(&index));
        ash_str_append(out, ash_slice(h->blob.ptr + 8 + 16 * (size_t) n, len));
        ash_str_append(out, ash_str_slice(&data));
}

int ash_rpmdb_blob(const AshRpmDbPackage *p, AshStr *out, AshDiags *diags) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshRpmHeader h = {}, sig = {};
        Extras x = { .arena = arena };
        int r = ash_rpm_header_parse(p->header, ASH_RPMTAG_HEADERIMMUTABLE, "header", 0, &h, diags);
        if (r >= 0)
                r = ash_rpm_header_parse(p->signature, ASH_RPMTAG_HEADERSIGNATURES, "signature header", 0, &sig, diags);
        if (r >= 0 && p->n_states != ash_rpm_count(&h, ASH_RPMTAG_BASENAMES))
                r = ash_fail(diags, -EINVAL, ASH_NOWHERE, "%u states for %u files", p->n_states, ash_rpm_count(&h, ASH_RPMTAG_BASENAMES));
        if (r >= 0) {
                merge(&x, &sig, &h);
                add_number(&x, ASH_RPMTAG_INSTALLTIME, p->time);
                if (p->n_states)
                        ash_array_push(&x.items, ((Extra){ ASH_RPMTAG_FILESTATES, ASH_RPM_CHAR, p->n_states, { (const char *) p->states, p->n_states } }));
                add_number(&x, ASH_RPMTAG_INSTALLCOLOR, p->color);
                add_number(&x, ASH_RPMTAG_INSTALLTID, p->time);
                qsort(x.items.items, x.items.n, sizeof *x.items.items, cmp_extras);
                assemble(&h, &x, out);
        }
        ash_array_done(&x.items);
        ash_rpm_header_done(&h);
        ash_rpm_header_done(&sig);
        return r;
}
