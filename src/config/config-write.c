#include "config-write.h"
#include "config-parse.h"

static bool bare(AshSlice key) {
        for (size_t i = 0; i < key.len; i++) {
                char c = key.ptr[i];
                if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
                        return false;
        }
        return key.len > 0;
}

void ash_write_key(AshStr *out, AshSlice key) {
        if (bare(key))
                ash_str_append(out, key);
        else
                ash_write_string(out, key);
}

static bool plain(AshSlice s, const char *without) {
        for (size_t i = 0; i < s.len; i++)
                if ((unsigned char) s.ptr[i] < ' ' || s.ptr[i] == 127 || strchr(without, s.ptr[i]))
                        return false;
        return true;
}

void ash_write_string(AshStr *out, AshSlice s) {
        if (!plain(s, "\"\\") && plain(s, "'")) {
                ash_str_appendf(out, "'%.*s'", ASH_F(s));
                return;
        }
        ash_str_append_char(out, '"');
        for (size_t i = 0; i < s.len; i++) {
                unsigned char c = (unsigned char) s.ptr[i];
                if (c == '"' || c == '\\')
                        ash_str_appendf(out, "\\%c", c);
                else if (c == '\n')
                        ash_str_append_str(out, "\\n");
                else if (c == '\t')
                        ash_str_append_str(out, "\\t");
                else if (c < ' ' || c == 127)
                        ash_str_appendf(out, "\\u%04X", c);
                else
                        ash_str_append_char(out, (char) c);
        }
        ash_str_append_char(out, '"');
}

AshSlice ash_write_path(AshConfig *c, AshSlice path) {
        AshSlice dir = ash_slice_str(c->dir);
        if (!path.len || ash_slice_find(path, ASH_S("://")) > 0 || ash_slice_eqs(dir, "."))
                return path;
        if (ash_slice_starts(path, dir) && path.len > dir.len && path.ptr[dir.len] == '/')
                return ash_slice_from(path, dir.len + 1);
        if ((path.ptr[0] == '/') != (dir.ptr[0] == '/'))
                return path;
        _free_ char *clean = ash_path_normalize(dir), *relative = ash_path_relative(ash_slice_str(clean), path);
        pthread_mutex_lock(&c->mutex);
        AshSlice copy = ash_arena_slice(c->arena, ash_slice_str(relative));
        pthread_mutex_unlock(&c->mutex);
        return copy;
}

AshSlice ash_write_text(AshConfig *c, const AshField *f, AshSlice text, const char *base_dir, bool in_component) {
        switch (f->kind) {
        case ASH_FIELD_SOURCE: {
                if (!base_dir || !text.len)
                        return text;
                pthread_mutex_lock(&c->mutex);
                AshSlice joined = ash_parse_join(c->arena, base_dir, text);
                pthread_mutex_unlock(&c->mutex);
                return ash_write_path(c, joined);
        }
        case ASH_FIELD_PATH:
        case ASH_FIELD_PATHS:
                if ((f->flags & ASH_FIELD_OF_COMPONENT) && !in_component && ash_slice_find(text, ASH_S("{component}")) < 0)
                        return text;
                return ash_write_path(c, text);
        default:
                return text;
        }
}

const char *ash_write_base_dir(const AshRecord *r, const void *record) {
        return r->base_dir ? *(const char *const *) (const void *) ((const char *) record + r->base_dir - 1) : NULL;
}

bool ash_write_simple(const AshField *f) {
        size_t n = 0;
        for (const AshField *g = f->record->fields; g->key; g++, n++)
                if (g->kind != ASH_FIELD_TEXT)
                        return false;
        return n <= 4;
}
