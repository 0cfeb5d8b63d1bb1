/* Mount points of the partitions of a disk, and /etc/fstab for those that systemd does not find by their types (systemd-gpt-auto-generator(8)). */
#include "handlers-private.h"
#include "partition.h"

bool ash_wants_fstab(const AshHandlerContext *c) { return c->image && c->lock && ash_slice_eqs(c->image->kind.s, "disk"); }

static void add_line(AshStr *out, const AshPartition *p) {
        _str_ AshStr options = {};
        bool swap = p->fs == ASH_FS_SWAP, root = ash_slice_eqs(p->mount, "/");
        ash_str_append(&options, p->options);
        if (p->read_only)
                ash_str_appendf(&options, "%sro", options.len ? "," : "");
        if (p->grow && p->fs == ASH_FS_EXT4)
                ash_str_appendf(&options, "%sx-systemd.growfs", options.len ? "," : "");
        if (!options.len)
                ash_str_append_str(&options, p->fs == ASH_FS_VFAT ? "umask=0077" : "defaults");
        ash_str_appendf(out, "PARTUUID=%s %.*s %s %.*s 0 %d\n", p->uuid_text, swap ? 4 : (int) p->mount.len, swap ? "none" : p->mount.ptr, ash_filesystem_name(p->fs), ASH_F(ash_str_slice(&options)),
                        swap || p->fs == ASH_FS_VFAT ? 0 : root ? 1 : 2);
}

/* A package's file that says nothing is no reason to leave ours out. */
static bool has_entries(const AshTree *t) {
        AshSlice rest = ash_compose_read(t, ASH_S("/etc/fstab")), line;
        while (ash_slice_next_line(&rest, &line)) {
                line = ash_slice_trim(line);
                if (line.len && line.ptr[0] != '#')
                        return true;
        }
        return false;
}

int ash_handle_fstab(AshHandlerContext *c) {
        AshPartitions p;
        _str_ AshStr out = {};
        int r = ash_partitions(c->image, c->lock->seed, c->arch, c->tree->arena, &p, c->diags);
        for (size_t i = 0; r >= 0 && i < p.n; i++) {
                const AshPartition *one = &p.items[i];
                AshNode n;
                if (one->mount.len && (r = ash_tree_make_dirs(c->tree, one->mount, c->origin, &n)) < 0)
                        return ash_fail(c->diags, -ASH_ERR_CONFIG, one->at, "the mount point '%.*s' is no directory of the image", ASH_F(one->mount));
                if (!one->found && (one->mount.len || one->fs == ASH_FS_SWAP))
                        add_line(&out, one);
        }
        if (r < 0 || !out.len || has_entries(c->tree))
                return r;
        return ash_handler_file(c, ASH_S("/etc/fstab"), ash_str_slice(&out), 0644, NULL);
}
