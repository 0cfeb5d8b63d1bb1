/* What %generate_buildrequires prints. Where a line is no requirement, rpm 4.18 says so, names it or not, takes none of the lines, and has no error in its exit status (build/parseReqs.c); so each line goes into the log as
 * well, and is judged here. */
#include "build-private.h"

/* Of rpm's macros: how the script is run; its name comes behind that, as $0. */
const char ash_build_ask[] = "__spec_buildrequires_cmd /bin/sh -c '%{___build_cmd} \"$0\" >/tmp/.ashlar-asked; s=$?; while IFS= read -r l || test -n \"$l\"; do printf \"" ASH_BUILD_ASKED "%%s\\\\n\" \"$l\"; done </tmp/.ashlar-asked >&2; cat /tmp/.ashlar-asked; exit $s'";

static AshSlice next_token(AshSlice *rest) {
        size_t n = 0, depth = 0;
        while (rest->len && strchr(" \t,", rest->ptr[0]))
                *rest = ash_slice_from(*rest, 1);
        bool rich = rest->len && rest->ptr[0] == '(';
        for (; n < rest->len && (rich || !strchr(" \t,", rest->ptr[n])); n++) {
                depth += rest->ptr[n] == '(';
                if (rich && rest->ptr[n] == ')' && --depth == 0) {
                        n++;
                        break;
                }
        }
        AshSlice token = ash_slice_sub(*rest, 0, n);
        *rest = ash_slice_from(*rest, n);
        return rich && depth ? ASH_S("(") : token;
}

static bool is_operator(AshSlice token) {
        static const char *const operators[] = { "<", "<=", "=<", "=", "==", ">=", "=>", ">" };
        for (size_t i = 0; i < ASH_N(operators); i++)
                if (ash_slice_eqs(token, operators[i]))
                        return true;
        return false;
}

/* As rpm reads one (it knows no remarks): names, rich ones in parentheses, each with or without an operator and a version. */
static bool is_requirement(AshSlice line) {
        AshSlice token = next_token(&line), name = {};
        for (; token.len; token = next_token(&line)) {
                if (is_operator(token)) {
                        AshSlice version = next_token(&line);
                        if (!name.len || name.ptr[0] == '/' || name.ptr[0] == '(' || !version.len || is_operator(version))
                                return false;
                        name = ASH_NOSLICE;
                        continue;
                }
                name = token;
                char c = name.ptr[0];
                if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '_' && c != '/' && !(c == '(' && name.len > 1))
                        return false;
        }
        return true;
}

/* The first line that is none; *ret_said: what rpm said of any. */
static AshSlice find_bad(AshSlice log, AshSlice *ret_said) {
        AshSlice line, bad = {}, asked = ASH_S(ASH_BUILD_ASKED), error = ASH_S("error: ");
        while (ash_slice_next_line(&log, &line)) {
                if (!bad.ptr && ash_slice_starts(line, asked) && !is_requirement(ash_slice_from(line, asked.len)))
                        bad = ash_slice_from(line, asked.len);
                if (ash_slice_starts(line, error) && !ret_said->ptr)
                        *ret_said = ash_slice_from(line, error.len);
        }
        return bad;
}

int ash_build_judge_asked(AshBuild *b, AshDiags *diags) {
        AshSlice said = {}, bad, c = b->in.component, asked = ASH_S("Executing(%generate_buildrequires)"), text = ash_str_slice(&b->head);
        ptrdiff_t at = ash_slice_find(text, asked);
        if (at < 0)
                return 0;
        bad = find_bad(ash_slice_from(text, (size_t) at), &said);
        if (!said.ptr) { /* behind what a long output leaves of its beginning */
                AshSlice later = find_bad(ash_str_slice(&b->tail), &said);
                bad = bad.ptr ? bad : later;
        }
        if (!said.ptr || !bad.ptr) /* rpm has the last word; and what a script says of errors is not rpm's word */
                return 0;
        int r = ash_fail(diags, -EINVAL, ASH_NOWHERE, "%%generate_buildrequires of '%.*s' prints a line that is no requirement: '%.*s'", ASH_F(c), (int) ASH_MIN(bad.len, (size_t) 200), bad.ptr);
        ash_note(diags, ASH_NOWHERE, "rpm: %.*s", (int) ASH_MIN(said.len, (size_t) 400), said.ptr);
        ash_note(diags, ASH_NOWHERE, "the whole log: %s", b->in.log_path);
        ash_hint(diags, "what is meant for people goes to standard error (>&2); standard output is for requirements only");
        return r;
}
