#include "rpm-sig.h"

typedef struct Entry {
        uint32_t tag, type, count;
        AshSlice data;
} Entry;

typedef ASH_ARRAY(Entry) Entries;

static void put_be32(AshStr *out, uint32_t v) {
        uint8_t b[4] = { (uint8_t) (v >> 24), (uint8_t) (v >> 16), (uint8_t) (v >> 8), (uint8_t) v };
        ash_str_append(out, ash_slice((const char *) b, 4));
}

static void base64(AshSlice data, AshStr *out) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for (size_t i = 0; i < data.len; i += 3) {
                size_t n = ASH_MIN((size_t) 3, data.len - i);
                uint32_t v = 0;
                for (size_t k = 0; k < 3; k++)
                        v = v << 8 | (k < n ? (uint8_t) data.ptr[i + k] : 0);
                for (size_t k = 0; k < 4; k++)
                        ash_str_append_char(out, k <= n ? digits[v >> (18 - 6 * k) & 63] : '=');
        }
}

static int by_tag(const void *a, const void *b) {
        uint32_t x = ((const Entry *) a)->tag, y = ((const Entry *) b)->tag;
        return (x > y) - (x < y);
}

static bool is_replaced(uint32_t tag) {
        switch (tag) {
        case ASH_RPMTAG_HEADERSIGNATURES: case ASH_RPMSIG_DSA: case ASH_RPMSIG_RSA: case ASH_RPMSIG_OPENPGP: case ASH_RPMSIG_PGP: case ASH_RPMSIG_GPG: case ASH_RPMSIG_RESERVEDSPACE:
                return true;
        default:
                return false;
        }
}

/* Alignment of a type's data within a header. */
static size_t alignment(uint32_t type) {
        return type == ASH_RPM_INT16 ? 2 : type == ASH_RPM_INT32 ? 4 : type == ASH_RPM_INT64 ? 8 : 1;
}

/* Index with a region entry in front, data with the region's trailer behind. */
static void serialize(Entries *entries, AshStr *out) {
        _str_ AshStr index = {}, data = {};
        size_t start = out->len;
        if (entries->n)
                qsort(entries->items, entries->n, sizeof *entries->items, by_tag);
        ash_array_foreach(entries, e) {
                ash_str_append_fill(&data, 0, ash_align_up(data.len, alignment(e->type)) - data.len);
                put_be32(&index, e->tag);
                put_be32(&index, e->type);
                put_be32(&index, (uint32_t) data.len);
                put_be32(&index, e->count);
                ash_str_append(&data, e->data);
        }
        ash_str_append(out, ash_slice("\x8e\xad\xe8\x01\0\0\0\0", 8));
        put_be32(out, (uint32_t) entries->n + 1);
        put_be32(out, (uint32_t) data.len + 16);
        put_be32(out, ASH_RPMTAG_HEADERSIGNATURES);
        put_be32(out, ASH_RPM_BIN);
        put_be32(out, (uint32_t) data.len);
        put_be32(out, 16);
        ash_str_append(out, ash_str_slice(&index));
        ash_str_append(out, ash_str_slice(&data));
        put_be32(out, ASH_RPMTAG_HEADERSIGNATURES);
        put_be32(out, ASH_RPM_BIN);
        put_be32(out, -(uint32_t) ((entries->n + 1) * 16));
        put_be32(out, 16);
        ash_str_append_fill(out, 0, ash_align_up(out->len - start, 8) - (out->len - start));
}

void ash_rpm_sig_header_build(const AshRpmHeader *old, const AshRpmNewSignature *signatures, size_t n, AshStr *out) {
        Entries entries = {};
        _str_ AshStr all = {};
        bool have[2] = {};
        size_t kept = 0;
        for (uint32_t i = 0; i < old->n; i++) {
                const AshRpmTag *t = &old->tags[i];
                if (!is_replaced(t->tag))
                        ash_array_push(&entries, ((Entry){ t->tag, t->type, t->count, ash_slice(old->data.ptr + t->offset, t->len) }));
        }
        for (size_t i = 0; i < n; i++) {
                const AshRpmNewSignature *s = &signatures[i];
                base64(s->packet, &all);
                ash_str_append_char(&all, 0);
                if (have[s->rsa])
                        continue;
                have[s->rsa] = true;
                kept++;
                ash_array_push(&entries, ((Entry){ s->rsa ? ASH_RPMSIG_RSA : ASH_RPMSIG_DSA, ASH_RPM_BIN, (uint32_t) s->packet.len, s->packet }));
        }
        if (kept < n)
                ash_array_push(&entries, ((Entry){ ASH_RPMSIG_OPENPGP, ASH_RPM_STRING_ARRAY, (uint32_t) n, ash_str_slice(&all) }));
        serialize(&entries, out);
        ash_array_done(&entries);
}
