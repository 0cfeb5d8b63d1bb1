/* The overlay engine alone, without reading or writing files: all cases of the corpus, and a thousand of them; a spec of 200 MB read, understood and written. */
#include <stdio.h>
#include "config.h"
#include "io.h"
#include "overlay.h"

typedef struct Case {
        char *name;
        AshConfig *config;
        const AshComponent *component;
        AshBytes before;
        char *sources;
} Case;

static int load(const char *corpus, const char *name, Case *c) {
        _free_ char *dir = ash_path_join(corpus, name), *toml = ash_path_join(dir, "component.toml"), *before = ash_path_join(dir, "before.spec");
        c->name = ash_strndup(name, strcspn(name, "@"));
        c->sources = ash_path_join(dir, "sources");
        int r = ash_config_load(toml, ASH_CONFIG_SYNTAX_ONLY, &c->config, NULL);
        if (r >= 0)
                r = ash_config_component(c->config, ash_slice_str(c->name), &c->component, NULL);
        return r < 0 ? r : ash_file_read(AT_FDCWD, before, 0, &c->before);
}

static int render(const Case *c) {
        _cleanup_(ash_source_tree_free_p) AshSourceTree *tree = ash_source_tree_new();
        AshOverlayOptions options = { .spec = "case.spec", .component = c->name };
        if (access(c->sources, F_OK) == 0)
                ash_source_tree_add_dir(tree, AT_FDCWD, c->sources, NULL);
        ash_source_tree_put(tree, "case.spec", ash_bytes_slice(&c->before), 0644);
        return ash_overlay_render(tree, c->component->merged, &options, NULL, NULL);
}

static int bench_cases(void) {
        _free_ char *corpus = ash_path_join(getenv("ASHLAR_SHARED"), "corpus/overlay-cases");
        _dirlist_ AshDirList list = {};
        if (ash_dir_list(AT_FDCWD, corpus, &list) < 0)
                return 77;
        Case *cases = ash_calloc(list.entries.n, sizeof *cases);
        for (size_t i = 0; i < list.entries.n; i++)
                if (load(corpus, list.entries.items[i].name, &cases[i]) < 0)
                        return 1;
        uint64_t start = ash_now_ns();
        for (size_t i = 0; i < list.entries.n; i++)
                if (render(&cases[i]) < 0)
                        return 1;
        uint64_t once = ash_now_ns() - start;
        start = ash_now_ns();
        for (size_t i = 0; i < 1000; i++)
                render(&cases[i % list.entries.n]);
        uint64_t thousand = ash_now_ns() - start;
        printf("overlay engine, %zu cases, one thread: %.2f ms (a verb may take 300 ms in all)\n", list.entries.n, (double) once / 1e6);
        printf("overlay engine, 1,000 cases, one thread: %.2f ms (a verb may take 4,000 ms in all)\n", (double) thousand / 1e6);
        for (size_t i = 0; i < list.entries.n; i++) {
                ash_config_free(cases[i].config);
                ash_bytes_done(&cases[i].before);
                free(cases[i].name);
                free(cases[i].sources);
        }
        free(cases);
        return once > 100000000u || thousand > 1500000000u;
}

static int bench_large(void) {
        _str_ AshStr text = {}, out = {};
        while (text.len < 200u << 20)
                ash_str_append_str(&text, "%if 0%{?rhel}\nRequires:       libfoo >= 1.0\n%endif\n%global x %{expand:\n  some text of a macro\n}\n# comment\n\n");
        uint64_t start = ash_now_ns();
        _cleanup_(ash_spec_free_p) AshSpecDoc *doc = NULL;
        if (ash_spec_parse("large.spec", ash_str_slice(&text), &doc, NULL) < 0)
                return 1;
        uint64_t parsed = ash_now_ns();
        _specview_ AshSpecView view;
        ash_spec_view(doc, &view);
        uint64_t viewed = ash_now_ns();
        ash_spec_serialize(doc, &out);
        printf("spec of 200 MB: parse %.0f ms, structure %.0f ms, serialise %.0f ms\n", (double) (parsed - start) / 1e6, (double) (viewed - parsed) / 1e6, (double) (ash_now_ns() - viewed) / 1e6);
        return !ash_slice_eq(ash_str_slice(&text), ash_str_slice(&out));
}

int main(void) {
        int r = bench_cases();
        return r ? r : bench_large();
}
