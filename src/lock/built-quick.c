/* ashlar.built as "component build" writes it, read without a document in between: ten times faster, which counts where thousands of components were built and each build reads it. Whatever looks unusual
 * (escapes, comments between the lines, unknown keys, another order, a mistake) is left to the reader of TOML, which also says what is wrong. What this one accepts means the same to both. */
#include "built-private.h"
#include "io.h"
#include "model-package.h"

typedef struct Quick {
        char *p, *end;               /* of a copy, in which texts are ended by NULs */
        AshArena *arena;
        bool odd;
} Quick;

static void blanks(Quick *q) {
        while (q->p < q->end && (*q->p == ' ' || *q->p == '\n'))
                q->p++;
}

static void spaces(Quick *q) {
        while (q->p < q->end && *q->p == ' ')
                q->p++;
}

static bool take(Quick *q, char c) {
        blanks(q);
        if (q->p == q->end || *q->p != c)
                return false;
        q->p++;
        return true;
}

static void expect(Quick *q, char c) { q->odd |= !take(q, c); }

/* Between a key and its value, on one line. */
static void equals(Quick *q) {
        spaces(q);
        if (q->p < q->end && *q->p == '=')
                q->p++;
        else
                q->odd = true;
        spaces(q);
        q->odd |= q->p < q->end && *q->p == '\n';
}

/* Plain ASCII in double quotes. */
static AshSlice text(Quick *q) {
        expect(q, '"');
        char *from = q->p;
        while (q->p < q->end && *q->p != '"' && *q->p != '\\' && *q->p >= ' ' && *q->p < 127)
                q->p++;
        if (q->odd || q->p == q->end || *q->p != '"') {
                q->odd = true;
                return ASH_S("");
        }
        *q->p++ = 0;
        return ash_slice(from, (size_t) (q->p - 1 - from));
}

static AshSlice key(Quick *q) {
        blanks(q);
        char *from = q->p;
        if (q->p < q->end && *q->p == '"')
                return text(q);
        while (q->p < q->end && ((*q->p >= 'a' && *q->p <= 'z') || (*q->p >= 'A' && *q->p <= 'Z') || (*q->p >= '0' && *q->p <= '9') || *q->p == '-' || *q->p == '_'))
                q->p++;
        q->odd |= q->p == from;
        return ash_slice(from, (size_t) (q->p - from));
}

static uint64_t number(Quick *q) {
        uint64_t n = 0;
        blanks(q);
        char *from = q->p;
        while (q->p < q->end && *q->p >= '0' && *q->p <= '9')
                n = n * 10 + (uint64_t) (*q->p++ - '0');
        q->odd |= q->p == from || q->p - from > 18 || (*from == '0' && q->p - from > 1);
        return n;
}

static AshSlice digest(Quick *q) {
        AshSlice s = text(q);
        uint8_t bytes[32];
        q->odd |= s.len != 64 || ash_unhex(s, bytes, sizeof bytes) < 0;
        return s;
}

static AshSlice *texts(Quick *q, size_t *ret_n) {
        ASH_ARRAY(AshSlice) items = {};
        expect(q, '[');
        while (!q->odd && !take(q, ']')) {
                ash_array_push(&items, text(q));
                if (!take(q, ',')) {
                        expect(q, ']');
                        break;
                }
        }
        AshSlice *copy = ash_arena_new_items(q->arena, AshSlice, items.n);
        if (items.n)
                memcpy(copy, items.items, items.n * sizeof *copy);
        *ret_n = items.n;
        ash_array_done(&items);
        return copy;
}

static void needs(Quick *q, AshBuiltPackage *p) {
        ASH_ARRAY(AshBuiltNeed) items = {};
        expect(q, '{');
        for (bool more = !take(q, '}'); more && !q->odd;) {
                AshBuiltNeed need = { .package = key(q) };
                ash_array_foreach(&items, other)
                        q->odd |= ash_slice_eq(other->package, need.package);
                equals(q);
                need.deps = texts(q, &need.n_deps);
                ash_array_push(&items, need);
                more = take(q, ',');
                if (!more)
                        expect(q, '}');
        }
        p->needs = ash_arena_new_items(q->arena, AshBuiltNeed, items.n);
        p->n_needs = items.n;
        if (items.n)
                memcpy(p->needs, items.items, items.n * sizeof *items.items);
        ash_array_done(&items);
}

enum { NEVRA = 1, KIND = 2, SIZE = 4, SHA256 = 8, NEEDS = 16 };
static void package_key(Quick *q, AshBuiltPackage *p, unsigned *seen) {
        AshSlice k = key(q);
        unsigned bit = ash_slice_eqs(k, "nevra") ? NEVRA : ash_slice_eqs(k, "kind") ? KIND : ash_slice_eqs(k, "size") ? SIZE : ash_slice_eqs(k, "sha256") ? SHA256 : ash_slice_eqs(k, "needs") ? NEEDS : 0;
        AshPackage parsed;
        q->odd |= !bit || *seen & bit;
        *seen |= bit;
        equals(q);
        switch (bit) {
        case NEVRA: p->nevra = text(q); q->odd |= ash_nevra_parse(p->nevra, &parsed) < 0; break;
        case KIND: p->kind = ash_built_kind(text(q)); q->odd |= p->kind < 0; break;
        case SIZE: p->size = number(q); break;
        case SHA256: p->sha256 = digest(q); break;
        case NEEDS: needs(q, p); break;
        }
}

static void packages(Quick *q, AshBuiltComponent *c) {
        ASH_ARRAY(AshBuiltPackage) items = {};
        expect(q, '[');
        while (!q->odd && !take(q, ']')) {
                AshBuiltPackage p = {};
                unsigned seen = 0;
                expect(q, '{');
                do
                        package_key(q, &p, &seen);
                while (!q->odd && take(q, ','));
                expect(q, '}');
                q->odd |= (seen & (NEVRA | KIND | SIZE | SHA256)) != (NEVRA | KIND | SIZE | SHA256) || (items.n && ash_slice_cmp(ash_array_last(&items)->nevra, p.nevra) > 0);
                ash_array_push(&items, p);
                if (!take(q, ',')) {
                        expect(q, ']');
                        break;
                }
        }
        c->packages = ash_arena_new_items(q->arena, AshBuiltPackage, items.n);
        c->n_packages = items.n;
        if (items.n)
                memcpy(c->packages, items.items, items.n * sizeof *items.items);
        ash_array_done(&items);
}

enum { TEXT, DIGEST, NUMBER, TEXTS, PACKAGES };
static const struct {
        const char *name;
        int kind;
        bool required;
        size_t at;
} keys[] = {
        { "name", TEXT, true, offsetof(AshBuiltComponent, name) }, { "arch", TEXT, true, offsetof(AshBuiltComponent, arch) }, { "key", DIGEST, true, offsetof(AshBuiltComponent, key) },
        { "fingerprint", DIGEST, true, offsetof(AshBuiltComponent, fingerprint) }, { "base", TEXT, false, offsetof(AshBuiltComponent, base) }, { "bumps", NUMBER, false, offsetof(AshBuiltComponent, bumps) },
        { "log", DIGEST, false, offsetof(AshBuiltComponent, log) }, { "provenance", DIGEST, false, offsetof(AshBuiltComponent, provenance) }, { "asked", TEXTS, false, 0 }, { "packages", PACKAGES, false, 0 },
};

static void component_key(Quick *q, AshBuiltComponent *c, unsigned *seen) {
        AshSlice k = key(q);
        size_t i = 0;
        while (i < ASH_N(keys) && !ash_slice_eqs(k, keys[i].name))
                i++;
        q->odd |= i == ASH_N(keys) || *seen & 1u << i;
        equals(q);
        if (q->odd)
                return;
        *seen |= 1u << i;
        switch (keys[i].kind) {
        case TEXT: *(AshSlice *) ((char *) c + keys[i].at) = text(q); break;
        case DIGEST: *(AshSlice *) ((char *) c + keys[i].at) = digest(q); break;
        case NUMBER: *(uint64_t *) ((char *) c + keys[i].at) = number(q); break;
        case TEXTS: c->asked = texts(q, &c->n_asked); break;
        case PACKAGES: packages(q, c); break;
        }
        q->odd |= q->p < q->end && *q->p != '\n'; /* a line each */
}

/* The keys of one, up to the next. Keys begin their lines. */
static void component(Quick *q, AshBuilt *built) {
        AshBuiltComponent c = {};
        unsigned seen = 0;
        for (blanks(q); !q->odd && q->p < q->end && *q->p != '['; blanks(q))
                component_key(q, &c, &seen);
        for (size_t i = 0; i < ASH_N(keys); i++)
                q->odd |= keys[i].required && !(seen & 1u << i);
        const AshBuiltComponent *last = built->components.n ? ash_array_last(&built->components) : NULL;
        int order = last ? ash_slice_cmp(last->name, c.name) : -1;
        q->odd |= order > 0 || (order == 0 && ash_slice_cmp(last->arch, c.arch) >= 0);
        ash_array_push(&built->components, c);
}

/* Comments on top, then the version. */
static void head(Quick *q) {
        for (blanks(q); q->p < q->end && *q->p == '#'; blanks(q))
                while (q->p < q->end && *q->p != '\n') {
                        q->odd |= (*q->p < ' ' && *q->p != '\t') || *q->p >= 127;
                        q->p++;
                }
        q->odd |= !ash_slice_eqs(key(q), "version");
        equals(q);
        q->odd |= number(q) != ASH_BUILT_VERSION || (q->p < q->end && *q->p != '\n');
}

AshBuilt *ash_built_quick(AshSlice bytes, AshBuiltPlaces *ret) {
        static const AshSlice begin = { "[[components]]\n", 15 };
        _cleanup_(ash_built_free_p) AshBuilt *built = ash_built_new();
        char *copy = ash_arena_strndup(built->arena, bytes.ptr, bytes.len);
        Quick q = { .p = copy, .end = copy + bytes.len, .arena = built->arena };
        head(&q);
        for (blanks(&q); !q.odd && q.p < q.end; blanks(&q)) {
                if (!ash_slice_starts(ash_slice(q.p, (size_t) (q.end - q.p)), begin))
                        return NULL;
                if (ret)
                        ash_array_push(ret, (size_t) (q.p - copy));
                q.p += begin.len;
                component(&q, built);
        }
        return q.odd ? NULL : ASH_TAKE(built);
}
