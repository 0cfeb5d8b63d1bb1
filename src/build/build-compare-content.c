/* Two files that should be one: where they differ, in words. */
#include <stdio.h>
#include "build-private.h"
#include "elf.h"

#define SHOWN 60                     /* bytes of either side */
#define BEFORE 20                    /* of them in front of the first that differs */
#define NAMES 6                      /* sections that are named */

static bool is_print(char c) { return (c >= ' ' && c <= '~') || c == '\t'; }

static size_t first_difference(AshSlice a, AshSlice b) {
        size_t n = ASH_MIN(a.len, b.len), i = 0;
        for (; i + 4096 <= n && memcmp(a.ptr + i, b.ptr + i, 4096) == 0; i += 4096)
                ;
        while (i < n && a.ptr[i] == b.ptr[i])
                i++;
        return i;
}

/* The readable text around a byte, else some bytes from there on. */
static void show(AshSlice s, size_t at, AshStr *out) {
        size_t from = at, to = at;
        while (from > 0 && at - from < BEFORE && is_print(s.ptr[from - 1]))
                from--;
        while (to < s.len && to - from < SHOWN && is_print(s.ptr[to]))
                to++;
        if (at >= s.len)
                ash_str_append_str(out, "its end");
        else if (to > at && to - from >= 4) {
                ash_str_append_char(out, '\'');
                for (size_t i = from; i < to; i++)
                        ash_str_append_char(out, s.ptr[i] == '\t' ? ' ' : s.ptr[i]);
                ash_str_append_char(out, '\'');
        } else
                for (size_t i = at; i < s.len && i < at + 8; i++)
                        ash_str_appendf(out, "%s%02x", i > at ? " " : "", (unsigned char) s.ptr[i]);
}

static void show_both(AshSlice a, AshSlice b, size_t at, AshStr *out) {
        ash_str_append_str(out, ": ");
        show(a, at, out);
        ash_str_append_str(out, " / ");
        show(b, at, out);
}

/* ---- text ---- */
static bool is_text(AshSlice s) {
        AshSlice head = ash_slice_sub(s, 0, 64 << 10);
        return memchr(head.ptr, 0, head.len) == NULL && (head.len < s.len || ash_utf8_valid(s, NULL));
}

static void compare_text(AshSlice a, AshSlice b, AshStr *out) {
        size_t at = first_difference(a, b), line = 1, start = 0;
        for (size_t i = 0; i < at; i++)
                if (a.ptr[i] == '\n') {
                        line++;
                        start = i + 1;
                }
        ash_str_appendf(out, ", line %zu: ", line);
        AshSlice both[2] = { a, b }, shown;
        for (int i = 0; i < 2; i++) {
                AshSlice rest = ash_slice_from(both[i], start);
                if (start >= both[i].len || !ash_slice_next_line(&rest, &shown)) {
                        ash_str_appendf(out, "%snone", i ? " / " : "");
                        continue;
                }
                size_t skip = at - start > SHOWN - BEFORE ? at - start - BEFORE : 0; /* a long line that begins alike */
                AshSlice part = ash_slice_sub(shown, ASH_MIN(skip, shown.len), SHOWN);
                ash_str_appendf(out, "%s'%s%.*s%s'", i ? " / " : "", skip ? "..." : "", ASH_F(part), skip + part.len < shown.len ? "..." : "");
        }
}

/* ---- object files ---- */
static bool follows(AshSlice name) { return ash_slice_eqs(name, ".note.gnu.build-id") || ash_slice_eqs(name, ".gnu_debuglink") || ash_slice_eqs(name, ".gnu_debugaltlink"); } /* digests of the rest */

/* False: their sections are the same, or not the same ones. */
static bool compare_sections(AshSlice a, AshSlice b, AshStr *out) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshElfSection *x, *y;
        size_t n, m, first = SIZE_MAX, named = 0;
        if (ash_elf_sections(a, arena, &x, &n) < 0 || ash_elf_sections(b, arena, &y, &m) < 0)
                return false;
        for (size_t i = 0; i < n && i < m; i++)
                if (!ash_slice_eq(x[i].name, y[i].name))
                        return false;
        for (int digests = 0; digests < 2; digests++)
                for (size_t i = 0; i < n && i < m && first == SIZE_MAX; i++)
                        if (follows(x[i].name) == digests && !ash_slice_eq(x[i].bytes, y[i].bytes))
                                first = i;
        if (first == SIZE_MAX)
                return false;
        size_t at = first_difference(x[first].bytes, y[first].bytes);
        ash_str_appendf(out, ", section %.*s, byte %zu", ASH_F(x[first].name), at);
        show_both(x[first].bytes, y[first].bytes, at, out);
        for (size_t i = 0; i < n && i < m; i++)
                if (i != first && !ash_slice_eq(x[i].bytes, y[i].bytes) && named++ < NAMES)
                        ash_str_appendf(out, "%s%.*s", named == 1 ? "; also " : ", ", ASH_F(x[i].name));
        if (named > NAMES)
                ash_str_appendf(out, " and %zu more", named - NAMES);
        return true;
}

/* ---- compressed: what is in it, else how it was packed (gzip, RFC 1952: the time at byte 4) ---- */
#define UNPACKED (64u << 20)

static void compare_bytes(AshSlice a, AshSlice b, AshStr *out) {
        if (ash_elf_magic(a) && ash_elf_magic(b) && compare_sections(a, b, out))
                return;
        if (is_text(a) && is_text(b)) {
                compare_text(a, b, out);
                return;
        }
        size_t at = first_difference(a, b);
        ash_str_appendf(out, ", byte %zu", at);
        show_both(a, b, at, out);
}

void ash_build_compare_content(AshSlice a, AshSlice b, AshStr *out) {
        AshCompression c = ash_compression_detect(a);
        _str_ AshStr x = {}, y = {};
        if (c == ASH_COMP_NONE || c != ash_compression_detect(b) || ash_decompress(a, c, UNPACKED, &x) < 0 || ash_decompress(b, c, UNPACKED, &y) < 0)
                compare_bytes(a, b, out);
        else if (!ash_slice_eq(ash_str_slice(&x), ash_str_slice(&y))) {
                ash_str_append_str(out, ", unpacked");
                compare_bytes(ash_str_slice(&x), ash_str_slice(&y), out);
        } else if (c == ASH_COMP_GZIP && memcmp(a.ptr + 4, b.ptr + 4, 4) != 0)
                ash_str_append_str(out, ", the time in gzip's header");
        else
                ash_str_appendf(out, ", as %s packed it", ash_compression_name(c));
}
