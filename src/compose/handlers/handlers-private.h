/* Between the handlers. */
#pragma once
#include "handlers.h"

int ash_handle_accounts(AshHandlerContext *c);
bool ash_wants_ldcache(const AshHandlerContext *c);
int ash_handle_ldcache(AshHandlerContext *c);
bool ash_wants_ca(const AshHandlerContext *c);
int ash_handle_ca(AshHandlerContext *c);
bool ash_wants_trust(const AshHandlerContext *c);
int ash_handle_trust(AshHandlerContext *c);
bool ash_wants_rpmdb(const AshHandlerContext *c);
int ash_handle_rpmdb(AshHandlerContext *c);
bool ash_wants_dnf(const AshHandlerContext *c);
int ash_handle_dnf(AshHandlerContext *c);
bool ash_wants_dnf5(const AshHandlerContext *c);
int ash_handle_dnf5(AshHandlerContext *c);
bool ash_wants_manifest(const AshHandlerContext *c);
int ash_handle_manifest(AshHandlerContext *c);
bool ash_wants_presets(const AshHandlerContext *c);
int ash_handle_presets(AshHandlerContext *c);
bool ash_wants_machine_id(const AshHandlerContext *c);
int ash_handle_machine_id(AshHandlerContext *c);
bool ash_wants_resolv(const AshHandlerContext *c);
int ash_handle_resolv(AshHandlerContext *c);
bool ash_wants_shells(const AshHandlerContext *c);
int ash_handle_shells(AshHandlerContext *c);
bool ash_wants_tmpfiles(const AshHandlerContext *c);
int ash_handle_tmpfiles(AshHandlerContext *c);
bool ash_wants_pam(const AshHandlerContext *c);
int ash_handle_pam(AshHandlerContext *c);
bool ash_wants_hwdb(const AshHandlerContext *c);
int ash_handle_hwdb(AshHandlerContext *c);
bool ash_wants_catalog(const AshHandlerContext *c);
int ash_handle_catalog(AshHandlerContext *c);
bool ash_wants_crypto_policies(const AshHandlerContext *c);
int ash_handle_crypto_policies(AshHandlerContext *c);
bool ash_wants_audit(const AshHandlerContext *c);
int ash_handle_audit(AshHandlerContext *c);
bool ash_wants_alternatives(const AshHandlerContext *c);
int ash_handle_alternatives(AshHandlerContext *c);
bool ash_wants_authselect(const AshHandlerContext *c);
int ash_handle_authselect(AshHandlerContext *c);
bool ash_wants_depmod(const AshHandlerContext *c);
int ash_handle_depmod(AshHandlerContext *c);
bool ash_wants_fstab(const AshHandlerContext *c);
int ash_handle_fstab(AshHandlerContext *c);
bool ash_wants_updated(const AshHandlerContext *c);
int ash_handle_updated(AshHandlerContext *c);
bool ash_wants_boot(const AshHandlerContext *c);
int ash_handle_boot(AshHandlerContext *c);
bool ash_wants_login(const AshHandlerContext *c);
int ash_handle_login(AshHandlerContext *c);

/* ---- directories of configuration ---- */
/* The files that match the globs, each name once: the first glob's hides those of later ones, as the directories of systemd are read. Sorted by name; in the arena, each path followed by a NUL.
 * One that is a link to /dev/null has no bytes. */
AshSlice *ash_handler_config_files(const AshTree *t, const char *const *globs, AshArena *arena, size_t *ret_n);

/* ---- the account files: passwd(5), group(5), shadow(5), gshadow(5) ---- */
typedef struct AshPwUser {
        AshSlice name, password, gecos, home, shell;
        uint32_t uid, gid;
        AshSlice shadow;             /* the line of /etc/shadow without the name and its colon; ptr NULL: none yet */
        bool fresh;                  /* not in the files as the packages have them */
} AshPwUser;
typedef struct AshPwGroup {
        AshSlice name, password;
        uint32_t gid;
        ASH_ARRAY(AshSlice) members;
        AshSlice gshadow;            /* password and administrators of /etc/gshadow; ptr NULL: none yet */
        bool fresh;
} AshPwGroup;
typedef struct AshPwDb {
        AshArena *arena;             /* borrowed */
        ASH_ARRAY(AshPwUser) users;
        ASH_ARRAY(AshPwGroup) groups;
        AshMap user_names, group_names; /* name -> index + 1 */
        bool has_users;              /* /etc/passwd was there */
} AshPwDb;
void ash_pwdb_read(AshPwDb *db, const AshTree *t, AshArena *arena);
/* Debian's base accounts, where the tree has their masters (update-passwd of base-passwd). */
void ash_pwdb_take_masters(AshPwDb *db, const AshTree *t);
void ash_pwdb_done(AshPwDb *db);
AshPwUser *ash_pwdb_user(const AshPwDb *db, AshSlice name);
AshPwUser *ash_pwdb_uid(const AshPwDb *db, uint32_t uid);
AshPwGroup *ash_pwdb_group(const AshPwDb *db, AshSlice name);
AshPwGroup *ash_pwdb_gid(const AshPwDb *db, uint32_t gid);
AshPwUser *ash_pwdb_add_user(AshPwDb *db, AshSlice name, uint32_t uid, uint32_t gid);
AshPwGroup *ash_pwdb_add_group(AshPwDb *db, AshSlice name, uint32_t gid);
void ash_pwdb_join(AshPwDb *db, AshSlice group, AshSlice user);
/* Writes the four files. Passwords move to the shadow files, as pwconv and grpconv do it. */
int ash_pwdb_write(AshPwDb *db, AshHandlerContext *c);
