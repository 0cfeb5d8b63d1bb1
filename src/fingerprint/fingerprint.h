/* Fingerprints: what a component is rendered and built from, as one digest; and in words, why two differ. docs/fingerprints.md has the encoding.
 *
 * Encoding, version 1: the text "ashlar-fingerprint 1\n", then for every input three netstrings (D. J. Bernstein, "Netstrings", 1997): its kind, its name, its value.
 * Inputs stand in the order of AshInputKind, within a kind by name (bytes), overlays in the order in which they apply. The fingerprint is "1:" and the SHA-256 of that. */
#pragma once
#include "base.h"
#include "io.h"
#include "model-project.h"
#include "overlay.h"
#include "specsource.h"

#define ASH_FINGERPRINT_VERSION 1
#define ASH_FINGERPRINT_MAX (ASH_HEX_MAX + 16)

typedef enum AshInputKind {
        ASH_INPUT_COMPONENT, ASH_INPUT_SPEC, ASH_INPUT_FILE, ASH_INPUT_SOURCE, ASH_INPUT_HISTORY, ASH_INPUT_SETTING, ASH_INPUT_WITH, ASH_INPUT_WITHOUT, ASH_INPUT_DEFINE,
        ASH_INPUT_OVERLAY, ASH_INPUT_MAX_, ASH_INPUT_INVALID_ = -EINVAL,
} AshInputKind;
const char *ash_input_kind_name(AshInputKind kind);
AshInputKind ash_input_kind(AshSlice name);

typedef struct AshInput {
        AshInputKind kind;
        AshSlice name, value;
} AshInput;
typedef struct AshFingerprint {
        AshArena *arena;
        AshSlice component;
        ASH_ARRAY(AshInput) inputs;
        char text[ASH_FINGERPRINT_MAX];  /* "1:" and 64 hex digits */
        AshSlice origin, commit;         /* for people: where upstream's files came from; not in the fingerprint */
} AshFingerprint;
void ash_fingerprint_free(AshFingerprint *f);
ASH_DEFINE_CLEANUP(AshFingerprint *, ash_fingerprint_free)

/* What goes in. Everything is borrowed for the call. */
typedef struct AshFingerprintOf {
        AshSlice component;
        const AshComponentConfig *config;  /* merged */
        const AshSpecTree *tree;           /* upstream's files */
        const AshSources *sources;         /* merged entries of "sources" */
        AshOverlaySemantics semantics;
        const AshOverlayNames *names;
        AshSlice release, changelog;       /* what %autorelease and %autochangelog become; empty when the spec uses neither */
} AshFingerprintOf;
/* Reads the files that overlays name. -ENOENT, -errno with a diagnostic when one cannot be read. */
int ash_fingerprint_of(const AshFingerprintOf *of, AshFingerprint **ret, AshDiags *diags);
/* The canonical bytes that are digested. */
void ash_fingerprint_encode(const AshFingerprint *f, AshStr *out);

/* ---- records: the inputs as TOML, kept beside what was rendered ---- */
void ash_fingerprint_format(const AshFingerprint *f, AshStr *out);
/* -ASH_ERR_SYNTAX for what is no record, -ASH_ERR_VERIFY when its fingerprint does not belong to its inputs. The source may go after. */
int ash_fingerprint_parse(AshSource *source, AshFingerprint **ret, AshDiags *diags);

/* ---- why ---- */
typedef struct AshReasons {
        ASH_ARRAY(char *) items; /* one sentence each, without a full stop */
} AshReasons;
void ash_reasons_done(AshReasons *reasons);
#define _reasons_ _cleanup_(ash_reasons_done)
/* In words, what differs; nothing when the fingerprints are equal. */
void ash_fingerprint_why(const AshFingerprint *old, const AshFingerprint *new, AshReasons *ret);
