/* What goes into an initrd, as a table; libraries follow from ELF files, programs also from units and rules. docs/boot.md tells why. */
#include <sys/stat.h>
#include "initrd-private.h"

#define UNITS "/usr/lib/systemd/system/"
#define RULES "/usr/lib/udev/rules.d/"
#define GENERATORS "/usr/lib/systemd/system-generators/"

typedef enum Need { MUST, MAY } Need;
typedef struct Item {
        const char *dir;
        Need need;
        const char *names; /* separated by spaces */
        const char *package; /* that has it, for the hint */
} Item;

static const Item items[] = {
        /* systemd as the first process, and what ends it */
        { "/usr/lib/systemd/", MUST, "systemd systemd-executor systemd-shutdown", "systemd" },
        { "/usr/bin/", MUST, "mount umount", "mount" },
        { "/usr/bin/", MUST, "systemctl udevadm journalctl", "systemd, udev" },
        { "/usr/sbin/", MUST, "modprobe", "kmod" }, /* the kernel calls it, for file systems too */
        { UNITS, MUST, "basic.target sysinit.target local-fs.target local-fs-pre.target swap.target sockets.target paths.target slices.target timers.target", "systemd" },
        { UNITS, MUST, "initrd.target initrd-fs.target initrd-root-device.target initrd-root-fs.target initrd-usr-fs.target initrd-switch-root.target", "systemd" },
        { UNITS, MUST, "initrd-cleanup.service initrd-parse-etc.service initrd-switch-root.service initrd-udevadm-cleanup-db.service", "systemd" },
        { UNITS, MUST, "emergency.target shutdown.target umount.target final.target reboot.target poweroff.target halt.target", "systemd" },
        { UNITS, MUST, "systemd-reboot.service systemd-poweroff.service systemd-halt.service", "systemd" },
        { UNITS, MUST, "systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket", "systemd" },
        { UNITS, MUST, "systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service", "udev" },
        { UNITS, MUST, "systemd-fsck@.service", "systemd" },
        { UNITS, MAY, "systemd-modules-load.service modprobe@.service", "systemd" },
        /* the root: by its type in the partition table, or as the command line says */
        { GENERATORS, MUST, "systemd-fstab-generator systemd-gpt-auto-generator", "systemd" },
        { "/usr/sbin/", MAY, "fsck", "util-linux" },
        { RULES, MUST, "50-udev-default.rules 60-block.rules 60-persistent-storage.rules 80-drivers.rules 99-systemd.rules", "udev" },
};

/* File systems of roots: the module that mounts them, the program that checks them (systemd-fsck calls it by this name). */
static const struct { const char *name, *checker, *package; } filesystems[] = { { "ext4", "/usr/sbin/fsck.ext4", "e2fsprogs" }, { "xfs", "/usr/sbin/fsck.xfs", "xfsprogs" }, { "btrfs", NULL, NULL } };

/* A machine that does not find its root says why and starts again, so that the boot loader can fall back to an older entry. There is no shell in here, and nobody could log in. */
static const char emergency[] =
        "[Unit]\nDescription=The root file system was not found\nDefaultDependencies=no\nConflicts=shutdown.target\nBefore=shutdown.target\nSuccessAction=reboot-force\nFailureAction=reboot-force\n\n"
        "[Service]\nType=oneshot\nStandardOutput=tty\nTTYPath=/dev/console\nExecStart=-journalctl -b -o short-monotonic -p warning --no-pager -n 40\nExecStart=-udevadm wait --timeout=15 /dev/never\n";

/* Events of what no root file system is on are not waited for: consoles alone are a third of all. The running system looks at everything once more. */
static const char trigger[] =
        "[Service]\nExecStart=\nExecStart=-udevadm trigger --type=all --action=add --prioritized-subsystem=module,block --subsystem-nomatch=tty --subsystem-nomatch=vc --subsystem-nomatch=vtconsole"
        " --subsystem-nomatch=cpu --subsystem-nomatch=memory --subsystem-nomatch=mem --subsystem-nomatch=misc --subsystem-nomatch=net --subsystem-nomatch=sound --subsystem-nomatch=workqueue"
        " --subsystem-nomatch=event_source --subsystem-nomatch=clocksource --subsystem-nomatch=clockevents --subsystem-nomatch=machinecheck --subsystem-nomatch=wakeup --subsystem-nomatch=thermal\n";

/* ---- programs that units and rules call ---- */
static void take_program(Plan *p, AshSlice name, const char *const *dirs) {
        _str_ AshStr path = {};
        if (!name.len)
                return;
        if (name.ptr[0] == '/') {
                (void) plan_take(p, name);
                return;
        }
        for (; *dirs; dirs++) {
                path.len = 0;
                ash_str_appendf(&path, "%s%.*s", *dirs, ASH_F(name));
                if (plan_take(p, ash_str_slice(&path)) != ASH_NO_NODE)
                        return;
        }
}

/* systemd.service(5): ExecStart=-@:+!program arguments. */
static void take_execs(Plan *p, AshSlice unit) {
        static const char *const dirs[] = { "/usr/bin/", "/usr/sbin/", NULL };
        for (AshSlice line; ash_slice_next_line(&unit, &line);) {
                ptrdiff_t equals = ash_slice_starts(line, ASH_S("Exec")) ? ash_slice_find_char(line, '=') : -1;
                AshSlice rest = equals < 0 ? ASH_S("") : ash_slice_trim(ash_slice_from(line, (size_t) equals + 1)), word;
                while (rest.len && strchr("-@:+!|", rest.ptr[0]))
                        rest = ash_slice_from(rest, 1);
                if (ash_slice_next_word(&rest, &word))
                        take_program(p, word, dirs);
        }
}

/* udev(7): PROGRAM="x ...", IMPORT{program}="x ...", RUN{program}+="x ...", names relative to /usr/lib/udev. */
static void take_rule_programs(Plan *p, AshSlice rules) {
        static const char *const keys[] = { "IMPORT{program}", "PROGRAM", "RUN{program}", "RUN+", "RUN=" }, *const dirs[] = { "/usr/lib/udev/", NULL };
        for (AshSlice line; ash_slice_next_line(&rules, &line);)
                for (size_t i = 0; i < ASH_N(keys) && !ash_slice_starts(ash_slice_trim(line), ASH_S("#")); i++)
                        for (AshSlice rest = line;;) {
                                ptrdiff_t at = ash_slice_find(rest, ash_slice_str(keys[i])), quote;
                                if (at < 0)
                                        break;
                                rest = ash_slice_from(rest, (size_t) at + strlen(keys[i]));
                                quote = ash_slice_find_char(rest, '"');
                                if (quote < 0 || quote > 2)
                                        continue;
                                AshSlice value = ash_slice_from(rest, (size_t) quote + 1), word;
                                ptrdiff_t end = ash_slice_find_char(value, '"');
                                value = ash_slice(value.ptr, end < 0 ? 0 : (size_t) end);
                                if (ash_slice_next_word(&value, &word) && !memchr(word.ptr, '$', word.len))
                                        take_program(p, word, dirs);
                        }
}

/* Drop-ins of the distribution; those of /etc are the running system's. */
static void take_drop_ins(Plan *p, AshSlice unit) {
        _str_ AshStr path = {};
        ash_str_appendf(&path, "%.*s.d", ASH_F(unit));
        AshNode dir = plan_find(p, ash_str_slice(&path));
        size_t len = path.len;
        for (uint32_t i = 0; dir != ASH_NO_NODE && i < ash_tree_node(p->src, dir)->n_children; i++) {
                AshNode child = ash_tree_node(p->src, dir)->children[i];
                path.len = len;
                ash_str_appendf(&path, "/%.*s", ASH_F(ash_tree_node(p->src, child)->name));
                (void) plan_take(p, ash_str_slice(&path));
        }
}

static void take_item(Plan *p, const Item *item, AshSlice name) {
        _str_ AshStr path = {};
        ash_str_appendf(&path, "%s%.*s", item->dir, ASH_F(name));
        AshNode n = plan_take(p, ash_str_slice(&path));
        if (n == ASH_NO_NODE) {
                if (item->need == MUST) {
                        p->missing++;
                        ash_fail(p->diags, -ENOENT, ASH_NOWHERE, "the initrd needs %.*s, which is not in the image", ASH_F(ash_str_slice(&path)));
                        ash_hint(p->diags, "packages that have it: %s", item->package);
                }
                return;
        }
        if (!strcmp(item->dir, UNITS)) {
                take_execs(p, plan_bytes(p, n));
                take_drop_ins(p, ash_str_slice(&path));
        } else if (!strcmp(item->dir, RULES))
                take_rule_programs(p, plan_bytes(p, n));
}

/* "x.target.wants/y" where both are in. */
static void take_wants(Plan *p) {
        AshNode dir = plan_find(p, ASH_S("/usr/lib/systemd/system")), units = ash_tree_lookup(p->out, ASH_S("/usr/lib/systemd/system"), true);
        _str_ AshStr path = {};
        for (uint32_t i = 0; dir != ASH_NO_NODE && units != ASH_NO_NODE && i < ash_tree_node(p->src, dir)->n_children; i++) {
                AshNode wants = ash_tree_node(p->src, dir)->children[i];
                AshSlice name = ash_tree_node(p->src, wants)->name, unit = name;
                if (ash_slice_ends(name, ASH_S(".wants")))
                        unit.len -= strlen(".wants");
                else if (ash_slice_ends(name, ASH_S(".requires")))
                        unit.len -= strlen(".requires");
                if (unit.len == name.len || ash_tree_child(p->out, units, unit) == ASH_NO_NODE)
                        continue;
                for (uint32_t k = 0; k < ash_tree_node(p->src, wants)->n_children; k++) {
                        AshSlice wanted = ash_tree_node(p->src, ash_tree_node(p->src, wants)->children[k])->name;
                        path.len = 0;
                        ash_str_appendf(&path, UNITS "%.*s/%.*s", ASH_F(name), ASH_F(wanted));
                        if (ash_tree_child(p->out, units, wanted) != ASH_NO_NODE)
                                (void) plan_take(p, ash_str_slice(&path));
                }
        }
}

static void take_filesystem(Plan *p) {
        for (size_t i = 0; i < ASH_N(filesystems); i++) {
                if (!ash_slice_eqs(p->in->root_filesystem, filesystems[i].name) || !filesystems[i].checker)
                        continue;
                if (plan_take(p, ash_slice_str(filesystems[i].checker)) == ASH_NO_NODE) {
                        ash_warn(p->diags, ASH_NOWHERE, "the root file system is not checked when the machine starts: there is no %s", filesystems[i].checker);
                        ash_hint(p->diags, "the package %s has it", filesystems[i].package);
                }
        }
}

int plan_policy(Plan *p) {
        for (size_t i = 0; i < ASH_N(items); i++)
                for (AshSlice rest = ash_slice_str(items[i].names), name; ash_slice_next_word(&rest, &name);)
                        take_item(p, &items[i], name);
        take_filesystem(p);
        take_wants(p);
        plan_put(p, UNITS "emergency.service", ash_slice_str(emergency));
        plan_put(p, UNITS "systemd-udev-trigger.service.d/ashlar.conf", ash_slice_str(trigger));
        return 0;
}
