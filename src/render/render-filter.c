#include "render-internal.h"

struct AshFileFilter {
        AshArena *arena;
        AshMap names;                    /* exact names */
        ASH_ARRAY(AshSlice) patterns;    /* globs, made from values with macros that are not known */
        AshSlice text;
};

static bool is_name(char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

/* A value with what cannot be expanded replaced by '*', and characters that a glob knows escaped. */
static AshSlice as_pattern(AshArena *arena, AshSlice value) {
        _str_ AshStr out = {};
        for (size_t i = 0; i < value.len; i++) {
                char c = value.ptr[i];
                if (c == '%' && i + 1 < value.len && value.ptr[i + 1] != '%') {
                        int depth = 0;
                        size_t k = i + 1;
                        if (value.ptr[k] == '{' || value.ptr[k] == '(') {
                                for (; k < value.len; k++) {
                                        depth += value.ptr[k] == '{' || value.ptr[k] == '(';
                                        depth -= value.ptr[k] == '}' || value.ptr[k] == ')';
                                        if (depth == 0)
                                                break;
                                }
                        } else
                                while (k + 1 < value.len && is_name(value.ptr[k + 1]))
                                        k++;
                        i = k;
                        if (!out.len || out.ptr[out.len - 1] != '*')
                                ash_str_append_char(&out, '*');
                } else {
                        if (strchr("*?[]{}\\", c))
                                ash_str_append_char(&out, '\\');
                        ash_str_append_char(&out, c);
                }
        }
        return ash_arena_slice(arena, ash_str_slice(&out));
}

static void add_name(AshFileFilter *f, AshSlice value) {
        AshSlice base = ash_path_base(value);
        if (ash_slice_find_char(base, '%') < 0)
                ash_map_put(&f->names, ash_arena_slice(f->arena, base), f, NULL);
        else {
                AshSlice pattern = as_pattern(f->arena, base);
                if (!ash_slice_eqs(pattern, "*")) /* says nothing: such a name is kept when the spec's text has it */
                        ash_array_push(&f->patterns, pattern);
        }
}

AshFileFilter *ash_file_filter_new(AshSlice spec) {
        AshFileFilter *f = ash_calloc(1, sizeof *f);
        _spec_facts_ AshSpecFacts facts = {};
        f->arena = ash_arena_new();
        f->text = spec;
        ash_spec_facts(spec, NULL, &facts);
        ash_array_foreach(&facts.files, name)
                add_name(f, *name);
        return f;
}

void ash_file_filter_free(AshFileFilter *f) {
        if (!f)
                return;
        ash_map_done(&f->names);
        ash_array_done(&f->patterns);
        ash_arena_free(f->arena);
        free(f);
}

bool ash_file_filter_keeps(const AshFileFilter *f, AshSlice name) {
        if (ash_slice_eqs(name, "sources") || ash_slice_ends(name, ASH_S(".spec")) || ash_slice_ends(name, ASH_S(".macros")))
                return true;
        if (ash_map_find(&f->names, name))
                return true;
        for (size_t i = 0; i < f->patterns.n; i++)
                if (ash_glob_match(f->patterns.items[i], name))
                        return true;
        /* %patchlist, %sourcelist, %include, %load: their names stand in the text */
        return ash_slice_find_char(name, '/') < 0 && ash_slice_find(f->text, name) >= 0;
}
