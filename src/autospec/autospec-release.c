/* The Release line and what the configuration says about it. */
#include "autospec-private.h"

static const char *const names[] = { "auto", "autorelease", "static", "manual" };

const char *ash_release_mode_name(AshReleaseMode mode) {
        return mode >= 0 && mode < ASH_RELEASE_MAX_ ? names[mode] : NULL;
}

AshReleaseMode ash_release_mode(AshSlice name) {
        if (name.len == 0)
                return ASH_RELEASE_AUTO;
        for (size_t i = 0; i < ASH_N(names); i++)
                if (ash_slice_eqs(name, names[i]))
                        return (AshReleaseMode) i;
        return ASH_RELEASE_INVALID_;
}

/* ^(\d+)(%\{\??dist\})?$ : the number's digits, or an empty slice. */
static AshSlice plain_number(AshSlice value) {
        size_t n = 0;
        while (n < value.len && value.ptr[n] >= '0' && value.ptr[n] <= '9')
                n++;
        AshSlice rest = ash_slice_from(value, n);
        bool fits = n > 0 && n <= 18 && (rest.len == 0 || ash_slice_eqs(rest, "%{dist}") || ash_slice_eqs(rest, "%{?dist}"));
        return fits ? ash_slice_sub(value, 0, n) : ASH_NOSLICE;
}

static int unfit(AshSlice value, AshReleaseMode mode, AshSpan at, AshDiags *diags) {
        ash_fail(diags, -EINVAL, at, "'Release: %.*s' cannot be counted up%s", ASH_F(value), mode == ASH_RELEASE_STATIC ? ", but release.calculation is \"static\"" : "");
        ash_hint(diags, "it must be a number, alone or followed by %%{?dist}; else say release = { calculation = \"manual\" } and keep it right by an overlay");
        return -EINVAL;
}

/* Every Release line of the preamble is counted up: they stand in branches of a conditional, and one of them counts. */
int ash_release_apply(AshSlice spec, AshReleaseMode mode, uint64_t bumps, AshSpan at, AshStr *out, AshDiags *diags) {
        AshSlice rest = spec, line, copied = spec;
        size_t found = 0;
        bool changed = false;
        _spec_facts_ AshSpecFacts facts = {};
        if (mode == ASH_RELEASE_AUTO)
                ash_spec_facts_read(spec, NULL, true, &facts);
        bool leave = mode == ASH_RELEASE_MANUAL || mode == ASH_RELEASE_AUTORELEASE || facts.has_autorelease;
        while (!leave && ash_slice_next_line(&rest, &line) && ash_spec_section_name(line).len == 0) {
                AshSlice tag, value;
                if (!ash_spec_tag_line(line, &tag, &value) || !ash_slice_eq_nocase(tag, ASH_S("Release")))
                        continue;
                found++;
                AshSlice digits = plain_number(value);
                uint64_t number;
                if (digits.len == 0 || ash_slice_to_u64(digits, 10, &number) < 0)
                        return unfit(value, mode, at, diags);
                if (bumps == 0)
                        continue;
                ash_str_append(out, ash_slice(copied.ptr, (size_t) (digits.ptr - copied.ptr)));
                ash_str_appendf(out, "%llu", (unsigned long long) (number + bumps));
                copied = ash_slice_from(copied, (size_t) (digits.ptr + digits.len - copied.ptr));
                changed = true;
        }
        if (!leave && found == 0)
                return ash_fail(diags, -EINVAL, at, "the spec has no Release line to count up");
        ash_str_append(out, copied);
        return changed;
}
