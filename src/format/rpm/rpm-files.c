/* The file list and the relations of a header: parallel arrays, which must agree. */
#include "rpm-read.h"

/* ---- files ---- */
typedef struct Lists {
        const AshRpm *rpm;
        AshArena *arena;
        AshDiags *diags;
        uint32_t n;
        bool names_only;
        int error;
} Lists;

static void disagree(Lists *l, uint32_t tag, uint32_t count) {
        if (l->error == 0)
                l->error = ash_fail_file(l->diags, -ASH_ERR_SYNTAX, l->rpm->name, "header tag %u has %u items for %u files", tag, count, l->n);
}

/* NULL when it is missing (an error when it is needed). */
static AshSlice *strings(Lists *l, uint32_t tag, bool needed) {
        uint32_t n = 0;
        AshSlice *s = ash_rpm_strings(&l->rpm->header, tag, l->arena, &n);
        if (s ? n != l->n : needed)
                disagree(l, tag, n);
        return s;
}

static const AshRpmTag *numbers(Lists *l, uint32_t tag, bool needed) {
        const AshRpmTag *t = ash_rpm_tag(&l->rpm->header, tag);
        if (t ? t->count != l->n : needed)
                disagree(l, tag, t ? t->count : 0);
        return t;
}

static void paths_from_dirs(Lists *l, AshRpmFile *files) {
        const AshRpmHeader *h = &l->rpm->header;
        uint32_t n_dirs = 0;
        AshSlice *dirs = ash_rpm_strings(h, ASH_RPMTAG_DIRNAMES, l->arena, &n_dirs);
        AshSlice *base = strings(l, ASH_RPMTAG_BASENAMES, true);
        const AshRpmTag *index = numbers(l, ASH_RPMTAG_DIRINDEXES, true);
        for (uint32_t i = 0; i < l->n && l->error == 0; i++) {
                uint64_t d = ash_rpm_number_at(h, index, i);
                if (d >= n_dirs) {
                        l->error = ash_fail_file(l->diags, -ASH_ERR_SYNTAX, l->rpm->name, "file %u is in directory %llu of %u", i, (unsigned long long) d, n_dirs);
                        break;
                }
                files[i].dir = dirs[d];
                files[i].base = base[i];
        }
}

/* Packages of the nineties have whole paths. */
static void paths_from_old_names(Lists *l, AshRpmFile *files) {
        AshSlice *names = strings(l, ASH_RPMTAG_OLDFILENAMES, true);
        for (uint32_t i = 0; i < l->n && l->error == 0; i++) {
                ptrdiff_t slash = ash_slice_rfind_char(names[i], '/');
                files[i].dir = ash_slice_sub(names[i], 0, (size_t) (slash + 1));
                files[i].base = ash_slice_from(names[i], (size_t) (slash + 1));
        }
}

static void fill_strings(Lists *l, AshRpmFile *files) {
        static const struct { uint32_t tag; bool needed; size_t at; } rows[] = {
                { ASH_RPMTAG_FILEUSERNAME, true, offsetof(AshRpmFile, user) }, { ASH_RPMTAG_FILEGROUPNAME, true, offsetof(AshRpmFile, group) },
                { ASH_RPMTAG_FILELINKTOS, true, offsetof(AshRpmFile, link) }, { ASH_RPMTAG_FILEDIGESTS, true, offsetof(AshRpmFile, digest_hex) },
                { ASH_RPMTAG_FILECAPS, false, offsetof(AshRpmFile, caps) },
        };
        for (size_t k = 0; k < ASH_N(rows); k++) {
                if (l->names_only) {
                        numbers(l, rows[k].tag, rows[k].needed); /* of strings, too, the count */
                        continue;
                }
                AshSlice *s = strings(l, rows[k].tag, rows[k].needed);
                for (uint32_t i = 0; i < l->n && s && l->error == 0; i++)
                        *(AshSlice *) ((char *) &files[i] + rows[k].at) = s[i];
        }
}

static void fill_numbers(Lists *l, AshRpmFile *files) {
        enum { OF_NAMES = 2 };
        static const struct { uint32_t tag; bool needed; size_t at; } rows[] = {
                { ASH_RPMTAG_FILEMODES, true, offsetof(AshRpmFile, mode) }, { ASH_RPMTAG_FILEFLAGS, true, offsetof(AshRpmFile, flags) }, /* OF_NAMES of them */
                { ASH_RPMTAG_FILEMTIMES, true, offsetof(AshRpmFile, mtime) }, { ASH_RPMTAG_FILEVERIFYFLAGS, false, offsetof(AshRpmFile, verify_flags) },
                { ASH_RPMTAG_FILERDEVS, false, offsetof(AshRpmFile, rdev) }, { ASH_RPMTAG_FILECOLORS, false, offsetof(AshRpmFile, color) },
                { ASH_RPMTAG_FILEDEVICES, false, offsetof(AshRpmFile, device) },
        };
        const AshRpmHeader *h = &l->rpm->header;
        for (size_t k = 0; k < ASH_N(rows); k++) {
                const AshRpmTag *t = numbers(l, rows[k].tag, rows[k].needed);
                for (uint32_t i = 0; i < l->n && t && l->error == 0 && (!l->names_only || k < OF_NAMES); i++)
                        *(uint32_t *) ((char *) &files[i] + rows[k].at) = (uint32_t) ash_rpm_number_at(h, t, i);
        }
        bool is_long = ash_rpm_has(h, ASH_RPMTAG_LONGFILESIZES);
        const AshRpmTag *sizes = numbers(l, is_long ? ASH_RPMTAG_LONGFILESIZES : ASH_RPMTAG_FILESIZES, true), *inodes = numbers(l, ASH_RPMTAG_FILEINODES, false);
        for (uint32_t i = 0; i < l->n && l->error == 0 && !l->names_only; i++) {
                files[i].size = ash_rpm_number_at(h, sizes, i);
                files[i].inode = ash_rpm_number_at(h, inodes, i);
        }
}

typedef struct InodeRef {
        uint64_t inode;
        uint32_t device, i;
} InodeRef;

static int cmp_inodes(const void *a, const void *b) {
        const InodeRef *x = a, *y = b;
        if (x->device != y->device)
                return x->device < y->device ? -1 : 1;
        if (x->inode != y->inode)
                return x->inode < y->inode ? -1 : 1;
        return x->i < y->i ? -1 : x->i > y->i;
}

static void group_hard_links(Lists *l, AshRpmFile *files) {
        InodeRef *refs = ash_arena_new_items(l->arena, InodeRef, l->n);
        size_t n = 0;
        for (uint32_t i = 0; i < l->n; i++) {
                files[i].nlink_group = i;
                files[i].nlink = 1;
                if (S_ISREG(files[i].mode) && !(files[i].flags & ASH_RPMFILE_GHOST) && files[i].inode > 0)
                        refs[n++] = (InodeRef){ files[i].inode, files[i].device, i };
        }
        qsort(refs, n, sizeof(*refs), cmp_inodes);
        for (size_t start = 0, end; start < n; start = end) {
                for (end = start + 1; end < n && refs[end].inode == refs[start].inode && refs[end].device == refs[start].device; end++)
                        ;
                for (size_t k = start; k < end; k++) {
                        files[refs[k].i].nlink_group = refs[start].i;
                        files[refs[k].i].nlink = (uint32_t) (end - start);
                }
        }
}

static AshDigestKind digest_kind(const AshRpm *rpm) {
        uint64_t algorithm = ASH_RPMDIGEST_MD5; /* without the tag */
        ash_rpm_number(&rpm->header, ASH_RPMTAG_FILEDIGESTALGO, &algorithm);
        switch (algorithm) {
        case 0: case ASH_RPMDIGEST_MD5: return ASH_MD5;
        case ASH_RPMDIGEST_SHA1: return ASH_SHA1;
        case ASH_RPMDIGEST_SHA224: return ASH_SHA224;
        case ASH_RPMDIGEST_SHA256: return ASH_SHA256;
        case ASH_RPMDIGEST_SHA384: return ASH_SHA384;
        case ASH_RPMDIGEST_SHA512: return ASH_SHA512;
        case ASH_RPMDIGEST_SHA3_256: return ASH_SHA3_256;
        default: return ASH_DIGEST_INVALID_;
        }
}

static int read_files(const AshRpm *rpm, AshArena *arena, bool names_only, AshRpmFiles *ret, AshDiags *diags) {
        const AshRpmHeader *h = &rpm->header;
        bool old = !ash_rpm_has(h, ASH_RPMTAG_BASENAMES);
        Lists l = { .rpm = rpm, .arena = arena, .diags = diags, .names_only = names_only, .n = ash_rpm_count(h, old ? ASH_RPMTAG_OLDFILENAMES : ASH_RPMTAG_BASENAMES) };

        *ret = (AshRpmFiles){ .digest_kind = digest_kind(rpm) };
        if (l.n == 0) /* a package without files */
                return 0;
        AshRpmFile *files = ash_arena_new_items(arena, AshRpmFile, l.n);
        if (old)
                paths_from_old_names(&l, files);
        else
                paths_from_dirs(&l, files);
        fill_strings(&l, files);
        fill_numbers(&l, files);
        if (l.error < 0)
                return l.error;
        if (!names_only)
                group_hard_links(&l, files);
        ret->items = files;
        ret->n = l.n;
        return 0;
}

int ash_rpm_files(const AshRpm *rpm, AshArena *arena, AshRpmFiles *ret, AshDiags *diags) { return read_files(rpm, arena, false, ret, diags); }
int ash_rpm_file_names(const AshRpm *rpm, AshArena *arena, AshRpmFiles *ret, AshDiags *diags) { return read_files(rpm, arena, true, ret, diags); }

/* ---- what must not be unpacked ---- */
static const char *bad_path(AshSlice path, bool source) {
        if (path.len == 0)
                return "is empty";
        if (path.len > 4095)
                return "is too long";
        if (source) /* a plain name beside the spec */
                return ash_slice_find_char(path, '/') >= 0 || ash_slice_eqs(path, ".") || ash_slice_eqs(path, "..") ? "is not a plain file name" : NULL;
        if (path.ptr[0] != '/')
                return "is not absolute";
        if (path.len == 1)
                return NULL;
        AshSlice rest = ash_slice_from(path, 1), part;
        while (ash_slice_split(&rest, '/', &part)) {
                if (part.len == 0)
                        return "has an empty part";
                if (ash_slice_eqs(part, ".") || ash_slice_eqs(part, ".."))
                        return "has a part that is '.' or '..'";
                if (part.len > 255)
                        return "has a part longer than 255 bytes";
        }
        return NULL;
}

static const char *bad_file(const AshRpmFile *f) {
        uint32_t type = f->mode & S_IFMT;
        if (type != S_IFREG && type != S_IFDIR && type != S_IFLNK && type != S_IFCHR && type != S_IFBLK && type != S_IFIFO)
                return f->flags & ASH_RPMFILE_GHOST && type == 0 ? NULL : "has an unknown file type";
        if (type == S_IFLNK && (f->link.len == 0 || f->link.len > 4095) && !(f->flags & ASH_RPMFILE_GHOST))
                return "is a symbolic link without a sane target";
        if (type == S_IFREG && f->size > (uint64_t) 64 << 30)
                return "is larger than 64 GiB";
        return NULL;
}

/* No part of the way to a file may be something that this package itself makes into no directory. */
static int check_ancestors(const AshRpm *rpm, const AshRpmFiles *files, const AshMap *map, AshSlice path, AshDiags *diags) {
        for (ptrdiff_t slash; (slash = ash_slice_rfind_char(path, '/')) > 0;) {
                path.len = (size_t) slash;
                AshMapEntry *e = ash_map_find(map, path);
                if (e && !S_ISDIR(files->items[(uintptr_t) e->value].mode))
                        return ash_fail_file(diags, -ASH_ERR_VERIFY, rpm->name, "payload path goes through '%.*s', which this package makes a %s", ASH_F(path),
                                             S_ISLNK(files->items[(uintptr_t) e->value].mode) ? "symbolic link" : "file");
        }
        return 0;
}

int ash_rpm_files_check(const AshRpm *rpm, const AshRpmFiles *files, AshDiags *diags) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _map_ AshMap map = {};
        uint64_t total = 0;

        ash_map_reserve(&map, files->n);
        for (size_t i = 0; i < files->n; i++) {
                const AshRpmFile *f = &files->items[i];
                AshSlice path = ash_slice_str(ash_arena_printf(arena, "%.*s%.*s", ASH_F(f->dir), ASH_F(f->base)));
                if (!rpm->source && path.len > 1 && path.ptr[path.len - 1] == '/' && f->base.len == 0) {
                        /* "/" itself is written as directory "/" with an empty name; nothing else may be */
                        return ash_fail_file(diags, -ASH_ERR_VERIFY, rpm->name, "payload path '%.*s' has an empty part", ASH_F(path));
                }
                const char *wrong = bad_path(path, rpm->source);
                if (!wrong)
                        wrong = bad_file(f);
                if (wrong)
                        return ash_fail_file(diags, -ASH_ERR_VERIFY, rpm->name, "payload path '%.*s' %s", ASH_F(path), wrong);
                bool is_new = false;
                AshMapEntry *e = ash_map_ensure(&map, path, &is_new);
                if (!is_new)
                        return ash_fail_file(diags, -ASH_ERR_VERIFY, rpm->name, "payload path '%.*s' is there twice", ASH_F(path));
                e->value = (void *) (uintptr_t) i;
                if (f->nlink > 1 && f->size != files->items[f->nlink_group].size)
                        return ash_fail_file(diags, -ASH_ERR_VERIFY, rpm->name, "hard links '%.*s' have different sizes", ASH_F(path));
                if (f->nlink > 1 && !ash_slice_eq(f->digest_hex, files->items[f->nlink_group].digest_hex))
                        return ash_fail_file(diags, -ASH_ERR_VERIFY, rpm->name, "hard links '%.*s' have different digests", ASH_F(path));
                if (S_ISREG(f->mode) && f->nlink_group == i && __builtin_add_overflow(total, f->size, &total))
                        return ash_fail_file(diags, -ASH_ERR_LIMIT, rpm->name, "the payload's declared size is absurd");
        }
        for (size_t i = 0; i < files->n && !rpm->source; i++) {
                int r = check_ancestors(rpm, files, &map, map.entries[i].key, diags);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- relations ---- */
int ash_rpm_deps(const AshRpm *rpm, AshRpmRelation kind, AshArena *arena, AshRpmDep **ret, size_t *ret_n, AshDiags *diags) {
        static const struct { uint32_t name, evr, flags, index; } tags[ASH_RPM_RELATION_MAX_] = {
                [ASH_RPM_PROVIDES] = { ASH_RPMTAG_PROVIDENAME, ASH_RPMTAG_PROVIDEVERSION, ASH_RPMTAG_PROVIDEFLAGS, 0 },
                [ASH_RPM_REQUIRES] = { ASH_RPMTAG_REQUIRENAME, ASH_RPMTAG_REQUIREVERSION, ASH_RPMTAG_REQUIREFLAGS, 0 },
                [ASH_RPM_CONFLICTS] = { ASH_RPMTAG_CONFLICTNAME, ASH_RPMTAG_CONFLICTVERSION, ASH_RPMTAG_CONFLICTFLAGS, 0 },
                [ASH_RPM_OBSOLETES] = { ASH_RPMTAG_OBSOLETENAME, ASH_RPMTAG_OBSOLETEVERSION, ASH_RPMTAG_OBSOLETEFLAGS, 0 },
                [ASH_RPM_RECOMMENDS] = { ASH_RPMTAG_RECOMMENDNAME, ASH_RPMTAG_RECOMMENDVERSION, ASH_RPMTAG_RECOMMENDFLAGS, 0 },
                [ASH_RPM_SUGGESTS] = { ASH_RPMTAG_SUGGESTNAME, ASH_RPMTAG_SUGGESTVERSION, ASH_RPMTAG_SUGGESTFLAGS, 0 },
                [ASH_RPM_SUPPLEMENTS] = { ASH_RPMTAG_SUPPLEMENTNAME, ASH_RPMTAG_SUPPLEMENTVERSION, ASH_RPMTAG_SUPPLEMENTFLAGS, 0 },
                [ASH_RPM_ENHANCES] = { ASH_RPMTAG_ENHANCENAME, ASH_RPMTAG_ENHANCEVERSION, ASH_RPMTAG_ENHANCEFLAGS, 0 },
                [ASH_RPM_ORDER] = { ASH_RPMTAG_ORDERNAME, ASH_RPMTAG_ORDERVERSION, ASH_RPMTAG_ORDERFLAGS, 0 },
                [ASH_RPM_TRIGGERS] = { ASH_RPMTAG_TRIGGERNAME, ASH_RPMTAG_TRIGGERVERSION, ASH_RPMTAG_TRIGGERFLAGS, ASH_RPMTAG_TRIGGERINDEX },
                [ASH_RPM_FILETRIGGERS] = { ASH_RPMTAG_FILETRIGGERNAME, ASH_RPMTAG_FILETRIGGERVERSION, ASH_RPMTAG_FILETRIGGERFLAGS, ASH_RPMTAG_FILETRIGGERINDEX },
                [ASH_RPM_TRANSFILETRIGGERS] = { ASH_RPMTAG_TRANSFILETRIGGERNAME, ASH_RPMTAG_TRANSFILETRIGGERVERSION, ASH_RPMTAG_TRANSFILETRIGGERFLAGS,
                                                ASH_RPMTAG_TRANSFILETRIGGERINDEX },
        };
        const AshRpmHeader *h = &rpm->header;
        uint32_t n = 0, n_evr = 0;
        AshSlice *names = ash_rpm_strings(h, tags[kind].name, arena, &n), *evrs = ash_rpm_strings(h, tags[kind].evr, arena, &n_evr);
        const AshRpmTag *flags = ash_rpm_tag(h, tags[kind].flags), *index = tags[kind].index ? ash_rpm_tag(h, tags[kind].index) : NULL;

        /* Very old packages have names without versions. */
        if ((evrs && n_evr != n) || (flags && flags->count != n) || (index && index->count != n) || (!names && (evrs || flags)))
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, rpm->name, "header tags %u, %u and %u disagree: %u names, %u versions, %u flags", tags[kind].name, tags[kind].evr,
                                     tags[kind].flags, n, n_evr, flags ? flags->count : 0);
        AshRpmDep *deps = ash_arena_new_items(arena, AshRpmDep, n);
        for (uint32_t i = 0; i < n; i++)
                deps[i] = (AshRpmDep){ .name = names[i], .evr = evrs ? evrs[i] : ASH_S(""), .flags = (uint32_t) ash_rpm_number_at(h, flags, i),
                                       .index = (uint32_t) ash_rpm_number_at(h, index, i) };
        *ret = n ? deps : NULL;
        *ret_n = n;
        return 0;
}
