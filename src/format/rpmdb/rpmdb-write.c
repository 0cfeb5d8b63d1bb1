#include <sqlite3.h>
#include "rpmdb.h"

enum { INSTALL_ONLY = ASH_RPMSENSE_SCRIPT_PRE | ASH_RPMSENSE_SCRIPT_POST | ASH_RPMSENSE_RPMLIB | ASH_RPMSENSE_KEYRING | ASH_RPMSENSE_PRETRANS | ASH_RPMSENSE_POSTTRANS,
       ERASE = ASH_RPMSENSE_SCRIPT_PREUN | ASH_RPMSENSE_SCRIPT_POSTUN };

/* Tables that find packages by what their headers say; the order is rpm's. */
static const struct Table {
        const char *name;
        uint32_t tag;
        bool by_package;         /* has an index by package too */
        bool blob;               /* keys are bytes; no index */
        bool unique;             /* a value counts once a package */
} tables[] = {
        { "Name", ASH_RPMTAG_NAME }, { "Basenames", ASH_RPMTAG_BASENAMES, true }, { "Group", ASH_RPMTAG_GROUP }, { "Requirename", ASH_RPMTAG_REQUIRENAME, true },
        { "Providename", ASH_RPMTAG_PROVIDENAME, true }, { "Conflictname", ASH_RPMTAG_CONFLICTNAME, true }, { "Obsoletename", ASH_RPMTAG_OBSOLETENAME, true },
        { "Triggername", ASH_RPMTAG_TRIGGERNAME, true, false, true }, { "Dirnames", ASH_RPMTAG_DIRNAMES, true }, { "Installtid", ASH_RPMTAG_INSTALLTID, false, true },
        { "Sigmd5", ASH_RPMTAG_SIGMD5, false, true }, { "Sha1header", ASH_RPMSIG_SHA1 }, { "Filetriggername", ASH_RPMTAG_FILETRIGGERNAME, true },
        { "Transfiletriggername", ASH_RPMTAG_TRANSFILETRIGGERNAME, true }, { "Recommendname", ASH_RPMTAG_RECOMMENDNAME, true }, { "Suggestname", ASH_RPMTAG_SUGGESTNAME, true },
        { "Supplementname", ASH_RPMTAG_SUPPLEMENTNAME, true }, { "Enhancename", ASH_RPMTAG_ENHANCENAME, true },
};

typedef struct Writer {
        sqlite3 *db;
        sqlite3_stmt *package, *rows[ASH_N(tables)];
        AshDiags *diags;
} Writer;

static int failed(Writer *w, const char *what) { return ash_fail(w->diags, -EIO, ASH_NOWHERE, "cannot %s the rpm database: %s", what, w->db ? sqlite3_errmsg(w->db) : "no memory"); }

static int run(Writer *w, const char *sql) { return sqlite3_exec(w->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(w, "make"); }

static int start(Writer *w) {
        if (sqlite3_open_v2(":memory:", &w->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
                return failed(w, "open");
        int r = run(w, "PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA encoding = 'UTF-8'; BEGIN;"
                       "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)");
        for (size_t i = 0; r >= 0 && i < ASH_N(tables); i++) {
                _free_ char *sql = ash_asprintf("CREATE TABLE '%s' (key '%s' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL, FOREIGN KEY (hnum) REFERENCES 'Packages'(hnum))",
                                                tables[i].name, tables[i].blob ? "BLOB" : "TEXT");
                _free_ char *insert = ash_asprintf("INSERT INTO '%s' VALUES (?, ?, ?)", tables[i].name);
                r = run(w, sql);
                if (r >= 0 && sqlite3_prepare_v2(w->db, insert, -1, &w->rows[i], NULL) != SQLITE_OK)
                        r = failed(w, "fill");
        }
        if (r >= 0 && sqlite3_prepare_v2(w->db, "INSERT INTO 'Packages' VALUES (?, ?)", -1, &w->package, NULL) != SQLITE_OK)
                r = failed(w, "fill");
        return r;
}

/* Indexes last: sorting once is several times faster than keeping them up to date. */
static int finish(Writer *w, AshStr *out) {
        int r = 0;
        sqlite3_int64 size = 0;
        for (size_t i = 0; r >= 0 && i < ASH_N(tables); i++) {
                const char *name = tables[i].name;
                _free_ char *key = ash_asprintf("CREATE INDEX '%s_key_idx' ON '%s'(key ASC)", name, name);
                _free_ char *number = ash_asprintf("CREATE INDEX '%s_hnum_idx' ON '%s'(hnum ASC)", name, name);
                if (!tables[i].blob)
                        r = run(w, key);
                if (r >= 0 && tables[i].by_package)
                        r = run(w, number);
        }
        if (r >= 0)
                r = run(w, "COMMIT");
        if (r < 0)
                return r;
        unsigned char *bytes = sqlite3_serialize(w->db, "main", &size, 0);
        if (!bytes)
                return failed(w, "write");
        ash_str_append(out, ash_slice((const char *) bytes, (size_t) size));
        sqlite3_free(bytes);
        return 0;
}

static int row(Writer *w, size_t table, AshSlice key, uint32_t package, uint32_t index) {
        sqlite3_stmt *s = w->rows[table];
        if (tables[table].blob)
                sqlite3_bind_blob(s, 1, key.ptr, (int) key.len, SQLITE_STATIC);
        else
                sqlite3_bind_text(s, 1, key.ptr, (int) key.len, SQLITE_STATIC);
        sqlite3_bind_int64(s, 2, package);
        sqlite3_bind_int64(s, 3, index);
        int r = sqlite3_step(s);
        sqlite3_reset(s);
        return r == SQLITE_DONE ? 0 : failed(w, "fill");
}

enum { RICH_DEPTH = 64 };

/* One name: it ends at white space or at the parenthesis that closes what is around it ("libc.so.6()(64bit)" is one name). */
static AshSlice rich_word(AshSlice text) {
        size_t i = 0;
        for (int depth = 0; i < text.len && text.ptr[i] != ' ' && text.ptr[i] != '\t' && (text.ptr[i] != ')' || depth); i++)
                depth += text.ptr[i] == '(' ? 1 : text.ptr[i] == ')' ? -1 : 0;
        return ash_slice(text.ptr, i);
}

typedef struct Rich {
        AshArena *arena;
        ASH_ARRAY(AshSlice) names;
        bool negated[RICH_DEPTH];
        size_t condition[RICH_DEPTH]; /* where the names of the level's condition start */
        size_t level;
} Rich;

static AshSlice negation(const Rich *x, AshSlice name) { return name.ptr[0] == '!' ? ash_slice_from(name, 1) : ash_slice_str(ash_arena_printf(x->arena, "!%.*s", ASH_F(name))); }

/* What stands behind "if" and "unless" counts with '!'; with an "else" it counts both ways. */
static bool operator(Rich *x, AshSlice word) {
        static const char *const plain[] = { "and", "or", "with", "without" };
        for (size_t i = 0; i < ASH_N(plain); i++)
                if (ash_slice_eqs(word, plain[i]))
                        return true;
        if (ash_slice_eqs(word, "if") || ash_slice_eqs(word, "unless"))
                x->condition[x->level] = x->names.n;
        else if (ash_slice_eqs(word, "else"))
                for (size_t i = x->condition[x->level], end = x->names.n; i < end; i++) {
                        AshSlice other = negation(x, x->names.items[i]);
                        ash_array_push(&x->names, other);
                }
        else
                return false;
        x->negated[x->level] ^= true;
        return true;
}

static void rich_names(Rich *x, AshSlice text) {
        bool version = false;
        for (size_t i = 0; i < text.len;) {
                char c = text.ptr[i];
                if (c == '(' && x->level + 1 < RICH_DEPTH) {
                        x->negated[x->level + 1] = x->negated[x->level];
                        x->condition[++x->level] = x->names.n;
                } else if (c == ')' && x->level)
                        x->level--;
                if (strchr(" \t()", c)) {
                        i++;
                        continue;
                }
                AshSlice word = rich_word(ash_slice_from(text, i));
                bool skip = version;
                i += word.len;
                version = strchr("<=>", c) != NULL;
                if (!skip && !version && !operator(x, word))
                        ash_array_push(&x->names, x->negated[x->level] ? negation(x, word) : word);
        }
}

/* The names within a rich dependency are found too, under its number, each once. */
static int rich(Writer *w, size_t table, AshSlice text, AshArena *arena, uint32_t package, uint32_t index) {
        _map_ AshMap seen = {};
        Rich x = { .arena = arena };
        int r = 0;
        rich_names(&x, text);
        for (size_t i = 0; r >= 0 && i < x.names.n; i++) {
                bool fresh;
                (void) ash_map_ensure(&seen, x.names.items[i], &fresh);
                if (fresh)
                        r = row(w, table, x.names.items[i], package, index);
        }
        ash_array_done(&x.names);
        return r;
}

static int fill_strings(Writer *w, size_t table, const AshRpmHeader *h, AshArena *arena, uint32_t package) {
        const struct Table *t = &tables[table];
        const AshRpmTag *flags = t->tag == ASH_RPMTAG_REQUIRENAME ? ash_rpm_tag(h, ASH_RPMTAG_REQUIREFLAGS) : NULL;
        const AshRpmTag *scripts = t->tag == ASH_RPMTAG_FILETRIGGERNAME ? ash_rpm_tag(h, ASH_RPMTAG_FILETRIGGERINDEX)
                : t->tag == ASH_RPMTAG_TRANSFILETRIGGERNAME ? ash_rpm_tag(h, ASH_RPMTAG_TRANSFILETRIGGERINDEX) : NULL; /* of file triggers the number of the script counts */
        _map_ AshMap seen = {};
        uint32_t n = 0;
        AshSlice *values = ash_rpm_strings(h, t->tag, arena, &n);
        const AshRpmTag *tag = ash_rpm_tag(h, t->tag);
        if (t->tag == ASH_RPMTAG_GROUP && !n)
                return row(w, table, ASH_S("Unknown"), package, 0);
        if (tag && (tag->type == ASH_RPM_I18NSTRING || tag->type == ASH_RPM_STRING))
                n = ASH_MIN(n, 1u); /* of translations the one of the C locale */
        int r = 0;
        for (uint32_t i = 0; r >= 0 && i < n; i++) {
                uint64_t f = flags && i < flags->count ? ash_rpm_number_at(h, flags, i) : 0;
                bool fresh = true;
                if (f & INSTALL_ONLY && !(f & ERASE))
                        continue; /* not needed any more once it is installed */
                if (t->unique)
                        (void) ash_map_ensure(&seen, values[i], &fresh);
                if (!fresh)
                        continue;
                r = row(w, table, values[i], package, scripts && i < scripts->count ? (uint32_t) ash_rpm_number_at(h, scripts, i) : i);
                if (r >= 0 && values[i].len && values[i].ptr[0] == '(')
                        r = rich(w, table, values[i], arena, package, i);
        }
        return r;
}

/* Keys that are numbers stand there as the processor has them: little-endian on all that we make images for. */
static int fill_blob(Writer *w, size_t table, const AshRpmHeader *h, uint32_t package) {
        const AshRpmTag *t = ash_rpm_tag(h, tables[table].tag);
        if (!t || !t->len)
                return 0;
        AshSlice bytes = ash_slice_sub(h->data, t->offset, t->len);
        uint8_t little[4];
        if (t->type == ASH_RPM_INT32) {
                for (size_t i = 0; i < 4; i++)
                        little[i] = (uint8_t) bytes.ptr[3 - i];
                bytes = ash_slice((const char *) little, 4);
        }
        return row(w, table, bytes, package, 0);
}

static int add(Writer *w, const AshRpmDbPackage *p, uint32_t number) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _str_ AshStr blob = {};
        AshRpmHeader h = {};
        int r = ash_rpmdb_blob(p, &blob, w->diags);
        if (r >= 0)
                r = ash_rpm_header_parse(ash_str_slice(&blob), 0, "header of the database", 0, &h, w->diags);
        if (r >= 0) {
                sqlite3_bind_int64(w->package, 1, number);
                sqlite3_bind_blob64(w->package, 2, blob.ptr, blob.len, SQLITE_STATIC);
                if (sqlite3_step(w->package) != SQLITE_DONE)
                        r = failed(w, "fill");
                sqlite3_reset(w->package);
        }
        for (size_t i = 0; r >= 0 && i < ASH_N(tables); i++)
                r = tables[i].blob ? fill_blob(w, i, &h, number) : fill_strings(w, i, &h, arena, number);
        ash_rpm_header_done(&h);
        return r;
}

int ash_rpmdb_write(const AshRpmDbPackage *packages, size_t n, AshStr *out, AshDiags *diags) {
        Writer w = { .diags = diags };
        int r = start(&w);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = add(&w, &packages[i], (uint32_t) i + 1);
        if (r >= 0)
                r = finish(&w, out);
        sqlite3_finalize(w.package);
        for (size_t i = 0; i < ASH_N(tables); i++)
                sqlite3_finalize(w.rows[i]);
        sqlite3_close(w.db);
        return r;
}
