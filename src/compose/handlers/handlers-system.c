/* Small files of a running system that no package can hold: its identity, its resolver, its list of login shells. */
#include "handlers-private.h"

static bool exists(const AshTree *t, const char *path) { return ash_tree_lookup(t, ash_slice_str(path), true) != ASH_NO_NODE; }

bool ash_wants_machine_id(const AshHandlerContext *c) { return exists(c->tree, "/usr/lib/systemd/systemd"); }

/* "uninitialized" (machine-id(5)): every host gets an id of its own at its first boot, and first-boot units run then. Never an id in an image: hosts would share it. D-Bus follows it. */
int ash_handle_machine_id(AshHandlerContext *c) {
        int r = ash_handler_file(c, ASH_S("/etc/machine-id"), ASH_S("uninitialized\n"), 0444, NULL);
        if (r >= 0 && exists(c->tree, "/var/lib/dbus") && ash_tree_lookup(c->tree, ASH_S("/var/lib/dbus/machine-id"), false) == ASH_NO_NODE)
                r = ash_handler_symlink(c, ASH_S("/var/lib/dbus/machine-id"), ASH_S("/etc/machine-id"));
        return r;
}

/* systemd-resolved's stub, where the service is on and nobody has put anything there. */
bool ash_wants_resolv(const AshHandlerContext *c) {
        static const char *const wants[] = { "multi-user.target.wants", "sysinit.target.wants" };
        AshNode n = ASH_NO_NODE;
        for (size_t i = 0; i < ASH_N(wants) && n == ASH_NO_NODE; i++) {
                _free_ char *path = ash_asprintf("/etc/systemd/system/%s/systemd-resolved.service", wants[i]);
                n = ash_tree_lookup(c->tree, ash_slice_str(path), false);
        }
        return n != ASH_NO_NODE && ash_tree_lookup(c->tree, ASH_S("/etc/resolv.conf"), false) == ASH_NO_NODE;
}

int ash_handle_resolv(AshHandlerContext *c) { return ash_handler_symlink(c, ASH_S("/etc/resolv.conf"), ASH_S("../run/systemd/resolve/stub-resolv.conf")); }

/* What bash's scriptlet appends: sh and bash, each once, behind what stands there. */
bool ash_wants_shells(const AshHandlerContext *c) { return exists(c->tree, "/usr/bin/bash"); }

int ash_handle_shells(AshHandlerContext *c) {
        static const char *const shells[] = { "/bin/sh", "/bin/bash" };
        AshSlice old = ash_compose_read(c->tree, ASH_S("/etc/shells"));
        _str_ AshStr out = {};
        bool changed = false;
        ash_str_append(&out, old);
        if (old.len && old.ptr[old.len - 1] != '\n')
                ash_str_append_char(&out, '\n');
        for (size_t i = 0; i < ASH_N(shells); i++) {
                AshSlice rest = old, line;
                bool there = false;
                while (!there && ash_slice_next_line(&rest, &line))
                        there = ash_slice_eqs(ash_slice_trim(line), shells[i]);
                if (!there)
                        ash_str_appendf(&out, "%s\n", shells[i]);
                changed |= !there;
        }
        return changed ? ash_handler_file(c, ASH_S("/etc/shells"), ash_str_slice(&out), 0644, NULL) : 0;
}

/* systemd.unit(5), ConditionNeedsUpdate=: with these files as new as /usr, the first boot does not do again what handlers have done: ldconfig, sysusers, hwdb, catalog. Where one of the last two was not
 * made, they stay away, and it is done then. */
static const struct { const char *source, *made; } updates[] = { { "/usr/lib/udev/hwdb.d", "/usr/lib/udev/hwdb.bin" }, { "/usr/lib/systemd/catalog", "/var/lib/systemd/catalog/database" } };

bool ash_wants_updated(const AshHandlerContext *c) {
        for (size_t i = 0; i < ASH_N(updates); i++)
                if (exists(c->tree, updates[i].source) && !exists(c->tree, updates[i].made) && !(i == 0 && exists(c->tree, "/etc/udev/hwdb.bin")))
                        return false;
        return exists(c->tree, "/usr/lib/systemd/systemd-update-done");
}

int ash_handle_updated(AshHandlerContext *c) {
        _free_ char *text = ash_asprintf("# This file was created by systemd-update-done. The timestamp below is the\n# modification time of /usr/ for which the most recent updates of this directory\n"
                                         "# have been applied. See man:systemd-update-done.service(8) for details.\nTIMESTAMP_NSEC=%lld000000000\n", (long long) c->time);
        int r = ash_handler_file(c, ASH_S("/etc/.updated"), ash_slice_str(text), 0644, NULL);
        return r < 0 ? r : ash_handler_file(c, ASH_S("/var/.updated"), ash_slice_str(text), 0644, NULL);
}
