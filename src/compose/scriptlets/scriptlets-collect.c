/* Headers to hooks. rpm.org: "Scriptlets", "Trigger scriptlets", "File triggers"; rpmtag.h. */
#include <endian.h>
#include "scriptlets-private.h"

static const char *const kind_names[ASH_HOOK_KIND_MAX_] = {
        [ASH_HOOK_PRETRANS] = "pretrans", [ASH_HOOK_PRE] = "pre", [ASH_HOOK_POST] = "post", [ASH_HOOK_POSTTRANS] = "posttrans", [ASH_HOOK_TRIGGERPREIN] = "triggerprein",
        [ASH_HOOK_TRIGGERIN] = "triggerin", [ASH_HOOK_FILETRIGGERIN] = "filetriggerin", [ASH_HOOK_TRANSFILETRIGGERIN] = "transfiletriggerin", [ASH_HOOK_PREUN] = "preun", [ASH_HOOK_POSTUN] = "postun",
        [ASH_HOOK_PREUNTRANS] = "preuntrans", [ASH_HOOK_POSTUNTRANS] = "postuntrans", [ASH_HOOK_VERIFY] = "verifyscript", [ASH_HOOK_TRIGGERUN] = "triggerun", [ASH_HOOK_TRIGGERPOSTUN] = "triggerpostun",
        [ASH_HOOK_FILETRIGGERUN] = "filetriggerun", [ASH_HOOK_FILETRIGGERPOSTUN] = "filetriggerpostun", [ASH_HOOK_TRANSFILETRIGGERUN] = "transfiletriggerun",
        [ASH_HOOK_TRANSFILETRIGGERPOSTUN] = "transfiletriggerpostun",
};
static const char *const way_names[ASH_WAY_MAX_] = { "no effect", "handler", "sandbox" };

const char *ash_hook_kind_name(AshHookKind kind) { return kind_names[kind]; }
const char *ash_hook_way_name(AshHookWay way) { return way_names[way]; }

static const struct { AshHookKind kind; uint32_t body, program, flags; } plain[] = {
        { ASH_HOOK_PRETRANS, ASH_RPMTAG_PRETRANS, ASH_RPMTAG_PRETRANSPROG, ASH_RPMTAG_PRETRANSFLAGS },
        { ASH_HOOK_PRE, ASH_RPMTAG_PREIN, ASH_RPMTAG_PREINPROG, ASH_RPMTAG_PREINFLAGS },
        { ASH_HOOK_POST, ASH_RPMTAG_POSTIN, ASH_RPMTAG_POSTINPROG, ASH_RPMTAG_POSTINFLAGS },
        { ASH_HOOK_POSTTRANS, ASH_RPMTAG_POSTTRANS, ASH_RPMTAG_POSTTRANSPROG, ASH_RPMTAG_POSTTRANSFLAGS },
        { ASH_HOOK_PREUN, ASH_RPMTAG_PREUN, ASH_RPMTAG_PREUNPROG, ASH_RPMTAG_PREUNFLAGS },
        { ASH_HOOK_POSTUN, ASH_RPMTAG_POSTUN, ASH_RPMTAG_POSTUNPROG, ASH_RPMTAG_POSTUNFLAGS },
        { ASH_HOOK_PREUNTRANS, ASH_RPMTAG_PREUNTRANS, ASH_RPMTAG_PREUNTRANSPROG, ASH_RPMTAG_PREUNTRANSFLAGS },
        { ASH_HOOK_POSTUNTRANS, ASH_RPMTAG_POSTUNTRANS, ASH_RPMTAG_POSTUNTRANSPROG, ASH_RPMTAG_POSTUNTRANSFLAGS },
        { ASH_HOOK_VERIFY, ASH_RPMTAG_VERIFYSCRIPT, ASH_RPMTAG_VERIFYSCRIPTPROG, ASH_RPMTAG_VERIFYSCRIPTFLAGS },
};

/* The sense of a trigger's targets says when it runs. */
static const struct { AshRpmRelation relation; uint32_t sense; AshHookKind kind; } triggers[] = {
        { ASH_RPM_TRIGGERS, ASH_RPMSENSE_TRIGGERPREIN, ASH_HOOK_TRIGGERPREIN },
        { ASH_RPM_TRIGGERS, ASH_RPMSENSE_TRIGGERIN, ASH_HOOK_TRIGGERIN },
        { ASH_RPM_TRIGGERS, ASH_RPMSENSE_TRIGGERUN, ASH_HOOK_TRIGGERUN },
        { ASH_RPM_TRIGGERS, ASH_RPMSENSE_TRIGGERPOSTUN, ASH_HOOK_TRIGGERPOSTUN },
        { ASH_RPM_FILETRIGGERS, ASH_RPMSENSE_TRIGGERIN, ASH_HOOK_FILETRIGGERIN },
        { ASH_RPM_FILETRIGGERS, ASH_RPMSENSE_TRIGGERUN, ASH_HOOK_FILETRIGGERUN },
        { ASH_RPM_FILETRIGGERS, ASH_RPMSENSE_TRIGGERPOSTUN, ASH_HOOK_FILETRIGGERPOSTUN },
        { ASH_RPM_TRANSFILETRIGGERS, ASH_RPMSENSE_TRIGGERIN, ASH_HOOK_TRANSFILETRIGGERIN },
        { ASH_RPM_TRANSFILETRIGGERS, ASH_RPMSENSE_TRIGGERUN, ASH_HOOK_TRANSFILETRIGGERUN },
        { ASH_RPM_TRANSFILETRIGGERS, ASH_RPMSENSE_TRIGGERPOSTUN, ASH_HOOK_TRANSFILETRIGGERPOSTUN },
};
static const struct { AshRpmRelation relation; uint32_t scripts, program, flags, priorities; } trigger_tags[] = {
        { ASH_RPM_TRIGGERS, ASH_RPMTAG_TRIGGERSCRIPTS, ASH_RPMTAG_TRIGGERSCRIPTPROG, ASH_RPMTAG_TRIGGERSCRIPTFLAGS, 0 },
        { ASH_RPM_FILETRIGGERS, ASH_RPMTAG_FILETRIGGERSCRIPTS, ASH_RPMTAG_FILETRIGGERSCRIPTPROG, ASH_RPMTAG_FILETRIGGERSCRIPTFLAGS, ASH_RPMTAG_FILETRIGGERPRIORITIES },
        { ASH_RPM_TRANSFILETRIGGERS, ASH_RPMTAG_TRANSFILETRIGGERSCRIPTS, ASH_RPMTAG_TRANSFILETRIGGERSCRIPTPROG, ASH_RPMTAG_TRANSFILETRIGGERSCRIPTFLAGS, ASH_RPMTAG_TRANSFILETRIGGERPRIORITIES },
};
static const uint32_t priority_default = 1000000;

typedef struct Collector {
        const AshHookPackage *package;
        uint32_t number;
        AshArena *arena;
        AshRpmHeader header;
        ASH_ARRAY(AshHook) hooks;
        AshDiags *diags;
} Collector;

static AshSlice *shell(AshArena *arena) {
        AshSlice *one = ash_arena_new_item(arena, AshSlice);
        *one = ASH_S("/bin/sh");
        return one;
}

static void add_plain(Collector *c) {
        for (size_t i = 0; i < ASH_N(plain); i++) {
                uint64_t flags = 0;
                if (!ash_rpm_has(&c->header, plain[i].body) && !ash_rpm_has(&c->header, plain[i].program))
                        continue;
                AshHook *h = ash_array_add(&c->hooks);
                (void) ash_rpm_number(&c->header, plain[i].flags, &flags);
                *h = (AshHook){ .kind = plain[i].kind, .package = c->number, .nevra = c->package->nevra, .body = ash_rpm_string(&c->header, plain[i].body), .flags = (uint32_t) flags };
                h->program = ash_rpm_strings(&c->header, plain[i].program, c->arena, &h->n_program);
                if (!h->n_program) {
                        h->program = shell(c->arena);
                        h->n_program = 1;
                }
        }
}

static int inconsistent(Collector *c) { return ash_fail(c->diags, -ASH_ERR_SYNTAX, ASH_NOWHERE, "%.*s: the header's triggers disagree in number", ASH_F(c->package->nevra)); }

static AshHookKind kind_of(AshRpmRelation relation, uint32_t flags) {
        for (size_t i = 0; i < ASH_N(triggers); i++)
                if (triggers[i].relation == relation && flags & triggers[i].sense)
                        return triggers[i].kind;
        return ASH_HOOK_KIND_INVALID_;
}

static int add_triggers(Collector *c, size_t which) {
        AshRpm rpm = { .name = "header", .header = c->header };
        AshRpmDep *deps;
        size_t n_deps;
        uint32_t n = 0, n_programs = 0;
        AshSlice *bodies = ash_rpm_strings(&c->header, trigger_tags[which].scripts, c->arena, &n);
        AshSlice *programs = ash_rpm_strings(&c->header, trigger_tags[which].program, c->arena, &n_programs);
        const AshRpmTag *flags = ash_rpm_tag(&c->header, trigger_tags[which].flags), *priorities = trigger_tags[which].priorities ? ash_rpm_tag(&c->header, trigger_tags[which].priorities) : NULL;
        if (!n)
                return 0;
        int r = ash_rpm_deps(&rpm, trigger_tags[which].relation, c->arena, &deps, &n_deps, c->diags);
        if (r < 0)
                return r;
        if ((programs && n_programs != n) || (flags && flags->count != n) || (priorities && priorities->count != n))
                return inconsistent(c);
        for (uint32_t i = 0; i < n; i++) {
                AshHook h = { .package = c->number, .nevra = c->package->nevra, .body = bodies[i], .index = i, .flags = (uint32_t) ash_rpm_number_at(&c->header, flags, i), .program = shell(c->arena), .n_program = 1,
                              .kind = ASH_HOOK_KIND_INVALID_, .priority = priorities ? (uint32_t) ash_rpm_number_at(&c->header, priorities, i) : priority_default };
                if (programs && programs[i].len)
                        *h.program = programs[i];
                h.targets = ash_arena_new_items(c->arena, AshRpmDep, n_deps + 1);
                for (size_t k = 0; k < n_deps; k++)
                        if (deps[k].index == i) {
                                h.kind = kind_of(trigger_tags[which].relation, deps[k].flags);
                                h.targets[h.n_targets++] = deps[k];
                        }
                if (h.kind != ASH_HOOK_KIND_INVALID_) /* rpmbuild drops conditions that it takes for repeated ones; a script that is left without any runs with rpm never, either */
                        ash_array_push(&c->hooks, h);
        }
        return 0;
}

static int cmp_hooks(const void *a, const void *b) {
        const AshHook *x = a, *y = b;
        return x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : x->index < y->index ? -1 : x->index > y->index;
}

/* Most packages have no hooks, and the tags in the header's index say so without reading the rest. */
static bool has_hooks(AshSlice blob) {
        uint32_t n;
        if (blob.len < 8)
                return true; /* the reader will say what is wrong */
        memcpy(&n, blob.ptr, sizeof n);
        n = be32toh(n);
        for (uint32_t i = 0; i < n && (uint64_t) 8 + (uint64_t) (i + 1) * 16 <= blob.len; i++) {
                uint32_t tag;
                memcpy(&tag, blob.ptr + 8 + (size_t) i * 16, sizeof tag);
                tag = be32toh(tag);
                for (size_t k = 0; k < ASH_N(plain); k++)
                        if (tag == plain[k].body || tag == plain[k].program)
                                return true;
                for (size_t k = 0; k < ASH_N(trigger_tags); k++)
                        if (tag == trigger_tags[k].scripts)
                                return true;
        }
        return false;
}

static int collect_one(Collector *c) {
        size_t first = c->hooks.n;
        if (!has_hooks(c->package->header))
                return 0;
        int r = ash_rpm_header_parse(c->package->header, 0, "header", 0, &c->header, c->diags);
        if (r < 0)
                return r;
        add_plain(c);
        for (size_t i = 0; r >= 0 && i < ASH_N(trigger_tags); i++)
                r = add_triggers(c, i);
        ash_rpm_header_done(&c->header);
        if (r >= 0 && c->hooks.n > first + 1)
                qsort(c->hooks.items + first, c->hooks.n - first, sizeof *c->hooks.items, cmp_hooks);
        return r;
}

int ash_hooks_collect(const AshHookPackage *packages, size_t n, const AshHandler *handlers, AshArena *arena, AshHooks *ret, AshDiags *diags) {
        Collector c = { .arena = arena, .diags = diags };
        int r = 0;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                c.package = &packages[i];
                c.number = (uint32_t) i;
                r = collect_one(&c);
        }
        *ret = (AshHooks){ .items = ash_arena_new_items(arena, AshHook, c.hooks.n + 1), .n = c.hooks.n };
        for (size_t i = 0; r >= 0 && i < c.hooks.n; i++) {
                AshHook *h = &ret->items[i];
                *h = c.hooks.items[i];
                ash_hook_decide(h, handlers, arena);
                if (h->kind >= ASH_HOOK_REMOVAL)
                        ret->removal++;
                else
                        ret->count[h->way]++;
        }
        ash_array_done(&c.hooks);
        return r;
}
