/* Writes the whole of an apt upstream (as the solver sees it) as an rpm-md repository, so that dnf and Ashlar can solve over the same packages: bench-solve PROJECT STORE DIR. */
#include <stdio.h>
#include "flow-upstream.h"
#include "repo.h"

static void escaped(AshStr *out, AshSlice s) {
        for (size_t i = 0; i < s.len; i++)
                switch (s.ptr[i]) {
                case '&': ash_str_append_str(out, "&amp;"); break;
                case '<': ash_str_append_str(out, "&lt;"); break;
                case '>': ash_str_append_str(out, "&gt;"); break;
                case '"': ash_str_append_str(out, "&quot;"); break;
                default: ash_str_append_char(out, s.ptr[i]);
                }
}

static void evr(AshStr *out, AshSlice s) {
        ptrdiff_t colon = ash_slice_find_char(s, ':');
        ash_str_appendf(out, " epoch=\"%.*s\"", ASH_F(colon > 0 ? ash_slice(s.ptr, (size_t) colon) : ASH_S("0")));
        if (colon >= 0)
                s = ash_slice_from(s, (size_t) colon + 1);
        ptrdiff_t dash = ash_slice_rfind_char(s, '-');
        ash_str_append_str(out, " ver=\"");
        escaped(out, dash < 0 ? s : ash_slice(s.ptr, (size_t) dash));
        if (dash >= 0) {
                ash_str_append_str(out, "\" rel=\"");
                escaped(out, ash_slice_from(s, (size_t) dash + 1));
        }
        ash_str_append_char(out, '"');
}

static void relations(AshStr *out, const AshPackage *p, AshDepKind kind) {
        static const char *const flags[16] = { [2] = "LT", [4] = "GT", [8] = "EQ", [10] = "LE", [12] = "GE" };
        if (!p->deps[kind].n)
                return;
        ash_str_appendf(out, "<rpm:%s>", ash_dep_kind_name(kind));
        for (size_t i = 0; i < p->deps[kind].n; i++) {
                const AshDep *d = &p->deps[kind].items[i];
                ash_str_append_str(out, "<rpm:entry name=\"");
                escaped(out, d->name);
                ash_str_append_char(out, '"');
                if (flags[d->flags & 14]) {
                        ash_str_appendf(out, " flags=\"%s\"", flags[d->flags & 14]);
                        evr(out, d->evr);
                }
                ash_str_append_str(out, "/>\n");
        }
        ash_str_appendf(out, "</rpm:%s>", ash_dep_kind_name(kind));
}

static void package(AshStr *out, const AshPackage *p, size_t i) {
        char id[65]; /* as evenly spread as real ones: readers hash by them */
        ash_digest_hex_of(ASH_SHA256, ash_slice((const char *) &i, sizeof i), id);
        ash_str_appendf(out, "<package type=\"rpm\"><name>%.*s</name><arch>%.*s</arch><version epoch=\"%u\" ver=\"%.*s\" rel=\"%.*s\"/><checksum type=\"sha256\" pkgid=\"YES\">%s</checksum><summary>", ASH_F(p->name),
                        ASH_F(p->arch), p->epoch, ASH_F(p->version), ASH_F(p->release), id);
        escaped(out, p->summary);
        ash_str_appendf(out, "</summary><description/><packager/><url/><time file=\"0\" build=\"0\"/><size package=\"1000\" installed=\"%llu\" archive=\"0\"/><location href=\"p/%zu.rpm\"/><format>\n",
                        (unsigned long long) p->installed_size, i);
        for (int k = 0; k < ASH_DEP_MAX_; k++)
                relations(out, p, k);
        for (size_t k = 0; k < p->n_files; k++) {
                ash_str_append_str(out, "<file>");
                escaped(out, p->files[k]);
                ash_str_append_str(out, "</file>\n");
        }
        ash_str_append_str(out, "</format></package>\n");
}

static int export(AshUniverse *u, const char *dir, size_t *ret_n) {
        _str_ AshStr xml = {};
        _cleanup_(ash_pkgids_done) AshPkgIds ids = {};
        ash_universe_by_name(u, ASH_S("*"), &ids);
        *ret_n = ids.ids.n;
        ash_str_appendf(&xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"%zu\">\n", ids.ids.n);
        for (size_t i = 0; i < ids.ids.n; i++) {
                _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
                package(&xml, ash_universe_package(u, ids.ids.items[i], arena), i);
        }
        ash_str_append_str(&xml, "</metadata>\n");
        _free_ char *path = ash_path_join(dir, "primary.xml");
        return ash_file_write_atomic(AT_FDCWD, path, ash_str_slice(&xml), 0644, false);
}

int main(int argc, char **argv) {
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        AshFlow flow = { .diags = diags };
        AshFlowUpstream *u = NULL;
        size_t n = 0;
        if (argc != 4)
                return 2;
        int r = ash_config_load(argv[1], 0, &flow.config, diags);
        if (r >= 0)
                r = ash_store_open(argv[2], &flow.store, diags);
        if (r >= 0)
                r = ash_flow_upstream_open(&flow, ash_config_upstream(flow.config, ASH_NOSLICE), ASH_S("x86_64"), NULL, &u);
        _cleanup_(ash_universe_free_p) AshUniverse *universe = ash_universe_new("x86_64");
        if (r >= 0)
                r = ash_flow_upstream_add(u, "apt", universe);
        if (r >= 0)
                r = export(universe, argv[3], &n);
        ash_flow_upstream_free(u);
        ash_store_free(flow.store);
        ash_config_free(flow.config);
        if (r >= 0)
                printf("%zu packages\n", n);
        else
                fprintf(stderr, "%s\n", ash_strerror(r));
        return r < 0;
}
