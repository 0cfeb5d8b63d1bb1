/* ashlar.lock: TOML, made by "ashlar lock", read by every build. docs/lock.md shows the format. */
#pragma once
#include "model-lock.h"

#define ASH_LOCK_NAME "ashlar.lock"
#define ASH_LOCK_VERSION 1

/* -ENOENT when there is none (without a diagnostic); -ASH_ERR_CONFIG with diagnostics when it is not what a lock should be. */
int ash_lock_read(const char *path, AshLock **ret, AshDiags *diags);
int ash_lock_parse(AshSource *source, AshLock **ret, AshDiags *diags);
/* The canonical form, without comments. */
void ash_lock_format(AshLock *lock, AshStr *out);
/* Atomically, in canonical form, so that a difference shows what changed; the comments on top of a file that is there stay. Returns 1 when something changed, 0 when not. */
int ash_lock_write(const char *path, AshLock *lock, AshDiags *diags);

/* What the second lock has that the first has not, in words, one line a change ("bash 5.2-1 -> 5.2-2", "+ zlib-1.3-1.x86_64", "- ..."). old may be NULL. Returns the count. */
size_t ash_lock_changes(const AshLock *old, const AshLock *fresh, AshStr *out);
