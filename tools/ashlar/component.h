/* What the verbs about components share. */
#pragma once
#include "cli.h"
#include "flow-build.h"
#include "config.h"
#include "render.h"

/* Options of every verb that needs upstream's specs. */
#define ASH_UPSTREAM_OPTIONS                                                                                                                       \
        { "specs", "DIR", "take upstream's specs from DIR/NAME/NAME.spec (or DIR/NAME.spec) instead of dist-git", .kind = ASH_KIND_DIR },           \
        { "offline", .doc = "use only what has been fetched before" }
AshRenderOptions ash_cli_render_options(AshCli *cli);
/* Reads the project's ashlar.built, after which releases of changed components are raised. */
int ash_cli_know_built(AshCli *cli, AshRenderOptions *options);
/* The positional arguments as names; or all components when there are none. Freed with free(). */
AshSlice *ash_cli_component_names(AshCli *cli, size_t *ret_n);
/* Says how to go on when upstream could not be reached; gives r back. */
int ash_cli_upstream_failed(AshCli *cli, int r);
/* "spec-set-tag Release", and for an overlay without an aim its type alone. malloc'ed. */
char *ash_overlay_title(const AshOverlay *overlay);
/* "base/comps/bash.toml:12", relative as the file was named. malloc'ed; "" for nowhere. */
char *ash_span_text(AshSpan at);

/* verb-component-add.c, verb-component-build.c, verb-component-rebase.c, verb-component-render.c */
int ash_component_add(AshCli *cli);
int ash_component_render(AshCli *cli);
int ash_component_prepare(AshCli *cli);
int ash_component_diff(AshCli *cli);
int ash_component_fingerprint(AshCli *cli);
int ash_component_why(AshCli *cli);
int ash_component_rebase(AshCli *cli);
int ash_component_build(AshCli *cli);
void ash_cli_tell_lock(AshCli *cli, const AshFlowLockResult *lock); /* what changed in it */
int ash_component_builds(AshCli *cli, AshFlowBuildOptions *options); /* several: verb-component-builds.c */
int ash_component_rebuild(AshCli *cli);
