/* Debian's PAM stacks: /etc/pam.d/common-* from the profiles of /usr/share/pam-configs (pam-auth-update(8) --package --force, as libpam-runtime does it on a first installation): those that are on by
 * default, the highest priority first, put into the blocks of the templates; and the record of it in /var/lib/pam, so that a later run on the host knows what it may change. */
#include "handlers-private.h"

#define PROFILES "/usr/share/pam-configs"

static const char *const stacks[] = { "auth", "account", "password", "session", "session-noninteractive" };
static const char primary_mark[] = "# here are the per-package modules (the \"Primary\" block)", fallback_mark[] = "# here's the fallback if no module succeeds",
                  additional_mark[] = "# and here are more per-package modules (the \"Additional\" block)", end_mark[] = "# end of pam-auth-update config";

typedef struct Profile {
        AshSlice name;               /* of its file */
        AshMap fields;               /* "Auth-Type" -> AshSlice * */
        uint64_t priority;
        bool invalid;
} Profile;
typedef struct Pam {
        AshHandlerContext *c;
        AshArena *arena;
        ASH_ARRAY(Profile) all;      /* sorted */
        ASH_ARRAY(const Profile *) on;
} Pam;

static AshSlice field(const Profile *p, const char *name) {
        const AshSlice *s = ash_map_get(&p->fields, ash_slice_str(name));
        return s ? *s : ASH_NOSLICE;
}

/* "Session-noninteractive-Type": those of a session, unless the profile is for interactive ones only. */
static AshSlice stack_field(const Pam *pam, const Profile *p, const char *stack, const char *what) {
        if (!strcmp(stack, "session-noninteractive") && !ash_slice_eqs(ash_slice_trim(field(p, "Session-Interactive-Only")), "yes"))
                stack = "session";
        char *name = ash_arena_printf(pam->arena, "%s%s", stack, what);
        name[0] = (char) (name[0] - 'a' + 'A');
        return field(p, name);
}

/* ---- profiles ---- */
/* "Name: value"; the name has no white space in it. */
static bool is_field(AshSlice line, AshSlice *ret_name, AshSlice *ret_value) {
        for (size_t i = line.len; i-- > 1;) {
                AshSlice name = ash_slice(line.ptr, i);
                if (line.ptr[i] != ':' || (i + 1 < line.len && !strchr(" \t", line.ptr[i + 1])))
                        continue;
                for (size_t k = 0; k < name.len; k++)
                        if (strchr(" \t\r", name.ptr[k]))
                                return false;
                *ret_name = ash_slice_ends(name, ASH_S("-Final")) ? ash_slice(name.ptr, name.len - strlen("-Final")) : name;
                *ret_value = ash_slice_trim_left(ash_slice_from(line, i + 1));
                return true;
        }
        return false;
}

static void set_field(const Pam *pam, Profile *p, AshSlice name, AshSlice value) {
        AshSlice *s = ash_arena_new_item(pam->arena, AshSlice);
        *s = ash_arena_slice(pam->arena, value);
        ash_map_put(&p->fields, ash_arena_slice(pam->arena, name), s, NULL);
}

static int read_profile(void *context, AshSlice path, AshNode n _unused_) {
        Pam *pam = context;
        AshSlice rest = ash_compose_read(pam->c->tree, path), line, name = ASH_S(""), value, base = ash_path_base(path);
        if (ash_slice_ends(base, ASH_S("~")) || (base.len > 1 && base.ptr[0] == '#' && base.ptr[base.len - 1] == '#'))
                return 0;
        Profile *p = ash_array_add(&pam->all);
        p->name = ash_arena_slice(pam->arena, base);
        while (ash_slice_next_line(&rest, &line))
                if (is_field(line, &name, &value))
                        set_field(pam, p, name, value);
                else if ((value = ash_slice_trim(line)).len) {
                        AshSlice old = ash_map_get(&p->fields, name) ? *(AshSlice *) ash_map_get(&p->fields, name) : ASH_S("");
                        AshSlice more = ash_slice_trim_left(ash_slice_str(ash_arena_printf(pam->arena, "%.*s\n%.*s", ASH_F(old), ASH_F(value))));
                        set_field(pam, p, name, more);
                        p->invalid |= ash_slice_find(more, ASH_S("pam_tally")) >= 0; /* a module that is no more */
                }
        (void) ash_slice_to_u64(ash_slice_trim(field(p, "Priority")), 10, &p->priority);
        return 0;
}

static int cmp_profiles(const void *a, const void *b) {
        const Profile *x = a, *y = b;
        return x->priority != y->priority ? (x->priority < y->priority ? 1 : -1) : ash_slice_cmp(y->name, x->name);
}

/* On by default; of two that exclude each other the one that is excluded goes. */
static void choose(Pam *pam) {
        size_t n = 0;
        for (size_t i = 0; i < pam->all.n; i++)
                if (pam->all.items[i].invalid) {
                        ash_map_done(&pam->all.items[i].fields);
                } else
                        pam->all.items[n++] = pam->all.items[i];
        pam->all.n = n;
        if (n)
                qsort(pam->all.items, n, sizeof *pam->all.items, cmp_profiles);
        ash_array_foreach(&pam->all, p)
                if (ash_slice_eqs(field(p, "Default"), "yes"))
                        ash_array_push(&pam->on, p);
        for (size_t i = 0; i < pam->on.n; i++)
                for (size_t k = pam->on.n; k-- > 0;) {
                        AshSlice rest = i < pam->on.n ? field(pam->on.items[i], "Conflicts") : ASH_NOSLICE, one;
                        while (ash_slice_split(&rest, ',', &one))
                                if (ash_slice_eq(ash_slice_trim(one), pam->on.items[k]->name)) {
                                        memmove(&pam->on.items[k], &pam->on.items[k + 1], (pam->on.n - k - 1) * sizeof *pam->on.items);
                                        pam->on.n--;
                                        break;
                                }
                }
}

/* ---- stacks ---- */
static AshSlice body_of(const Pam *pam, const Profile *p, const char *stack, size_t position) {
        AshSlice initial = position ? ASH_NOSLICE : stack_field(pam, p, stack, "-Initial");
        return initial.len ? initial : stack_field(pam, p, stack, "");
}

static void replace_end(AshStr *out, AshSlice head, size_t count) {
        for (ptrdiff_t at; (at = ash_slice_find(head, ASH_S("end"))) >= 0; head = ash_slice_from(head, (size_t) at + 3)) {
                ash_str_append(out, ash_slice(head.ptr, (size_t) at));
                ash_str_appendf(out, "%zu", count);
        }
        ash_str_append(out, head);
}

/* "[success=end default=ignore]  pam_unix.so  nullok": the jump leads behind the block, options stand one space apart. */
static void put_line(AshStr *out, AshSlice type, AshSlice line, size_t count) {
        AshSlice rest = line, word;
        ptrdiff_t close = line.len && line.ptr[0] == '[' ? ash_slice_find_char(line, ']') : -1;
        if (close >= 0)
                rest = ash_slice_from(line, (size_t) close + 1);
        else
                (void) ash_slice_next_word(&rest, &word);
        if (!ash_slice_next_word(&rest, &word))
                return;
        ash_str_appendf(out, "%.*s\t", ASH_F(type));
        replace_end(out, ash_slice(line.ptr, (size_t) (word.ptr + word.len - line.ptr)), count);
        ash_str_append_char(out, ' ');
        for (bool first = true; ash_slice_next_word(&rest, &word); first = false)
                ash_str_appendf(out, "%s%.*s", first ? "" : " ", ASH_F(word));
        ash_str_append_char(out, '\n');
}

static void put_block(const Pam *pam, const char *stack, AshSlice type, const char *block, AshStr *out) {
        _str_ AshStr lines = {};
        size_t count = 0, position = 0;
        AshSlice rest, line;
        for (size_t i = 0; i < pam->on.n; i++)
                if (ash_slice_eqs(stack_field(pam, pam->on.items[i], stack, "-Type"), block)) {
                        ash_str_append(&lines, body_of(pam, pam->on.items[i], stack, position++));
                        ash_str_append_char(&lines, '\n');
                }
        for (rest = ash_str_slice(&lines); ash_slice_next_line(&rest, &line);)
                count += line.len > 0;
        bool primary = !strcmp(block, "Primary");
        if (primary && !count)
                ash_str_appendf(out, "%.*s\t[default=1]\t\t\tpam_permit.so\n", ASH_F(type));
        if (!primary && count)
                count--;
        for (rest = ash_str_slice(&lines); ash_slice_next_line(&rest, &line);)
                if (line.len)
                        put_line(out, type, line, count--);
}

/* The template with its two blocks filled. False: it has not all four marks. */
static bool fill(const Pam *pam, const char *stack, AshSlice template, AshStr *out) {
        static const char *const marks[] = { primary_mark, fallback_mark, additional_mark, end_mark };
        AshSlice line, type = ash_slice_str(!strncmp(stack, "session", 7) ? "session" : stack);
        size_t state = 0; /* marks seen; behind the first and the third a block is replaced */
        while (ash_slice_next_line(&template, &line)) {
                bool mark = state < ASH_N(marks) && ash_slice_starts(line, ash_slice_str(marks[state]));
                if (state % 2 == 0 || mark || state == ASH_N(marks)) {
                        ash_str_append(out, line);
                        ash_str_append_char(out, '\n');
                }
                if (!mark)
                        continue;
                if (state % 2 == 0)
                        put_block(pam, stack, type, state ? "Additional" : "Primary", out);
                state++;
        }
        return state == ASH_N(marks);
}

/* /var/lib/pam/STACK: what was put, by profile. */
static void put_record(const Pam *pam, const char *stack, AshStr *out) {
        for (int additional = 0; additional < 2; additional++) {
                size_t position = 0;
                for (size_t i = 0; i < pam->on.n; i++) {
                        AshSlice type = stack_field(pam, pam->on.items[i], stack, "-Type");
                        if (!type.len || ash_slice_eqs(type, additional ? "Primary" : "Additional"))
                                continue;
                        AshSlice body = body_of(pam, pam->on.items[i], stack, position++);
                        if (body.len)
                                ash_str_appendf(out, "Module: %.*s\n%.*s\n", ASH_F(pam->on.items[i]->name), ASH_F(body));
                }
                if (!additional && !position)
                        ash_str_append_str(out, "Module: null\n[default=1]\t\t\tpam_permit.so\n");
        }
}

static AshSlice path_of(const Pam *pam, const char *place, const char *stack) { return ash_slice_str(ash_arena_printf(pam->arena, "%s%s", place, stack)); }

/* A stack that somebody else made without the marks is kept, and all others then, too, as the program does it. */
static bool is_foreign(const Pam *pam) {
        for (size_t i = 0; i < ASH_N(stacks); i++) {
                _str_ AshStr out = {};
                AshSlice there = ash_compose_read(pam->c->tree, path_of(pam, "/etc/pam.d/common-", stacks[i]));
                if (there.ptr && !fill(pam, stacks[i], there, &out)) {
                        ash_info(pam->c->diags, ASH_NOWHERE, "/etc/pam.d/common-%s is somebody's own: the PAM stacks are left as they are", stacks[i]);
                        return true;
                }
        }
        return false;
}

static int put_stack(Pam *pam, const char *stack) {
        _str_ AshStr out = {}, record = {};
        AshSlice path = path_of(pam, "/etc/pam.d/common-", stack), template = ash_compose_read(pam->c->tree, path);
        if (!template.ptr)
                template = ash_compose_read(pam->c->tree, path_of(pam, "/usr/share/pam/common-", stack));
        if (!fill(pam, stack, template, &out))
                return ash_fail(pam->c->diags, -EINVAL, ASH_NOWHERE, "/usr/share/pam/common-%s is no template: its marks are missing", stack);
        put_record(pam, stack, &record);
        int r = ash_handler_file(pam->c, path, ash_str_slice(&out), 0644, NULL);
        return r < 0 ? r : ash_handler_file(pam->c, path_of(pam, "/var/lib/pam/", stack), ash_str_slice(&record), 0644, NULL);
}

bool ash_wants_pam(const AshHandlerContext *c) {
        return ash_tree_lookup(c->tree, ASH_S(PROFILES), true) != ASH_NO_NODE && ash_tree_lookup(c->tree, ASH_S("/usr/share/pam/common-auth"), true) != ASH_NO_NODE;
}

int ash_handle_pam(AshHandlerContext *c) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        Pam pam = { .c = c, .arena = arena };
        _str_ AshStr seen = {};
        int r = ash_compose_match(c->tree, (const char *const[]){ PROFILES "/*", NULL }, read_profile, &pam);
        choose(&pam);
        bool foreign = is_foreign(&pam);
        for (size_t i = 0; r >= 0 && !foreign && i < ASH_N(stacks); i++)
                r = put_stack(&pam, stacks[i]);
        ash_array_foreach(&pam.all, p)
                ash_str_appendf(&seen, "%.*s\n", ASH_F(p->name));
        if (r >= 0 && !foreign)
                r = ash_handler_file(c, ASH_S("/var/lib/pam/seen"), ash_str_slice(&seen), 0644, NULL);
        ash_array_foreach(&pam.all, p)
                ash_map_done(&p->fields);
        ash_array_done(&pam.all);
        ash_array_done(&pam.on);
        return r;
}
