#include "model-package.h"

static const char *const dep_kinds[ASH_DEP_MAX_] = { "provides", "requires", "conflicts", "obsoletes", "recommends", "suggests", "supplements", "enhances" };
const char *ash_dep_kind_name(AshDepKind kind) { return kind < ASH_DEP_MAX_ ? dep_kinds[kind] : NULL; }

static const char *const reasons[ASH_REASON_MAX_] = { "user", "group", "dependency", "weak-dependency" };
const char *ash_reason_kind_name(AshReasonKind kind) { return kind < ASH_REASON_MAX_ ? reasons[kind] : NULL; }

AshSlice ash_package_nevra(const AshPackage *p, AshArena *arena) {
        _str_ AshStr s = {};
        ash_str_append(&s, p->name);
        ash_str_append_char(&s, '-');
        if (p->epoch)
                ash_str_appendf(&s, "%u:", p->epoch);
        ash_str_appendf(&s, "%.*s-%.*s.%.*s", ASH_F(p->version), ASH_F(p->release), ASH_F(p->arch));
        return ash_arena_slice(arena, ash_str_slice(&s));
}

bool ash_package_provides(const AshPackage *p, AshSlice name) {
        const AshDeps *provides = &p->deps[ASH_DEP_PROVIDES];
        bool found = ash_slice_eq(p->name, name);
        for (size_t i = 0; !found && i < provides->n; i++)
                found = ash_slice_eq(provides->items[i].name, name);
        return found;
}

bool ash_path_may_be_required(AshSlice path) { return ash_slice_find(path, ASH_S("bin/")) >= 0 || ash_slice_starts(path, ASH_S("/etc/")); }

void ash_deps_paths(const AshDeps *deps, AshMap *ret) {
        for (size_t i = 0; i < deps->n; i++) {
                AshSlice name = deps->items[i].name, rest = name, word;
                if (!name.len || (name.ptr[0] != '/' && name.ptr[0] != '('))
                        continue;
                while (ash_slice_next_word(&rest, &word)) {
                        while (word.len && word.ptr[0] == '(')
                                word = ash_slice_from(word, 1);
                        while (name.ptr[0] == '(' && word.len && word.ptr[word.len - 1] == ')')
                                word.len--;
                        if (word.len && word.ptr[0] == '/')
                                ash_map_put(ret, word, NULL, NULL);
                }
        }
}

int ash_nevra_parse(AshSlice nevra, AshPackage *ret) {
        AshPackage p = {};
        ptrdiff_t dot = ash_slice_rfind_char(nevra, '.');
        if (dot <= 0)
                return -EINVAL;
        p.arch = ash_slice_from(nevra, (size_t) dot + 1);
        AshSlice left = ash_slice(nevra.ptr, (size_t) dot);
        ptrdiff_t dash = ash_slice_rfind_char(left, '-');
        if (dash <= 0)
                return -EINVAL;
        p.release = ash_slice_from(left, (size_t) dash + 1);
        left.len = (size_t) dash;
        dash = ash_slice_rfind_char(left, '-');
        if (dash <= 0)
                return -EINVAL;
        p.version = ash_slice_from(left, (size_t) dash + 1);
        p.name = ash_slice(left.ptr, (size_t) dash);
        ptrdiff_t colon = ash_slice_find_char(p.version, ':');
        if (colon >= 0) {
                uint64_t epoch;
                if (ash_slice_to_u64(ash_slice(p.version.ptr, (size_t) colon), 10, &epoch) < 0 || epoch > UINT32_MAX)
                        return -EINVAL;
                p.epoch = (uint32_t) epoch;
                p.version = ash_slice_from(p.version, (size_t) colon + 1);
        }
        if (!p.arch.len || !p.release.len || !p.version.len)
                return -EINVAL;
        *ret = p;
        return 0;
}

static const struct {
        const char *text;
        uint32_t flags;
} operators[] = {
        { "<=", ASH_DEP_LT | ASH_DEP_EQ }, { ">=", ASH_DEP_GT | ASH_DEP_EQ }, { "=", ASH_DEP_EQ }, { "<", ASH_DEP_LT }, { ">", ASH_DEP_GT },
};

int ash_dep_parse(AshSlice text, AshDep *ret) {
        AshSlice rest = ash_slice_trim(text), name, op, evr, extra;
        if (rest.len && rest.ptr[0] == '(') {
                *ret = (AshDep){ .name = rest };
                return rest.ptr[rest.len - 1] == ')' ? 0 : -EINVAL;
        }
        if (!ash_slice_next_word(&rest, &name))
                return -EINVAL;
        if (!ash_slice_next_word(&rest, &op)) {
                *ret = (AshDep){ .name = name };
                return 0;
        }
        if (!ash_slice_next_word(&rest, &evr) || ash_slice_next_word(&rest, &extra))
                return -EINVAL;
        for (size_t i = 0; i < ASH_N(operators); i++)
                if (ash_slice_eqs(op, operators[i].text)) {
                        *ret = (AshDep){ .name = name, .evr = evr, .flags = operators[i].flags };
                        return 0;
                }
        return -EINVAL;
}

static const char *const of_x86_64[] = { "i686", "i586", "i486", "i386" };

const char **ash_arch_family(AshSlice arch, AshArena *arena) {
        const char **family = ash_arena_new_items(arena, const char *, ASH_N(of_x86_64) + 2);
        size_t n = 0;
        family[n++] = ash_arena_strndup(arena, arch.ptr, arch.len);
        for (size_t i = 0; i < ASH_N(of_x86_64) && ash_slice_eqs(arch, "x86_64"); i++)
                family[n++] = of_x86_64[i];
        return family;
}

bool ash_arch_fits(AshSlice package, AshSlice arch) {
        bool fits = ash_slice_eq(package, arch) || ash_slice_eqs(package, "noarch");
        for (size_t i = 0; i < ASH_N(of_x86_64) && ash_slice_eqs(arch, "x86_64"); i++)
                fits |= ash_slice_eqs(package, of_x86_64[i]);
        return fits;
}

void ash_dep_format(const AshDep *dep, AshStr *out) {
        ash_str_append(out, dep->name);
        for (size_t i = 0; i < ASH_N(operators); i++)
                if ((dep->flags & ASH_DEP_COMPARE) == operators[i].flags)
                        ash_str_appendf(out, " %s %.*s", operators[i].text, ASH_F(dep->evr));
}

void ash_pkgset_free(AshPkgSet *set) {
        if (set)
                ash_arena_free(set->arena); /* the set itself lives there */
}
