#include "model-project.h"

static const char *const overlay_types[ASH_OVERLAY_MAX_] = {
        [ASH_OVERLAY_SPEC_ADD_TAG] = "spec-add-tag",
        [ASH_OVERLAY_SPEC_INSERT_TAG] = "spec-insert-tag",
        [ASH_OVERLAY_SPEC_SET_TAG] = "spec-set-tag",
        [ASH_OVERLAY_SPEC_UPDATE_TAG] = "spec-update-tag",
        [ASH_OVERLAY_SPEC_REMOVE_TAG] = "spec-remove-tag",
        [ASH_OVERLAY_SPEC_PREPEND_LINES] = "spec-prepend-lines",
        [ASH_OVERLAY_SPEC_APPEND_LINES] = "spec-append-lines",
        [ASH_OVERLAY_SPEC_SEARCH_REPLACE] = "spec-search-replace",
        [ASH_OVERLAY_SPEC_REMOVE_SECTION] = "spec-remove-section",
        [ASH_OVERLAY_SPEC_REMOVE_SUBPACKAGE] = "spec-remove-subpackage",
        [ASH_OVERLAY_PATCH_ADD] = "patch-add",
        [ASH_OVERLAY_PATCH_REMOVE] = "patch-remove",
        [ASH_OVERLAY_FILE_PREPEND_LINES] = "file-prepend-lines",
        [ASH_OVERLAY_FILE_SEARCH_REPLACE] = "file-search-replace",
        [ASH_OVERLAY_FILE_ADD] = "file-add",
        [ASH_OVERLAY_FILE_REMOVE] = "file-remove",
        [ASH_OVERLAY_FILE_RENAME] = "file-rename",
};

const char *ash_overlay_type_name(AshOverlayType type) { return type >= 0 && type < ASH_OVERLAY_MAX_ ? overlay_types[type] : NULL; }

AshOverlayType ash_overlay_type(AshSlice name) {
        for (int i = 0; i < ASH_OVERLAY_MAX_; i++)
                if (ash_slice_eqs(name, overlay_types[i]))
                        return i;
        return ASH_OVERLAY_INVALID_;
}
