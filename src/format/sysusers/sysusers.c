#include "sysusers.h"

void ash_sysusers_done(AshSysusers *s) { ash_array_done(&s->items); }

/* One word: plain, or in quotes with C escapes for the quote and the backslash (systemd's extract_first_word with EXTRACT_UNQUOTE | EXTRACT_CUNESCAPE). */
static bool next_field(AshSlice *rest, AshArena *arena, AshSlice *ret) {
        *rest = ash_slice_trim_left(*rest);
        if (!rest->len)
                return false;
        _str_ AshStr out = {};
        char quote = 0;
        size_t i = 0;
        for (; i < rest->len; i++) {
                char c = rest->ptr[i];
                if (!quote && (c == ' ' || c == '\t'))
                        break;
                if (!quote && (c == '"' || c == '\''))
                        quote = c;
                else if (quote && c == quote)
                        quote = 0;
                else if (c == '\\' && i + 1 < rest->len)
                        ash_str_append_char(&out, rest->ptr[++i]);
                else
                        ash_str_append_char(&out, c);
        }
        *ret = ash_arena_slice(arena, ash_str_slice(&out));
        if (ash_slice_eqs(*ret, "-"))
                *ret = ASH_S("");
        *rest = ash_slice_from(*rest, i);
        return true;
}

static bool parse_line(AshSlice line, AshArena *arena, AshSysuser *ret) {
        AshSlice type, rest = line;
        if (!next_field(&rest, arena, &type) || !type.len || !next_field(&rest, arena, &ret->name) || !ret->name.len)
                return false;
        ret->type = type.ptr[0];
        ret->locked = type.len == 2 && type.ptr[1] == '!';
        if (!strchr("ugmr", ret->type) || (type.len > 1 && !ret->locked))
                return false;
        AshSlice *const fields[] = { &ret->id, &ret->comment, &ret->home, &ret->shell };
        for (size_t i = 0; i < ASH_N(fields) && next_field(&rest, arena, fields[i]); i++)
                ;
        return true;
}

void ash_sysusers_parse(AshSource *source, AshArena *arena, AshSysusers *ret, AshDiags *diags) {
        AshSlice rest = source->text, line;
        while (ash_slice_next_line(&rest, &line)) {
                AshSlice trimmed = ash_slice_trim(line);
                if (!trimmed.len || trimmed.ptr[0] == '#')
                        continue;
                AshSysuser u = { .at = { source, (uint32_t) (trimmed.ptr - source->text.ptr), (uint32_t) trimmed.len } };
                if (parse_line(trimmed, arena, &u))
                        ash_array_push(&ret->items, u);
                else
                        ash_warn(diags, u.at, "not a line of sysusers.d; left out");
        }
}

bool ash_sysuser_id(AshSlice id, uint32_t *ret_id, AshSlice *ret_group) {
        AshSlice number = id;
        ptrdiff_t colon = ash_slice_find_char(id, ':');
        uint64_t n;
        *ret_group = ASH_S("");
        if (colon >= 0) {
                number = ash_slice(id.ptr, (size_t) colon);
                *ret_group = ash_slice_from(id, (size_t) colon + 1);
        }
        if (ash_slice_to_u64(number, 10, &n) < 0 || n >= UINT32_MAX)
                return false;
        *ret_id = (uint32_t) n;
        return true;
}
