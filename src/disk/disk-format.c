#include "disk.h"
#include "qcow2.h"
#include "vhd.h"
#include "vhdx.h"
#include "vmdk.h"

static AshVhdOptions vhd_options(const AshDisk *d) {
        AshVhdOptions o = { .time = d->time };
        memcpy(o.uuid, d->id, 16);
        return o;
}

static int make_vhd(const AshDisk *d, AshSparse *out) {
        AshVhdOptions o = vhd_options(d);
        return ash_vhd_fixed(d->map, &o, out);
}

static int make_vhd_dynamic(const AshDisk *d, AshSparse *out) {
        AshVhdOptions o = vhd_options(d);
        return ash_vhd_dynamic(d->map, &o, out);
}

static int make_vhdx(const AshDisk *d, AshSparse *out) {
        AshVhdxOptions o;
        memcpy(o.disk, d->id, 16);
        ash_uuid_derive(ASH_NOSLICE, ash_slice((const char *) d->id, 16), o.data);
        ash_uuid_derive(ASH_NOSLICE, ash_slice((const char *) o.data, 16), o.file);
        return ash_vhdx(d->map, &o, out);
}

static int make_qcow2(const AshDisk *d, AshSparse *out) { return ash_qcow2(d->map, out); }

static int make_vmdk(const AshDisk *d, AshSparse *out) {
        _free_ char *name = ash_asprintf("%s.vmdk", d->name);
        uint32_t id = (uint32_t) d->id[0] << 24 | (uint32_t) d->id[1] << 16 | (uint32_t) d->id[2] << 8 | d->id[3];
        return ash_vmdk(d->map, name, id < 0xfffffffe ? id : 0 /* the two highest mean something */, out);
}

const AshDiskFormat ash_disk_formats[] = {
        { "raw", ".raw", NULL },
        { "vhd", ".vhd", make_vhd },
        { "vhd-dynamic", ".dynamic.vhd", make_vhd_dynamic },
        { "vhdx", ".vhdx", make_vhdx },
        { "qcow2", ".qcow2", make_qcow2 },
        { "vmdk", ".vmdk", make_vmdk },
        {},
};

const AshDiskFormat *ash_disk_format(AshSlice name) {
        for (const AshDiskFormat *f = ash_disk_formats; f->name; f++)
                if (ash_slice_eqs(name, f->name))
                        return f;
        return NULL;
}

int ash_disk_write(const AshDisk *d, const AshDiskFormat *format, int fd, unsigned threads, AshProgress *progress, uint64_t *ret_size, AshDiags *diags) {
        _cleanup_(ash_sparse_free_p) AshSparse *own = format->make ? ash_sparse_new() : NULL;
        const AshSparse *file = own ? own : d->map;
        int r = own ? format->make(d, own) : 0;
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "a disk of %llu bytes cannot have the format %s: %s", (unsigned long long) d->map->size, format->name, ash_strerror(r));
        ash_progress_begin(progress, format->name, ash_sparse_bytes(file), ASH_UNIT_BYTES);
        r = ash_sparse_write(file, fd, threads, progress);
        ash_progress_end(progress);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "cannot write the disk as %s: %s", format->name, ash_strerror(r));
        *ret_size = file->size;
        return 0;
}
