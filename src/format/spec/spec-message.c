/* What rpm says of a spec that it cannot parse. */
#include <ctype.h>
#include "spec.h"

static uint32_t number_at(AshSlice text, AshSlice *ret_rest) {
        size_t digits = 0;
        uint64_t n = 0;
        while (digits < text.len && isdigit((unsigned char) text.ptr[digits]))
                digits++;
        if (!digits || ash_slice_to_u64(ash_slice_sub(text, 0, digits), 10, &n) < 0 || n > UINT32_MAX)
                return 0;
        *ret_rest = ash_slice_trim(ash_slice_from(text, digits + (digits < text.len && text.ptr[digits] == ':')));
        return (uint32_t) n;
}

/* "FILE:12: text", "FILE: line 12: text", "line 12: text". */
static uint32_t line_of(AshSlice message, AshSlice file, AshSlice *ret_text) {
        ptrdiff_t at = ash_slice_find(message, file);
        AshSlice rest = message, text = message, word = ASH_S("line ");
        if (at >= 0) {
                rest = ash_slice_from(message, (size_t) at + file.len);
                if (!ash_slice_starts(rest, ASH_S(":")))
                        return 0;
                rest = ash_slice_trim(ash_slice_from(rest, 1));
        } else if (!ash_slice_starts(rest, word))
                return 0;
        if (ash_slice_starts(rest, word))
                rest = ash_slice_from(rest, word.len);
        uint32_t n = number_at(rest, &text);
        if (n && (at <= 0 || ash_slice_find_char(ash_slice_sub(message, 0, (size_t) at), ' ') < 0)) /* the place is told in our own words */
                *ret_text = text;
        return n;
}

bool ash_spec_error(AshSlice output, AshSlice file, uint32_t *ret_line, AshSlice *ret_text) {
        static const AshSlice mark = { "error: ", 7 };
        *ret_line = 0;
        *ret_text = ASH_NOSLICE;
        for (AshSlice line; !*ret_line && ash_slice_next_line(&output, &line) && !ash_slice_starts(line, ASH_S("Executing("));) {
                if (!ash_slice_starts(line, mark))
                        continue;
                AshSlice text = ash_slice_from(line, mark.len);
                *ret_line = line_of(text, file, &text);
                if (!ret_text->ptr)
                        *ret_text = text;
        }
        return ret_text->ptr != NULL;
}
