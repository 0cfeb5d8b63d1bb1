/* rpm-md: repomd.xml and what it points at, metalinks and mirror lists; bytes to structs (createrepo's format, RFC 5854's predecessor metalink 3). libxml2's reader,
 * DTDs and entities refused, counts and depth limited. Feed only what was verified. Everything lives in the arena. */
#pragma once
#include "io.h"

typedef struct AshRpmmdChecksum {
        AshDigestKind kind;          /* ASH_DIGEST_INVALID_: none, or one that we do not have */
        uint8_t digest[ASH_DIGEST_SIZE_MAX];
} AshRpmmdChecksum;

/* ---- repomd.xml ---- */
typedef struct AshRpmmdData {
        AshSlice type;               /* "primary", "filelists", "other", "updateinfo", "group", "group_gz", "primary_db" ... */
        AshSlice href;               /* relative and confined, checked */
        AshRpmmdChecksum checksum, open_checksum;
        uint64_t size, open_size;    /* UINT64_MAX: not said */
        uint64_t timestamp;
} AshRpmmdData;
typedef struct AshRepomd {
        AshSlice revision;
        uint64_t timestamp;          /* the newest of its data */
        AshRpmmdData *data;
        size_t n;
} AshRepomd;
/* -ASH_ERR_SYNTAX, -ASH_ERR_LIMIT. A href that is absolute, holds "..", a control character or another host is refused. */
int ash_repomd_parse(AshSlice xml, const char *name, AshArena *arena, AshRepomd *ret, AshDiags *diags);
const AshRpmmdData *ash_repomd_find(const AshRepomd *md, const char *type);

/* ---- primary.xml ---- */
typedef struct AshRpmmdPackage {
        AshSlice name, version, release, arch, href, summary, sourcerpm;
        uint32_t epoch;
        AshRpmmdChecksum checksum;
        uint64_t size, installed_size, archive_size, build_time, file_time;
        uint64_t header_start, header_end;
} AshRpmmdPackage;
typedef struct AshPrimary {
        AshRpmmdPackage *packages;
        size_t n;
} AshPrimary;
/* xml: decompressed on the fly from "r". max_packages 0: 1,000,000. The declared count must be the true one. */
int ash_primary_parse(AshReader *r, const char *name, size_t max_packages, AshArena *arena, AshPrimary *ret, AshDiags *diags);

/* ---- filelists.xml, other.xml: one package at a time ---- */
typedef struct AshFilelistsPackage {
        AshSlice pkgid, name, arch, version, release;
        uint32_t epoch;
        struct { AshSlice path; char type; /* 'f', 'd', 'g' */ } *files;
        size_t n;
} AshFilelistsPackage;
typedef int (*AshFilelistsVisit)(void *context, const AshFilelistsPackage *p); /* p is gone after the call */
int ash_filelists_parse(AshReader *r, const char *name, AshFilelistsVisit visit, void *context, AshDiags *diags);
typedef struct AshOtherPackage {
        AshSlice pkgid, name, arch, version, release;
        uint32_t epoch;
        struct { AshSlice author, text; uint64_t date; } *changes;
        size_t n;
} AshOtherPackage;
typedef int (*AshOtherVisit)(void *context, const AshOtherPackage *p);
int ash_other_parse(AshReader *r, const char *name, AshOtherVisit visit, void *context, AshDiags *diags);

/* ---- updateinfo.xml ---- */
typedef struct AshUpdateReference {
        AshSlice type, id, href, title; /* type "cve", "bugzilla" ... */
} AshUpdateReference;
typedef struct AshUpdatePackage {
        AshSlice name, version, release, arch, src, filename;
        uint32_t epoch;
        bool reboot_suggested;
} AshUpdatePackage;
typedef struct AshUpdate {
        AshSlice id, type, status, title, severity, summary, description, issued, updated;
        AshUpdateReference *references;
        size_t n_references;
        AshUpdatePackage *packages;
        size_t n_packages;
} AshUpdate;
typedef struct AshUpdateinfo {
        AshUpdate *updates;
        size_t n;
} AshUpdateinfo;
int ash_updateinfo_parse(AshReader *r, const char *name, AshArena *arena, AshUpdateinfo *ret, AshDiags *diags);

/* ---- comps.xml ---- */
typedef struct AshCompsMember {
        AshSlice name, type, requires_; /* type "mandatory", "default", "optional", "conditional" */
} AshCompsMember;
typedef struct AshCompsGroup {
        AshSlice id, name, description;
        bool environment;            /* members are groups then; type "optional" for those of its optionlist */
        AshCompsMember *members;
        size_t n;
} AshCompsGroup;
typedef struct AshComps {
        AshCompsGroup *groups;
        size_t n;
} AshComps;
int ash_comps_parse(AshReader *r, const char *name, AshArena *arena, AshComps *ret, AshDiags *diags);

/* ---- where to fetch ---- */
typedef struct AshMetalinkVersion {
        uint64_t size, timestamp;    /* UINT64_MAX: not said */
        AshRpmmdChecksum checksums[4];
        size_t n;
} AshMetalinkVersion;
typedef struct AshMetalink {
        AshMetalinkVersion *versions; /* the newest first, then mm0:alternates */
        size_t n_versions;
        const char **urls;           /* base URLs ("repodata/repomd.xml" cut off, ending in '/'), by preference; NULL-terminated */
        size_t n_urls;
} AshMetalink;
int ash_metalink_parse(AshSlice xml, const char *name, AshArena *arena, AshMetalink *ret, AshDiags *diags);
/* A mirror list: one URL a line, '#' comments. http, https and (allow_file) file only. */
int ash_mirrorlist_parse(AshSlice text, const char *name, bool allow_file, AshArena *arena, const char ***ret_urls, size_t *ret_n, AshDiags *diags);
