/* Commit messages: what they ask for in brackets, and the changelog items that they make. The rules are rpmautospec's documented ones ("Using
 * %autochangelog"); wrapping follows Python's textwrap, which it uses (width 75, further lines indented by two). */
#include "autospec-private.h"

#define WIDTH 75

/* ---- [skip changelog], [bump release: N] ---- */
static bool take_word(AshSlice *s, const char *word) {
        *s = ash_slice_trim_left(*s);
        if (!ash_slice_starts(*s, ash_slice_str(word)))
                return false;
        *s = ash_slice_from(*s, strlen(word));
        return true;
}

static void read_magic(AshSlice part, AshMagic *magic) {
        AshSlice s = part;
        if (take_word(&s, "skip") && s.len > 0 && ash_slice_trim_left(s).len < s.len && take_word(&s, "changelog"))
                magic->skip_changelog = true;
        s = part;
        if (!take_word(&s, "bump") || ash_slice_trim_left(s).len == s.len || !take_word(&s, "release"))
                return;
        (void) take_word(&s, ":");
        s = ash_slice_trim_left(s);
        size_t n = 0;
        while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9')
                n++;
        uint64_t value;
        if (n > 0 && n <= 9 && ash_slice_to_u64(ash_slice_sub(s, 0, n), 10, &value) == 0)
                magic->bump_release = ASH_MAX(magic->bump_release, value);
}

AshMagic ash_message_magic(AshSlice message) {
        AshMagic magic = {};
        AshSlice line, part;
        while (ash_slice_next_line(&message, &line)) {
                line = ash_slice_trim(line);
                if (line.len < 2 || line.ptr[0] != '[' || line.ptr[line.len - 1] != ']')
                        continue;
                AshSlice inside = ash_slice_sub(line, 1, line.len - 2);
                while (ash_slice_split(&inside, ',', &part))
                        read_magic(part, &magic);
        }
        return magic;
}

/* ---- wrapping ---- */
typedef ASH_ARRAY(uint32_t) Text; /* code points, spaces for all white space */

static void decode(AshSlice s, Text *ret) {
        ash_array_reserve(ret, s.len + 1);
        for (size_t i = 0; i < s.len;) {
                unsigned char c = (unsigned char) s.ptr[i];
                size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
                if (i + n > s.len)
                        n = 1;
                for (size_t k = 1; k < n; k++)
                        if (((unsigned char) s.ptr[i + k] & 0xc0) != 0x80)
                                n = 1;
                static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
                uint32_t code = n == 1 ? c : c & (0x7f >> n);
                for (size_t k = 1; k < n; k++)
                        code = code << 6 | ((unsigned char) s.ptr[i + k] & 0x3f);
                if (code < least[n] || code > 0x10ffff)
                        n = 1;
                if (n == 1 && c >= 0x80)
                        code = 0x110000 + c; /* a byte that is no UTF-8: kept as it is */
                if (c == '\t')
                        for (size_t k = 8 - ret->n % 8; k > 1; k--)
                                ash_array_push(ret, ' ');
                ash_array_push(ret, c == '\t' || c == '\n' || c == '\v' || c == '\f' || c == '\r' ? ' ' : code);
                i += n;
        }
}

static void encode(uint32_t c, AshStr *out) {
        char b[4];
        size_t n;
        if (c >= 0x110000)
                b[0] = (char) (c - 0x110000), n = 1;
        else if (c < 0x80)
                b[0] = (char) c, n = 1;
        else if (c < 0x800)
                b[0] = (char) (0xc0 | c >> 6), b[1] = (char) (0x80 | (c & 0x3f)), n = 2;
        else if (c < 0x10000)
                b[0] = (char) (0xe0 | c >> 12), b[1] = (char) (0x80 | (c >> 6 & 0x3f)), b[2] = (char) (0x80 | (c & 0x3f)), n = 3;
        else
                b[0] = (char) (0xf0 | c >> 18), b[1] = (char) (0x80 | (c >> 12 & 0x3f)), b[2] = (char) (0x80 | (c >> 6 & 0x3f)), b[3] = (char) (0x80 | (c & 0x3f)), n = 4;
        ash_str_append(out, ash_slice(b, n));
}

static uint32_t at(const Text *t, ptrdiff_t i) { return i >= 0 && (size_t) i < t->n ? t->items[i] : 0; }
static bool is_digit(uint32_t c) { return c >= '0' && c <= '9'; }
/* Beyond ASCII by blocks: symbols, punctuation and emoji are no letters. Line breaks inside hyphenated words depend on it, nothing else. */
static bool is_letter(uint32_t c) {
        if (c < 0x80)
                return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (c < 0xc0 || c == 0xd7 || c == 0xf7)
                return c == 0xaa || c == 0xb5 || c == 0xba;
        return !(c >= 0x2000 && c <= 0x206f) && !(c >= 0x20a0 && c <= 0x20cf) && !(c >= 0x2190 && c <= 0x2bff) && !(c >= 0x3000 && c <= 0x3004) &&
               !(c >= 0x3008 && c <= 0x3020) && !(c >= 0xe000 && c <= 0xf8ff) && !(c >= 0x1f000 && c <= 0x1fbef) && c < 0xe0000;
}
static bool is_word(uint32_t c) { return is_digit(c) || is_letter(c); }
static bool is_punct(uint32_t c) { return is_word(c) || (c && c < 0x80 && strchr("!\"'&.,?", (char) c)); }

/* The end of a run of two or more dashes at i that a word follows, or 0. */
static size_t dashes(const Text *t, size_t i) {
        size_t n = i;
        while (at(t, (ptrdiff_t) n) == '-')
                n++;
        return n >= i + 2 && is_word(at(t, (ptrdiff_t) n)) ? n : 0;
}

/* A line may be broken behind the hyphen at j: two letters (or letter, hyphen, letter) before it, two letters (perhaps a hyphen between) behind. */
static bool breaks_after_hyphen(const Text *t, ptrdiff_t j) {
        bool before = (is_letter(at(t, j - 2)) && is_letter(at(t, j - 1))) || (is_letter(at(t, j - 3)) && at(t, j - 2) == '-' && is_letter(at(t, j - 1)));
        return at(t, j) == '-' && before && is_letter(at(t, j + 1)) && (is_letter(at(t, j + 2)) || (at(t, j + 2) == '-' && is_letter(at(t, j + 3))));
}

/* Where the piece that starts at i ends. */
static size_t piece_end(const Text *t, size_t i) {
        if (t->items[i] == ' ') {
                while (i < t->n && t->items[i] == ' ')
                        i++;
                return i;
        }
        size_t run = i > 0 && is_punct(t->items[i - 1]) ? dashes(t, i) : 0;
        if (run)
                return run;
        for (size_t j = i + 1;; j++) {
                if (j < t->n && breaks_after_hyphen(t, (ptrdiff_t) j))
                        return j + 1;
                if (j >= t->n || t->items[j] == ' ')
                        return j;
                if (is_punct(t->items[j - 1]) && t->items[j] == '-' && dashes(t, j))
                        return j;
        }
}

/* How much of a piece that fits on no line goes onto this one: up to its last hyphen that fits, else as much as fits. */
static size_t break_long(const Text *t, size_t start, size_t room) {
        for (size_t n = room; n > 1; n--)
                if (t->items[start + n - 1] == '-') {
                        for (size_t k = 0; k < n - 1; k++)
                                if (t->items[start + k] != '-')
                                        return n;
                        break;
                }
        return room;
}

static void wrap_text(const Text *t, AshStr *out) {
        size_t i = 0;
        bool first = true;
        while (i < t->n) {
                if (!first && t->items[i] == ' ') {
                        i = piece_end(t, i);
                        if (i >= t->n)
                                break;
                }
                size_t width = first ? WIDTH : WIDTH - 2, start = i, end = i; /* the line is [start, end) */
                while (end < t->n && piece_end(t, end) - start <= width)
                        end = piece_end(t, end);
                if (end < t->n && piece_end(t, end) - end > width)
                        end += break_long(t, end, width - (end - start));
                i = end;
                while (end > start && t->items[end - 1] == ' ')
                        end--;
                if (end == start)
                        continue;
                ash_str_append_str(out, first ? "" : "\n  ");
                for (size_t k = start; k < end; k++)
                        encode(t->items[k], out);
                first = false;
        }
}

void ash_wrap(AshSlice text, AshStr *out) {
        Text t = {};
        decode(text, &t);
        wrap_text(&t, out);
        ash_array_done(&t);
}

/* ---- items ---- */
/* "..." (three dots or more) or one or more U+2026 at the start, with the spaces behind: their length, or 0. */
static size_t ellipsis(AshSlice line) {
        size_t n = 0;
        while (n < line.len && line.ptr[n] == '.')
                n++;
        if (n < 3) {
                n = 0;
                while (ash_slice_starts(ash_slice_from(line, n), ASH_S("\xe2\x80\xa6")))
                        n += 3;
        }
        return n ? line.len - ash_slice_trim_left(ash_slice_from(line, n)).len : 0;
}

typedef struct Items {
        AshStr item;    /* the one being put together */
        bool any;       /* it has got a line */
        bool written;   /* an item stands in "out" */
        AshStr *out;
} Items;

static void add_line(Items *items, AshSlice line) {
        if (items->any)
                ash_str_append_char(&items->item, ' ');
        items->any = true;
        for (size_t i = 0; i < line.len; i++) {
                ash_str_append_char(&items->item, line.ptr[i]);
                if (line.ptr[i] == '%')
                        ash_str_append_char(&items->item, '%');
        }
}

static void end_item(Items *items) {
        _str_ AshStr text = {};
        ash_str_append_str(&text, "- ");
        ash_str_append(&text, ash_str_slice(&items->item));
        if (items->written)
                ash_str_append_char(items->out, '\n');
        ash_wrap(ash_str_slice(&text), items->out);
        items->written = true;
        items->any = false;
        ash_str_clear(&items->item);
}

static AshSlice without_dash(AshSlice line) {
        return line.len > 0 && line.ptr[0] == '-' ? ash_slice_trim_left(ash_slice_from(line, 1)) : line;
}

void ash_message_items(AshSlice message, AshStr *out) {
        enum { BEFORE, SUBJECT, BETWEEN, CONTINUATION, BODY } state = BEFORE;
        Items items = { .out = out };
        AshSlice line;
        while (ash_slice_next_line(&message, &line)) {
                line = ash_slice_trim(line);
                bool dash = line.len > 0 && line.ptr[0] == '-';
                if (state == BEFORE && line.len > 0) {
                        state = SUBJECT;
                        line = without_dash(line);
                        if (line.len > 0) {
                                add_line(&items, line);
                                continue;
                        }
                }
                if (state == SUBJECT && line.len > 0) {
                        add_line(&items, line);
                        continue;
                }
                if (state == SUBJECT)
                        state = BETWEEN;
                if (line.len == 0 && (state == BEFORE || state == BETWEEN))
                        continue;
                size_t dots = state == BETWEEN ? ellipsis(line) : 0;
                if (dots) {
                        add_line(&items, ash_slice_from(line, dots));
                        state = CONTINUATION;
                        continue;
                }
                if (state == BETWEEN && !dash)
                        break; /* a body that is no list is not for the changelog */
                if (state == CONTINUATION && line.len > 0 && !dash) {
                        add_line(&items, line);
                        continue;
                }
                state = BODY;
                if (line.len == 0)
                        break;
                if (dash)
                        end_item(&items);
                add_line(&items, without_dash(line));
        }
        end_item(&items);
        ash_str_done(&items.item);
}
