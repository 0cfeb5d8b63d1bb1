/* The parts of a package file: lead, signature header, main header, payload. */
#include "rpm-read.h"

enum { LEAD_SIZE = 96, LEAD_TYPE = 6, LEAD_SIGTYPE = 78, HEADERSIG = 5 };
static const char header_magic[8] = { '\x8e', '\xad', '\xe8', 1, 0, 0, 0, 0 };

static uint32_t be32(const char *p) {
        const uint8_t *b = (const uint8_t *) p;
        return (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8 | b[3];
}

static int check_lead(const AshRpm *rpm, AshDiags *diags) {
        AshSlice b = rpm->bytes;
        if (b.len < LEAD_SIZE)
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, rpm->name, "not an RPM package: only %zu bytes", b.len);
        if (memcmp(b.ptr, "\xed\xab\xee\xdb", 4) != 0)
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, rpm->name, "not an RPM package: wrong magic bytes at offset 0");
        if (b.ptr[4] < 3 || b.ptr[4] > 6)
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, rpm->name, "RPM format version %d is not known (offset 4)", b.ptr[4]);
        if (b.ptr[LEAD_SIGTYPE] != 0 || b.ptr[LEAD_SIGTYPE + 1] != HEADERSIG)
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, rpm->name, "unknown kind of signature header (offset %d)", LEAD_SIGTYPE);
        return 0;
}

/* The header that starts at *offset, magic included; moves *offset behind it. */
static int take_header(const AshRpm *rpm, uint32_t region, size_t *offset, AshSlice *ret_bytes, AshRpmHeader *ret, AshDiags *diags) {
        const char *what = region == ASH_RPMTAG_HEADERSIGNATURES ? "signature header" : "header";
        AshSlice rest = ash_slice_from(rpm->bytes, *offset);
        if (rest.len < 16)
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, rpm->name, "%s at offset %zu is cut off: the file ends after %zu bytes", what, *offset, rpm->bytes.len);
        if (memcmp(rest.ptr, header_magic, sizeof(header_magic)) != 0)
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, rpm->name, "no %s at offset %zu: wrong magic bytes", what, *offset);
        /* Both are at most 2^32: no overflow in 64 bits. Their limits are checked by the header's parser, which gets what is there. */
        uint64_t size = 16 + (uint64_t) be32(rest.ptr + 8) * 16 + be32(rest.ptr + 12);
        if (size > rest.len)
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, rpm->name, "%s at offset %zu says %llu bytes, but the file ends after %zu", what, *offset,
                                     (unsigned long long) size, rest.len);
        *ret_bytes = ash_slice_sub(rest, 0, size);
        int r = ash_rpm_header_parse(ash_slice_from(*ret_bytes, 8), region, rpm->name, *offset, ret, diags);
        if (r < 0)
                return r;
        *offset += size;
        return 0;
}

int ash_rpm_parse(AshSlice bytes, const char *name, AshRpm **ret, AshDiags *diags) {
        _cleanup_(ash_rpm_free_p) AshRpm *rpm = ash_calloc(1, sizeof(*rpm));
        rpm->name = name;
        rpm->bytes = bytes;

        int r = check_lead(rpm, diags);
        if (r < 0)
                return r;
        size_t offset = LEAD_SIZE;
        r = take_header(rpm, ASH_RPMTAG_HEADERSIGNATURES, &offset, &rpm->sig_bytes, &rpm->sig, diags);
        if (r < 0)
                return r;
        offset = ash_align_up(offset, 8);
        rpm->header_start = offset;
        r = take_header(rpm, ASH_RPMTAG_HEADERIMMUTABLE, &offset, &rpm->header_bytes, &rpm->header, diags);
        if (r < 0)
                return r;
        rpm->payload = ash_slice_from(bytes, offset);
        rpm->source = ash_rpm_has(&rpm->header, ASH_RPMTAG_SOURCEPACKAGE) || !ash_rpm_has(&rpm->header, ASH_RPMTAG_SOURCERPM);
        *ret = ASH_TAKE(rpm);
        return 0;
}

void ash_rpm_free(AshRpm *rpm) {
        if (!rpm)
                return;
        ash_rpm_header_done(&rpm->sig);
        ash_rpm_header_done(&rpm->header);
        free(rpm);
}

/* ---- name, epoch, version, release, architecture ---- */
static bool good_part(AshSlice s, bool dash) {
        if (s.len == 0 || s.len > 1024 || s.ptr[0] == '.')
                return false;
        for (size_t i = 0; i < s.len; i++) {
                unsigned char c = (unsigned char) s.ptr[i];
                if (c <= ' ' || c >= 127 || c == '/' || (c == '-' && !dash)) /* rpm itself takes letters of ASCII only, too */
                        return false;
        }
        return true;
}

int ash_rpm_nevra(const AshRpm *rpm, AshRpmNevra *ret, AshDiags *diags) {
        const AshRpmHeader *h = &rpm->header;
        AshRpmNevra n = { .name = ash_rpm_string(h, ASH_RPMTAG_NAME), .version = ash_rpm_string(h, ASH_RPMTAG_VERSION), .release = ash_rpm_string(h, ASH_RPMTAG_RELEASE),
                          .arch = rpm->source ? ASH_S("src") : ash_rpm_string(h, ASH_RPMTAG_ARCH) };
        const struct { const char *what; AshSlice s; bool dash; } parts[] = {
                { "name", n.name, true }, { "version", n.version, false }, { "release", n.release, false }, { "architecture", n.arch, false },
        };
        for (size_t i = 0; i < ASH_N(parts); i++)
                if (!good_part(parts[i].s, parts[i].dash))
                        return ash_fail_file(diags, -ASH_ERR_SYNTAX, rpm->name, "the package's %s is %s", parts[i].what, parts[i].s.len ? "not allowed" : "missing");
        uint64_t epoch = 0;
        n.has_epoch = ash_rpm_number(h, ASH_RPMTAG_EPOCH, &epoch);
        n.epoch = (uint32_t) epoch;
        *ret = n;
        return 0;
}

char *ash_rpm_nevra_text(const AshRpmNevra *n) {
        if (n->epoch)
                return ash_asprintf("%.*s-%u:%.*s-%.*s.%.*s", ASH_F(n->name), n->epoch, ASH_F(n->version), ASH_F(n->release), ASH_F(n->arch));
        return ash_asprintf("%.*s-%.*s-%.*s.%.*s", ASH_F(n->name), ASH_F(n->version), ASH_F(n->release), ASH_F(n->arch));
}

/* ---- where the signatures are ---- */
static int base64_value(unsigned char c) {
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648 without regard to line ends; false when it is not base64. */
static bool base64_decode(AshSlice s, AshArena *arena, AshSlice *ret) {
        char *out = ash_arena_alloc(arena, s.len / 4 * 3 + 4);
        size_t n = 0;
        uint32_t bits = 0;
        int have = 0;
        s = ash_slice_trim(s);
        while (s.len && s.ptr[s.len - 1] == '=')
                s.len--;
        for (size_t i = 0; i < s.len; i++) {
                if (s.ptr[i] == '\n' || s.ptr[i] == '\r')
                        continue;
                int v = base64_value((unsigned char) s.ptr[i]);
                if (v < 0)
                        return false;
                bits = bits << 6 | (uint32_t) v;
                have += 6;
                if (have >= 8) {
                        have -= 8;
                        out[n++] = (char) (bits >> have);
                }
        }
        *ret = ash_slice(out, n);
        return n > 0;
}

static int add_openpgp(const AshRpm *rpm, AshArena *arena, AshRpmSignatures *ret, AshDiags *diags) {
        uint32_t n = 0;
        AshSlice *texts = ash_rpm_strings(&rpm->sig, ASH_RPMSIG_OPENPGP, arena, &n);
        for (uint32_t i = 0; i < n; i++) {
                AshSlice packet;
                if (!base64_decode(texts[i], arena, &packet))
                        return ash_fail_file(diags, -ASH_ERR_SYNTAX, rpm->name, "OpenPGP signature %u is not base64", i);
                *ash_array_add(&ret->items) = (AshRpmSignature){ .tag = ASH_RPMSIG_OPENPGP, .packet = packet, .covers = { rpm->header_bytes }, .n_covers = 1 };
        }
        return 0;
}

int ash_rpm_signatures(const AshRpm *rpm, AshArena *arena, AshRpmSignatures *ret, AshDiags *diags) {
        static const struct { uint32_t tag; bool payload; } places[] = {
                { ASH_RPMSIG_RSA, false }, { ASH_RPMSIG_DSA, false }, { ASH_RPMSIG_PGP, true }, { ASH_RPMSIG_GPG, true },
        };
        int r = add_openpgp(rpm, arena, ret, diags);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ASH_N(places); i++) {
                const AshRpmTag *t = ash_rpm_tag(&rpm->sig, places[i].tag);
                if (!t)
                        continue;
                if (t->type != ASH_RPM_BIN)
                        return ash_fail_file(diags, -ASH_ERR_SYNTAX, rpm->name, "signature tag %u has type %d", t->tag, t->type);
                *ash_array_add(&ret->items) = (AshRpmSignature){ .tag = t->tag, .packet = ash_rpm_bytes(&rpm->sig, t->tag),
                                                                 .covers = { rpm->header_bytes, rpm->payload }, .n_covers = places[i].payload ? 2 : 1 };
        }
        return 0;
}
