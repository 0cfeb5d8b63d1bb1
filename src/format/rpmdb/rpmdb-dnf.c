/* The histories of dnf 4 (libdnf's "swdb", version 1.2) and dnf 5 (libdnf5's, version 1.1): one transaction that installed everything. Table and column names are the format; both read them by name. */
#include <sqlite3.h>
#include "io-digest.h"
#include "rpmdb.h"

enum { ACTION_INSTALL = 1, REASON_DEPENDENCY = 1, REASON_USER = 2, STATE_DONE = 1, ITEM_RPM = 0, NO_LOGIN = -1 };

static const char schema[] =
        "PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA encoding = 'UTF-8'; BEGIN;"
        "CREATE TABLE trans (id INTEGER PRIMARY KEY AUTOINCREMENT, dt_begin INTEGER NOT NULL, dt_end INTEGER, rpmdb_version_begin TEXT, rpmdb_version_end TEXT, releasever TEXT NOT NULL,"
        " user_id INTEGER NOT NULL, cmdline TEXT, state INTEGER NOT NULL, comment TEXT DEFAULT '');"
        "CREATE TABLE repo (id INTEGER PRIMARY KEY, repoid TEXT NOT NULL);"
        "CREATE TABLE console_output (id INTEGER PRIMARY KEY, trans_id INTEGER REFERENCES trans(id), file_descriptor INTEGER NOT NULL, line TEXT NOT NULL);"
        "CREATE TABLE item (id INTEGER PRIMARY KEY, item_type INTEGER NOT NULL);"
        "CREATE TABLE trans_item (id INTEGER PRIMARY KEY AUTOINCREMENT, trans_id INTEGER REFERENCES trans(id), item_id INTEGER REFERENCES item(id), repo_id INTEGER REFERENCES repo(id),"
        " action INTEGER NOT NULL, reason INTEGER NOT NULL, state INTEGER NOT NULL);"
        "CREATE TABLE item_replaced_by (trans_item_id INTEGER REFERENCES trans_item(id), by_trans_item_id INTEGER REFERENCES trans_item(id), PRIMARY KEY (trans_item_id, by_trans_item_id));"
        "CREATE TABLE trans_with (id INTEGER PRIMARY KEY AUTOINCREMENT, trans_id INTEGER REFERENCES trans(id), item_id INTEGER REFERENCES item(id),"
        " CONSTRAINT trans_with_unique_trans_item UNIQUE (trans_id, item_id));"
        "CREATE TABLE rpm (item_id INTEGER UNIQUE NOT NULL, name TEXT NOT NULL, epoch INTEGER NOT NULL, version TEXT NOT NULL, release TEXT NOT NULL, arch TEXT NOT NULL,"
        " FOREIGN KEY(item_id) REFERENCES item(id), CONSTRAINT rpm_unique_nevra UNIQUE (name, epoch, version, release, arch));"
        "CREATE TABLE comps_group (item_id INTEGER UNIQUE NOT NULL, groupid TEXT NOT NULL, name TEXT NOT NULL, translated_name TEXT NOT NULL, pkg_types INTEGER NOT NULL,"
        " FOREIGN KEY(item_id) REFERENCES item(id));"
        "CREATE TABLE comps_group_package (id INTEGER PRIMARY KEY AUTOINCREMENT, group_id INTEGER NOT NULL, name TEXT NOT NULL, installed INTEGER NOT NULL, pkg_type INTEGER NOT NULL,"
        " FOREIGN KEY(group_id) REFERENCES comps_group(item_id), CONSTRAINT comps_group_package_unique_name UNIQUE (group_id, name));"
        "CREATE TABLE comps_environment (item_id INTEGER UNIQUE NOT NULL, environmentid TEXT NOT NULL, name TEXT NOT NULL, translated_name TEXT NOT NULL, pkg_types INTEGER NOT NULL,"
        " FOREIGN KEY(item_id) REFERENCES item(id));"
        "CREATE TABLE comps_environment_group (id INTEGER PRIMARY KEY AUTOINCREMENT, environment_id INTEGER NOT NULL, groupid TEXT NOT NULL, installed INTEGER NOT NULL, group_type INTEGER NOT NULL,"
        " FOREIGN KEY(environment_id) REFERENCES comps_environment(item_id), CONSTRAINT comps_environment_group_unique_groupid UNIQUE (environment_id, groupid));"
        "CREATE TABLE config (key TEXT PRIMARY KEY, value TEXT NOT NULL);"
        "CREATE INDEX rpm_name ON rpm(name); CREATE INDEX trans_item_trans_id ON trans_item(trans_id); CREATE INDEX trans_item_item_id ON trans_item(item_id);"
        "INSERT INTO config VALUES ('version', '1.2');";

typedef struct Writer {
        sqlite3 *db;
        AshDiags *diags;
} Writer;

static int failed(Writer *w) { return ash_fail(w->diags, -EIO, ASH_NOWHERE, "cannot write dnf's history: %s", w->db ? sqlite3_errmsg(w->db) : "no memory"); }

/* One row; each value is text, or a number when its pointer is NULL. */
static int insert(Writer *w, const char *sql, const AshSlice *values, size_t n) {
        sqlite3_stmt *s = NULL;
        if (sqlite3_prepare_v2(w->db, sql, -1, &s, NULL) != SQLITE_OK)
                return failed(w);
        for (size_t i = 0; i < n; i++)
                if (values[i].ptr)
                        sqlite3_bind_text(s, (int) i + 1, values[i].ptr, (int) values[i].len, SQLITE_STATIC);
                else
                        sqlite3_bind_int64(s, (int) i + 1, (sqlite3_int64) values[i].len);
        int r = sqlite3_step(s) == SQLITE_DONE ? 0 : failed(w);
        sqlite3_finalize(s);
        return r;
}
#define NUMBER(n) ((AshSlice){ NULL, (size_t) (n) })
#define INSERT(w, sql, ...) insert(w, sql, (const AshSlice[]){ __VA_ARGS__ }, ASH_N(((const AshSlice[]){ __VA_ARGS__ })))

static int by_name(const void *a, const void *b) {
        const AshDnfPackage *x = *(const AshDnfPackage *const *) a, *y = *(const AshDnfPackage *const *) b;
        int c = ash_slice_cmp(x->name, y->name);
        return c ? c : x->number < y->number ? -1 : x->number > y->number;
}

/* Names in their order, each with the numbers of its packages. */
void ash_dnf_cookie(const AshDnfPackage *packages, size_t n, char ret[static 65]) {
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        _free_ const AshDnfPackage **sorted = ash_calloc(n + 1, sizeof *sorted);
        uint8_t sha256[32];
        for (size_t i = 0; i < n; i++)
                sorted[i] = &packages[i];
        if (n)
                qsort(sorted, n, sizeof *sorted, by_name);
        for (size_t i = 0; i < n; i++) {
                uint32_t k = sorted[i]->number;
                const uint8_t little[4] = { (uint8_t) k, (uint8_t) (k >> 8), (uint8_t) (k >> 16), (uint8_t) (k >> 24) };
                if (!i || !ash_slice_eq(sorted[i]->name, sorted[i - 1]->name))
                        ash_digest_update(d, sorted[i]->name.ptr, sorted[i]->name.len);
                ash_digest_update(d, little, sizeof little);
        }
        ash_digest_final(d, sha256);
        ash_hex(sha256, 32, ret);
}

static int fill(Writer *w, const AshDnfPackage *packages, size_t n, const AshDnfTransaction *t) {
        char before[65], after[65];
        ash_dnf_cookie(NULL, 0, before);
        ash_dnf_cookie(packages, n, after);
        int r = INSERT(w, "INSERT INTO trans VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, '')", NUMBER(t->time), NUMBER(t->time), ash_slice_str(before), ash_slice_str(after), t->release, NUMBER(NO_LOGIN), t->command,
                       NUMBER(STATE_DONE));
        if (r >= 0)
                r = INSERT(w, "INSERT INTO repo VALUES (1, ?)", t->repository);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                const AshDnfPackage *p = &packages[i];
                r = INSERT(w, "INSERT INTO item VALUES (?, ?)", NUMBER(i + 1), NUMBER(ITEM_RPM));
                if (r >= 0)
                        r = INSERT(w, "INSERT INTO rpm VALUES (?, ?, ?, ?, ?, ?)", NUMBER(i + 1), p->name, NUMBER(p->epoch), p->version, p->release, p->arch);
                if (r >= 0)
                        r = INSERT(w, "INSERT INTO trans_item VALUES (?, 1, ?, 1, ?, ?, ?)", NUMBER(i + 1), NUMBER(i + 1), NUMBER(ACTION_INSTALL), NUMBER(p->user ? REASON_USER : REASON_DEPENDENCY), NUMBER(STATE_DONE));
        }
        return r;
}

typedef int (*Fill)(Writer *w, const AshDnfPackage *packages, size_t n, const AshDnfTransaction *t);

static int write_history(const char *tables, Fill fill_tables, const AshDnfPackage *packages, size_t n, const AshDnfTransaction *transaction, AshStr *out, AshDiags *diags) {
        Writer w = { .diags = diags };
        sqlite3_int64 size = 0;
        unsigned char *bytes = NULL;
        int r = sqlite3_open_v2(":memory:", &w.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) == SQLITE_OK && sqlite3_exec(w.db, tables, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(&w);
        if (r >= 0)
                r = fill_tables(&w, packages, n, transaction);
        if (r >= 0 && (sqlite3_exec(w.db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK || !(bytes = sqlite3_serialize(w.db, "main", &size, 0))))
                r = failed(&w);
        if (r >= 0)
                ash_str_append(out, ash_slice((const char *) bytes, (size_t) size));
        sqlite3_free(bytes);
        sqlite3_close(w.db);
        return r;
}

int ash_dnfdb_write(const AshDnfPackage *packages, size_t n, const AshDnfTransaction *transaction, AshStr *out, AshDiags *diags) {
        return write_history(schema, fill, packages, n, transaction, out, diags);
}

/* ---- dnf 5 ---- */
static const char schema5[] =
        "PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA encoding = 'UTF-8'; BEGIN;"
        "CREATE TABLE trans_state (id INTEGER, name TEXT, PRIMARY KEY(id));"
        "CREATE TABLE trans (id INTEGER, dt_begin INTEGER NOT NULL, dt_end INTEGER, rpmdb_version_begin TEXT, rpmdb_version_end TEXT, releasever TEXT NOT NULL, user_id INTEGER NOT NULL, description TEXT,"
        " comment TEXT, state_id INTEGER, PRIMARY KEY(id AUTOINCREMENT), FOREIGN KEY(state_id) REFERENCES trans_state(id));"
        "CREATE TABLE repo (id INTEGER, repoid TEXT NOT NULL, PRIMARY KEY(id));"
        "CREATE TABLE pkg_name (id INTEGER, name TEXT NOT NULL UNIQUE, PRIMARY KEY(id));"
        "CREATE TABLE arch (id INTEGER, name TEXT NOT NULL UNIQUE, PRIMARY KEY(id));"
        "CREATE TABLE item (id INTEGER, PRIMARY KEY(id));"
        "CREATE TABLE trans_item_action (id INTEGER, name TEXT, PRIMARY KEY(id));"
        "CREATE TABLE trans_item_reason (id INTEGER, name TEXT, PRIMARY KEY(id));"
        "CREATE TABLE trans_item_state (id INTEGER, name TEXT, PRIMARY KEY(id));"
        "CREATE TABLE trans_item (id INTEGER, trans_id INTEGER, item_id INTEGER, repo_id INTEGER, action_id INTEGER NOT NULL, reason_id INTEGER NOT NULL, state_id INTEGER NOT NULL,"
        " PRIMARY KEY(id AUTOINCREMENT), FOREIGN KEY(trans_id) REFERENCES trans(id), FOREIGN KEY(item_id) REFERENCES item(id), FOREIGN KEY(repo_id) REFERENCES repo(id),"
        " FOREIGN KEY(action_id) REFERENCES trans_item_action(id), FOREIGN KEY(reason_id) REFERENCES trans_item_reason(id), FOREIGN KEY(state_id) REFERENCES trans_item_state(id));"
        "CREATE TABLE item_replaced_by (trans_item_id INTEGER, by_trans_item_id INTEGER, PRIMARY KEY (trans_item_id, by_trans_item_id), FOREIGN KEY(trans_item_id) REFERENCES trans_item(id),"
        " FOREIGN KEY(by_trans_item_id) REFERENCES trans_item(id));"
        "CREATE TABLE rpm (item_id INTEGER NOT NULL UNIQUE, name_id INTEGER NOT NULL, epoch INTEGER NOT NULL, version TEXT NOT NULL, release TEXT NOT NULL, arch_id INTEGER NOT NULL,"
        " FOREIGN KEY(item_id) REFERENCES item(id), FOREIGN KEY(name_id) REFERENCES pkg_name(id), FOREIGN KEY(arch_id) REFERENCES arch(id),"
        " CONSTRAINT rpm_unique_nevra UNIQUE (name_id, epoch, version, release, arch_id));"
        "CREATE TABLE comps_group (item_id INTEGER NOT NULL UNIQUE, groupid TEXT NOT NULL, name TEXT NOT NULL, translated_name TEXT NOT NULL, pkg_types INTEGER NOT NULL,"
        " FOREIGN KEY(item_id) REFERENCES item(id));"
        "CREATE TABLE comps_group_package (id INTEGER, group_id INTEGER NOT NULL, name_id INTEGER NOT NULL, installed INTEGER NOT NULL, pkg_type INTEGER NOT NULL,"
        " FOREIGN KEY(group_id) REFERENCES comps_group(item_id), FOREIGN KEY(name_id) REFERENCES pkg_name(id), CONSTRAINT comps_group_package_unique_name UNIQUE (group_id, name_id),"
        " PRIMARY KEY(id AUTOINCREMENT));"
        "CREATE TABLE comps_environment (item_id INTEGER NOT NULL UNIQUE, environmentid TEXT NOT NULL, name TEXT NOT NULL, translated_name TEXT NOT NULL, pkg_types INTEGER NOT NULL,"
        " FOREIGN KEY(item_id) REFERENCES item(id));"
        "CREATE TABLE comps_environment_group (id INTEGER, environment_id INTEGER NOT NULL, groupid TEXT NOT NULL, installed INTEGER NOT NULL, group_type INTEGER NOT NULL,"
        " FOREIGN KEY(environment_id) REFERENCES comps_environment(item_id), CONSTRAINT comps_environment_group_unique_groupid UNIQUE (environment_id, groupid), PRIMARY KEY(id AUTOINCREMENT));"
        "CREATE TABLE config (key TEXT, value TEXT NOT NULL, PRIMARY KEY(key));"
        "CREATE INDEX pkg_name_name ON pkg_name(name); CREATE INDEX trans_item_trans_id ON trans_item(trans_id); CREATE INDEX trans_item_item_id ON trans_item(item_id);"
        "INSERT INTO trans_state VALUES (1, 'Started'), (2, 'Ok'), (3, 'Error'); INSERT INTO trans_item_state VALUES (1, 'Started'), (2, 'Ok'), (3, 'Error');"
        "INSERT INTO trans_item_action VALUES (1, 'Install'), (2, 'Upgrade'), (3, 'Downgrade'), (4, 'Reinstall'), (5, 'Remove'), (6, 'Replaced'), (7, 'Reason Change');"
        "INSERT INTO trans_item_reason VALUES (0, 'None'), (1, 'Dependency'), (2, 'User'), (3, 'Clean'), (4, 'Weak Dependency'), (5, 'Group'), (6, 'External User');"
        "INSERT INTO config VALUES ('version', '1.1');";

enum { TRANSACTION_OK = 2, ITEM_OK = 2, ROOT = 0 };

static int fill5(Writer *w, const AshDnfPackage *packages, size_t n, const AshDnfTransaction *t) {
        char before[65], after[65];
        ash_dnf_cookie(NULL, 0, before);
        ash_dnf_cookie(packages, n, after);
        int r = INSERT(w, "INSERT INTO trans VALUES (1, ?, ?, ?, ?, ?, ?, ?, '', ?)", NUMBER(t->time), NUMBER(t->time), ash_slice_str(before), ash_slice_str(after), t->release, NUMBER(ROOT), t->command,
                       NUMBER(TRANSACTION_OK));
        if (r >= 0)
                r = INSERT(w, "INSERT INTO repo VALUES (1, ?)", t->repository);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                const AshDnfPackage *p = &packages[i];
                r = INSERT(w, "INSERT INTO item VALUES (?)", NUMBER(i + 1));
                if (r >= 0)
                        r = INSERT(w, "INSERT OR IGNORE INTO pkg_name (name) VALUES (?)", p->name);
                if (r >= 0)
                        r = INSERT(w, "INSERT OR IGNORE INTO arch (name) VALUES (?)", p->arch);
                if (r >= 0)
                        r = INSERT(w, "INSERT INTO rpm SELECT ?, pkg_name.id, ?, ?, ?, arch.id FROM pkg_name, arch WHERE pkg_name.name = ? AND arch.name = ?", NUMBER(i + 1), NUMBER(p->epoch), p->version, p->release,
                                   p->name, p->arch);
                if (r >= 0)
                        r = INSERT(w, "INSERT INTO trans_item VALUES (?, 1, ?, 1, ?, ?, ?)", NUMBER(i + 1), NUMBER(i + 1), NUMBER(ACTION_INSTALL), NUMBER(p->user ? REASON_USER : REASON_DEPENDENCY), NUMBER(ITEM_OK));
        }
        return r;
}

int ash_dnf5db_write(const AshDnfPackage *packages, size_t n, const AshDnfTransaction *transaction, AshStr *out, AshDiags *diags) {
        return write_history(schema5, fill5, packages, n, transaction, out, diags);
}
