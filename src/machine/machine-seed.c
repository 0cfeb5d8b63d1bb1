/* A NoCloud volume (cloud-init's documentation, "NoCloud"): a FAT file system with the label CIDATA, and user-data and meta-data in it. */
#include "fat.h"
#include "machine-private.h"

int ash_machine_seed(const char *path, AshSlice user_data, AshSlice meta_data, AshDiags *diags) {
        const AshFatNode nodes[] = { { .directory = true }, { .name = ASH_S("meta-data"), .bytes = meta_data }, { .name = ASH_S("user-data"), .bytes = user_data } };
        const AshFatOptions o = { .volume_id = 0x41534821, .label = "CIDATA" };
        _cleanup_(ash_fat_free_p) AshFat *fat = NULL;
        _cleanup_(ash_sparse_free_p) AshSparse *out = ash_sparse_new();
        int r = ash_fat_new(nodes, ASH_N(nodes), &o, &fat, diags);
        if (r < 0)
                return r;
        AshFatUsage usage;
        uint64_t size = ash_fat_size(fat, 1 << 20);
        r = ash_fat_put(fat, size, 0, out, &usage);
        out->size = size;
        if (r >= 0)
                r = ash_sparse_sort(out);
        _close_ int fd = r < 0 ? -1 : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (r >= 0)
                r = fd < 0 ? -errno : ash_sparse_write(out, fd, 1, NULL);
        return r < 0 ? ash_fail_file(diags, r, path, "cannot make the seed volume: %s", ash_strerror(r)) : 0;
}
