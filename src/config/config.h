/* config: a tree of TOML files to one project: includes, merge rules, inheritance, checks; and its schema as a table.
 * Thread-safety: loading is done by one caller (it uses threads inside). After that everything here may be called from several threads at once. */
#pragma once
#include "base.h"
#include "model-project.h"

typedef struct AshConfig AshConfig;

typedef enum AshConfigFlags {
        ASH_CONFIG_DEFAULT = 0,
        ASH_CONFIG_SYNTAX_ONLY = 1 << 0, /* keys and types only: references and rules between values are not checked */
        ASH_CONFIG_LINT = 1 << 1,        /* also reads every overlay file and checks that files which are named exist */
        ASH_CONFIG_WARN_OLD = 1 << 2,    /* warns of what is accepted but old */
} AshConfigFlags;

/* Where the project is: the nearest directory, from the current one upwards, with ashlar.toml or azldev.toml. malloc'ed ("." or "../.."). -ENOENT with a diagnostic. */
int ash_config_find(char **ret, AshDiags *diags);
/* Loads DIR/ashlar.toml, or DIR/azldev.toml when there is no such file; "dir" may also name a TOML file. All mistakes of the run become diagnostics; with any
 * error among them the result is -ASH_ERR_CONFIG and *ret is untouched. -ENOENT (with a diagnostic) when there is no project. */
int ash_config_load(const char *dir, AshConfigFlags flags, AshConfig **ret, AshDiags *diags);
/* The same, with further files that are loaded behind the project's and override it (as azldev's --config-file). */
int ash_config_load_files(const char *dir, const char *const *extra, size_t n_extra, AshConfigFlags flags, AshConfig **ret, AshDiags *diags);
/* The same from memory, as if "text" stood in DIR/NAME (which need not exist): for tests and fuzzing. Includes are looked up in DIR; NULL: any include is an error, and no other
 * file is read or looked for. */
int ash_config_load_text(const char *dir, const char *name, AshSlice text, AshConfigFlags flags, AshConfig **ret, AshDiags *diags);
void ash_config_free(AshConfig *config);
ASH_DEFINE_CLEANUP(AshConfig *, ash_config_free)

/* The merged project. Components stand in the order of the files; everything lives as long as the config. Defaults (such as azldev's repository-set templates) are in it. */
const AshProject *ash_config_project(const AshConfig *config);
const char *ash_config_dir(const AshConfig *config);   /* where the project file stands, relative to the process' directory or absolute */
const char *ash_config_file(const AshConfig *config);  /* the project file */
AshOverlaySemantics ash_config_semantics(const AshConfig *config);

/* All components, sorted by name (bytes). */
size_t ash_config_n_components(const AshConfig *config);
const AshComponent *ash_config_component_at(const AshConfig *config, size_t i);
/* By name, as declared: ->merged may be NULL. NULL when there is none. */
const AshComponent *ash_config_find_component(const AshConfig *config, AshSlice name);
/* By name, with ->merged computed (once; thread-safe): distribution version < project < groups in alphabetical order < component, overlay-files read.
 * -ENOENT with a diagnostic (and the nearest name as a hint) when there is none; -ASH_ERR_CONFIG when an overlay file is wrong or missing. */
int ash_config_component(AshConfig *config, AshSlice name, const AshComponent **ret, AshDiags *diags);

/* Looked up by name; NULL when there is none. */
const AshDistro *ash_config_distro(const AshConfig *config, AshSlice name);
/* version unset or empty: the distribution's default version. */
const AshDistroVersion *ash_config_distro_version(const AshConfig *config, AshSlice distro, AshSlice version);
/* What components are built for: project.default-distro. NULL when the project does not say. */
const AshDistroVersion *ash_config_default_distro_version(const AshConfig *config, const AshDistro **ret_distro);
const AshRepo *ash_config_repo(const AshConfig *config, AshSlice name); /* those that sets make too */
const AshUpstream *ash_config_upstream(const AshConfig *config, AshSlice name); /* empty name: the default one, or the only one */
const AshChannel *ash_config_channel(const AshConfig *config, AshSlice name);
const AshImage *ash_config_find_image(const AshConfig *config, AshSlice name); /* as written */
/* With what it inherits from other images (in the order of "inherits", then its own; arrays append). Thread-safe. -ENOENT with a diagnostic. */
int ash_config_image(AshConfig *config, AshSlice name, const AshImage **ret, AshDiags *diags);
/* The channel that a binary package is published to: its own entry in the component, else its package group, else the component, else default-package-config.
 * component may be NULL. Unset when nothing says so. */
AshText ash_config_package_channel(const AshConfig *config, const AshComponentConfig *component, AshSlice package, bool debuginfo);

/* ---- views of the whole; each made from the schema table ---- */
typedef enum AshConfigFormat { ASH_CONFIG_TOML, ASH_CONFIG_JSON } AshConfigFormat;
/* The merged project as one file; "resolved": each component with all that it inherits, and the defaults left out. Paths are relative to the project's directory.
 * The TOML text loads to an equal project when it is put there. */
int ash_config_dump(AshConfig *config, AshConfigFormat format, bool resolved, AshStr *out, AshDiags *diags);
/* Which file and line set each part of a value, what it overrode, by which step of inheritance. key: "components.bash.build.without", quoted parts as in TOML. */
int ash_config_explain(AshConfig *config, const char *key, AshConfigFormat format, AshStr *out, AshDiags *diags);
/* All that the definition of an image says (with what it inherits) and the identity that it gets from the distribution, as text: equal texts make equal images of one lock. Files that it names are named only. */
void ash_config_image_text(AshConfig *config, const AshImage *image, AshStr *out);
void ash_config_json_schema(AshStr *out);              /* JSON Schema 2020-12 */
void ash_config_reference(AshStr *out);                /* the reference page, Markdown */

/* Calls fn for every overlay that is declared anywhere (components, groups, defaults, overlay files), for checks that need another module, such as compiling its
 * regular expressions. Returns the first negative result after all were called, or 0. */
int ash_config_each_overlay(AshConfig *config, int (*fn)(void *context, const AshOverlay *overlay, AshDiags *diags), void *context, AshDiags *diags);
