#include <time.h>
#include "flow-late.h"
#include "specinfo.h"

#define HEAD "X "                    /* "X LIMIT TIME": ms; Unix seconds. No cache holds anything else that begins so */
#define AGAIN 3600                   /* seconds */

int ash_flow_late_limit(AshFlow *flow, const AshComponentConfig *component) {
        const AshNumber *project = &ash_config_project(flow->config)->build.timeout, *own = component ? &component->build_timeout : project;
        int64_t seconds = own->set ? own->value : project->set ? project->value : ASH_SPECINFO_MS / 1000;
        return (int) ASH_MIN(ASH_MAX(seconds, 1), ASH_SPECINFO_MS / 1000) * 1000;
}

void ash_flow_late_write(AshStr *out, int limit_ms) { ash_str_appendf(out, HEAD "%d %lld\n", limit_ms, (long long) time(NULL)); }

bool ash_flow_late_is(AshSlice text) { return ash_slice_starts(text, ASH_S(HEAD)); }

bool ash_flow_late_known(AshSlice text, int limit_ms) {
        AshSlice word;
        uint64_t limit, when, now = (uint64_t) time(NULL);
        if (!ash_flow_late_is(text))
                return false;
        text = ash_slice_trim(ash_slice_from(text, strlen(HEAD)));
        if (!ash_slice_next_word(&text, &word) || ash_slice_to_u64(word, 10, &limit) < 0 || !ash_slice_next_word(&text, &word) || ash_slice_to_u64(word, 10, &when) < 0)
                return false;
        return limit >= (uint64_t) limit_ms && when <= now && now - when < AGAIN;
}

int ash_flow_late_fail(AshDiags *diags, const char *spec, AshSlice component, int limit_ms, bool known) {
        int r = ash_fail_file(diags, -ETIMEDOUT, spec, "parsing the spec of '%.*s' takes more than %d seconds: a macro of it runs a program that does not end", ASH_F(component), limit_ms / 1000);
        if (known)
                ash_note(diags, ASH_NOWHERE, "so it was within the last hour, and it was not tried again");
        ash_hint(diags, "a spec has as long as build.timeout says, at most %d seconds; it is tried again when it or build.timeout is changed, by 'component rebuild', and after an hour", ASH_SPECINFO_MS / 1000);
        return r;
}
