/* ELF files: what is told of one lies in it. */
#include "elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(AshSlice whole, AshSlice part) {
        if (part.len > 0 && (part.ptr < whole.ptr || part.len > whole.len || (size_t) (part.ptr - whole.ptr) > whole.len - part.len))
                abort();
}

static void check_versions(AshSlice whole, const AshElfVersion *versions, size_t n) {
        for (size_t i = 0; i < n; i++) {
                check(whole, versions[i].file);
                check(whole, versions[i].name);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshSlice whole = ash_slice((const char *) data, size);
        AshElfSection *sections;
        AshElf e;
        size_t n = 0;
        if (ash_elf_sections(whole, arena, &sections, &n) >= 0)
                for (size_t i = 0; i < n; i++) {
                        check(whole, sections[i].name);
                        check(whole, sections[i].bytes);
                }
        if (ash_elf_read(whole, arena, &e) < 0)
                return 0;
        const AshSlice texts[] = { e.soname, e.interpreter, e.rpath, e.runpath };
        for (size_t i = 0; i < ASH_N(texts); i++)
                check(whole, texts[i]);
        for (size_t i = 0; i < e.n_needed; i++)
                check(whole, e.needed[i]);
        for (size_t i = 0; i < e.n_dlopens; i++)
                check(whole, e.dlopens[i]);
        check_versions(whole, e.wants, e.n_wants);
        check_versions(whole, e.offers, e.n_offers);
        return 0;
}
