/* Versions as Debian Policy 5.6.12 defines them. */
#include "deb.h"

static bool digit(char c) { return c >= '0' && c <= '9'; }
static bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* "~" sorts before the end of the part, the end before letters, letters before everything else. */
static int weight(char c) {
        if (c == '~')
                return -1;
        if (letter(c))
                return (unsigned char) c;
        return 256 + (unsigned char) c;
}

static int cmp_text(const char **a, const char *a_end, const char **b, const char *b_end) {
        for (;;) {
                bool ta = *a < a_end && !digit(**a), tb = *b < b_end && !digit(**b);
                if (!ta && !tb)
                        return 0;
                int wa = ta ? weight(*(*a)++) : 0, wb = tb ? weight(*(*b)++) : 0;
                if (wa != wb)
                        return wa < wb ? -1 : 1;
        }
}

static AshSlice take_number(const char **p, const char *end) {
        while (*p < end && **p == '0')
                (*p)++;
        const char *start = *p;
        while (*p < end && digit(**p))
                (*p)++;
        return ash_slice(start, (size_t) (*p - start));
}

int ash_deb_version_cmp_part(AshSlice a, AshSlice b) {
        const char *pa = a.ptr, *pb = b.ptr, *ea = a.ptr + a.len, *eb = b.ptr + b.len;
        while (pa < ea || pb < eb) {
                int r = cmp_text(&pa, ea, &pb, eb);
                if (r != 0)
                        return r;
                AshSlice na = take_number(&pa, ea), nb = take_number(&pb, eb);
                if (na.len != nb.len) /* no leading zeros: the longer number is the larger */
                        return na.len < nb.len ? -1 : 1;
                r = na.len ? memcmp(na.ptr, nb.ptr, na.len) : 0;
                if (r != 0)
                        return r < 0 ? -1 : 1;
        }
        return 0;
}

int ash_deb_version_cmp(const AshDebVersion *a, const AshDebVersion *b) {
        if (a->epoch != b->epoch)
                return a->epoch < b->epoch ? -1 : 1;
        int r = ash_deb_version_cmp_part(a->upstream, b->upstream);
        /* No revision compares as an empty one, and that as "0": the end of the text counts as the number zero. */
        return r != 0 ? r : ash_deb_version_cmp_part(a->revision.ptr ? a->revision : ASH_S(""), b->revision.ptr ? b->revision : ASH_S(""));
}

static bool part_valid(AshSlice s, bool dash, bool colon) {
        for (size_t i = 0; i < s.len; i++) {
                char c = s.ptr[i];
                if (!digit(c) && !letter(c) && !(c == '.' || c == '+' || c == '~' || (dash && c == '-') || (colon && c == ':')))
                        return false;
        }
        return s.len > 0;
}

int ash_deb_version_parse(AshSlice text, AshDebVersion *ret) {
        AshDebVersion v = { 0, text, ASH_NOSLICE };
        ptrdiff_t colon = ash_slice_find_char(text, ':');
        if (colon >= 0) {
                uint64_t epoch;
                if (ash_slice_to_u64(ash_slice_sub(text, 0, (size_t) colon), 10, &epoch) < 0 || epoch > INT32_MAX)
                        return -ASH_ERR_SYNTAX;
                v.epoch = (uint32_t) epoch;
                v.upstream = ash_slice_from(text, (size_t) colon + 1);
        }
        ptrdiff_t dash = ash_slice_rfind_char(v.upstream, '-');
        if (dash >= 0) {
                v.revision = ash_slice_from(v.upstream, (size_t) dash + 1);
                v.upstream = ash_slice_sub(v.upstream, 0, (size_t) dash);
        }
        if (!part_valid(v.upstream, dash >= 0, colon >= 0) || (v.revision.ptr && !part_valid(v.revision, false, false)))
                return -ASH_ERR_SYNTAX;
        *ret = v;
        return 0;
}

bool ash_deb_version_satisfies(const AshDebVersion *candidate, AshDebOp op, const AshDebVersion *version) {
        if (op == ASH_DEB_ANY)
                return true;
        int r = ash_deb_version_cmp(candidate, version);
        switch (op) {
        case ASH_DEB_LT: return r < 0;
        case ASH_DEB_LE: return r <= 0;
        case ASH_DEB_EQ: return r == 0;
        case ASH_DEB_GE: return r >= 0;
        case ASH_DEB_GT: return r > 0;
        default: return false;
        }
}
