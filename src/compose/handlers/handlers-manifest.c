/* What tells others which packages an image has: dnf's reasons beside the rpm database, or manifests where there is no database. */
#include "handlers-private.h"
#include "rpm-tags.h"
#include "rpmdb.h"

static int header_of(const AshHandlerContext *c, size_t i, AshRpmHeader *ret) { return ash_rpm_header_parse(ash_pack_header(c->packages[i].pack), 0, "header", 0, ret, c->diags); }

/* ---- dnf ---- */
static bool any_of(const AshHandlerContext *c, const char *const *programs) {
        bool there = false;
        for (size_t i = 0; programs[i]; i++)
                there |= ash_tree_lookup(c->tree, ash_slice_str(programs[i]), true) != ASH_NO_NODE;
        return there && ash_wants_rpmdb(c);
}

static int packages_of(const AshHandlerContext *c, AshArena *arena, AshDnfPackage **ret) {
        AshDnfPackage *packages = ash_arena_new_items(arena, AshDnfPackage, c->n_packages + 1);
        int r = 0;
        for (size_t i = 0; r >= 0 && i < c->n_packages; i++) {
                AshRpmHeader h = {};
                uint64_t epoch = 0;
                r = header_of(c, i, &h);
                if (r < 0)
                        break;
                (void) ash_rpm_number(&h, ASH_RPMTAG_EPOCH, &epoch);
                packages[i] = (AshDnfPackage){ ash_rpm_string(&h, ASH_RPMTAG_NAME), ash_rpm_string(&h, ASH_RPMTAG_VERSION), ash_rpm_string(&h, ASH_RPMTAG_RELEASE), ash_rpm_string(&h, ASH_RPMTAG_ARCH),
                                               (uint32_t) epoch, (uint32_t) i + 1, c->packages[i].user };
                ash_rpm_header_done(&h);
        }
        *ret = packages;
        return r;
}

static AshDnfTransaction transaction_of(const AshHandlerContext *c) {
        AshDnfTransaction t = { .time = c->time, .release = ASH_S(""), .command = ASH_S("image build"), .repository = ASH_S("image") };
        if (c->identity && ash_text_set(c->identity->version_id))
                t.release = c->identity->version_id.s;
        if (c->identity && ash_text_set(c->identity->id))
                t.repository = c->identity->id.s;
        return t;
}

bool ash_wants_dnf5(const AshHandlerContext *c) { return any_of(c, (const char *const[]){ "/usr/bin/dnf5", "/usr/bin/dnf5daemon-server", "/usr/sbin/dnf5daemon-server", NULL }); }
/* microdnf may be dnf 5's other name. */
bool ash_wants_dnf(const AshHandlerContext *c) { return any_of(c, (const char *const[]){ "/usr/bin/dnf-3", "/usr/bin/dnf4", NULL }) || (any_of(c, (const char *const[]){ "/usr/bin/microdnf", NULL }) && !ash_wants_dnf5(c)); }

int ash_handle_dnf(AshHandlerContext *c) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _str_ AshStr out = {};
        AshDnfPackage *packages;
        const AshDnfTransaction t = transaction_of(c);
        int r = packages_of(c, arena, &packages);
        if (r >= 0)
                r = ash_dnfdb_write(packages, c->n_packages, &t, &out, c->diags);
        return r < 0 ? r : ash_handler_file(c, ASH_S("/var/lib/dnf/history.sqlite"), ash_str_slice(&out), 0644, NULL);
}

/* dnf 5 keeps what is so now in files of TOML (libdnf5's system state, version 1.0), and what happened in a database beside them. */
#define DNF5 "/usr/lib/sysimage/libdnf5"

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *) a, *(const char *const *) b); }

/* A table of a line for each package, sorted; the same key may come twice (a kernel in two versions). */
static int put_state(AshHandlerContext *c, const char *name, const char **lines, size_t n) {
        _str_ AshStr out = {}, path = {};
        if (n)
                qsort(lines, n, sizeof *lines, by_text);
        ash_str_appendf(&out, "version = \"1.0\"\n\n[%s]\n", name);
        for (size_t i = 0; i < n; i++)
                if (!i || strcmp(lines[i], lines[i - 1]))
                        ash_str_appendf(&out, "%s\n", lines[i]);
        ash_str_appendf(&path, DNF5 "/%s.toml", name);
        return ash_handler_file(c, ash_str_slice(&path), ash_str_slice(&out), 0644, NULL);
}

static int put_states(AshHandlerContext *c, AshArena *arena, const AshDnfPackage *packages, AshSlice repository) {
        const char **reasons = ash_arena_new_items(arena, const char *, c->n_packages + 1), **nevras = ash_arena_new_items(arena, const char *, c->n_packages + 1);
        char cookie[65];
        for (size_t i = 0; i < c->n_packages; i++) {
                const AshDnfPackage *p = &packages[i];
                const char *epoch = p->epoch ? ash_arena_printf(arena, "%u:", p->epoch) : "";
                bool user = p->user;
                for (size_t k = 0; k < c->n_packages; k++) /* one line for all versions of a name */
                        user |= packages[k].user && ash_slice_eq(packages[k].name, p->name) && ash_slice_eq(packages[k].arch, p->arch);
                reasons[i] = ash_arena_printf(arena, "\"%.*s.%.*s\" = {reason = \"%s\"}", ASH_F(p->name), ASH_F(p->arch), user ? "User" : "Dependency");
                nevras[i] = ash_arena_printf(arena, "\"%.*s-%s%.*s-%.*s.%.*s\" = {from_repo = \"%.*s\"}", ASH_F(p->name), epoch, ASH_F(p->version), ASH_F(p->release), ASH_F(p->arch), ASH_F(repository));
        }
        ash_dnf_cookie(packages, c->n_packages, cookie);
        const char *text = ash_arena_printf(arena, "version = \"1.0\"\nsystem = {rpmdb_cookie = \"%s\"}\n", cookie);
        int r = put_state(c, "packages", reasons, c->n_packages);
        if (r >= 0)
                r = put_state(c, "nevras", nevras, c->n_packages);
        static const char *const empty[] = { "groups", "environments", "modules" };
        for (size_t i = 0; r >= 0 && i < ASH_N(empty); i++)
                r = put_state(c, empty[i], NULL, 0);
        return r < 0 ? r : ash_handler_file(c, ASH_S(DNF5 "/system.toml"), ash_slice_str(text), 0644, NULL);
}

int ash_handle_dnf5(AshHandlerContext *c) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _str_ AshStr out = {};
        AshDnfPackage *packages;
        const AshDnfTransaction t = transaction_of(c);
        int r = packages_of(c, arena, &packages);
        if (r >= 0)
                r = put_states(c, arena, packages, t.repository);
        if (r >= 0)
                r = ash_dnf5db_write(packages, c->n_packages, &t, &out, c->diags);
        return r < 0 ? r : ash_handler_file(c, ASH_S(DNF5 "/transaction_history.sqlite"), ash_str_slice(&out), 0644, NULL);
}

/* ---- manifests ---- */
bool ash_wants_manifest(const AshHandlerContext *c) { return c->n_packages && !ash_wants_rpmdb(c); }

static void text_or_none(AshStr *out, AshSlice text) {
        ash_str_append(out, text.len ? text : ASH_S("(none)"));
        ash_str_append_char(out, '\t');
}
static void number_or_none(AshStr *out, const AshRpmHeader *h, uint32_t tag) {
        uint64_t n;
        if (ash_rpm_number(h, tag, &n))
                ash_str_appendf(out, "%llu\t", (unsigned long long) n);
        else
                ash_str_append_str(out, "(none)\t");
}

/* "rpm -qa", and "rpm -qa --qf '%{NAME}\t%{VERSION}-%{RELEASE}\t%{INSTALLTIME}\t%{BUILDTIME}\t%{VENDOR}\t%{EPOCH}\t%{SIZE}\t%{ARCH}\t%{EPOCHNUM}\t%{SOURCERPM}\n'": what Azure Linux' distroless
 * images carry, and what syft and Trivy read. */
static void add_lines(const AshHandlerContext *c, const AshRpmHeader *h, AshStr *first, AshStr *second) {
        AshSlice name = ash_rpm_string(h, ASH_RPMTAG_NAME), version = ash_rpm_string(h, ASH_RPMTAG_VERSION), release = ash_rpm_string(h, ASH_RPMTAG_RELEASE), arch = ash_rpm_string(h, ASH_RPMTAG_ARCH);
        uint64_t epoch = 0;
        (void) ash_rpm_number(h, ASH_RPMTAG_EPOCH, &epoch);
        ash_str_appendf(first, "%.*s-%.*s-%.*s.%.*s\n", ASH_F(name), ASH_F(version), ASH_F(release), ASH_F(arch));
        ash_str_appendf(second, "%.*s\t%.*s-%.*s\t%lld\t", ASH_F(name), ASH_F(version), ASH_F(release), (long long) c->time);
        number_or_none(second, h, ASH_RPMTAG_BUILDTIME);
        text_or_none(second, ash_rpm_string(h, ASH_RPMTAG_VENDOR));
        number_or_none(second, h, ASH_RPMTAG_EPOCH);
        number_or_none(second, h, ash_rpm_has(h, ASH_RPMTAG_SIZE) ? ASH_RPMTAG_SIZE : ASH_RPMTAG_LONGSIZE);
        ash_str_appendf(second, "%.*s\t%llu\t", ASH_F(arch), (unsigned long long) epoch);
        text_or_none(second, ash_rpm_string(h, ASH_RPMTAG_SOURCERPM));
        second->ptr[second->len - 1] = '\n';
}

int ash_handle_manifest(AshHandlerContext *c) {
        _str_ AshStr first = {}, second = {};
        int r = 0;
        for (size_t i = 0; r >= 0 && i < c->n_packages; i++) {
                AshRpmHeader h = {};
                r = header_of(c, i, &h);
                if (r >= 0)
                        add_lines(c, &h, &first, &second);
                ash_rpm_header_done(&h);
        }
        if (r >= 0)
                r = ash_handler_file(c, ASH_S("/var/lib/rpmmanifest/container-manifest-1"), ash_str_slice(&first), 0644, NULL);
        return r < 0 ? r : ash_handler_file(c, ASH_S("/var/lib/rpmmanifest/container-manifest-2"), ash_str_slice(&second), 0644, NULL);
}
