/* A spec's preamble: tags, definitions and conditionals, read line by line. */
#include "autospec-private.h"

#define MAX_NESTING 64

typedef struct Reader {
        AshSpecFacts *facts;
        AshStaticMacros *macros;
        AshSlice rest;
        enum { IN_PREAMBLE, IN_PACKAGE, IN_LIST, IN_OTHER } where;
        bool inexact;
        bool preamble_only;
        /* conditionals: is this level's branch taken, was one of its branches, may any be */
        struct { bool taken, done, live; } level[MAX_NESTING];
        size_t depth;
        uint64_t budget;
} Reader;

static const char *const sections[] = {
        "package", "description", "prep", "build", "install", "check", "clean", "generate_buildrequires", "conf", "pre", "post", "preun", "postun", "pretrans", "posttrans",
        "preuntrans", "postuntrans", "triggerin", "triggerun", "triggerpostun", "triggerprein", "trigger", "verifyscript", "files", "changelog", "sourcelist", "patchlist",
        "filetriggerin", "filetriggerun", "filetriggerpostun", "transfiletriggerin", "transfiletriggerun", "transfiletriggerpostun", "sepolicy",
};

AshSlice ash_spec_section_name(AshSlice line) {
        line = ash_slice_trim(line);
        AshSlice word;
        if (line.len < 2 || line.ptr[0] != '%' || !ash_slice_next_word(&line, &word))
                return ASH_NOSLICE;
        for (size_t i = 0; i < ASH_N(sections); i++)
                if (ash_slice_eq_nocase(ash_slice_from(word, 1), ash_slice_str(sections[i])))
                        return ash_slice_str(sections[i]);
        return ASH_NOSLICE;
}

static bool is_alpha(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool ash_spec_tag_line(AshSlice line, AshSlice *ret_tag, AshSlice *ret_value) {
        line = ash_slice_trim(line);
        size_t n = 0;
        while (n < line.len && (is_alpha(line.ptr[n]) || (n > 0 && line.ptr[n] >= '0' && line.ptr[n] <= '9')))
                n++;
        AshSlice after = ash_slice_trim_left(ash_slice_from(line, n));
        if (n == 0 || after.len == 0 || after.ptr[0] != ':')
                return false;
        *ret_tag = ash_slice_sub(line, 0, n);
        *ret_value = ash_slice_trim(ash_slice_from(after, 1));
        return true;
}

static bool live(const Reader *r) {
        return r->depth == 0 || r->level[r->depth - 1].taken;
}

static AshSlice expand(Reader *r, AshSlice text, bool *ret_left) {
        _str_ AshStr out = {};
        int left = ash_static_macros_expand_within(r->macros, text, &r->budget, &out);
        if (ret_left)
                *ret_left = left > 0;
        return ash_arena_slice(r->facts->arena, ash_str_slice(&out));
}

/* A condition that cannot be worked out counts as false. */
static bool condition(Reader *r, AshSlice text) {
        return ash_static_condition(expand(r, text, NULL)) > 0;
}

static void open_level(Reader *r, bool taken) {
        if (r->depth >= MAX_NESTING)
                return;
        bool outer = live(r);
        r->level[r->depth].live = outer;
        r->level[r->depth].taken = outer && taken;
        r->level[r->depth].done = taken;
        r->depth++;
}

static void next_branch(Reader *r, bool wanted) {
        if (r->depth == 0)
                return;
        typeof(r->level[0]) *l = &r->level[r->depth - 1];
        l->taken = l->live && !l->done && wanted;
        l->done |= wanted;
}

/* True when the line was a conditional. */
static bool read_conditional(Reader *r, AshSlice word, AshSlice rest) {
        if (ash_slice_eqs(word, "%if"))
                open_level(r, live(r) && condition(r, rest));
        else if (ash_slice_eqs(word, "%ifarch") || ash_slice_eqs(word, "%ifos"))
                open_level(r, ash_slice_eqs(word, "%ifos"));
        else if (ash_slice_eqs(word, "%ifnarch") || ash_slice_eqs(word, "%ifnos"))
                open_level(r, ash_slice_eqs(word, "%ifnarch"));
        else if (ash_slice_eqs(word, "%elif"))
                next_branch(r, r->depth > 0 && !r->level[r->depth - 1].done && condition(r, rest));
        else if (ash_slice_starts(word, ASH_S("%elif")))
                next_branch(r, false);
        else if (ash_slice_starts(word, ASH_S("%else")))
                next_branch(r, true);
        else if (ash_slice_starts(word, ASH_S("%endif"))) {
                if (r->depth > 0)
                        r->depth--;
        } else
                return false;
        return true;
}

/* "NAME BODY" or "NAME(OPTIONS) BODY" */
static void read_define(Reader *r, AshSlice rest, bool global) {
        rest = ash_slice_trim(rest);
        size_t n = ash_macro_name_len(rest);
        if (n == 0)
                return;
        AshSlice name = ash_slice_sub(rest, 0, n), body = ash_slice_from(rest, n);
        bool parametric = body.len > 0 && body.ptr[0] == '(';
        if (!parametric)
                body = ash_slice_trim(body);
        ash_static_macros_put(r->macros, name, global && !parametric ? expand(r, body, NULL) : body, parametric);
}

static void set_flag(Reader *r, AshSlice name, bool on) {
        _free_ char *with = ash_asprintf("_with_%.*s", ASH_F(name)), *without = ash_asprintf("_without_%.*s", ASH_F(name));
        if (ash_static_macros_find(r->macros, ash_slice_str(with)))
                on = true;
        else if (ash_static_macros_find(r->macros, ash_slice_str(without)))
                on = false;
        if (on)
                ash_static_macros_define(r->macros, ash_slice_str(with + 1), ASH_S("1"));
}

static bool read_bcond(Reader *r, AshSlice word, AshSlice rest) {
        AshSlice name;
        if (!ash_slice_starts(word, ASH_S("%bcond")) || !ash_slice_next_word(&rest, &name))
                return false;
        if (ash_slice_eqs(word, "%bcond_with"))
                set_flag(r, name, false);
        else if (ash_slice_eqs(word, "%bcond_without"))
                set_flag(r, name, true);
        else
                set_flag(r, name, condition(r, rest));
        return true;
}

static void add_file(Reader *r, AshSlice value) {
        bool left;
        AshSlice v = expand(r, value, &left);
        ptrdiff_t fragment = ash_slice_find(v, ASH_S("#/"));
        v = ash_path_base(fragment >= 0 ? ash_slice_from(v, (size_t) fragment + 2) : v);
        if (!left && v.len > 0)
                ash_array_push(&r->facts->files, v);
}

static bool numbered(AshSlice tag, const char *name) {
        size_t n = strlen(name);
        return tag.len >= n && ash_slice_eq_nocase(ash_slice_sub(tag, 0, n), ash_slice_str(name));
}

/* What rpm defines when it reads the tag. */
static void define_tag(Reader *r, const char *lower, const char *upper, AshSlice value) {
        ash_static_macros_define(r->macros, ash_slice_str(lower), value);
        ash_static_macros_define(r->macros, ash_slice_str(upper), value);
}

static void read_tag(Reader *r, AshSlice tag, AshSlice value) {
        AshSpecFacts *f = r->facts;
        bool left = false;
        if (numbered(tag, "Source") || numbered(tag, "Patch"))
                add_file(r, value);
        if (r->where != IN_PREAMBLE)
                return;
        if (ash_slice_eq_nocase(tag, ASH_S("Name")))
                define_tag(r, "name", "NAME", f->name = expand(r, value, &left));
        else if (ash_slice_eq_nocase(tag, ASH_S("Version")))
                define_tag(r, "version", "VERSION", f->version = expand(r, value, &left));
        else if (ash_slice_eq_nocase(tag, ASH_S("Epoch")))
                define_tag(r, "epoch", "EPOCH", f->epoch = expand(r, value, &left));
        else if (ash_slice_eq_nocase(tag, ASH_S("Release")))
                f->release = expand(r, value, NULL);
        r->inexact |= left;
}

static void read_line(Reader *r, AshSlice line);

/* A line "%{!?name: %global name body}": its inside counts when the condition holds. */
static bool read_wrapped(Reader *r, AshSlice line) {
        if (!ash_slice_starts(line, ASH_S("%{!?")) && !ash_slice_starts(line, ASH_S("%{?")))
                return false;
        AshSlice inside = ash_macro_inside(ash_slice_from(line, 1), '{', '}');
        ptrdiff_t colon = inside.ptr ? ash_slice_find_char(inside, ':') : -1;
        if (colon < 0)
                return false;
        bool negated = inside.ptr[0] == '!';
        AshSlice name = ash_slice_sub(inside, negated ? 2 : 1, (size_t) colon - (negated ? 2 : 1));
        AshSlice text = ash_slice_trim(ash_slice_from(inside, (size_t) colon + 1));
        if (ash_macro_name_len(name) != name.len || !(ash_slice_starts(text, ASH_S("%global ")) || ash_slice_starts(text, ASH_S("%define ")) || ash_slice_starts(text, ASH_S("%undefine "))))
                return false;
        if ((ash_static_macros_find(r->macros, name) != NULL) != negated)
                read_line(r, text);
        return true;
}

static void read_live_line(Reader *r, AshSlice line, AshSlice word, AshSlice rest) {
        AshSlice name, tag, value;
        if (ash_slice_eqs(word, "%global") || ash_slice_eqs(word, "%define"))
                read_define(r, rest, word.ptr[1] == 'g');
        else if (ash_slice_eqs(word, "%undefine") && ash_slice_next_word(&rest, &name))
                ash_static_macros_undefine(r->macros, name);
        else if (read_bcond(r, word, rest) || read_wrapped(r, line))
                ;
        else if (r->where == IN_LIST)
                add_file(r, line);
        else if (r->where != IN_OTHER && ash_spec_tag_line(line, &tag, &value))
                read_tag(r, tag, value);
}

static void read_line(Reader *r, AshSlice line) {
        line = ash_slice_trim(line);
        if (line.len == 0 || line.ptr[0] == '#')
                return;
        AshSlice section = ash_spec_section_name(line);
        if (section.len > 0) {
                if (live(r) || r->where == IN_PREAMBLE)
                        r->where = ash_slice_eqs(section, "package") ? IN_PACKAGE : ash_slice_eqs(section, "sourcelist") || ash_slice_eqs(section, "patchlist") ? IN_LIST : IN_OTHER;
                return;
        }
        AshSlice rest = line, word;
        if (!ash_slice_next_word(&rest, &word) || read_conditional(r, word, rest) || !live(r))
                return;
        read_live_line(r, line, word, rest);
}

/* A line with its continuations: a definition may go on behind a backslash, and while its braces are open. */
static bool next_logical_line(Reader *r, AshSlice *ret) {
        AshSlice line;
        if (!ash_slice_next_line(&r->rest, &line))
                return false;
        const char *start = line.ptr, *end = line.ptr + line.len;
        AshSlice trimmed = ash_slice_trim(line);
        if (ash_slice_starts(trimmed, ASH_S("%global ")) || ash_slice_starts(trimmed, ASH_S("%define ")))
                while (end > start && end[-1] == '\\' && ash_slice_next_line(&r->rest, &line))
                        end = line.ptr + line.len;
        *ret = ash_slice(start, (size_t) (end - start));
        return true;
}

/* The arguments of %autorelease within an expanded Release value. */
static void read_autorelease(AshSpecFacts *f) {
        AshSlice v = f->release;
        ptrdiff_t at = ash_slice_find(v, ASH_S("autorelease"));
        if (at <= 0)
                return;
        char before = v.ptr[at - 1];
        bool braced = before == '{' || (before == '?' && at >= 2 && v.ptr[at - 2] == '{');
        if (before != '%' && !braced)
                return;
        f->has_autorelease = true;
        AshSlice args = ash_slice_from(v, (size_t) at + strlen("autorelease")), word;
        if (braced) {
                ptrdiff_t end = ash_slice_find_char(args, '}');
                args = ash_slice_sub(args, 0, end < 0 ? args.len : (size_t) end);
        }
        while (ash_slice_next_word(&args, &word) && word.len >= 2 && word.ptr[0] == '-') {
                for (size_t i = 1; i < word.len; i++) {
                        if (word.ptr[i] == 'p')
                                f->prerelease = true;
                        else if (word.ptr[i] == 'n')
                                f->no_dist = true;
                        else {
                                AshSlice value = ash_slice_from(word, i + 1);
                                if (value.len == 0)
                                        (void) ash_slice_next_word(&args, &value);
                                if (word.ptr[i] == 'b')
                                        (void) ash_slice_to_u64(value, 10, &f->base);
                                else if (word.ptr[i] == 'e')
                                        f->extraver = value;
                                else if (word.ptr[i] == 's')
                                        f->snapinfo = value;
                                break;
                        }
                }
        }
        f->base = ASH_MIN(f->base, (uint64_t) 1 << 32);
}

void ash_spec_facts_read(AshSlice spec, const AshStaticMacros *predefined, bool preamble_only, AshSpecFacts *ret) {
        AshSpecFacts facts = { .arena = ash_arena_new(), .base = 1 };
        _cleanup_(ash_static_macros_free_p) AshStaticMacros *macros = ash_static_macros_new();
        macros->base = predefined;
        ash_static_macros_put(macros, ASH_S("autorelease"), ASH_S(""), true);
        Reader r = { .facts = &facts, .macros = macros, .rest = spec, .preamble_only = preamble_only, .budget = ASH_MACRO_BUDGET };
        AshSlice line;
        while (next_logical_line(&r, &line)) {
                read_line(&r, line);
                if (preamble_only && r.where != IN_PREAMBLE)
                        break;
        }
        facts.exact = !r.inexact;
        read_autorelease(&facts);
        *ret = facts;
}

void ash_spec_facts(AshSlice spec, const AshStaticMacros *predefined, AshSpecFacts *ret) {
        ash_spec_facts_read(spec, predefined, false, ret);
}

void ash_spec_facts_done(AshSpecFacts *f) {
        ash_array_done(&f->files);
        ash_arena_free(f->arena);
        *f = (AshSpecFacts) {};
}
