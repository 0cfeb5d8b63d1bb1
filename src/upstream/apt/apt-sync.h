/* The archive's indices, fetched and verified by apt itself in a private state directory: the machine's own mirror and keyring with the suite replaced. No mirror is named here. */
#pragma once
#include "io.h"

typedef struct AshAptArchive {
        const char *suite;         /* "trixie" */
        const char *components;    /* "main", separated by spaces */
        const char *arch;          /* Debian's name: "amd64", "arm64" */
        const char *mirror;        /* --apt-mirror; NULL: $ASHLAR_APT_MIRROR, else the machine's own */
        const char *keyring;       /* NULL: $ASHLAR_APT_KEYRING, else what the machine's entry says, else Debian's archive keyring */
        const char *state_dir;     /* ours alone; made when missing */
        bool offline;              /* neither indices nor packages are fetched: those of the last time have to do */
        bool sources;              /* the index of source packages, and no other */
        AshSpan at;
} AshAptArchive;

typedef struct AshAptIndex {
        char *path;                /* a Packages (or Sources) file, plain text, verified by apt */
        char *component;
        uint8_t sha256[32];
        bool is_sources;
} AshAptIndex;
/* A list of files that the Release file names; it is not fetched with the indices. */
typedef struct AshAptContents {
        char *path;                /* below "dists/SUITE/": "main/Contents-amd64.gz" */
        uint8_t sha256[32];
} AshAptContents;
typedef struct AshAptSnapshot {
        char *mirror;              /* base URL, ending in '/'; a package's file name follows it. Never to be written into a project */
        char *date;                /* of the Release file, as it says: "Sat, 06 Sep 2025 ..." */
        uint8_t release_sha256[32]; /* of InRelease */
        char key[65];              /* fingerprint of the key that signed it; "" when gpgv cannot be asked (apt has checked it all the same) */
        ASH_ARRAY(AshAptIndex) indices;
        ASH_ARRAY(AshAptContents) contents; /* of the components, for the architecture and for all */
} AshAptSnapshot;
void ash_apt_snapshot_free(AshAptSnapshot *s);
ASH_DEFINE_CLEANUP(AshAptSnapshot *, ash_apt_snapshot_free)

/* Runs "apt-get update" there. -ASH_ERR_VERIFY: apt refused the Release file; -ASH_ERR_AGAIN: the mirror cannot be reached; -ENOENT: the machine has no apt configuration for Debian, or
 * no apt. As an ordinary user. */
int ash_apt_sync(const AshAptArchive *archive, AshAptSnapshot **ret, AshProgress *progress, AshDiags *diags);
/* What the last ash_apt_sync() there left, without asking the network; -ENOENT when there is nothing. */
int ash_apt_last(const AshAptArchive *archive, AshAptSnapshot **ret, AshDiags *diags);
/* The mirror (ending in '/') and keyring that would be used; malloc'ed. root: where etc/apt is ("/"; tests use another). */
int ash_apt_find_mirror(const AshAptArchive *archive, const char *root, char **ret_mirror, char **ret_keyring, AshDiags *diags);
/* Where libcurl finds a file of the archive (a package's file name); in the arena. NULL: only apt can read this mirror (cdrom:, mirror+file:). */
const char *ash_apt_url(const char *mirror, AshSlice filename, AshArena *arena);
/* apt itself downloads packages ("NAME=VERSION" each) into a directory; the caller checks what came. */
int ash_apt_download(const AshAptArchive *archive, const char *const *specs, size_t n, const char *into, AshProgress *progress, AshDiags *diags);
