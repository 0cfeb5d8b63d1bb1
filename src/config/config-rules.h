/* What one table alone must obey beyond the types of its keys. Called while a file is read, by several threads for several files. */
#pragma once
#include "config-schema.h"

struct AshRules {
        AshDiags *diags;
};

void ash_rule_overlay(const AshRules *r, const void *item, AshSpan at);
void ash_rule_overlay_metadata(const AshRules *r, const void *item, AshSpan at);
void ash_rule_overlay_file(const AshRules *r, const void *item, AshSpan at);
void ash_rule_spec(const AshRules *r, const void *item, AshSpan at);
void ash_rule_build(const AshRules *r, const void *item, AshSpan at);
void ash_rule_check(const AshRules *r, const void *item, AshSpan at);
void ash_rule_failure(const AshRules *r, const void *item, AshSpan at);
void ash_rule_origin(const AshRules *r, const void *item, AshSpan at);
void ash_rule_source_file(const AshRules *r, const void *item, AshSpan at);
void ash_rule_repo_ref(const AshRules *r, const void *item, AshSpan at);
void ash_rule_repo(const AshRules *r, const void *item, AshSpan at);
void ash_rule_repo_set(const AshRules *r, const void *item, AshSpan at);
void ash_rule_upstream(const AshRules *r, const void *item, AshSpan at);
void ash_rule_image(const AshRules *r, const void *item, AshSpan at);
void ash_rule_image_file(const AshRules *r, const void *item, AshSpan at);
void ash_rule_pytest(const AshRules *r, const void *item, AshSpan at);
void ash_rule_test_suite(const AshRules *r, const void *item, AshSpan at);

/* Those of them that JSON Schema can say. */
void ash_schema_overlay(struct AshJson *j);
void ash_schema_overlay_metadata(struct AshJson *j);
void ash_schema_build(struct AshJson *j);
void ash_schema_check(struct AshJson *j);
void ash_schema_failure(struct AshJson *j);
void ash_schema_spec(struct AshJson *j);
void ash_schema_origin(struct AshJson *j);
void ash_schema_source_file(struct AshJson *j);
void ash_schema_definition(struct AshJson *j);
