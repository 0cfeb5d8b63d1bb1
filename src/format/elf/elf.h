/* ELF (System V gABI; symbol versions: LSB Core, chapter 10): what a file's dynamic section asks for and offers. Foreign bytes: every offset is checked. */
#pragma once
#include "base.h"

typedef struct AshElfVersion {
        AshSlice file;           /* of a needed version: the library it belongs to; of an offered one: the base version, as a rule the soname */
        AshSlice name;           /* "GLIBC_2.34" */
} AshElfVersion;

typedef struct AshElf {
        bool is64, big_endian;
        uint16_t type, machine;  /* ET_*, EM_* */
        bool dynamic;            /* has a dynamic section: all below are empty otherwise */
        bool debug_tag;          /* DT_DEBUG: a program, position-independent or not */
        bool hash, gnu_hash;     /* DT_HASH, DT_GNU_HASH */
        AshSlice soname, interpreter;
        AshSlice rpath, runpath; /* DT_RPATH, DT_RUNPATH: directories with ':' between, as written ("$ORIGIN/../lib"); empty: none */
        AshSlice *needed;
        size_t n_needed;
        AshSlice *dlopens;       /* what it may open while it runs: JSON of each .note.dlopen note (uapi-group.org, "ELF dlopen metadata") */
        size_t n_dlopens;
        AshElfVersion *wants, *offers;
        size_t n_wants, n_offers;
} AshElf;
enum { ASH_ELF_REL = 1, ASH_ELF_EXEC = 2, ASH_ELF_DYN = 3 };

typedef struct AshElfSection {
        AshSlice name;           /* ".text" */
        AshSlice bytes;          /* of the file; empty for a section without (NOBITS) */
} AshElfSection;

static inline bool ash_elf_magic(AshSlice bytes) { return bytes.len >= 20 && memcmp(bytes.ptr, "\177ELF", 4) == 0; }
/* Strings are borrowed from bytes, arrays live in the arena. -ENOENT: not ELF; -ASH_ERR_SYNTAX: its tables point outside the file. */
int ash_elf_read(AshSlice bytes, AshArena *arena, AshElf *ret);
/* The section headers, in their order; a file without has none. The same codes. */
int ash_elf_sections(AshSlice bytes, AshArena *arena, AshElfSection **ret, size_t *ret_n);
