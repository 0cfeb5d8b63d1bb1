/* A project's file from memory: loading never crashes; what loads is dumped, loads again and gives the same dump; every component and image can be asked for. */
#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

static void ask_for_all(AshConfig *c) {
        static const char *const keys[] = { "components", "images", "distros", "project", "resources", "default-component-config", "component-groups", "channels", "upstreams", "advisories" };
        for (size_t i = 0; i < ash_config_n_components(c); i++) {
                const AshComponent *component = NULL;
                must(ash_config_component(c, ash_config_component_at(c, i)->name.s, &component, NULL) >= 0 && component->merged);
                ash_config_package_channel(c, component->merged, ASH_S("bash"), false);
        }
        const AshProject *p = ash_config_project(c);
        for (size_t i = 0; i < p->images.n; i++) {
                const AshImage *image = NULL;
                must(ash_config_image(c, p->images.items[i].name.s, &image, NULL) >= 0);
        }
        for (size_t i = 0; i < ASH_N(keys); i++) {
                _str_ AshStr text = {};
                must(ash_config_explain(c, keys[i], i % 2 ? ASH_CONFIG_JSON : ASH_CONFIG_TOML, &text, NULL) >= 0);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(ash_config_free_p) AshConfig *c = NULL, *again = NULL;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        int r = ash_config_load_text(NULL, "fuzz.toml", ash_slice((const char *) data, size), ASH_CONFIG_WARN_OLD, &c, diags);
        must((r < 0) == (ash_diags_count(diags, ASH_ERROR) > 0));
        if (r < 0) {
                _str_ AshStr text = {};
                for (size_t i = 0; i < ash_diags_n(diags); i++)
                        ash_diag_format(ash_diags_at(diags, i), true, &text);
                return 0;
        }
        _str_ AshStr first = {}, second = {}, json = {}, resolved = {};
        must(ash_config_dump(c, ASH_CONFIG_TOML, false, &first, NULL) >= 0);
        must(ash_config_load_text(NULL, "fuzz.toml", ash_str_slice(&first), ASH_CONFIG_DEFAULT, &again, NULL) >= 0);
        must(ash_config_dump(again, ASH_CONFIG_TOML, false, &second, NULL) >= 0);
        must(ash_slice_eq(ash_str_slice(&first), ash_str_slice(&second)));
        must(ash_config_dump(c, ASH_CONFIG_JSON, false, &json, NULL) >= 0);
        must(ash_config_dump(c, ASH_CONFIG_TOML, true, &resolved, NULL) >= 0);
        ask_for_all(c);
        return 0;
}
