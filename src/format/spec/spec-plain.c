/* What azldev's scanner believes: one line at a time, no continuation, no macro, no conditional. Its white space is Unicode's, as Go's strings package has it. */
#include "spec-private.h"

static const struct { const char *name; AshSpecSectionType type; } section_names[] = {
        { "%package", ASH_SECTION_PACKAGE },
        { "%prep", ASH_SECTION_SCRIPT },
        { "%conf", ASH_SECTION_SCRIPT },
        { "%build", ASH_SECTION_SCRIPT },
        { "%install", ASH_SECTION_SCRIPT },
        { "%check", ASH_SECTION_SCRIPT },
        { "%clean", ASH_SECTION_SCRIPT },
        { "%generate_buildrequires", ASH_SECTION_SCRIPT },
        { "%pre", ASH_SECTION_SCRIPT },
        { "%post", ASH_SECTION_SCRIPT },
        { "%preun", ASH_SECTION_SCRIPT },
        { "%postun", ASH_SECTION_SCRIPT },
        { "%pretrans", ASH_SECTION_SCRIPT },
        { "%posttrans", ASH_SECTION_SCRIPT },
        { "%preuntrans", ASH_SECTION_SCRIPT },
        { "%postuntrans", ASH_SECTION_SCRIPT },
        { "%verify", ASH_SECTION_SCRIPT }, /* so in azldev; rpm's is %verifyscript, and its %verify(...) stands in %files */
        { "%triggerin", ASH_SECTION_SCRIPT },
        { "%triggerun", ASH_SECTION_SCRIPT },
        { "%triggerprein", ASH_SECTION_SCRIPT },
        { "%triggerpostun", ASH_SECTION_SCRIPT },
        { "%filetriggerin", ASH_SECTION_SCRIPT },
        { "%filetriggerun", ASH_SECTION_SCRIPT },
        { "%filetriggerpostun", ASH_SECTION_SCRIPT },
        { "%transfiletriggerin", ASH_SECTION_SCRIPT },
        { "%transfiletriggerun", ASH_SECTION_SCRIPT },
        { "%transfiletriggerpostun", ASH_SECTION_SCRIPT },
        { "%description", ASH_SECTION_TEXT },
        { "%files", ASH_SECTION_FILES },
        { "%changelog", ASH_SECTION_CHANGELOG },
        { "%patchlist", ASH_SECTION_LIST },
        { "%sourcelist", ASH_SECTION_LIST },
        { "%sepolicy", ASH_SECTION_SCRIPT }, /* these two are rpm's only: they come last */
        { "%verifyscript", ASH_SECTION_SCRIPT },
};
#define N_PLAIN_NAMES 32

AshSpecSectionType ash_spec_section_type(AshSlice word, bool all) {
        if (!word.len || word.ptr[0] != '%')
                return ASH_SECTION_TYPE_INVALID_;
        for (size_t i = 0; i < (all ? ASH_N(section_names) : N_PLAIN_NAMES); i++)
                if (ash_slice_eq_nocase(word, ash_slice_str(section_names[i].name)))
                        return section_names[i].type;
        return ASH_SECTION_TYPE_INVALID_;
}

/* Bytes of the white space character that s begins with (Unicode's White_Space), or 0. */
static size_t space_len(AshSlice s) {
        const uint8_t *p = (const uint8_t *) s.ptr;
        if (!s.len)
                return 0;
        if (p[0] == ' ' || (p[0] >= '\t' && p[0] <= '\r'))
                return 1;
        if (s.len >= 2 && p[0] == 0xc2 && (p[1] == 0x85 || p[1] == 0xa0))
                return 2;
        if (s.len < 3)
                return 0;
        uint32_t c = (uint32_t) p[0] << 16 | (uint32_t) p[1] << 8 | p[2];
        bool space = c == 0xe19a80 || (c >= 0xe28080 && c <= 0xe2808a) || c == 0xe280a8 || c == 0xe280a9 || c == 0xe280af || c == 0xe2819f || c == 0xe38080;
        return space ? 3 : 0;
}

static AshSlice go_trim_left(AshSlice s) {
        for (size_t n; (n = space_len(s)) > 0;)
                s = ash_slice_from(s, n);
        return s;
}

static AshSlice go_trim(AshSlice s) {
        s = go_trim_left(s);
        while (s.len) {
                size_t n = 1;
                while (n < 3 && n < s.len && ((uint8_t) s.ptr[s.len - n] & 0xc0) == 0x80)
                        n++;
                if (space_len(ash_slice_from(s, s.len - n)) != n)
                        break;
                s.len -= n;
        }
        return s;
}

/* The next of strings.Fields. */
static bool go_field(AshSlice *rest, AshSlice *ret) {
        *rest = go_trim_left(*rest);
        if (!rest->len)
                return false;
        size_t n = 0;
        while (n < rest->len && !space_len(ash_slice_from(*rest, n)))
                n++;
        *ret = ash_slice_sub(*rest, 0, n);
        *rest = ash_slice_from(*rest, n);
        return true;
}

static bool regex_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r'; }

bool ash_spec_plain_tag(AshSlice line, AshSpecTag *ret) {
        size_t i = 0;
        while (i < line.len && regex_space(line.ptr[i]))
                i++;
        size_t start = i;
        while (i < line.len && !regex_space(line.ptr[i]) && line.ptr[i] != ':')
                i++;
        if (i == start || i >= line.len || line.ptr[i] != ':')
                return false;
        AshSlice name = ash_slice_sub(line, start, i - start);
        for (i++; i < line.len && regex_space(line.ptr[i]); i++)
                ;
        size_t end = line.len;
        while (end > i && regex_space(line.ptr[end - 1]))
                end--;
        AshSlice value = ash_slice_sub(line, i, end - i);
        if (ash_slice_find_char(value, '\n') >= 0) /* '.' does not match it */
                return false;
        *ret = (AshSpecTag){ .name = name, .value = value };
        return true;
}

/* The package of a header: the first word that is no option; -n WORD wins; -f, -p, -l and -P take a word; "--" ends. */
void ash_spec_header_words(AshSlice rest, AshSpecSection *s) {
        AshSlice word, suffix = ASH_NOSLICE;
        while (go_field(&rest, &word)) {
                if (ash_slice_eqs(word, "--"))
                        break;
                if (word.ptr[0] != '-') {
                        if (!suffix.ptr)
                                suffix = word;
                        continue;
                }
                AshSlice value = ASH_NOSLICE;
                bool takes = word.len == 2 && strchr("nfplP", word.ptr[1]);
                if (!takes || !go_field(&rest, &value))
                        continue;
                if (word.ptr[1] == 'n') {
                        s->package = value;
                        s->full_name = true;
                } else if (word.ptr[1] == 'f' && !s->file.ptr)
                        s->file = value;
                else if (word.ptr[1] == 'p')
                        s->program = value;
        }
        if (!s->package.ptr)
                s->package = suffix.ptr ? suffix : ASH_S("");
}

AshSpecPlainKind ash_spec_plain_line(AshSlice line, AshSpecSectionType type, AshSpecSection *ret_section, AshSpecTag *ret_tag) {
        if (line.len && line.ptr[0] == '#')
                return ASH_PLAIN_RAW;
        AshSlice trimmed = go_trim(line), rest = trimmed, word;
        if (!go_field(&rest, &word))
                return ASH_PLAIN_RAW;
        AshSpecSectionType found = ash_spec_section_type(word, false);
        if (found >= 0) {
                *ret_section = (AshSpecSection){ .name = word, .package = ASH_S(""), .type = found };
                if (found != ASH_SECTION_CHANGELOG && found != ASH_SECTION_LIST) {
                        ret_section->package = ASH_NOSLICE;
                        ash_spec_header_words(rest, ret_section);
                }
                return ASH_PLAIN_HEADER;
        }
        return type == ASH_SECTION_PACKAGE && ash_spec_plain_tag(trimmed, ret_tag) ? ASH_PLAIN_TAG : ASH_PLAIN_RAW;
}

void ash_spec_plain_view(const AshSpecDoc *doc, AshSpecPlainView *ret) {
        *ret = (AshSpecPlainView){};
        ash_array_push(&ret->sections, ((AshSpecSection){ .name = ASH_S(""), .package = ASH_S(""), .type = ASH_SECTION_PACKAGE, .end = doc->lines.n }));
        AshSpecSection found;
        AshSpecTag tag;
        for (size_t i = 0; i < doc->lines.n; i++) {
                AshSlice line = doc->lines.items[i].text;
                if (!memchr(line.ptr, '%', line.len) || ash_spec_plain_line(line, ASH_SECTION_TEXT, &found, &tag) != ASH_PLAIN_HEADER)
                        continue;
                ash_array_last(&ret->sections)->end = i;
                found.header = i;
                found.begin = i + 1;
                found.end = doc->lines.n;
                ash_array_push(&ret->sections, found);
        }
}

void ash_spec_plain_view_done(AshSpecPlainView *view) {
        ash_array_done(&view->sections);
}

static bool first_word(AshSlice line, AshSlice *ret) {
        AshSlice rest = line;
        return go_field(&rest, ret) && ret->ptr[0] != '#';
}

static bool one_of(AshSlice word, const char *const *words) {
        for (; *words; words++)
                if (ash_slice_eq_nocase(word, ash_slice_str(*words)))
                        return true;
        return false;
}

int ash_spec_plain_depth(AshSlice line) {
        static const char *const openers[] = { "%if", "%ifarch", "%ifnarch", "%ifos", "%ifnos", NULL };
        AshSlice word;
        if (!memchr(line.ptr, '%', line.len) || !first_word(line, &word))
                return 0;
        return ash_slice_eq_nocase(word, ASH_S("%endif")) ? -1 : one_of(word, openers);
}

bool ash_spec_plain_branch(AshSlice line) {
        static const char *const branches[] = { "%else", "%elif", "%elifarch", "%elifnarch", "%elifos", "%elifnos", NULL };
        AshSlice word;
        return memchr(line.ptr, '%', line.len) && first_word(line, &word) && one_of(word, branches);
}

bool ash_spec_plain_quiet(AshSlice line) {
        AshSlice trimmed = go_trim(line);
        return !trimmed.len || trimmed.ptr[0] == '#';
}

AshSlice ash_spec_tag_family(AshSlice name) {
        AshSlice family = name;
        while (family.len && family.ptr[family.len - 1] >= '0' && family.ptr[family.len - 1] <= '9')
                family.len--;
        return family.len ? family : name;
}
