#include "config-forms.h"

static bool all_of(AshSlice s, bool (*fits)(unsigned char c)) {
        for (size_t i = 0; i < s.len; i++)
                if (!fits((unsigned char) s.ptr[i]))
                        return false;
        return s.len > 0;
}
static bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }
static bool is_hex(unsigned char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
static bool is_alnum(unsigned char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_octal(unsigned char c) { return c >= '0' && c <= '7'; }
static bool is_name(unsigned char c) { return is_alnum(c) || c == '_' || c == '.' || c == ':' || c == '-'; }
static bool is_user(unsigned char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; }
static bool is_visible(unsigned char c) { return c > ' ' && c != 127; }

static bool commit_ok(AshSlice s) { return s.len >= 7 && s.len <= 40 && all_of(s, is_hex); }
static bool git_ref_ok(AshSlice s) { return s.len == 40 && all_of(s, is_hex); }
static bool hash_ok(AshSlice s) { return (s.len == 64 || s.len == 128) && all_of(s, is_hex); }
static bool http_ok(AshSlice s) {
        size_t skip = ash_slice_starts(s, ASH_S("https://")) ? 8 : ash_slice_starts(s, ASH_S("http://")) ? 7 : 0;
        return skip && s.len > skip && s.ptr[skip] != '/' && all_of(s, is_visible);
}
static bool repo_url_ok(AshSlice s) { return http_ok(s) || (ash_slice_starts(s, ASH_S("file:///")) && all_of(s, is_visible)); }
static bool uri_ok(AshSlice s) {
        ptrdiff_t colon = ash_slice_find(s, ASH_S("://"));
        return colon > 0 && all_of(s, is_visible);
}
static bool repo_name_ok(AshSlice s) { return all_of(s, is_name) && is_alnum((unsigned char) s.ptr[0]); }
static bool channel_ok(AshSlice s) {
        return s.len > 0 && !ash_slice_eqs(s, ".") && !ash_slice_eqs(s, "..") && ash_slice_find_char(s, '/') < 0 && ash_slice_find_char(s, '\\') < 0 && all_of(s, is_visible);
}
static bool mode_ok(AshSlice s) { return s.len >= 3 && s.len <= 5 && all_of(s, is_octal) && (s.len < 5 || s.ptr[0] == '0'); }
static bool user_ok(AshSlice s) { return s.len <= 32 && all_of(s, is_user) && !is_digit((unsigned char) s.ptr[0]) && s.ptr[0] != '-' && s.ptr[0] != '.'; }
static bool owner_ok(AshSlice s) { return user_ok(s) || (s.len <= 10 && all_of(s, is_digit)); }
static bool absolute_ok(AshSlice s) {
        if (s.len < 2 || s.ptr[0] != '/' || s.ptr[s.len - 1] == '/' || memchr(s.ptr, 0, s.len))
                return false;
        return ash_path_is_confined(ash_slice_from(s, 1)) && ash_slice_find(s, ASH_S("//")) < 0;
}
static bool confined_ok(AshSlice s) { return ash_path_is_confined(s); }
static bool port_ok(AshSlice s) {
        size_t n = 0, port = 0;
        while (n < s.len && n < 5 && is_digit((unsigned char) s.ptr[n]))
                port = port * 10 + (size_t) (s.ptr[n++] - '0');
        AshSlice protocol = ash_slice_from(s, n);
        return n > 0 && s.ptr[0] != '0' && port <= 65535 && (protocol.len == 0 || ash_slice_eqs(protocol, "/tcp") || ash_slice_eqs(protocol, "/udp") || ash_slice_eqs(protocol, "/sctp"));
}
static bool basename_ok(AshSlice s) { return s.len > 0 && ash_slice_find_char(s, '/') < 0 && !ash_slice_eqs(s, ".") && !ash_slice_eqs(s, ".."); }
static bool size_ok(AshSlice s) {
        if (ash_slice_eqs(s, "auto"))
                return true;
        size_t n = 0;
        while (n < s.len && is_digit((unsigned char) s.ptr[n]))
                n++;
        return n > 0 && n <= 15 && (n == s.len || (n + 1 == s.len && memchr("KMGT%", s.ptr[n], 5)));
}
static unsigned two(AshSlice s, size_t at) { return (unsigned) (s.ptr[at] - '0') * 10 + (unsigned) (s.ptr[at + 1] - '0'); }
static bool shaped(AshSlice s, const char *shape) {
        if (s.len < strlen(shape))
                return false;
        for (size_t i = 0; shape[i]; i++)
                if (shape[i] == '0' ? !is_digit((unsigned char) s.ptr[i]) : shape[i] == 'T' ? !strchr("Tt ", s.ptr[i]) : s.ptr[i] != shape[i])
                        return false;
        return true;
}
static bool date_ok(AshSlice s) {
        static const unsigned char days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        if (s.len != 10 || !shaped(s, "0000-00-00"))
                return false;
        unsigned month = two(s, 5), day = two(s, 8), year = two(s, 0) * 100 + two(s, 2);
        if (month < 1 || month > 12 || day < 1 || day > days[month - 1])
                return false;
        return month != 2 || day < 29 || (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}
/* RFC 3339: date-time with a zone. */
static bool date_time_ok(AshSlice s) {
        if (!shaped(s, "0000-00-00T00:00:00") || !date_ok(ash_slice_sub(s, 0, 10)) || two(s, 11) > 23 || two(s, 14) > 59 || two(s, 17) > 60)
                return false;
        AshSlice rest = ash_slice_from(s, 19);
        if (rest.len && rest.ptr[0] == '.') {
                size_t n = 1;
                while (n < rest.len && is_digit((unsigned char) rest.ptr[n]))
                        n++;
                if (n == 1)
                        return false;
                rest = ash_slice_from(rest, n);
        }
        if (rest.len == 1)
                return rest.ptr[0] == 'Z' || rest.ptr[0] == 'z';
        return rest.len == 6 && (rest.ptr[0] == '+' || rest.ptr[0] == '-') && shaped(ash_slice_from(rest, 1), "00:00") && two(rest, 1) < 24 && two(rest, 4) < 60;
}
static bool hostname_ok(AshSlice s) {
        for (size_t i = 0; i < s.len; i++)
                if (!is_alnum((unsigned char) s.ptr[i]) && s.ptr[i] != '-' && s.ptr[i] != '.')
                        return false;
        return s.len > 0 && s.len <= 64 && is_alnum((unsigned char) s.ptr[0]) && is_alnum((unsigned char) s.ptr[s.len - 1]);
}
/* At most 999999T, so that it fits 64 bits. */
static bool bytes_ok(AshSlice s) {
        size_t n = 0;
        while (n < s.len && is_digit((unsigned char) s.ptr[n]))
                n++;
        return n > 0 && s.ptr[0] != '0' && (n == s.len ? n <= 16 : n <= 6 && n + 1 == s.len && strchr("KMGT", s.ptr[n]));
}
static bool password_ok(AshSlice s) { return ash_slice_eqs(s, "!") || ash_slice_eqs(s, "*") || (s.len > 3 && s.ptr[0] == '$' && all_of(s, is_visible) && ash_slice_find_char(s, ':') < 0); }
static bool one_line_ok(AshSlice s) { return !memchr(s.ptr, '\n', s.len) && !memchr(s.ptr, '\r', s.len) && !memchr(s.ptr, 0, s.len); }
static bool filled_ok(AshSlice s) { return s.len > 0; }
static bool macro_file_ok(AshSlice s) { return basename_ok(s) && ash_slice_find(s, ASH_S("{component}")) >= 0; }
/* What becomes a directory's and a file's name. */
static bool image_name_ok(AshSlice s) { return all_of(s, is_user) && is_alnum((unsigned char) s.ptr[0]); }
/* distribution/reference of docker and podman: what may stand behind the colon. */
static bool tag_ok(AshSlice s) { return s.len <= 128 && all_of(s, is_user) && s.ptr[0] != '.' && s.ptr[0] != '-'; }
static bool variable_ok(AshSlice s) { return s.len > 0 && ash_slice_find_char(s, '=') < 0; }
/* What /etc/passwd keeps between colons, on one line. */
static bool field_ok(AshSlice s) { return one_line_ok(s) && ash_slice_find_char(s, ':') < 0; }
static bool field_path_ok(AshSlice s) { return absolute_ok(s) && field_ok(s); }
static bool is_unit(unsigned char c) { return is_user(c) || c == ':' || c == '\\' || c == '@'; }
/* systemd.unit(5); a name without its suffix is that of a service. */
static bool unit_ok(AshSlice s) { return s.len > 0 && s.len <= 255 && all_of(s, is_unit); }
static bool directory_ok(AshSlice s) { return ash_slice_eqs(s, "/") || absolute_ok(s); }
/* "USER", "USER:GROUP", each a name or a number (image-spec, config.md). */
static bool run_user_ok(AshSlice s) {
        AshSlice user, group = s;
        (void) ash_slice_split(&group, ':', &user);
        return owner_ok(user) && (user.len == s.len || owner_ok(group));
}
#define SIGNALS "HUP|INT|QUIT|ILL|TRAP|ABRT|IOT|BUS|FPE|KILL|USR1|SEGV|USR2|PIPE|ALRM|TERM|STKFLT|CHLD|CLD|CONT|STOP|TSTP|TTIN|TTOU|URG|XCPU|XFSZ|VTALRM|PROF|WINCH|IO|POLL|PWR|SYS"
/* signal(7) on Linux: a name with SIG, SIGRTMIN+N, SIGRTMAX-N with the 30 that there are, or a number. */
static bool signal_ok(AshSlice s) {
        AshSlice names = ASH_S(SIGNALS), name;
        uint64_t n;
        if (ash_slice_to_u64(s, 10, &n) >= 0)
                return s.ptr[0] != '0' && n <= 64;
        if (!ash_slice_starts(s, ASH_S("SIG")))
                return false;
        s = ash_slice_from(s, 3);
        if (ash_slice_starts(s, ASH_S("RTMIN")) || ash_slice_starts(s, ASH_S("RTMAX"))) {
                AshSlice step = ash_slice_from(s, 5);
                return !step.len || (step.len > 1 && step.ptr[0] == (s.ptr[4] == 'N' ? '+' : '-') && step.ptr[1] != '0' && ash_slice_to_u64(ash_slice_from(step, 1), 10, &n) >= 0 && n <= 30);
        }
        while (ash_slice_split(&names, '|', &name))
                if (ash_slice_eq(s, name))
                        return true;
        return false;
}
static bool glob_ok(AshSlice s) { return s.len > 0 && ash_glob_valid(s); }

static const char *const no_placeholders[] = { NULL };
static const char *const git_placeholders[] = { "pkg", NULL };
static const char *const lookaside_placeholders[] = { "pkg", "filename", "hashtype", "hash", NULL };
static const char *const repo_placeholders[] = { "releasever", "basearch", NULL };
static const char *const upstream_url_placeholders[] = { "releasever", "basearch", "snapshot", NULL };

#define HTTP "^https?://[^/\\s]\\S*$"
const AshForm ash_form_commit = { "7 to 40 hexadecimal digits", "^[0-9a-fA-F]{7,40}$", commit_ok, NULL };
const AshForm ash_form_git_ref = { "a full commit id of 40 hexadecimal digits", "^[0-9a-fA-F]{40}$", git_ref_ok, NULL };
const AshForm ash_form_hash = { "64 (SHA256) or 128 (SHA512) hexadecimal digits", "^([0-9a-fA-F]{64}|[0-9a-fA-F]{128})$", hash_ok, NULL };
const AshForm ash_form_url = { "an http or https URL", HTTP, http_ok, NULL };
const AshForm ash_form_repo_url = { "an http, https or file URL", "^(https?://[^/\\s]|file:///)\\S*$", repo_url_ok, repo_placeholders };
const AshForm ash_form_upstream_url = { "an http, https or file URL", "^(https?://[^/\\s]|file:///)\\S*$", repo_url_ok, upstream_url_placeholders };
const AshForm ash_form_subpath = { "a relative path without '..'", "^(?!/)(?!(.*/)?\\.\\.(/|$)).+$", confined_ok, repo_placeholders };
const AshForm ash_form_git_uri = { "a URI", "^[^:]+://\\S+$", uri_ok, git_placeholders };
const AshForm ash_form_lookaside_uri = { "a URI", "^[^:]+://\\S+$", uri_ok, lookaside_placeholders };
const AshForm ash_form_source_uri = { "a URI", "^[^:]+://\\S+$", uri_ok, NULL };
const AshForm ash_form_repo_name = { "a name of letters, digits and _ . : -, beginning with a letter or digit", "^[A-Za-z0-9][A-Za-z0-9_.:-]*$", repo_name_ok, NULL };
const AshForm ash_form_channel = { "a name without '/' and '\\'", "^(?!\\.{1,2}$)[^/\\\\\\s]+$", channel_ok, NULL };
const AshForm ash_form_mode = { "an octal mode such as 0644", "^0?[0-7]{3,4}$", mode_ok, NULL };
const AshForm ash_form_user = { "a user or group name", "^[A-Za-z_][A-Za-z0-9_.-]{0,31}$", user_ok, NULL };
const AshForm ash_form_owner = { "a user or group name, or a number", "^([A-Za-z_][A-Za-z0-9_.-]{0,31}|[0-9]{1,10})$", owner_ok, NULL };
const AshForm ash_form_absolute = { "an absolute path without '..', '//' and a '/' at its end", "^(?!.*/\\.\\.(/|$))(/[^/]+)+$", absolute_ok, NULL };
const AshForm ash_form_port = { "a port, as 80, 80/tcp, 53/udp, 5060/sctp",
        "^([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])(/(tcp|udp|sctp))?$", port_ok, NULL };
#define OWNER "([A-Za-z_][A-Za-z0-9_.-]{0,31}|[0-9]{1,10})"
const AshForm ash_form_image_name = { "a name of letters, digits and _ . -, beginning with a letter or digit", "^[A-Za-z0-9][A-Za-z0-9_.-]*$", image_name_ok, NULL };
const AshForm ash_form_tag = { "letters, digits and _ . -, at most 128, as 1.0 or latest", "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", tag_ok, NULL };
const AshForm ash_form_variable = { "the name of a variable, without '='", "^[^=]+$", variable_ok, NULL };
const AshForm ash_form_directory = { "an absolute path without '..', '//' and a '/' at its end", "^(/|(?!.*/\\.\\.(/|$))(/[^/]+)+)$", directory_ok, NULL };
const AshForm ash_form_run_user = { "a user's name or number, and behind a colon perhaps a group's, as nobody:nogroup", "^" OWNER "(:" OWNER ")?$", run_user_ok, NULL };
const AshForm ash_form_signal = { "a signal of Linux: SIGTERM, SIGRTMIN+3, 15", "^(SIG(" SIGNALS ")|SIGRTMIN(\\+([1-9]|[12][0-9]|30))?|SIGRTMAX(-([1-9]|[12][0-9]|30))?|[1-9]|[1-5][0-9]|6[0-4])$", signal_ok, NULL };
const AshForm ash_form_time_zone = { "a name as in /usr/share/zoneinfo, as Europe/Berlin", "^(?!/)(?!(.*/)?\\.\\.(/|$)).+$", confined_ok, NULL };
const AshForm ash_form_basename = { "a file name without a directory", "^(?!\\.{1,2}$)[^/]+$", basename_ok, NULL };
const AshForm ash_form_size = { "\"auto\", a number of bytes with an optional K, M, G or T (of 1024), or a percentage", "^(auto|[0-9]{1,15}[KMGT%]?)$", size_ok, NULL };
const AshForm ash_form_bytes = { "a number of bytes with an optional K, M, G or T (of 1024)", "^([1-9][0-9]{0,15}|[1-9][0-9]{0,5}[KMGT])$", bytes_ok, NULL };
const AshForm ash_form_date = { "a date, YYYY-MM-DD", "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", date_ok, NULL };
const AshForm ash_form_date_time = { "an RFC 3339 date and time with its zone, as 2026-02-24T00:00:00Z",
        "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$", date_time_ok, NULL };
const AshForm ash_form_hostname = { "a host name", "^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$", hostname_ok, NULL };
const AshForm ash_form_password = { "a crypt(5) hash beginning with '$', \"!\" or \"*\"", "^([!*]|\\$[^\\s:]{3,})$", password_ok, NULL };
const AshForm ash_form_line = { "one line", "^[^\\n\\r\\u0000]*$", one_line_ok, NULL };
const AshForm ash_form_field = { "one line without ':'", "^[^:\\n\\r\\u0000]*$", field_ok, NULL };
const AshForm ash_form_field_path = { "an absolute path without ':', '..', '//' and a '/' at its end", "^(?!.*/\\.\\.(/|$))(/[^/:\\n\\r\\u0000]+)+$", field_path_ok, NULL };
const AshForm ash_form_unit = { "the name of a unit: letters, digits and : _ . \\ @ -, at most 255", "^[A-Za-z0-9:_.\\\\@-]{1,255}$", unit_ok, NULL };
const AshForm ash_form_filled = { "some text", "^[\\s\\S]+$", filled_ok, NULL };
const AshForm ash_form_macro_file = { "a file name that holds {component}", "^[^/]*\\{component\\}[^/]*$", macro_file_ok, NULL };
const AshForm ash_form_glob = { "a path or glob", NULL, glob_ok, NULL };
const AshForm ash_form_plain_uri = { "a URI", "^[^:]+://\\S+$", uri_ok, no_placeholders };
