/* Debian's formats: deb822 text (deb822(5)), relations (Debian Policy 7.1), versions (Policy 5.6.12), and binary packages (deb(5)).
 * Foreign bytes throughout: every size is checked, nothing is believed. */
#pragma once
#include "base.h"
#include "io.h"
#include <sys/stat.h>

/* ---- deb822: stanzas of fields, streamed over a text in memory without copying ---- */
typedef struct AshDeb822 {
        AshSlice rest;     /* what has not been read */
        const char *start; /* of the whole text: for positions */
        bool inside;       /* a stanza has begun */
} AshDeb822;
typedef struct AshDebField {
        AshSlice name;
        AshSlice value;    /* without blanks around it; continuation lines are inside, with their newlines */
} AshDebField;
enum { ASH_DEB822_END = 0, ASH_DEB822_FIELD = 1, ASH_DEB822_STANZA_END = 2 };

static inline AshDeb822 ash_deb822(AshSlice text) { return (AshDeb822){ text, text.ptr, false }; }
/* The next event; -ASH_ERR_SYNTAX for a line that is neither a field, a continuation, a comment nor empty (then rest begins at that line).
 * Every stanza is closed by STANZA_END, the last one too. */
int ash_deb822_next(AshDeb822 *in, AshDebField *ret);
/* One field of the first stanza of a text; empty slice with ptr NULL when it is not there (or the text is broken before it). */
AshSlice ash_deb822_get(AshSlice text, const char *name);
/* A multi-line value as Debian writes descriptions: one leading blank off each line, " ." becomes an empty line. Appends. */
void ash_deb822_unfold(AshSlice value, AshStr *out);
/* The text inside a clear-signed message (RFC 4880, 7), or the text itself. Verifies nothing: apt has done that. */
AshSlice ash_deb_clearsigned_text(AshSlice text);

/* ---- versions: [epoch:]upstream[-revision] ---- */
typedef struct AshDebVersion {
        uint32_t epoch;
        AshSlice upstream;
        AshSlice revision; /* ptr NULL: none, which means the same as "0" */
} AshDebVersion;
/* -ASH_ERR_SYNTAX for what Policy forbids (as dpkg would refuse it; a revision of only punctuation, as relations use it, is fine). */
int ash_deb_version_parse(AshSlice text, AshDebVersion *ret);
/* The order of Policy 5.6.12: <0, 0, >0. */
int ash_deb_version_cmp(const AshDebVersion *a, const AshDebVersion *b);
int ash_deb_version_cmp_part(AshSlice a, AshSlice b); /* one upstream version or revision */

/* ---- relations ---- */
typedef enum AshDebOp { ASH_DEB_ANY, ASH_DEB_LT, ASH_DEB_LE, ASH_DEB_EQ, ASH_DEB_GE, ASH_DEB_GT, ASH_DEB_OP_MAX_ } AshDebOp;
const char *ash_deb_op_name(AshDebOp op); /* "<<"; "" for ANY */
typedef struct AshDebAtom {
        AshSlice name;
        AshSlice qualifier;    /* after the colon: "any", "native", an architecture; or empty */
        AshSlice version;      /* empty unless op is a comparison */
        AshDebOp op;
        bool alternative;      /* joined to the one before by '|' */
} AshDebAtom;
/* Takes the next atom off a relation field. 1, 0 at the end, -ASH_ERR_SYNTAX. Restrictions in [] and <> (they do not stand in binary packages) are skipped. */
int ash_deb_relation_next(AshSlice *rest, AshDebAtom *ret);
/* Does a candidate version satisfy "op version"? */
bool ash_deb_version_satisfies(const AshDebVersion *candidate, AshDebOp op, const AshDebVersion *version);

/* ---- binary packages ---- */
typedef struct AshDebEntry {
        AshSlice path;         /* relative, no "./", no trailing slash, no "..", NUL-terminated; empty: the root directory */
        mode_t mode;           /* type and permissions */
        uint32_t uid, gid;
        AshSlice user, group;  /* empty: none stored */
        int64_t mtime;         /* seconds */
        AshSlice target;       /* symbolic link: as stored */
        AshSlice data;         /* regular files; of hard links too: the data of the first */
        uint32_t major, minor; /* devices */
        uint32_t link;         /* hard link: 1 + index of the entry that it is another name of; 0: none */
} AshDebEntry;

typedef enum AshDebScript { ASH_DEB_PREINST, ASH_DEB_POSTINST, ASH_DEB_PRERM, ASH_DEB_POSTRM, ASH_DEB_CONFIG, ASH_DEB_TRIGGERS, ASH_DEB_SCRIPT_MAX_ } AshDebScript;
const char *ash_deb_script_name(AshDebScript s); /* "postinst" */

typedef struct AshDebLimits {
        uint64_t unpacked;     /* bytes of data.tar; 0: 16 GiB, and never more than what Installed-Size allows */
        uint64_t control;      /* bytes of control.tar; 0: 64 MiB */
        size_t entries;        /* 0: 4,000,000 */
} AshDebLimits;

typedef struct AshDeb {
        AshArena *arena;
        AshSlice control;      /* the text of the control file */
        AshSlice conffiles;    /* its text, or empty */
        AshSlice scripts[ASH_DEB_SCRIPT_MAX_]; /* ptr NULL: the package has none */
        AshDebEntry *entries;  /* in the archive's order; no path twice (directories named again are merged) */
        size_t n;
        AshStr data;           /* private: the unpacked data.tar */
        AshStr meta;           /* private: the unpacked control.tar */
} AshDeb;
/* Reads a whole package. "name" is what diagnostics call it. -ASH_ERR_SYNTAX: damaged or hostile (a path that leaves the package, is absolute or runs through
 * one of its own symbolic links; a name twice); -ASH_ERR_LIMIT: unpacks to more than it says or than the limits allow. */
int ash_deb_read(AshSlice file, const char *name, const AshDebLimits *limits, AshDeb **ret, AshDiags *diags);
void ash_deb_free(AshDeb *deb);
ASH_DEFINE_CLEANUP(AshDeb *, ash_deb_free)

/* private to the module: a tar archive in memory */
typedef struct AshDebTar {
        AshSlice bytes;
        AshArena *arena;
        size_t max_entries;
        ASH_ARRAY(AshDebEntry) entries;
        const char *problem;   /* what was wrong, after a failure */
        uint64_t offset;       /* ... and where */
} AshDebTar;
int ash_deb_tar_parse(AshDebTar *tar);
