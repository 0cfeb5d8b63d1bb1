/* URIs with placeholders, and the names that go into them. */
#include "specsource-private.h"

static bool is_alnum(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool ash_package_name_ok(AshSlice name) {
        if (name.len == 0 || name.len > 200 || !is_alnum(name.ptr[0]))
                return false;
        for (size_t i = 0; i < name.len; i++)
                if (!is_alnum(name.ptr[i]) && !(name.ptr[i] && strchr("._+-", name.ptr[i])))
                        return false;
        return true;
}

bool ash_file_name_ok(AshSlice name) {
        if (name.len == 0 || name.len > 255 || name.ptr[0] == '-' || ash_slice_eqs(name, ".") || ash_slice_eqs(name, ".."))
                return false;
        for (size_t i = 0; i < name.len; i++)
                if ((unsigned char) name.ptr[i] < ' ' || name.ptr[i] == 0x7f || name.ptr[i] == '/')
                        return false;
        return true;
}

/* What has a meaning of its own in a URI is quoted, as file names may hold it ("a b.tar.gz", "x#y"). RFC 3986, section 2. */
static void append_quoted(AshStr *out, AshSlice value) {
        for (size_t i = 0; i < value.len; i++) {
                unsigned char c = (unsigned char) value.ptr[i];
                if (is_alnum((char) c) || (c && strchr("-._~+:@!,=/", c)))
                        ash_str_append_char(out, (char) c);
                else
                        ash_str_appendf(out, "%%%02X", c);
        }
}

static const AshPlaceholder *find(const AshPlaceholder *values, size_t n, AshSlice name) {
        for (size_t i = 0; i < n; i++)
                if (ash_slice_eqs(name, values[i].name))
                        return &values[i];
        return NULL;
}

int ash_uri_expand(AshSlice uri, const AshPlaceholder *values, size_t n, AshSpan at, AshStr *out, AshDiags *diags) {
        for (size_t i = 0; i < uri.len; i++) {
                if (uri.ptr[i] != '$') {
                        ash_str_append_char(out, uri.ptr[i]);
                        continue;
                }
                AshSlice rest = ash_slice_from(uri, i + 1);
                if (rest.len > 0 && rest.ptr[0] == '$') {
                        ash_str_append_char(out, '$');
                        i++;
                        continue;
                }
                bool braced = rest.len > 0 && rest.ptr[0] == '{';
                AshSlice name = ash_slice_from(rest, braced);
                size_t len = 0;
                while (len < name.len && (is_alnum(name.ptr[len]) || name.ptr[len] == '_'))
                        len++;
                name = ash_slice_sub(name, 0, len);
                const AshPlaceholder *v = find(values, n, name);
                if (!v || (braced && (rest.len <= len + 1 || rest.ptr[len + 1] != '}'))) {
                        ash_fail(diags, -EINVAL, at, "unknown placeholder '$%.*s' in the URI '%.*s'", ASH_F(name), ASH_F(uri));
                        _str_ AshStr known = {};
                        for (size_t k = 0; k < n; k++)
                                ash_str_appendf(&known, "%s$%s", k > 0 ? " " : "", values[k].name);
                        ash_hint(diags, "known here: %s", known.ptr ? known.ptr : "none");
                        return -EINVAL;
                }
                if (v->value.len == 0)
                        return ash_fail(diags, -EINVAL, at, "'$%s' in the URI '%.*s' has no value here", v->name, ASH_F(uri));
                append_quoted(out, v->value);
                i += len + (braced ? 2 : 0);
        }
        return 0;
}
