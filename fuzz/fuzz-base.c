/* Globs, paths, UTF-8, words and distances. Input: lines; neighbours are taken as pairs (pattern and path, from and to). */
#include "base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

static void check_path(AshSlice s) {
        _free_ char *once = ash_path_normalize(s), *twice = ash_path_normalize(ash_slice_str(once));
        if (ash_slice_find_char(s, 0) < 0)
                must(strcmp(once, twice) == 0);
        must(ash_path_base(s).len + ash_path_dir(s).len <= s.len + 1);
        must(ash_path_ext(s).len <= ash_path_base(s).len);
}

static void check_pair(AshSlice a, AshSlice b) {
        unsigned d = ash_slice_distance(a, b, 5);
        must(d == ash_slice_distance(b, a, 5));
        must((d == 0) == ash_slice_eq(a, b) || a.len > 128 || b.len > 128);
        ash_glob_match(a, b);
        if (!ash_glob_has_meta(a) && ash_glob_match(a, b))
                must(ash_slice_eq(a, b));
        must(ash_slice_cmp(a, b) == -ash_slice_cmp(b, a) || (ash_slice_cmp(a, b) < 0) == (ash_slice_cmp(b, a) > 0));
}

static void check_text(AshSlice s) {
        size_t bad = 0;
        if (!ash_utf8_valid(s, &bad))
                must(bad < s.len && ash_utf8_valid(ash_slice(s.ptr, bad), NULL));
        AshSlice rest = s, word;
        while (ash_slice_next_word(&rest, &word))
                must(word.len > 0);
        uint64_t number;
        if (ash_slice_to_u64(s, 16, &number) == 0)
                must(s.len > 0);
}

static void check_diagnostic(AshSlice text) {
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("input", text);
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        _str_ AshStr out = {};
        for (size_t i = 0; i < 3; i++)
                ash_fail(diags, -EINVAL, (AshSpan){ source, (uint32_t) (text.len * i / 2), (uint32_t) (i * 3) }, "here");
        ash_diags_sort(diags);
        for (size_t i = 0; i < ash_diags_n(diags); i++)
                ash_diag_format(ash_diags_at(diags, i), i & 1, &out);
        must(ash_utf8_valid(ash_str_slice(&out), NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AshSlice text = ash_slice((const char *) data, ASH_MIN(size, (size_t) 1 << 16)), rest = text, line, before = ASH_NOSLICE;
        check_text(text);
        check_diagnostic(text);
        for (unsigned n = 0; n < 20 && ash_slice_next_line(&rest, &line); n++) {
                line = ash_slice(line.ptr, ASH_MIN(line.len, (size_t) 4096));
                check_path(line);
                check_text(line);
                ash_glob_valid(line);
                if (before.ptr)
                        check_pair(before, line);
                before = line;
        }
        return 0;
}
