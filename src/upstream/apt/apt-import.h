/* Private to the module: from a deb to an RPM. */
#pragma once
#include "apt.h"

/* ---- what files say about relations: as rpm's own generators would (docs/apt-import.md, "Generated relations") ---- */
typedef struct AptNeed {
        AshSlice name, evr;
        uint32_t flags;
        AshSlice owner;          /* a soname or an interpreter's path: decides who must give it; empty: not known */
} AptNeed;
typedef struct AptGenerated {
        AshArena *arena;
        AshSlice python;         /* "3.13": the version that /usr/lib/python3/dist-packages belongs to; empty: not known */
        ASH_ARRAY(AshRpmDep) provides;
        ASH_ARRAY(AptNeed) needs;
} AptGenerated;
/* Looks at one file; sets its colour and type. Never fails: what cannot be read as what it claims to be says nothing. */
void apt_generate(AptGenerated *g, AshRpmNewFile *file);
/* Looks at all files of a package together: CMake's version files stand beside what they speak of. */
void apt_generate_cmake(AptGenerated *g, const AshRpmNewFile *files, size_t n);
void apt_generated_done(AptGenerated *g);
void apt_generate_elf(AptGenerated *g, AshRpmNewFile *file);
void apt_generate_perl(AptGenerated *g, const AshRpmNewFile *file);
void apt_generate_python(AptGenerated *g, const AshRpmNewFile *file);
void apt_generate_pkgconfig(AptGenerated *g, const AshRpmNewFile *file);
void apt_provide(AptGenerated *g, AshSlice evr, const char *format, ...) _printf_(3, 4);
void apt_need(AptGenerated *g, AshSlice owner, uint32_t flags, AshSlice evr, const char *format, ...) _printf_(5, 6);
/* A version that can stand in a relation: white space and what rpm refuses is replaced; '-' becomes '_'. */
AshSlice apt_clean_version(AshArena *arena, AshSlice v);

/* ---- texts ---- */
/* debian/copyright: an SPDX-like expression. *ret_guessed: the file is not machine-readable (DEP-5). */
AshSlice apt_license(AshArena *arena, AshSlice copyright, bool *ret_guessed);
/* debian/changelog: at most max entries, newest first. */
size_t apt_changelog(AshArena *arena, AshSlice text, AshRpmNewChange *ret, size_t max);
