/* RPM packages as untrusted bytes: header, digests, file list, relations, payload. Digests are not asked for, so that changed bytes reach everything behind them. */
#include "rpm-read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

static void read_payload(const AshRpm *rpm, const AshRpmFiles *files) {
        _cleanup_(ash_rpm_payload_free_p) AshRpmPayload *p = NULL;
        char buffer[4096];
        size_t i = 0;
        uint64_t declared = 0, total = 0;
        if (ash_rpm_payload_open(rpm, files, 16 << 20, &p, NULL) < 0)
                return;
        while (ash_rpm_payload_next(p, &i, &declared, NULL) > 0) {
                must(i < files->n);
                uint64_t got = 0;
                for (ssize_t n; (n = ash_rpm_payload_read(p, buffer, sizeof(buffer), NULL)) > 0;)
                        got += (uint64_t) n;
                must(got <= declared);
                total += got;
        }
        must(total <= (uint64_t) 32 << 20);
}

static void read_tags(const AshRpm *rpm, AshArena *arena) {
        uint64_t sum = 0, number;
        for (uint32_t i = 0; i < rpm->header.n; i++) {
                const AshRpmTag *t = &rpm->header.tags[i];
                uint32_t n = 0;
                must(ash_rpm_tag(&rpm->header, t->tag) == t);
                sum += ash_rpm_string(&rpm->header, t->tag).len + ash_rpm_bytes(&rpm->header, t->tag).len;
                ash_rpm_number(&rpm->header, t->tag, &number);
                AshSlice *s = ash_rpm_strings(&rpm->header, t->tag, arena, &n);
                for (uint32_t k = 0; k < n; k++)
                        sum += s[k].len;
                sum += ash_rpm_number_at(&rpm->header, t, t->count - 1);
        }
        must(sum > 0 || rpm->header.n == 0);
        for (int kind = 0; kind < ASH_RPM_RELATION_MAX_; kind++) {
                AshRpmDep *deps = NULL;
                size_t n = 0;
                if (ash_rpm_deps(rpm, kind, arena, &deps, &n, NULL) >= 0)
                        for (size_t i = 0; i < n; i++)
                                must(deps[i].name.ptr && deps[i].evr.ptr);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshRpmSignatures signatures = {};
        AshRpmFiles files;
        AshRpmNevra nevra;
        if (ash_rpm_parse(ash_slice((const char *) data, size), "fuzz", &rpm, NULL) < 0)
                return 0;
        must(rpm->payload.ptr + rpm->payload.len == (const char *) data + size);
        read_tags(rpm, arena);
        if (ash_rpm_nevra(rpm, &nevra, NULL) >= 0) {
                _free_ char *text = ash_rpm_nevra_text(&nevra);
                must(!strchr(text, '/'));
        }
        ash_rpm_signatures(rpm, arena, &signatures, NULL);
        ash_array_done(&signatures.items);
        if (ash_rpm_files(rpm, arena, &files, NULL) >= 0) {
                ash_rpm_files_check(rpm, &files, NULL);
                read_payload(rpm, &files);
        }
        return 0;
}
