/* Loading, inheritance, look-ups; several threads asking at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "config.h"
#include "io.h"

static AshConfig *loaded(const char *text) {
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        AshConfig *c = NULL;
        int r = ash_config_load_text(NULL, "test.toml", ash_slice_str(text), ASH_CONFIG_DEFAULT, &c, diags);
        if (r < 0)
                for (size_t i = 0; i < ash_diags_n(diags); i++)
                        print_error("%s\n", ash_diags_at(diags, i)->text);
        assert_int_equal(r, 0);
        return c;
}

static const AshComponentConfig *merged(AshConfig *c, const char *name) {
        const AshComponent *component = NULL;
        assert_int_equal(ash_config_component(c, ash_slice_str(name), &component, NULL), 0);
        return component->merged;
}

static void assert_texts(AshTexts texts, const char *joined) {
        _str_ AshStr s = {};
        for (size_t i = 0; i < texts.n; i++)
                ash_str_appendf(&s, "%s%.*s", i ? " " : "", ASH_F(texts.items[i].s));
        assert_string_equal(s.ptr ? s.ptr : "", joined);
}

static const char inheritance[] =
        "[project]\n"
        "default-distro.name = 'd'\n"
        "[distros.d]\ndefault-version = '2'\n"
        "[distros.d.versions.1]\nrelease-ver = '1'\ndefault-component-config.build.with = ['wrong-version']\n"
        "[distros.d.versions.2]\nrelease-ver = '2'\n"
        "[distros.d.versions.2.default-component-config]\n"
        "spec = { type = 'upstream', upstream-distro = { name = 'd', snapshot = '2026-01-01T00:00:00Z' } }\n"
        "build = { with = ['distro'], defines = { a = 'distro', b = 'distro' } }\n"
        "overlay-files = ['{component}/distro*']\n"
        "packages.p.publish = { rpm-channel = 'from-distro', debuginfo-channel = 'from-distro' }\n"
        "[default-component-config]\nbuild = { with = ['project'], hints.expensive = true, defines.b = 'project' }\n"
        "[component-groups.zoo]\ncomponents = ['x']\ndefault-component-config.build.with = ['zoo']\n"
        "[component-groups.apes]\ncomponents = ['x', 'x']\ndefault-component-config = { build.with = ['apes'], release.calculation = 'manual' }\n"
        "[components.x]\n"
        "spec = { type = 'upstream', upstream-distro = { name = 'd', version = '1' }, upstream-commit = '' }\n"
        "build = { with = ['own'], hints.expensive = false, defines = { c = 'own' } }\n"
        "overlay-files = ['{component}/own*']\n"
        "packages.p.publish.rpm-channel = 'own'\n"
        "[components.plain]\n";

static void test_inheritance(void **state) {
        (void) state;
        _cleanup_(ash_config_free_p) AshConfig *c = loaded(inheritance);
        const AshComponentConfig *x = merged(c, "x"), *plain = merged(c, "plain");
        assert_texts(x->with, "distro project apes zoo own");
        assert_texts(plain->with, "distro project");
        assert_string_equal(x->release.s.ptr, "manual");
        assert_null(plain->release.s.ptr);
        assert_string_equal(x->spec.distro.version.s.ptr, "1");
        assert_string_equal(x->spec.distro.snapshot.s.ptr, "2026-01-01T00:00:00Z"); /* member by member */
        assert_int_equal(x->expensive.value, ASH_YES); /* false never overrides */
        assert_texts(x->overlay_files, "{component}/own*"); /* replaced */
        assert_int_equal(x->defines.n, 3);
        assert_string_equal(x->defines.items[1].value.s.ptr, "project");
        assert_int_equal(x->packages.n, 1); /* replaced by name, as azldev does */
        assert_string_equal(x->packages.items[0].publish.rpm_channel.s.ptr, "own");
        assert_null(x->packages.items[0].publish.debuginfo_channel.s.ptr);
        assert_ptr_equal(merged(c, "x"), x);
        assert_true(ash_slice_starts(ash_span_line(x->with.items[4].at), ASH_S("build = { with = ['own']"))); /* values know their places */
        assert_true(ash_slice_starts(ash_span_line(x->spec.distro.snapshot.at), ASH_S("spec = { type = 'upstream', upstream-distro = { name = 'd', snapshot")));
        assert_int_equal(ash_config_component(c, ASH_S("y"), &(const AshComponent *){ NULL }, NULL), -ENOENT);
}

static void test_lookups(void **state) {
        (void) state;
        _cleanup_(ash_config_free_p) AshConfig *c = loaded(
                "[project]\nmacro-file = '{component}.macros'\nrendered-header = []\ndefault-distro = { name = 'd', version = '1' }\n"
                "[distros.d.versions.1]\nrelease-ver = '1'\n"
                "[components.b]\npublish.rpm-channel = 'component'\npackages.b-own.publish.channel = 'own'\n[components.a]\n[components.B]\n"
                "[package-groups.g]\npackages = ['b-group']\ndefault-package-config.publish.rpm-channel = 'group'\n"
                "[default-package-config]\npublish = { channel = 'default', debuginfo-channel = 'debug' }\n"
                "[resources.rpm-repo-sets.s]\ntemplate = 'koji-dist-repo'\nbase-uri = 'https://example.org/x/'\nname-prefix = 'k-'\ngpg-key = 'keys/k.asc'\nsubrepos = ['src', 'binary']\n"
                "[upstreams.only]\ntype = 'apt'\nsuite = 'trixie'\n");
        assert_int_equal(ash_config_n_components(c), 3);
        assert_string_equal(ash_config_component_at(c, 0)->name.s.ptr, "B");
        assert_string_equal(ash_config_component_at(c, 2)->name.s.ptr, "b");
        assert_null(ash_config_component_at(c, 3));
        const AshComponentConfig *b = merged(c, "b");
        assert_string_equal(ash_config_package_channel(c, b, ASH_S("b-own"), false).s.ptr, "own");
        assert_string_equal(ash_config_package_channel(c, b, ASH_S("b-group"), false).s.ptr, "group");
        assert_string_equal(ash_config_package_channel(c, b, ASH_S("b"), false).s.ptr, "component");
        assert_string_equal(ash_config_package_channel(c, NULL, ASH_S("z"), false).s.ptr, "default");
        assert_string_equal(ash_config_package_channel(c, b, ASH_S("b"), true).s.ptr, "debug");
        assert_string_equal(ash_config_repo(c, ASH_S("k-src"))->base_uri.s.ptr, "https://example.org/x/src");
        assert_string_equal(ash_config_repo(c, ASH_S("k-binary"))->gpg_key.s.ptr, "keys/k.asc");
        assert_null(ash_config_repo(c, ASH_S("k-debug")));
        assert_string_equal(ash_config_upstream(c, ASH_S(""))->repo.name.s.ptr, "only");
        assert_null(ash_config_upstream(c, ASH_S("other")));
        const AshDistro *d = NULL;
        assert_string_equal(ash_config_default_distro_version(c, &d)->release_ver.s.ptr, "1");
        assert_string_equal(d->name.s.ptr, "d");
        assert_non_null(ash_config_project(c)->info.rendered_header.items); /* set, and empty */
        assert_int_equal(ash_config_project(c)->info.rendered_header.n, 0);
        assert_int_equal(ash_config_semantics(c), ASH_SEMANTICS_AZLDEV);
}

static void test_images(void **state) {
        (void) state;
        _cleanup_(ash_config_free_p) AshConfig *c = loaded(
                "[images.a]\nabstract = true\ndescription = 'a'\npackages = ['p']\nformats = ['raw']\nweak-dependencies = true\nusers.u = { uid = 5, groups = ['g'] }\n"
                "files.'/f' = { content = 'a', mode = '0600' }\noci.environment = { A = '1', B = '1' }\n"
                "[images.b]\ninherits = ['a']\npackages = ['q']\n"
                "[images.c]\ninherits = ['a', 'b']\nkind = 'disk'\npackages = ['r']\nformats = ['vhd', 'qcow2']\nweak-dependencies = false\nusers.u = { uid = 0, groups = ['h'] }\n"
                "files.'/f' = { content = 'c' }\noci.environment.B = '2'\n");
        const AshImage *i = NULL;
        assert_int_equal(ash_config_image(c, ASH_S("c"), &i, NULL), 0);
        assert_texts(i->packages, "p q r"); /* "a" counts once */
        assert_texts(i->formats, "vhd qcow2");
        assert_int_equal(i->weak_dependencies.value, ASH_NO);
        assert_int_equal(i->is_abstract.value, ASH_UNSET);
        assert_null(i->description.s.ptr);
        assert_int_equal(i->users.n, 1);
        assert_int_equal(i->users.items[0].uid.value, 0);
        assert_texts(i->users.items[0].groups, "g h");
        assert_int_equal(i->files.n, 1);
        assert_string_equal(i->files.items[0].content.s.ptr, "c");
        assert_null(i->files.items[0].mode.s.ptr);
        assert_string_equal(i->oci.environment.items[0].value.s.ptr, "1");
        assert_string_equal(i->oci.environment.items[1].value.s.ptr, "2");
        const AshImage *again = NULL;
        assert_int_equal(ash_config_image(c, ASH_S("c"), &again, NULL), 0);
        assert_ptr_equal(i, again);
        assert_int_equal(ash_config_image(c, ASH_S("z"), &again, NULL), -ENOENT);
}

/* Merged components are made on first use, by whoever asks first. */
static int ask(void *context, size_t i) {
        AshConfig *c = context;
        const AshComponent *component = NULL;
        const AshImage *image = NULL;
        AshSlice name = ash_config_component_at(c, (i * 7919) % ash_config_n_components(c))->name.s;
        int r = ash_config_component(c, name, &component, NULL);
        if (r < 0 || component->merged->with.n != 2 || ash_config_image(c, ASH_S("i"), &image, NULL) < 0)
                return -EINVAL;
        ash_config_package_channel(c, component->merged, name, false);
        return 0;
}

static void test_threads(void **state) {
        (void) state;
        _str_ AshStr text = {};
        ash_str_append_str(&text, "[default-component-config]\nbuild.with = ['a']\n[images.i]\n[component-groups.g]\ndefault-component-config.build.with = ['b']\ncomponents = [");
        for (int i = 0; i < 500; i++)
                ash_str_appendf(&text, "'c%d',", i);
        ash_str_append_str(&text, "]\n[package-groups.p]\npackages = ['c1']\n[components]\n");
        for (int i = 0; i < 500; i++)
                ash_str_appendf(&text, "c%d = {}\n", i);
        _cleanup_(ash_config_free_p) AshConfig *c = loaded(text.ptr);
        assert_int_equal(ash_parallel_for(5000, 4, false, ask, c), 0);
}

static int count(void *context, const AshOverlay *overlay, AshDiags *diags) {
        (void) diags;
        ++*(size_t *) context;
        return overlay->type == ASH_OVERLAY_PATCH_REMOVE ? -EINVAL : 0;
}

static void test_overlays(void **state) {
        (void) state;
        _cleanup_(ash_config_free_p) AshConfig *c = loaded(
                "[default-component-config]\noverlays = [{ type = 'file-remove', file = 'a' }]\n[component-groups.g.default-component-config]\noverlays = [{ type = 'patch-remove', file = 'a*' }]\n"
                "[components.x]\noverlays = [{ type = 'spec-search-replace', regex = 'a', count = 3 }]\n");
        const AshComponentConfig *x = merged(c, "x");
        assert_int_equal(x->overlays.n, 2);
        assert_int_equal(x->overlays.items[1].type, ASH_OVERLAY_SPEC_SEARCH_REPLACE);
        assert_int_equal(x->overlays.items[1].count, 3);
        assert_string_equal(x->overlays.items[1].base_dir, ".");
        size_t n = 0;
        assert_int_equal(ash_config_each_overlay(c, count, &n, NULL), -EINVAL);
        assert_int_equal(n, 3);
}

static void test_nothing_on_failure(void **state) {
        (void) state;
        AshConfig *c = (AshConfig *) 1;
        assert_int_equal(ash_config_load_text(NULL, "x.toml", ASH_S("[components]\nx = 1\n"), ASH_CONFIG_DEFAULT, &c, NULL), -ASH_ERR_CONFIG);
        assert_ptr_equal(c, (AshConfig *) 1);
        assert_int_equal(ash_config_load_text(NULL, "x.toml", ASH_S("includes = ['y.toml']\n"), ASH_CONFIG_DEFAULT, &c, NULL), -ASH_ERR_CONFIG);
        assert_true(ash_config_load("/nonexistent/place", ASH_CONFIG_DEFAULT, &c, NULL) < 0);
        assert_ptr_equal(c, (AshConfig *) 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_inheritance), cmocka_unit_test(test_lookups), cmocka_unit_test(test_images), cmocka_unit_test(test_threads),
                cmocka_unit_test(test_overlays), cmocka_unit_test(test_nothing_on_failure),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
