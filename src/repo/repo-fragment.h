/* What a repository says of one package: its part of primary.xml, filelists.xml and other.xml (createrepo's format). Private to this module. */
#pragma once
#include "io.h"
#include "rpm-read.h"

typedef struct AshFragmentInput {
        const AshRpm *rpm;
        AshSlice location;       /* href, relative to the repository */
        char sha256[65];         /* of the package file, hex */
        uint64_t size;           /* bytes of the file */
        uint64_t header_end;     /* offset behind the header, in the published file */
        uint64_t header_start;
        uint64_t file_time;      /* Unix seconds */
        unsigned changelogs;     /* newest entries of the changelog to keep; UINT_MAX: all */
} AshFragmentInput;

typedef struct AshFragment {
        AshSlice primary, filelists, other;
} AshFragment;

/* What making them needs, used again for each package: one for each thread. What it made lives as long as it does. */
typedef struct AshFragmentMaker AshFragmentMaker;
AshFragmentMaker *ash_fragment_maker_new(void);
void ash_fragment_maker_free(AshFragmentMaker *m);
ASH_DEFINE_CLEANUP(AshFragmentMaker *, ash_fragment_maker_free)

/* -ASH_ERR_SYNTAX with a diagnostic that names the package when its header cannot be made sense of. */
int ash_fragment_make(AshFragmentMaker *m, const AshFragmentInput *in, AshFragment *ret, AshDiags *diags);

/* Text for XML: the five entities; control characters that XML 1.0 forbids are left out; what is not UTF-8 is read as Latin-1. */
void ash_xml_escape(AshStr *out, AshSlice text);
