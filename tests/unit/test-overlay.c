#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "io.h"
#include "overlay.h"

static AshText text(const char *s) { return (AshText){ .s = s ? ash_slice_str(s) : ASH_NOSLICE }; }

/* One overlay in a row of a table: type and fields; "lines" is split at '|'. */
typedef struct Row {
        AshOverlayType type;
        const char *section, *package, *tag, *value, *regex, *replacement, *lines, *file, *source;
        uint64_t count;
} Row;

typedef struct Built {
        AshOverlay overlay;
        AshText lines[16];
} Built;

static AshOverlay *build(const Row *row, Built *b) {
        *b = (Built){};
        AshOverlay *o = &b->overlay;
        o->type = row->type;
        o->base_dir = ".";
        o->section = text(row->section);
        o->package = text(row->package);
        o->tag = text(row->tag);
        o->value = text(row->value);
        o->regex = text(row->regex);
        o->replacement = text(row->replacement);
        o->file = text(row->file);
        o->source = text(row->source);
        o->count = row->count;
        AshSlice rest = row->lines ? ash_slice_str(row->lines) : ASH_NOSLICE, part;
        while (ash_slice_split(&rest, '|', &part))
                b->lines[o->lines.n++].s = part;
        o->lines.items = b->lines;
        return o;
}

static int apply(AshOverlaySemantics semantics, const Row *row, const char *before, AshStr *out, AshOverlayReport **report, AshDiags *diags) {
        Built b;
        AshOverlayOptions options = { .semantics = semantics, .spec = "x.spec", .component = "x", .places = report };
        _cleanup_(ash_source_tree_free_p) AshSourceTree *tree = ash_source_tree_new();
        ash_source_tree_put(tree, "x.spec", ash_slice_str(before), 0644);
        ash_source_tree_put(tree, "a.patch", ASH_S("x"), 0644);
        int r = ash_overlay_apply(tree, build(row, &b), 1, &options, report, diags);
        AshSlice after;
        assert_int_equal(ash_source_tree_read(tree, "x.spec", &after, NULL), 0);
        ash_str_append(out, after);
        if (r < 0)
                assert_true(ash_slice_eqs(after, before)); /* a failure leaves everything as it was */
        return r;
}

typedef struct Case {
        const char *name;
        Row row;
        const char *before;
        const char *after; /* NULL: it must fail ... */
        const char *error; /* ... with this in its message */
} Case;

static void run_cases(AshOverlaySemantics semantics, const Case *cases, size_t n) {
        for (size_t i = 0; i < n; i++) {
                _str_ AshStr out = {}, messages = {};
                _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
                _cleanup_(ash_overlay_report_free_p) AshOverlayReport *report = NULL;
                int r = apply(semantics, &cases[i].row, cases[i].before, &out, &report, diags);
                for (size_t k = 0; k < ash_diags_n(diags); k++)
                        ash_diag_format(ash_diags_at(diags, k), false, &messages);
                if (!cases[i].after) {
                        if (r >= 0 || !strstr(messages.ptr ?: "", cases[i].error))
                                fail_msg("%s: gives %d and '%s', wanted '%s'; text:\n%s", cases[i].name, r, messages.ptr ?: "", cases[i].error, out.ptr ?: "");
                        continue;
                }
                if (r < 0 || strcmp(out.ptr ?: "", cases[i].after) != 0)
                        fail_msg("%s: gives %d (%s)\n%s\nwanted:\n%s", cases[i].name, r, messages.ptr ?: "", out.ptr ?: "", cases[i].after);
        }
}

#define ADD ASH_OVERLAY_SPEC_ADD_TAG
#define INSERT ASH_OVERLAY_SPEC_INSERT_TAG
#define SET ASH_OVERLAY_SPEC_SET_TAG
#define UPDATE ASH_OVERLAY_SPEC_UPDATE_TAG
#define REMOVE ASH_OVERLAY_SPEC_REMOVE_TAG
#define PREPEND ASH_OVERLAY_SPEC_PREPEND_LINES
#define APPEND ASH_OVERLAY_SPEC_APPEND_LINES
#define REPLACE ASH_OVERLAY_SPEC_SEARCH_REPLACE
#define SECTION ASH_OVERLAY_SPEC_REMOVE_SECTION
#define SUBPACKAGE ASH_OVERLAY_SPEC_REMOVE_SUBPACKAGE
#define UNPATCH ASH_OVERLAY_PATCH_REMOVE

/* Each quirk of the reference, in the semantics of azldev. */
static const Case plain_cases[] = {
        { "add-tag: at the end of the preamble, behind blank lines, inside the %if of the next section", { ADD, .tag = "X", .value = "1" }, "Name: a\n\n%if 1\n%description\n%endif\n",
          "Name: a\n\n%if 1\nX: 1\n%description\n%endif\n", NULL },
        { "add-tag: duplicates are allowed", { ADD, .tag = "Name", .value = "a" }, "Name: a\n", "Name: a\nName: a\n", NULL },
        { "add-tag: every %package of that name", { ADD, .tag = "X", .value = "1", .package = "d" }, "%package d\nA: b\n%package -n d\n", "%package d\nA: b\nX: 1\n%package -n d\nX: 1\n", NULL },
        { "add-tag: no such package", { ADD, .tag = "X", .value = "1", .package = "devle" }, "Name: a\n%package devel\n", NULL, "the nearest package is 'devel' at x.spec:2" },
        { "add-tag: %Package is not %package", { ADD, .tag = "X", .value = "1", .package = "d" }, "%Package d\n", NULL, "no section" },
        { "insert-tag: after the last of its family", { INSERT, .tag = "Source9", .value = "z" }, "source0: a\nSource: b\nName: x\n", "source0: a\nSource: b\nSource9: z\nName: x\n", NULL },
        { "insert-tag: else after the last tag", { INSERT, .tag = "Source9", .value = "z" }, "Name: x\n\n# c\n%description\n", "Name: x\nSource9: z\n\n# c\n%description\n", NULL },
        { "insert-tag: a macro line counts as a tag", { INSERT, .tag = "Source9", .value = "z" }, "Name: x\n%{!?y: %global y 1}\n\n", "Name: x\n%{!?y: %global y 1}\nSource9: z\n\n", NULL },
        { "insert-tag: behind the %endif", { INSERT, .tag = "Source9", .value = "z" }, "%if 1\n%ifarch x\nSource1: a\n%endif\nName: x\n%endif\n\n", "%if 1\n%ifarch x\nSource1: a\n%endif\nName: x\n%endif\nSource9: z\n\n", NULL },
        { "insert-tag: inside when the section has no %endif", { INSERT, .tag = "Source9", .value = "z" }, "%if 1\nSource1: a\n%description\n%endif\n", "%if 1\nSource1: a\nSource9: z\n%description\n%endif\n", NULL },
        { "insert-tag: without any tag as add-tag", { INSERT, .tag = "X", .value = "z" }, "# c\n%description\n", "# c\nX: z\n%description\n", NULL },
        { "update-tag: every one, with the overlay's case, without alignment", { UPDATE, .tag = "VERSION", .value = "2" }, "Version:   1\n%if 1\nversion: 3\n%endif\n%package d\nVersion: 9\n",
          "VERSION: 2\n%if 1\nVERSION: 2\n%endif\n%package d\nVersion: 9\n", NULL },
        { "update-tag: none", { UPDATE, .tag = "Sumary", .value = "2" }, "Name: a\nSummary: b\n", NULL, "the nearest tag is 'Summary' at x.spec:2" },
        { "update-tag: the package is raw text", { UPDATE, .tag = "A", .value = "2", .package = "%{name}-libs" }, "%package -n %{name}-libs\nA: 1\n", "%package -n %{name}-libs\nA: 2\n", NULL },
        { "set-tag: updates", { SET, .tag = "A", .value = "2" }, "A: 1\n", "A: 2\n", NULL },
        { "set-tag: else adds at the end", { SET, .tag = "B", .value = "2" }, "A: 1\n\n%prep\n", "A: 1\n\nB: 2\n%prep\n", NULL },
        { "remove-tag: all of that name", { REMOVE, .tag = "a" }, "A: 1\nB: 2\nA: 3\n", "B: 2\n", NULL },
        { "remove-tag: by value, whatever the case", { REMOVE, .tag = "Requires", .value = "FOO" }, "Requires: foo\nRequires: foo-libs\nrequires:  Foo \n", "Requires: foo-libs\n", NULL },
        { "remove-tag: no such value", { REMOVE, .tag = "Requires", .value = "foo >= 1" }, "Requires: foo >= 2\n", NULL, "the nearest value is 'foo >= 2' at x.spec:1" },
        { "remove-tag: comments in the first column are none", { REMOVE, .tag = "#A" }, "#A: 1\n", NULL, "no tag" },
        { "prepend-lines: every section of that name", { PREPEND, .section = "%build", .lines = "x|y" }, "%build\na\n%build\nb\n", "%build\nx\ny\na\n%build\nx\ny\nb\n", NULL },
        { "prepend-lines: the top of the file", { PREPEND, .lines = "x" }, "Name: a\n", "x\nName: a\n", NULL },
        { "prepend-lines: only of the package", { PREPEND, .section = "%files", .package = "d", .lines = "x" }, "%files\n%files d\n%files -n d -f y\n", "%files\n%files d\nx\n%files -n d -f y\nx\n", NULL },
        { "append-lines: before the next header, inside a straddling %if", { APPEND, .section = "%build", .lines = "x" }, "%build\na\n\n%if 1\n%install\n%endif\n", "%build\na\n\n%if 1\nx\n%install\n%endif\n", NULL },
        { "append-lines: the end of the file", { APPEND, .lines = "x" }, "Name: a\n%build\nb", "Name: a\n%build\nb\nx\n", NULL },
        { "append-lines: a phantom section ends the real one", { APPEND, .section = "", .package = "", .lines = "x" }, "a\n", "a\nx\n", NULL },
        { "append-lines: the case of a section's name counts", { APPEND, .section = "%build", .lines = "x" }, "%Build\na\n", NULL, "the nearest section is '%Build' at x.spec:1" },
        { "append-lines: an indented header counts", { APPEND, .section = "%build", .lines = "x" }, "  %build\na\n\t%install\n", "  %build\na\nx\n\t%install\n", NULL },
        { "search-replace: line by line, all places, all packages", { REPLACE, .section = "%files", .regex = "^/usr", .replacement = "/opt" }, "%files\n/usr/a\n%files d\n/usr/b\n", "%files\n/opt/a\n%files d\n/opt/b\n", NULL },
        { "search-replace: the package narrows", { REPLACE, .section = "%files", .package = "d", .regex = "/usr", .replacement = "/opt" }, "%files\n/usr/a\n%files d\n/usr/b\n", "%files\n/usr/a\n%files d\n/opt/b\n", NULL },
        { "search-replace: never a header", { REPLACE, .regex = "%files", .replacement = "x" }, "%files\n", NULL, "headers are never searched" },
        { "search-replace: conditionals and comments are lines", { REPLACE, .regex = "^%if 1$", .replacement = "%if 0" }, "# %if 1\n%if 1\n%endif\n", "# %if 1\n%if 0\n%endif\n", NULL },
        { "search-replace: no newline is ever seen", { REPLACE, .regex = "a\\nb", .replacement = "x" }, "a\nb\n", NULL, "changes nothing" },
        { "search-replace: replaced by itself is not found", { REPLACE, .regex = "a+", .replacement = "aa" }, "aa\n", NULL, "changes nothing" },
        { "search-replace: a literal replacement", { REPLACE, .regex = "(a)", .replacement = "$1\\1" }, "a\n", "$1\\1\n", NULL },
        { "search-replace: a new line in the replacement", { REPLACE, .regex = "b", .replacement = "b\nc" }, "a\nb\n", "a\nb\nc\n", NULL },
        { "search-replace: a replaced line may open a section", { REPLACE, .section = "%build", .regex = "x", .replacement = "%install" }, "%build\nx\nx\n", "%build\n%install\nx\n", NULL },
        { "search-replace: what RE2 lacks", { REPLACE, .regex = "a(?=b)", .replacement = "" }, "ab\n", NULL, "lookahead" },
        { "search-replace: a wrong section has notes", { REPLACE, .section = "%build", .regex = "abc", .replacement = "" }, "%build\n%install\nabc\n", NULL, "x.spec:3" },
        { "remove-section: to the next header", { SECTION, .section = "%files", .package = "d" }, "%files\na\n%files d\nb\n\n%changelog\n", "%files\na\n%changelog\n", NULL },
        { "remove-section: keeps the %endif around it", { SECTION, .section = "%files", .package = "d" }, "%if 1\n%files d\nb\n%endif\n\n%changelog\n", "%if 1\n%endif\n\n%changelog\n", NULL },
        { "remove-section: keeps the %if of the next", { SECTION, .section = "%check" }, "%check\nx\n\n%if 1\n%files d\n%endif\n", "%if 1\n%files d\n%endif\n", NULL },
        { "remove-section: takes conditionals within", { SECTION, .section = "%check" }, "%check\n%if 1\nx\n%else\ny\n%endif\n%files\n", "%files\n", NULL },
        { "remove-section: content behind the %if", { SECTION, .section = "%check" }, "%check\n%if 1\nx\n%files\n%endif\n", NULL, "reaches into the next section" },
        { "remove-section: content behind the %endif", { SECTION, .section = "%check" }, "%if 1\n%check\nx\n%endif\ny\n%files\n", NULL, "content follows" },
        { "remove-section: an %else of an outer %if", { SECTION, .section = "%check" }, "%if 1\n%check\nx\n%else\n%files\n%endif\n", NULL, "holds a branch" },
        { "remove-section: an unbalanced file", { SECTION, .section = "%check" }, "%if 1\n%check\nx\n%files\n", NULL, "an %if without %endif" },
        { "remove-section: all of that name", { SECTION, .section = "%check" }, "%check\nx\n%files\n%check\ny\n", "%files\n", NULL },
        { "remove-section: the main package is the empty one", { SECTION, .section = "%files" }, "%files d\nx\n", NULL, "no section" },
        { "remove-subpackage: all its sections", { SUBPACKAGE, .package = "d" }, "Name: a\n%package d\nA: b\n%description -n d\nt\n%prep\np\n%files d\nf\n%post -p /x d\n", "Name: a\n%prep\np\n", NULL },
        { "remove-subpackage: a section is refused", { SUBPACKAGE, .package = "d", .section = "%files" }, "%package d\n", NULL, "cannot have 'section'" },
        { "remove-subpackage: no such package", { SUBPACKAGE, .package = "x" }, "%package d\n", NULL, "no section" },
        { "patch-remove: numbered tags and %patchlist", { UNPATCH, .file = "a.*" }, "Patch1: a.patch\nPatch: a.patch\nPatch2: b.patch\n%patchlist\na.patch\nc.patch\n", "Patch: a.patch\nPatch2: b.patch\n%patchlist\nc.patch\n", NULL },
        { "patch-remove: a bare Patch is not matched", { UNPATCH, .file = "a.patch" }, "Patch: a.patch\n", NULL, "no PatchN tag" },
        { "patch-remove: macros are not expanded", { UNPATCH, .file = "x-a.patch" }, "Patch1: %{name}-a.patch\n", NULL, "no PatchN tag" },
        { "CR goes, the last line gets its newline", { ADD, .tag = "X", .value = "1" }, "Name: a\r\nB: c", "Name: a\nB: c\nX: 1\n", NULL },
        { "missing fields", { ADD, .tag = "X" }, "Name: a\n", NULL, "needs 'value'" },
};

static void test_plain(void **state) {
        (void) state;
        run_cases(ASH_SEMANTICS_AZLDEV, plain_cases, ASH_N(plain_cases));
}

static const Case strict_cases[] = {
        { "add-tag: behind the last tag, not in the next section's %if", { ADD, .tag = "X", .value = "1" }, "Name: a\n\n%if 1\n%description\n%endif\n", "Name: a\nX: 1\n\n%if 1\n%description\n%endif\n", NULL },
        { "add-tag: not a second time", { ADD, .tag = "BuildRequires", .value = "a" }, "BuildRequires:  a\n", NULL, "is there already" },
        { "add-tag: a second value", { ADD, .tag = "BuildRequires", .value = "b" }, "Name: x\nBuildRequires:  a\n\n", "Name: x\nBuildRequires:  a\nBuildRequires: b\n\n", NULL },
        { "add-tag: behind a foreign %if", { ADD, .tag = "X", .value = "1" }, "Name: a\n%if 1\n%ifarch x\nA: b\n%endif\n%endif\n\n%description\n", "Name: a\n%if 1\n%ifarch x\nA: b\n%endif\n%endif\nX: 1\n\n%description\n", NULL },
        { "add-tag: within the %if that holds the package", { ADD, .tag = "X", .value = "1", .package = "d" }, "%if 1\n%package d\nA: b\n%endif\n%files\n", "%if 1\n%package d\nA: b\nX: 1\n%endif\n%files\n", NULL },
        { "add-tag: a phantom %package is none", { ADD, .tag = "X", .value = "1", .package = "d" }, "%define f() \\\n%package d\\\nA: b\\\n%{nil}\nName: a\n", NULL, "no section" },
        { "insert-tag: not in another section's %if", { INSERT, .tag = "Source9", .value = "z" }, "Source1: a\n%if 1\n%description\n%endif\n", "Source1: a\nSource9: z\n%if 1\n%description\n%endif\n", NULL },
        { "update-tag: keeps name and alignment", { UPDATE, .tag = "version", .value = "2" }, "Version:    1\n", "Version:    2\n", NULL },
        { "update-tag: two are too many", { UPDATE, .tag = "Version", .value = "2" }, "%if 1\nVersion: 1\n%else\nVersion: 3\n%endif\n", NULL, "2 tags match, where 1 is declared" },
        { "update-tag: as many as declared", { UPDATE, .tag = "Version", .value = "2", .count = 2 }, "%if 1\nVersion: 1\n%else\nVersion: 3\n%endif\n", "%if 1\nVersion: 2\n%else\nVersion: 2\n%endif\n", NULL },
        { "update-tag: no effect is an error", { UPDATE, .tag = "Version", .value = "1" }, "Version: 1\n", NULL, "no effect" },
        { "update-tag: package names in every form", { UPDATE, .tag = "A", .value = "2", .package = "devel" }, "Name: foo\n%package -n %{name}-devel\nA: 1\n", "Name: foo\n%package -n %{name}-devel\nA: 2\n", NULL },
        { "update-tag: the full name of a suffix", { UPDATE, .tag = "A", .value = "2", .package = "foo-devel" }, "Name: foo\n%package devel\nA: 1\n", "Name: foo\n%package devel\nA: 2\n", NULL },
        { "update-tag: a qualifier", { UPDATE, .tag = "Requires(post)", .value = "b" }, "Requires: a\nRequires(post): a\n", "Requires: a\nRequires(post): b\n", NULL },
        { "remove-tag: the exact value", { REMOVE, .tag = "Requires", .value = "foo >= 1" }, "Requires: foo>=1\nRequires: Foo >= 1\n", "Requires: Foo >= 1\n", NULL },
        { "prepend-lines: one section", { PREPEND, .section = "%build", .lines = "x" }, "%build\na\n%build\nb\n", NULL, "2 sections match" },
        { "append-lines: before a straddling %if and blank lines", { APPEND, .section = "%build", .lines = "x" }, "%build\na\n\n# next\n%if 1\n%install\n%endif\n", "%build\na\nx\n\n# next\n%if 1\n%install\n%endif\n", NULL },
        { "append-lines: within the %if that holds the section", { APPEND, .section = "%check", .lines = "x" }, "%if 1\n%check\na\n%endif\n\n%files\n", "%if 1\n%check\na\nx\n%endif\n\n%files\n", NULL },
        { "append-lines: within the braces that hold the section", { APPEND, .section = "%check", .lines = "x" }, "%{?!_without_tests:\n%check\na\n}\n\n%files\n", "%{?!_without_tests:\n%check\na\nx\n}\n\n%files\n", NULL },
        { "append-lines: an overlap is refused", { APPEND, .section = "%build", .lines = "x" }, "%build\na\n%if 1\nb\n%install\n%endif\n", NULL, "overlap" },
        { "append-lines: not inside a continued line", { APPEND, .section = "%build", .lines = "x" }, "%build\na \\\n  b\n\n", "%build\na \\\n  b\nx\n\n", NULL },
        { "search-replace: one place", { REPLACE, .regex = "a", .replacement = "b" }, "a\na\n", NULL, "2 matches, where 1 is declared" },
        { "search-replace: a declared number", { REPLACE, .regex = "a", .replacement = "b", .count = 2 }, "a\na\n", "b\nb\n", NULL },
        { "search-replace: headers too", { REPLACE, .regex = "^%files$", .replacement = "%files -f x.lang" }, "%files\na\n", "%files -f x.lang\na\n", NULL },
        { "search-replace: continued lines", { REPLACE, .section = "%build", .regex = "--a\\s+\\\\\\n\\s+--b", .replacement = "--c" }, "%build\nconfigure --a \\\n  --b\n", "%build\nconfigure --c\n", NULL },
        { "search-replace: however upstream wraps them", { REPLACE, .section = "%build", .regex = "configure --a --b", .replacement = "configure --c" }, "%build\n./configure --a \\\n\t--b \\\n  --d\nmake\n", "%build\n./configure --c \\\n  --d\nmake\n", NULL },
        { "search-replace: no package is the main package", { REPLACE, .section = "%files", .regex = "a", .replacement = "b" }, "%files\na\n%files d\na\n", "%files\nb\n%files d\na\n", NULL },
        { "search-replace: lookahead", { REPLACE, .regex = "a(?=b)", .replacement = "c" }, "ab\n", "cb\n", NULL },
        { "search-replace: what it would hit", { REPLACE, .section = "%build", .regex = "abc", .replacement = "" }, "%build\n%install\nabc\n", NULL, "it would match here, in section '%install'" },
        { "search-replace: no effect", { REPLACE, .regex = "a+", .replacement = "aa" }, "aa\n", NULL, "no effect" },
        { "remove-section: keeps what is not its own", { SECTION, .section = "%check" }, "%if 1\n%check\na\n\n%endif\n# for files\n%files\n", "%if 1\n%endif\n# for files\n%files\n", NULL },
        { "remove-section: %else of an outer %if stays", { SECTION, .section = "%check" }, "%if 1\n%check\nx\n%else\n%files\n%endif\n", "%if 1\n%else\n%files\n%endif\n", NULL },
        { "remove-section: an overlap is refused", { SECTION, .section = "%check" }, "%check\n%if 1\nx\n%files\n%endif\n", NULL, "overlap" },
        { "remove-subpackage: in both forms of its name", { SUBPACKAGE, .package = "d" }, "Name: a\n%package d\nA: b\n%description -n %{name}-d\nt\n%prep\np\n%files -n a-d\nf\n", "Name: a\n%prep\np\n", NULL },
        { "patch-remove: a bare Patch too", { UNPATCH, .file = "a.patch" }, "Patch: a.patch\n%prep\n%autosetup\n", "%prep\n%autosetup\n", NULL },
        { "patch-remove: not while it is applied", { UNPATCH, .file = "a.patch" }, "Patch0: b.patch\nPatch: a.patch\n%prep\n%patch -P 1 -p1\n", NULL, "still applied" },
        { "line endings stay", { ADD, .tag = "X", .value = "1" }, "Name: a\r\nB: c", "Name: a\r\nB: c\r\nX: 1", NULL },
};

static void test_strict(void **state) {
        (void) state;
        run_cases(ASH_SEMANTICS_STRICT, strict_cases, ASH_N(strict_cases));
}

/* ---- files ---- */

typedef struct Fixture {
        AshTempDir *dir;
        AshSourceTree *tree;
        AshDiags *diags;
} Fixture;

static void write_file(const Fixture *f, const char *name, const char *content) { assert_true(ash_file_write_atomic(f->dir->fd, name, ash_slice_str(content), 0644, false) >= 0); }

static void fixture_open(Fixture *f, const char *spec) {
        *f = (Fixture){ .tree = ash_source_tree_new(), .diags = ash_diags_new() };
        assert_int_equal(ash_tempdir_new(NULL, &f->dir), 0);
        assert_true(ash_mkdir_all(f->dir->fd, "up/sub/.git", 0755) >= 0 && ash_mkdir_all(f->dir->fd, "up/.git", 0755) >= 0 && ash_mkdir_all(f->dir->fd, "over", 0755) >= 0);
        write_file(f, "up/x.spec", spec);
        write_file(f, "up/a.patch", "one\ntwo\n");
        write_file(f, "up/b.conf", "one\n");
        write_file(f, "up/w\\x2dy", "w\n");
        write_file(f, "up/sub/c.patch", "one\n");
        write_file(f, "up/sub/.git/c.patch", "one\n");
        write_file(f, "up/.git/a.patch", "one\n");
        write_file(f, "over/new.patch", "--- a\n+++ b\n+new\n");
        assert_int_equal(symlinkat("/etc/passwd", f->dir->fd, "up/link.patch"), 0);
        assert_int_equal(symlinkat("/etc", f->dir->fd, "up/etc"), 0);
        assert_int_equal(symlinkat("/etc/passwd", f->dir->fd, "over/passwd"), 0);
        assert_int_equal(symlinkat("..", f->dir->fd, "over/up"), 0);
        assert_int_equal(ash_source_tree_add_dir(f->tree, f->dir->fd, "up", f->diags), 0);
}

static void fixture_close(Fixture *f) {
        ash_source_tree_free(f->tree);
        ash_diags_free(f->diags);
        ash_tempdir_free(f->dir);
}

static int apply_file(Fixture *f, AshOverlaySemantics semantics, Row row) {
        Built b;
        AshOverlay *o = build(&row, &b);
        _free_ char *base = ash_path_join(f->dir->path, "over");
        AshOverlayOptions options = { .semantics = semantics, .spec = "x.spec", .component = "x", .project_dir = f->dir->path };
        o->base_dir = base;
        ash_diags_clear(f->diags);
        return ash_overlay_apply(f->tree, o, 1, &options, NULL, f->diags);
}

static void expect_content(Fixture *f, const char *name, const char *content) {
        AshSlice s;
        if (!content) {
                assert_null(ash_source_tree_find(f->tree, name));
                return;
        }
        assert_int_equal(ash_source_tree_read(f->tree, name, &s, NULL), 0);
        if (!ash_slice_eqs(s, content))
                fail_msg("%s holds '%.*s', wanted '%s'", name, ASH_F(s), content);
}

static const char *message(const Fixture *f) { return ash_diags_n(f->diags) ? ash_diags_at(f->diags, ash_diags_n(f->diags) - 1)->text : ""; }

static void test_files(void **state) {
        (void) state;
        Fixture f;
        fixture_open(&f, "Name: x\nPatch3: z.patch\n");
        AshOverlaySemantics az = ASH_SEMANTICS_AZLDEV;
        assert_int_equal(apply_file(&f, az, (Row){ ASH_OVERLAY_FILE_PREPEND_LINES, .file = "**/*.patch", .lines = "x|y" }), 0);
        expect_content(&f, "a.patch", "x\ny\none\ntwo\n");
        expect_content(&f, "sub/c.patch", "x\ny\none\n");
        assert_null(ash_source_tree_find(f.tree, ".git/a.patch"));
        assert_int_equal(apply_file(&f, az, (Row){ ASH_OVERLAY_FILE_SEARCH_REPLACE, .file = "*", .regex = "(?m)^", .replacement = "> " }), 0);
        expect_content(&f, "a.patch", "> x\n> y\n> one\n> two\n> ");
        expect_content(&f, "x.spec", "Name: x\nPatch3: z.patch\n");
        assert_int_equal(apply_file(&f, az, (Row){ ASH_OVERLAY_FILE_SEARCH_REPLACE, .file = "*.patch", .regex = "^nothing", .replacement = "" }), -ENOENT);
        assert_int_equal(apply_file(&f, az, (Row){ ASH_OVERLAY_FILE_SEARCH_REPLACE, .file = "b.cofn", .regex = "x", .replacement = "" }), -ENOENT);
        assert_string_equal(ash_diags_at(f.diags, 0)->hint, "the nearest file is 'b.conf'");
        assert_int_equal(apply_file(&f, az, (Row){ ASH_OVERLAY_FILE_RENAME, .file = "w\\x2dy", .replacement = "w-y" }), 0);
        expect_content(&f, "w-y", "> w\n> ");
        expect_content(&f, "w\\x2dy", NULL);
        assert_int_equal(apply_file(&f, az, (Row){ ASH_OVERLAY_FILE_RENAME, .file = "sub/*.patch", .replacement = "d.patch" }), 0);
        expect_content(&f, "sub/d.patch", "x\ny\none\n");
        assert_int_equal(apply_file(&f, az, (Row){ ASH_OVERLAY_FILE_RENAME, .file = "**/*.patch", .replacement = "d.patch" }), -ERANGE);
        assert_int_equal(apply_file(&f, az, (Row){ ASH_OVERLAY_FILE_REMOVE, .file = "b.*" }), 0);
        expect_content(&f, "b.conf", NULL);
        assert_int_equal(apply_file(&f, az, (Row){ ASH_OVERLAY_FILE_REMOVE, .file = "*.spec" }), -ENOENT);
        assert_int_equal(apply_file(&f, az, (Row){ ASH_OVERLAY_FILE_REMOVE, .file = "link.patch" }), -ENOENT);
        assert_int_equal(apply_file(&f, az, (Row){ ASH_OVERLAY_FILE_ADD, .file = "n/new.patch", .source = "new.patch" }), 0);
        expect_content(&f, "n/new.patch", "--- a\n+++ b\n+new\n");
        assert_int_equal(apply_file(&f, az, (Row){ ASH_OVERLAY_FILE_ADD, .file = "n/new.patch", .source = "new.patch" }), -EEXIST);
        assert_int_equal(apply_file(&f, az, (Row){ ASH_OVERLAY_FILE_ADD, .file = "y.spec", .source = "new.patch" }), -EINVAL);
        assert_int_equal(apply_file(&f, az, (Row){ ASH_OVERLAY_PATCH_ADD, .source = "new.patch" }), 0);
        expect_content(&f, "x.spec", "Name: x\nPatch3: z.patch\nPatch4: new.patch\n");
        expect_content(&f, "new.patch", "--- a\n+++ b\n+new\n");
        assert_int_equal(apply_file(&f, az, (Row){ ASH_OVERLAY_PATCH_ADD, .source = "new.patch" }), -EEXIST); /* and the spec is as it was */
        expect_content(&f, "x.spec", "Name: x\nPatch3: z.patch\nPatch4: new.patch\n");
        assert_int_equal(apply_file(&f, az, (Row){ ASH_OVERLAY_PATCH_REMOVE, .file = "new.patch" }), 0);
        expect_content(&f, "new.patch", NULL);
        assert_int_equal(apply_file(&f, az, (Row){ ASH_OVERLAY_FILE_RENAME, .file = "z.patch", .replacement = "y.patch" }), 0); /* named by the spec, not at hand */
        assert_non_null(strstr(message(&f), "not among its files"));
        fixture_close(&f);
}

static void test_patch_numbers(void **state) {
        (void) state;
        static const struct { const char *before, *after; } cases[] = {
                { "Name: x\n", "Name: x\nPatch0: new.patch\n" },
                { "Patch: a\nPatch: b\n\n%prep\n", "Patch: a\nPatch: b\n\nPatch2: new.patch\n%prep\n" },
                { "Patch%{n}: a\npatch7: b\n%package d\nPatch12: c\n%prep\n", "Patch%{n}: a\npatch7: b\nPatch13: new.patch\n%package d\nPatch12: c\n%prep\n" },
                { "Name: x\n%patchlist\na\n\n%prep\n", "Name: x\n%patchlist\na\n\nnew.patch\n%prep\n" },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                Fixture f;
                fixture_open(&f, cases[i].before);
                assert_int_equal(apply_file(&f, ASH_SEMANTICS_AZLDEV, (Row){ ASH_OVERLAY_PATCH_ADD, .source = "new.patch" }), 0);
                expect_content(&f, "x.spec", cases[i].after);
                fixture_close(&f);
        }
}

/* Everything that leaves its directory is refused, and nothing is changed. */
static void test_escapes(void **state) {
        (void) state;
        static const Row rows[] = {
                { ASH_OVERLAY_FILE_ADD, .file = "p", .source = "../../etc/passwd" },
                { ASH_OVERLAY_FILE_ADD, .file = "p", .source = "../../../../../../../../etc/passwd" },
                { ASH_OVERLAY_FILE_ADD, .file = "p", .source = "/etc/passwd" },
                { ASH_OVERLAY_FILE_ADD, .file = "p", .source = "passwd" },
                { ASH_OVERLAY_FILE_ADD, .file = "p", .source = "up/over/new.patch" },
                { ASH_OVERLAY_FILE_ADD, .file = "../p", .source = "new.patch" },
                { ASH_OVERLAY_FILE_ADD, .file = "/tmp/p", .source = "new.patch" },
                { ASH_OVERLAY_FILE_ADD, .file = "etc/p", .source = "new.patch" },
                { ASH_OVERLAY_FILE_ADD, .file = "link.patch", .source = "new.patch" },
                { ASH_OVERLAY_FILE_ADD, .file = ".git/p", .source = "new.patch" },
                { ASH_OVERLAY_FILE_ADD, .file = "sub/../../p", .source = "new.patch" },
                { ASH_OVERLAY_PATCH_ADD, .file = "../p.patch", .source = "new.patch" },
                { ASH_OVERLAY_PATCH_ADD, .source = "../../etc/passwd" },
                { ASH_OVERLAY_FILE_RENAME, .file = "a.patch", .replacement = "../p" },
                { ASH_OVERLAY_FILE_RENAME, .file = "a.patch", .replacement = "x.spec" },
                { ASH_OVERLAY_FILE_PREPEND_LINES, .file = "etc/passwd", .lines = "x" },
                { ASH_OVERLAY_FILE_PREPEND_LINES, .file = "link.patch", .lines = "x" },
        };
        Fixture f;
        fixture_open(&f, "Name: x\n");
        size_t n = ash_source_tree_n(f.tree);
        for (size_t semantics = 0; semantics < 2; semantics++)
                for (size_t i = 0; i < ASH_N(rows); i++) {
                        if (apply_file(&f, (AshOverlaySemantics) semantics, rows[i]) >= 0)
                                fail_msg("row %zu was not refused", i);
                        assert_int_equal(ash_source_tree_n(f.tree), n);
                        expect_content(&f, "x.spec", "Name: x\n");
                }
        fixture_close(&f);
}

/* ---- lists, limits, reports ---- */

static void test_atomic(void **state) {
        (void) state;
        Built b[3];
        AshOverlay list[3] = {
                *build(&(Row){ ADD, .tag = "A", .value = "1" }, &b[0]), *build(&(Row){ UPDATE, .tag = "Nope", .value = "1" }, &b[1]), *build(&(Row){ ADD, .tag = "B", .value = "2" }, &b[2]),
        };
        for (size_t i = 0; i < 3; i++)
                list[i].lines.items = b[i].lines;
        AshOverlayOptions options = { .spec = "x.spec", .component = "x" };
        _cleanup_(ash_source_tree_free_p) AshSourceTree *tree = ash_source_tree_new();
        _cleanup_(ash_overlay_report_free_p) AshOverlayReport *report = NULL;
        AshSlice after;
        ash_source_tree_put(tree, "x.spec", ASH_S("Name: x"), 0755);
        assert_int_equal(ash_overlay_apply(tree, list, 3, &options, NULL, NULL), -ENOENT);
        ash_source_tree_read(tree, "x.spec", &after, NULL);
        assert_true(ash_slice_eqs(after, "Name: x"));
        options.keep_going = options.places = true;
        assert_int_equal(ash_overlay_apply(tree, list, 3, &options, &report, NULL), -ENOENT);
        ash_source_tree_read(tree, "x.spec", &after, NULL);
        assert_true(ash_slice_eqs(after, "Name: x\nA: 1\nB: 2\n"));
        assert_int_equal(ash_source_tree_find(tree, "x.spec")->mode, 0755);
        assert_int_equal(ash_overlay_report_n(report), 3);
        assert_true(ash_overlay_report_at(report, 0)->result == 0 && ash_overlay_report_at(report, 1)->result == -ENOENT && ash_overlay_report_at(report, 2)->places.n == 1);
}

static void test_long_lines(void **state) {
        (void) state;
        Row row = { ADD, .tag = "A", .value = "1" };
        for (size_t k = 0; k < 2; k++) {
                _str_ AshStr spec = {}, out = {};
                _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
                ash_str_append_str(&spec, "Name: x\n#");
                ash_str_append_fill(&spec, 'x', 65534 + k); /* with its '#': as long as may be, and one more */
                ash_str_append_char(&spec, '\n');
                int r = apply(ASH_SEMANTICS_AZLDEV, &row, spec.ptr, &out, NULL, diags);
                assert_int_equal(r, k ? -ASH_ERR_LIMIT : 0);
                if (k)
                        assert_string_equal(ash_diags_at(diags, 0)->text, "spec-add-tag: line 2 of x.spec has 65536 bytes; azldev's semantics end at 65535");
                ash_str_clear(&out);
                assert_int_equal(apply(ASH_SEMANTICS_STRICT, &row, spec.ptr, &out, NULL, diags), 0);
        }
}

static void test_report(void **state) {
        (void) state;
        _cleanup_(ash_overlay_report_free_p) AshOverlayReport *report = NULL;
        _str_ AshStr out = {};
        Row row = { REPLACE, .regex = "a", .replacement = "b" };
        assert_int_equal(apply(ASH_SEMANTICS_AZLDEV, &row, "x\n%if 1\naa\n%endif\n%build\na\n", &out, &report, NULL), 0);
        const AshOverlayEffect *e = ash_overlay_report_at(report, 0);
        assert_true(e->matches == 3 && e->places.n == 2 && e->in_conditional);
        assert_true(e->places.items[0].line == 3 && e->places.items[0].upstream_line == 3 && ash_slice_eqs(e->places.items[0].conditional, "%if 1"));
        assert_true(ash_slice_eqs(e->places.items[0].before, "aa") && ash_slice_eqs(e->places.items[0].after, "bb"));
        assert_true(e->places.items[1].line == 6 && !e->places.items[1].conditional.len);
        ash_str_clear(&out);
        ash_overlay_report_free(ASH_TAKE(report));
        row.regex = "%if 1"; /* the %if line itself is not in its conditional */
        assert_int_equal(apply(ASH_SEMANTICS_AZLDEV, &row, "x\n%if 1\naa\n%endif\n", &out, &report, NULL), 0);
        assert_false(ash_overlay_report_at(report, 0)->in_conditional);
}

static void test_render(void **state) {
        (void) state;
        AshText with[] = { text("z") }, without[] = { text("doc") }, undefines[] = { text("gone") };
        AshPair defines[] = { { text("rhel"), text("10") }, { text("gone"), text("1") }, { text("Abc"), text("x y") } };
        AshComponentConfig config = { .with = { with, 1 }, .without = { without, 1 }, .undefines = { undefines, 1 }, .defines = { defines, 3 }, .check_skip.value = ASH_YES, .check_skip_reason = text("no net") };
        AshOverlayOptions options = { .spec = "x.spec", .component = "x" };
        _cleanup_(ash_source_tree_free_p) AshSourceTree *tree = ash_source_tree_new(), *bare = ash_source_tree_new();
        AshSlice s;
        ash_source_tree_put(tree, "x.spec", ASH_S("Name: x\nSource0: a\n\n%check\nmake\n"), 0644);
        assert_int_equal(ash_overlay_render(tree, &config, &options, NULL, NULL), 0);
        ash_source_tree_read(tree, "x.azl.macros", &s, NULL);
        assert_true(ash_slice_eqs(s, "# Macros file automatically generated by azldev.\n# Do not edit manually; changes will be overwritten.\n%Abc x y\n%_with_z 1\n%_without_doc 1\n%rhel 10\n"));
        ash_source_tree_read(tree, "x.spec", &s, NULL);
        assert_true(ash_slice_eqs(s, "# This spec file has been modified by azldev to include build configuration overlays.\n# Do not edit manually; changes may be overwritten.\n\n"
                "# All Azure Linux specs with overlays include this macro file, irrespective of whether new macros have been added.\n%{load:%{_sourcedir}/x.azl.macros}\n\n"
                "Name: x\nSource0: a\nSource9999: x.azl.macros\n\n%check\n# Check section disabled: no net\nexit 0\n\nmake\n"));
        /* Nothing to do: not a byte changes. */
        ash_source_tree_put(bare, "x.spec", ASH_S("Name: x\r\n%check"), 0644);
        assert_int_equal(ash_overlay_render(bare, &(AshComponentConfig){}, &options, NULL, NULL), 0);
        ash_source_tree_read(bare, "x.spec", &s, NULL);
        assert_true(ash_slice_eqs(s, "Name: x\r\n%check"));
        /* No %check to skip: an error, and no macro file is left behind. */
        ash_source_tree_put(bare, "x.spec", ASH_S("Name: x\n"), 0644);
        assert_int_equal(ash_overlay_render(bare, &config, &options, NULL, NULL), -ENOENT);
        assert_int_equal(ash_source_tree_n(bare), 1);
        options.names = ash_overlay_names_ashlar;
        options.semantics = ASH_SEMANTICS_STRICT;
        ash_source_tree_put(bare, "x.spec", ASH_S("Name: x\n%if 1\n%check\n%else\n%check\n%endif\n"), 0644);
        assert_int_equal(ash_overlay_render(bare, &config, &options, NULL, NULL), 0);
        assert_non_null(ash_source_tree_find(bare, "x.ashlar.macros"));
}

/* ---- archives ---- */

static int archive_open(void *context, AshSourceTree *sources, const char *archive, AshSpan at, AshSourceTree **ret, AshDiags *diags) {
        (void) sources, (void) archive, (void) at, (void) diags;
        ++*(int *) context;
        *ret = ash_source_tree_new();
        ash_source_tree_put(*ret, "doc/README", ASH_S("one\n"), 0644);
        return 0;
}

static int archive_close(void *context, AshSourceTree *sources, const char *archive, AshSourceTree *edited, AshSpan at, AshDiags *diags) {
        (void) at;
        AshSlice s;
        *(int *) context += 100;
        return ash_source_tree_read(edited, "doc/README", &s, diags) < 0 ? -1 : ash_source_tree_put(sources, archive, s, 0644);
}

static void test_archives(void **state) {
        (void) state;
        Built b[3];
        int calls = 0;
        AshArchiveOps ops = { archive_open, archive_close, &calls };
        AshOverlay list[3] = {
                *build(&(Row){ ASH_OVERLAY_FILE_SEARCH_REPLACE, .file = "s.tar.gz", .regex = "tow", .replacement = "two" }, &b[0]), /* sees the archive after its own overlays */
                *build(&(Row){ ASH_OVERLAY_FILE_SEARCH_REPLACE, .file = "**/README", .regex = "one", .replacement = "oen" }, &b[1]),
                *build(&(Row){ ASH_OVERLAY_FILE_SEARCH_REPLACE, .file = "doc/*", .regex = "oen", .replacement = "tow" }, &b[2]),
        };
        list[1].archive = list[2].archive = text("s.tar.gz");
        AshOverlayOptions options = { .spec = "x.spec", .component = "x", .archive = &ops };
        _cleanup_(ash_source_tree_free_p) AshSourceTree *tree = ash_source_tree_new();
        AshSlice s;
        ash_source_tree_put(tree, "s.tar.gz", ASH_S("archive"), 0644);
        assert_int_equal(ash_overlay_apply(tree, list, 3, &options, NULL, NULL), 0);
        ash_source_tree_read(tree, "s.tar.gz", &s, NULL);
        assert_true(ash_slice_eqs(s, "two\n"));
        assert_int_equal(calls, 101);
        options.archive = NULL;
        assert_int_equal(ash_overlay_apply(tree, list, 3, &options, NULL, NULL), -EINVAL);
}

/* ---- lint and rebase ---- */

static const AshLintFinding *finding(const AshLintFindings *f, AshLintKind kind, const AshOverlay *o) {
        ash_array_foreach(&f->items, i)
                if (i->kind == kind && i->overlay == o)
                        return i;
        return NULL;
}

static void test_lint(void **state) {
        (void) state;
        static const char spec[] = "Name: x\nVersion: 1.2\nRelease: 3%{?dist}\nBuildRequires: there\n%if 1\nSource0: a\n%endif\nSummary: s\n%build\nmake\nmake\nfixed-flag\n%changelog\n* Mon Apr 06 2026 A <a@b> - 1.2-3\n- Backport 0123456789abcdef\n";
        Row rows[] = {
                { UPDATE, .tag = "Source0", .value = "b" },                                /* 0: no reason, in a conditional */
                { REPLACE, .section = "%build", .regex = "make", .replacement = "ninja" }, /* 1: twice */
                { UPDATE, .tag = "Summary", .value = "s" },                                /* 2: nothing changes */
                { ADD, .tag = "BuildRequires", .value = "there" },                         /* 3: upstream has it */
                { REPLACE, .regex = "broken-flag", .replacement = "fixed-flag" },          /* 4: upstream has it */
                { UPDATE, .tag = "Nope", .value = "s" },                                   /* 5: fails */
                { ADD, .tag = "X", .value = "1" },                                         /* 6: its commit has arrived */
                { ADD, .tag = "Y", .value = "1" },                                         /* 7: its release has arrived */
                { ADD, .tag = "Z", .value = "1" },                                         /* 8: upstreamed since */
                { ADD, .tag = "W", .value = "1" },                                         /* 9: nothing to say */
        };
        Built b[ASH_N(rows)];
        AshOverlay list[ASH_N(rows)];
        AshText commit = text("https://example.org/c/0123456789abcdef0123456789abcdef01234567");
        for (size_t i = 0; i < ASH_N(rows); i++) {
                list[i] = *build(&rows[i], &b[i]);
                if (i)
                        list[i].description = text("why");
        }
        list[6].commits = (AshTexts){ &commit, 1 };
        list[7].description = text("Fixed upstream in rawhide (x-1.2-2).");
        list[8].upstream_status = text("upstreamed");
        list[8].since = text("2026-01-31");
        list[9].description = text("Fixed upstream in rawhide (x-1.2-4).");
        AshComponentConfig config = { .overlays = { list, ASH_N(rows) } };
        AshOverlayOptions options = { .spec = "x.spec", .component = "x" };
        _cleanup_(ash_source_tree_free_p) AshSourceTree *tree = ash_source_tree_new();
        AshLintFindings f = {};
        ash_source_tree_put(tree, "x.spec", ash_slice_str(spec), 0644);
        assert_int_equal(ash_overlay_lint(tree, &config, &options, &f, NULL), 0);
        assert_non_null(finding(&f, ASH_LINT_NO_REASON, &list[0]));
        assert_true(finding(&f, ASH_LINT_CONDITIONAL, &list[0])->line == 6);
        assert_non_null(finding(&f, ASH_LINT_MANY, &list[1]));
        assert_non_null(finding(&f, ASH_LINT_NO_EFFECT, &list[2]));
        assert_true(finding(&f, ASH_LINT_ARRIVED, &list[3])->line == 4);
        assert_true(finding(&f, ASH_LINT_ARRIVED, &list[4])->line == 12);
        assert_non_null(finding(&f, ASH_LINT_FAILS, &list[5]));
        assert_non_null(finding(&f, ASH_LINT_ARRIVED, &list[6]));
        assert_non_null(finding(&f, ASH_LINT_ARRIVED, &list[7]));
        assert_non_null(finding(&f, ASH_LINT_ARRIVED, &list[8]));
        assert_int_equal(f.items.n, 10);
        ash_lint_findings_done(&f);
}

static void test_rebase(void **state) {
        (void) state;
        Row rows[] = {
                { REPLACE, .section = "%build", .regex = "%configure --old", .replacement = "%configure --new" },
                { ADD, .tag = "X", .value = "1" },
                { REPLACE, .section = "%build", .regex = "make", .replacement = "ninja" },
        };
        Built b[ASH_N(rows)];
        AshOverlay list[ASH_N(rows)];
        for (size_t i = 0; i < ASH_N(rows); i++)
                list[i] = *build(&rows[i], &b[i]);
        AshComponentConfig config = { .overlays = { list, ASH_N(rows) } };
        AshOverlayOptions options = { .spec = "x.spec", .component = "x", .no_header = true };
        _cleanup_(ash_source_tree_free_p) AshSourceTree *old = ash_source_tree_new(), *onto = ash_source_tree_new();
        AshRebase rebase = {};
        AshSlice s;
        ash_source_tree_put(old, "x.spec", ASH_S("Name: x\n%build\n%configure --old\nmake\n"), 0644);
        ash_source_tree_put(onto, "x.spec", ASH_S("Name: x\nVersion: 2\n%build\n%configure --odl --more\nmake\nmake\n"), 0644);
        assert_int_equal(ash_overlay_rebase(old, onto, &config, &options, &options, &rebase, NULL), 1);
        assert_true(rebase.conflicts.n == 1 && rebase.applied == 2 && rebase.moved == 1);
        const AshConflict *c = rebase.conflicts.items;
        assert_true(c->overlay == &list[0] && c->old_line == 3 && c->new_line == 4);
        assert_non_null(strstr(c->old_text.ptr, "%configure --old\n"));
        assert_non_null(strstr(c->new_text.ptr, "%configure --odl --more\n"));
        ash_source_tree_read(onto, "x.spec", &s, NULL);
        assert_true(ash_slice_eqs(s, "Name: x\nVersion: 2\nX: 1\n%build\n%configure --odl --more\nninja\nninja\n"));
        ash_source_tree_read(old, "x.spec", &s, NULL);
        assert_true(ash_slice_eqs(s, "Name: x\n%build\n%configure --old\nmake\n"));
        ash_rebase_done(&rebase);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain),      cmocka_unit_test(test_strict), cmocka_unit_test(test_files),  cmocka_unit_test(test_patch_numbers),
                cmocka_unit_test(test_escapes),    cmocka_unit_test(test_atomic), cmocka_unit_test(test_long_lines), cmocka_unit_test(test_report),
                cmocka_unit_test(test_render),     cmocka_unit_test(test_archives), cmocka_unit_test(test_lint), cmocka_unit_test(test_rebase),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
