/* An exact reader for a sequence of literal commands (POSIX, Shell Command Language, 2.2 to 2.10), nothing else of the shell. */
#include "compose-alternatives.h"

enum { WORDS_MAX = 512 };
typedef struct Command {
        AshSlice words[WORDS_MAX];
        size_t n;
} Command;

static bool is_shell(const AshSlice *program, size_t n) {
        static const char *const shells[] = { "/bin/sh", "/usr/bin/sh", "/bin/bash", "/usr/bin/bash" };
        for (size_t i = 0; i < ASH_N(shells); i++)
                if (n == 1 && ash_slice_eqs(program[0], shells[i]))
                        return true;
        return false;
}

/* Characters that mean themselves wherever they stand in a word. */
static bool is_literal(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_./:+,@%-", c)); }

static void skip_blanks(AshSlice *s) {
        for (;;)
                if (s->len && (s->ptr[0] == ' ' || s->ptr[0] == '\t'))
                        *s = ash_slice_from(*s, 1);
                else if (s->len > 1 && s->ptr[0] == '\\' && s->ptr[1] == '\n')
                        *s = ash_slice_from(*s, 2);
                else
                        return;
}

/* Up to the next blank or end of a command. A continuation inside a word is not one that anybody writes: it is no literal character. */
static AshSlice raw(AshSlice *s) {
        size_t n = 0;
        while (n < s->len && !strchr(" \t\n;", s->ptr[n]) && !(s->ptr[n] == '\\' && n + 1 < s->len && s->ptr[n + 1] == '\n'))
                n++;
        AshSlice word = ash_slice_sub(*s, 0, n);
        *s = ash_slice_from(*s, n);
        return word;
}

static bool is_word(AshSlice s) {
        for (size_t i = 0; i < s.len; i++)
                if (!is_literal(s.ptr[i]))
                        return false;
        return s.len;
}

static bool one_of(AshSlice s, const char *const *list) {
        for (; *list; list++)
                if (ash_slice_eqs(s, *list))
                        return true;
        return false;
}

/* What may stand behind the words: output that is thrown away, and "whatever comes of it". */
static bool read_tail(AshSlice word, AshSlice *s) {
        static const char *const away[] = { ">/dev/null", "1>/dev/null", "2>/dev/null", "&>/dev/null", "2>&1", NULL }, *const to[] = { ">", "1>", "2>", "&>", NULL };
        static const char *const fine[] = { ":", "true", "/bin/true", "/usr/bin/true", NULL };
        for (;; word = raw(s)) {
                if (ash_slice_eqs(word, "||")) {
                        skip_blanks(s);
                        word = raw(s);
                        skip_blanks(s);
                        return one_of(word, fine) && (!s->len || s->ptr[0] == '\n' || s->ptr[0] == ';');
                }
                if (one_of(word, to)) {
                        skip_blanks(s);
                        if (!ash_slice_eqs(raw(s), "/dev/null"))
                                return false;
                } else if (!one_of(word, away))
                        return false;
                skip_blanks(s);
                if (!s->len || s->ptr[0] == '\n' || s->ptr[0] == ';')
                        return true;
        }
}

/* 1, 0 at the end, or -EINVAL. */
static int read_command(AshSlice *s, Command *ret) {
        ret->n = 0;
        for (;;) {
                skip_blanks(s);
                bool end = !s->len || s->ptr[0] == '\n' || s->ptr[0] == ';';
                if (end && (ret->n || !s->len))
                        return ret->n > 0;
                if (end && s->ptr[0] == ';')
                        return -EINVAL;
                if (end)
                        *s = ash_slice_from(*s, 1);
                else if (!ret->n && s->ptr[0] == '#')
                        while (s->len && s->ptr[0] != '\n')
                                *s = ash_slice_from(*s, 1);
                else {
                        AshSlice word = raw(s);
                        if (ret->n && !is_word(word))
                                return read_tail(word, s) ? 1 : -EINVAL;
                        if (!is_word(word) || ret->n == WORDS_MAX)
                                return -EINVAL;
                        ret->words[ret->n++] = word;
                }
        }
}

static bool is_priority(AshSlice s) {
        uint64_t n;
        return ash_slice_to_u64(s.len && s.ptr[0] == '-' ? ash_slice_from(s, 1) : s, 10, &n) >= 0 && n <= INT32_MAX;
}

static bool translate(const Command *c, AshStr *out) {
        static const char *const programs[] = { "alternatives", "update-alternatives", "/usr/sbin/alternatives", "/usr/sbin/update-alternatives", "/usr/bin/alternatives", "/usr/bin/update-alternatives",
                                                "/sbin/alternatives", "/sbin/update-alternatives", NULL };
        _str_ AshStr slaves = {};
        const AshSlice *w = c->words;
        if (c->n < 6 || !one_of(w[0], programs) || !ash_slice_eqs(w[1], "--install") || !is_priority(w[5]))
                return false;
        ash_str_appendf(out, "install %.*s %.*s %.*s %.*s", ASH_F(w[2]), ASH_F(w[3]), ASH_F(w[4]), ASH_F(w[5]));
        for (size_t i = 6; i < c->n;) {
                bool slave = ash_slice_eqs(w[i], "--slave") || ash_slice_eqs(w[i], "--follower");
                if (!slave && !ash_slice_eqs(w[i], "--family") && !ash_slice_eqs(w[i], "--initscript"))
                        return false;
                if (i + (slave ? 3 : 1) >= c->n)
                        return false;
                if (slave)
                        ash_str_appendf(&slaves, "slave %.*s %.*s %.*s\n", ASH_F(w[i + 1]), ASH_F(w[i + 2]), ASH_F(w[i + 3]));
                else
                        ash_str_appendf(out, " %.*s %.*s", ASH_F(ash_slice_from(w[i], 2)), ASH_F(w[i + 1]));
                i += slave ? 4 : 2;
        }
        ash_str_append_char(out, '\n');
        ash_str_append(out, ash_str_slice(&slaves));
        return true;
}

bool ash_alternatives_script(const AshSlice *program, size_t n_program, uint32_t flags, AshSlice body, AshStr *out) {
        _str_ AshStr lines = {};
        Command c;
        int r;
        if (!is_shell(program, n_program) || flags)
                return false;
        while ((r = read_command(&body, &c)) > 0) {
                if (!translate(&c, &lines))
                        return false;
                if (body.len)
                        body = ash_slice_from(body, 1);
        }
        if (r < 0 || !lines.len)
                return false;
        ash_str_append(out, ash_str_slice(&lines));
        return true;
}
