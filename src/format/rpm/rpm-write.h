/* Writes RPM v4 packages (rpm.org: "RPM V4 Package format"): lead, signature header with room for signatures, header, cpio payload in zstd.
 * The bytes depend on nothing but the arguments and the version of libzstd. */
#pragma once
#include "io.h"
#include "rpm-read.h"

typedef struct AshRpmNewFile {
        AshSlice path;           /* absolute, normalized */
        AshSlice user, group;
        AshSlice link;           /* target of a symbolic link */
        AshSlice caps;           /* "cap_net_raw=ep"; empty: none */
        AshSlice data;           /* regular files; of each member of a hard link group the same bytes */
        AshSlice type;           /* what file(1) might say; empty: not said */
        uint64_t size;           /* of a ghost; else data.len counts */
        uint32_t mode;           /* type and permissions, as st_mode */
        uint32_t flags;          /* ASH_RPMFILE_*; a ghost has no bytes in the payload */
        uint32_t rdev;           /* as the header stores it: major << 8 | minor */
        uint32_t color;          /* 1: ELF of 32 bits, 2: of 64 bits */
        uint32_t mtime;          /* seconds */
        bool unverified;         /* rpm -V does not look at its content and time: something else goes on writing it */
        uint32_t hardlink;       /* members of one group have the same number; 0: none */
} AshRpmNewFile;

typedef struct AshRpmNewChange {
        uint32_t time;           /* seconds */
        AshSlice name, text;     /* "A. Packager <mail> - 1.0-1"; "- what changed" */
} AshRpmNewChange;

/* A file trigger of whole transactions (rpm.org: "File triggers"): runs /bin/sh once, with the files of the transaction's packages below the prefix as lines of its standard input. */
typedef struct AshRpmNewTrigger {
        AshSlice prefix, script;
        bool removal;            /* %transfiletriggerun: before packages with such files go; else %transfiletriggerin: after they came */
} AshRpmNewTrigger;

typedef struct AshRpmNew {
        AshSlice name, version, release, arch;
        uint32_t epoch;
        bool has_epoch;
        AshSlice summary, description, license, group, url, vendor, packager, distribution, source_rpm, build_host; /* empty: left out where rpm allows it */
        uint32_t build_time;     /* seconds */
        /* Relations by ASH_RPM_PROVIDES ... ASH_RPM_ENHANCES. The package's provides of its own name (NAME = EVR, and NAME(isa) where the architecture has one) and
         * the rpmlib() requirements are added here. Sorted and freed of repetitions here. */
        const AshRpmDep *deps[ASH_RPM_ENHANCES + 1];
        size_t n_deps[ASH_RPM_ENHANCES + 1];
        const AshRpmNewFile *files; /* any order: sorted by path here. A path twice is -EINVAL */
        size_t n_files;
        const AshRpmNewChange *changes; /* newest first */
        size_t n_changes;
        const AshRpmNewTrigger *triggers;
        size_t n_triggers;
        int zstd_level;          /* 0: 3 */
        uint32_t reserve;        /* bytes kept free in the signature header; 0: 4096 */
} AshRpmNew;

/* A file larger than 4 GiB - 1 makes the payload rpm's stripped cpio. Fails with -EINVAL for what cannot be written as a package (bad NEVRA, a path twice or not absolute). */
int ash_rpm_write(const AshRpmNew *package, AshWriter *out, AshDiags *diags);
/* "x86-64" for x86_64, "aarch-64" for aarch64: what stands in NAME(isa) provides; NULL for noarch and what we do not know. */
const char *ash_rpm_isa(AshSlice arch);
/* rpm's order of one version or release: <0, 0, >0. */
int ash_rpm_vercmp(AshSlice a, AshSlice b);
typedef struct AshRpmEvr {
        uint32_t epoch;
        AshSlice version, release; /* release ptr NULL: none, which matches every release */
} AshRpmEvr;
int ash_rpm_evr_parse(AshSlice text, AshRpmEvr *ret);           /* -EINVAL */
int ash_rpm_evr_cmp(const AshRpmEvr *a, const AshRpmEvr *b);    /* releases are compared when both have one */
/* Do two ranges (ASH_RPMSENSE_LESS|GREATER|EQUAL, 0: any version) have a version in common? As rpm decides whether a provide satisfies a requirement of its name. */
bool ash_rpm_ranges_meet(uint32_t flags_a, const AshRpmEvr *a, uint32_t flags_b, const AshRpmEvr *b);
