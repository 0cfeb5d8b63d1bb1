/* rpm's version order and range overlap: librpm's own word, so that it can never differ from what the target's rpm will conclude. */
#include <rpm/rpmver.h>
#include <rpm/rpmlib.h>
#include <rpm/rpmds.h>
#include "rpm-write.h"

/* rpmvercmp wants NUL-terminated text. Versions are short; longer ones are copied to the heap. */
typedef struct Text {
        char small[128];
        char *heap;
} Text;
static const char *text_of(AshSlice s, Text *t) {
        char *p = s.len < sizeof(t->small) ? t->small : (t->heap = ash_malloc(s.len + 1));
        if (s.len > 0)
                memcpy(p, s.ptr, s.len);
        p[s.len] = '\0';
        return p;
}
static void text_done(Text *t) { free(t->heap); }

int ash_rpm_vercmp(AshSlice a, AshSlice b) {
        if (ash_slice_eq(a, b))
                return 0;
        _cleanup_(text_done) Text ta, tb;
        ta.heap = tb.heap = NULL;
        return rpmvercmp(text_of(a, &ta), text_of(b, &tb));
}

int ash_rpm_evr_parse(AshSlice text, AshRpmEvr *ret) {
        AshRpmEvr v = { 0, text, ASH_NOSLICE };
        ptrdiff_t colon = ash_slice_find_char(text, ':');
        if (colon >= 0) {
                uint64_t epoch = 0;
                if (colon > 0 && (ash_slice_to_u64(ash_slice_sub(text, 0, (size_t) colon), 10, &epoch) < 0 || epoch > UINT32_MAX))
                        return -EINVAL;
                v.epoch = (uint32_t) epoch;
                v.version = ash_slice_from(text, (size_t) colon + 1);
        }
        ptrdiff_t dash = ash_slice_rfind_char(v.version, '-');
        if (dash >= 0) {
                v.release = ash_slice_from(v.version, (size_t) dash + 1);
                v.version = ash_slice_sub(v.version, 0, (size_t) dash);
        }
        *ret = v;
        return 0;
}

int ash_rpm_evr_cmp(const AshRpmEvr *a, const AshRpmEvr *b) {
        if (a->epoch != b->epoch)
                return a->epoch < b->epoch ? -1 : 1;
        int r = ash_rpm_vercmp(a->version, b->version);
        if (r != 0 || !a->release.ptr || !b->release.ptr)
                return r;
        return ash_rpm_vercmp(a->release, b->release);
}

bool ash_rpm_ranges_meet(uint32_t fa, const AshRpmEvr *a, uint32_t fb, const AshRpmEvr *b) {
        const uint32_t any = ASH_RPMSENSE_LESS | ASH_RPMSENSE_GREATER | ASH_RPMSENSE_EQUAL;
        if (!(fa & any) || !(fb & any))
                return true;
        int r = ash_rpm_evr_cmp(a, b);
        if (r < 0)
                return (fa & ASH_RPMSENSE_GREATER) || (fb & ASH_RPMSENSE_LESS);
        if (r > 0)
                return (fa & ASH_RPMSENSE_LESS) || (fb & ASH_RPMSENSE_GREATER);
        return (fa & fb & any) != 0;
}
