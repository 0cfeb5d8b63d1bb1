/* Blocks of shell that standard macros expand to, recognised line by line and byte by byte; only the place of a list of names may vary. The lines are what systemd's rpm macros (src/rpm of systemd,
 * documented in daemon(7)) and rpm's own give in Fedora 43 and Azure Linux: they have to be the same bytes to be found in packages.
 *
 * A line may hold one '\1': there stands a list of unit or file names, separated by single spaces. */
#include "scriptlets-private.h"

enum { LINES_MAX = 5 };
enum { PLAIN = 1 << ASH_HOOK_PRETRANS | 1 << ASH_HOOK_PRE | 1 << ASH_HOOK_POST | 1 << ASH_HOOK_POSTTRANS }; /* $1 is 1 there */

#define HELPER "/usr/lib/systemd/systemd-update-helper"
#define FIRST "if [ $1 -eq 1 ] && [ -x \"" HELPER "\" ]; then"
#define LATER_1 "if [ $1 -ge 1 ] && [ -x \"" HELPER "\" ]; then"
#define LATER_2 "if [ $1 -ge 2 ] && [ -x \"" HELPER "\" ]; then"
#define INITIAL "    # Initial installation"
#define UPGRADE "    # Package upgrade, not uninstall"

static const struct {
        uint32_t kinds;              /* 1 << AshHookKind; 0: all */
        const char *handlers;        /* NULL: no effect */
        const char *reason;
        const char *lines[LINES_MAX];
} templates[] = {
        { PLAIN, "presets", "%systemd_post", { FIRST, INITIAL, "    " HELPER " install-system-units \1 || :", "fi" } },
        { PLAIN, "presets", "%systemd_user_post", { FIRST, INITIAL, "    " HELPER " install-user-units \1 || :", "fi" } },
        { PLAIN, "presets", "%systemd_post of systemd before 248", { "if [ $1 -eq 1 ] && [ -x /usr/bin/systemctl ]; then", INITIAL, "    /usr/bin/systemctl --no-reload preset \1 || :", "fi" } },
        { PLAIN, NULL, "%systemd_posttrans_with_restart: only when replacing", { LATER_2, UPGRADE, "    " HELPER " mark-restart-system-units \1 || :", "fi" } },
        { PLAIN, NULL, "%systemd_posttrans_with_reload: only when replacing", { LATER_2, UPGRADE, "    " HELPER " mark-reload-system-units \1 || :", "fi" } },
        { PLAIN, NULL, "%systemd_user_posttrans_with_restart: only when replacing", { LATER_2, UPGRADE, "    " HELPER " mark-restart-user-units \1 || :", "fi" } },
        { 0, NULL, "%systemd_postun_with_restart: marks units of a running system", { LATER_1, UPGRADE, "    " HELPER " mark-restart-system-units \1 || :", "fi" } },
        { 0, NULL, "%systemd_user_postun_with_restart: marks units of a running system", { LATER_1, UPGRADE, "    " HELPER " mark-restart-user-units \1 || :", "fi" } },
        { 0, NULL, "%sysctl_apply: sets a running kernel", { "[ -x /usr/lib/systemd/systemd-sysctl ] && /usr/lib/systemd/systemd-sysctl \1 || :" } },
        { 0, NULL, "%binfmt_apply: sets a running kernel", { "[ -x /usr/lib/systemd/systemd-binfmt ] && /usr/lib/systemd/systemd-binfmt \1 || :" } },
        { 0, NULL, "%udev_rules_update: tells a running udev", { "udevadm control --reload >/dev/null 2>&1 || :" } },
        { 0, "accounts", "%sysusers_create", { "command -v systemd-sysusers >/dev/null && systemd-sysusers \1 || :" } },
        { 0, "tmpfiles", "%tmpfiles_create", { "command -v systemd-tmpfiles >/dev/null && systemd-tmpfiles --create \1 || :" } },
        { 0, "tmpfiles", "%tmpfiles_create", { "systemd-tmpfiles --create \1 >/dev/null 2>&1 || :" } },
        { 0, "ldcache", "ldconfig", { "/sbin/ldconfig" } },
        { 0, "ldcache", "ldconfig", { "/usr/sbin/ldconfig" } },
        { PLAIN, "ca-trust", "ca-certificates' bundles", { "if [ -x /usr/bin/ln ]; then", "/usr/bin/ca-legacy install", "/usr/bin/update-ca-trust", "fi" } },
        { PLAIN, "ca-trust", "ca-certificates' bundles", { "/usr/bin/ca-legacy install", "/usr/bin/update-ca-trust" } },
        { 0, NULL, "nothing", { ":" } },
};

static bool is_name_char(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("_.@:{},\\-", c); }

/* Names with single spaces between them. */
static bool is_list(AshSlice s) {
        bool space = true;
        for (size_t i = 0; i < s.len; i++) {
                if (s.ptr[i] == ' ' ? space : !s.ptr[i] || !is_name_char(s.ptr[i]))
                        return false;
                space = s.ptr[i] == ' ';
        }
        return s.len && !space;
}

static bool line_matches(AshSlice line, const char *pattern) {
        const char *hole = strchr(pattern, '\1');
        if (!hole)
                return ash_slice_eqs(line, pattern);
        AshSlice before = ash_slice(pattern, (size_t) (hole - pattern)), after = ash_slice_str(hole + 1);
        return line.len > before.len + after.len && ash_slice_starts(line, before) && ash_slice_ends(line, after) && is_list(ash_slice(line.ptr + before.len, line.len - before.len - after.len));
}

static bool block_matches(AshSlice *rest, const char *const *lines) {
        AshSlice at = *rest, line;
        for (size_t i = 0; i < LINES_MAX && lines[i]; i++)
                if (!ash_slice_next_line(&at, &line) || !line_matches(ash_slice_trim_right(line), lines[i]))
                        return false;
        *rest = at;
        return true;
}

bool ash_hook_template(AshHookKind kind, AshSlice *rest, const char **ret_handlers, const char **ret_reason) {
        for (size_t i = 0; i < ASH_N(templates); i++)
                if ((!templates[i].kinds || templates[i].kinds & 1U << kind) && block_matches(rest, templates[i].lines)) {
                        *ret_handlers = templates[i].handlers;
                        *ret_reason = templates[i].reason;
                        return true;
                }
        return false;
}

size_t ash_hook_template_count(void) { return ASH_N(templates); }
const char *ash_hook_template_handlers(size_t i) { return templates[i].handlers; }
