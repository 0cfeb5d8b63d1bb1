/* The copyright file and the changelog of a Debian package. */
#include "apt-import.h"

/* ---- licences ---- */
static const char *const spdx[][2] = { /* DEP-5's short names (copyright-format/1.0, 7.2) and their usual spellings; sorted by nothing: the first match counts */
        { "expat", "MIT" }, { "mit", "MIT" }, { "mit-license", "MIT" }, { "x11", "X11" }, { "isc", "ISC" }, { "zlib", "Zlib" }, { "zlib/libpng", "Zlib" }, { "apache", "Apache-2.0" },
        { "apache-2", "Apache-2.0" }, { "apache-2.0", "Apache-2.0" }, { "apache-1.1", "Apache-1.1" }, { "artistic", "Artistic-1.0-Perl" }, { "artistic-1", "Artistic-1.0-Perl" },
        { "artistic-1.0", "Artistic-1.0" }, { "artistic-2", "Artistic-2.0" }, { "artistic-2.0", "Artistic-2.0" }, { "perl", "GPL-1.0-or-later OR Artistic-1.0-Perl" },
        { "bsd", "BSD-3-Clause" }, { "bsd-2-clause", "BSD-2-Clause" }, { "bsd-3-clause", "BSD-3-Clause" }, { "bsd-4-clause", "BSD-4-Clause" }, { "bsd-4-clause-uc", "BSD-4-Clause-UC" },
        { "bsd-2", "BSD-2-Clause" }, { "bsd-3", "BSD-3-Clause" }, { "bsd-4", "BSD-4-Clause" }, { "0bsd", "0BSD" }, { "bsd-0-clause", "0BSD" }, { "bsd-1-clause", "BSD-1-Clause" },
        { "bsl", "BSL-1.0" }, { "bsl-1", "BSL-1.0" }, { "bsl-1.0", "BSL-1.0" }, { "boost-1.0", "BSL-1.0" }, { "cc0", "CC0-1.0" }, { "cc0-1.0", "CC0-1.0" }, { "cc-by-3.0", "CC-BY-3.0" },
        { "cc-by-4.0", "CC-BY-4.0" }, { "cc-by-sa-3.0", "CC-BY-SA-3.0" }, { "cc-by-sa-4.0", "CC-BY-SA-4.0" }, { "cddl", "CDDL-1.0" }, { "cddl-1.0", "CDDL-1.0" }, { "cpl", "CPL-1.0" },
        { "curl", "curl" }, { "efl", "EFL-2.0" }, { "epl-1.0", "EPL-1.0" }, { "epl-2.0", "EPL-2.0" }, { "fsfap", "FSFAP" }, { "fsful", "FSFUL" }, { "fsfullr", "FSFULLR" },
        { "gfdl", "GFDL-1.1-or-later" }, { "gfdl-1.1+", "GFDL-1.1-or-later" }, { "gfdl-1.2", "GFDL-1.2-only" }, { "gfdl-1.2+", "GFDL-1.2-or-later" }, { "gfdl-1.3", "GFDL-1.3-only" },
        { "gfdl-1.3+", "GFDL-1.3-or-later" }, { "gfdl-niv", "GFDL-1.1-no-invariants-or-later" }, { "gfdl-niv-1.3+", "GFDL-1.3-no-invariants-or-later" },
        { "gfdl-niv-1.2+", "GFDL-1.2-no-invariants-or-later" }, { "gpl", "GPL-1.0-or-later" }, { "gpl+", "GPL-1.0-or-later" }, { "gpl-any", "GPL-1.0-or-later" },
        { "gpl-1", "GPL-1.0-only" }, { "gpl-1+", "GPL-1.0-or-later" }, { "gpl-2", "GPL-2.0-only" }, { "gpl-2+", "GPL-2.0-or-later" }, { "gpl-3", "GPL-3.0-only" }, { "gpl-3+", "GPL-3.0-or-later" },
        { "lgpl", "LGPL-2.0-or-later" }, { "lgpl-2", "LGPL-2.0-only" }, { "lgpl-2+", "LGPL-2.0-or-later" }, { "lgpl-2.1", "LGPL-2.1-only" }, { "lgpl-2.1+", "LGPL-2.1-or-later" },
        { "lgpl-3", "LGPL-3.0-only" }, { "lgpl-3+", "LGPL-3.0-or-later" }, { "agpl-3", "AGPL-3.0-only" }, { "agpl-3+", "AGPL-3.0-or-later" }, { "ijg", "IJG" }, { "icu", "ICU" },
        { "mpl-1.1", "MPL-1.1" }, { "mpl-2", "MPL-2.0" }, { "mpl-2.0", "MPL-2.0" }, { "ncsa", "NCSA" }, { "ofl-1.1", "OFL-1.1" }, { "sil-1.1", "OFL-1.1" }, { "openssl", "OpenSSL" },
        { "psf-2", "PSF-2.0" }, { "python-2.0", "Python-2.0" }, { "psf", "PSF-2.0" }, { "qpl", "QPL-1.0" }, { "ruby", "Ruby" }, { "tcl", "TCL" }, { "unicode", "Unicode-3.0" },
        { "unlicense", "Unlicense" }, { "vim", "Vim" }, { "w3c", "W3C" }, { "wtfpl", "WTFPL" }, { "wtfpl-2", "WTFPL" }, { "zpl-2.1", "ZPL-2.1" }, { "beer-ware", "Beerware" },
        { "hpnd", "HPND" }, { "ms-pl", "MS-PL" }, { "blueoak-1.0.0", "BlueOak-1.0.0" }, { "bzip2", "bzip2-1.0.6" }, { "libpng", "libpng-2.0" }, { "mit-0", "MIT-0" },
};

static bool ref_char(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-'; }

/* One short name. Names that SPDX does not have become LicenseRef-NAME, as SPDX asks for. */
static void append_license(AshStr *out, AshSlice name) {
        for (size_t i = 0; i < ASH_N(spdx); i++)
                if (ash_slice_eq_nocase(name, ash_slice_str(spdx[i][0]))) {
                        bool compound = strstr(spdx[i][1], " OR ") != NULL;
                        ash_str_appendf(out, compound ? "(%s)" : "%s", spdx[i][1]);
                        return;
                }
        static const char *const forms[] = { "GPL-", "LGPL-", "AGPL-" }; /* "GPL-2.0+", "LGPL-2.1-or-later" */
        for (size_t i = 0; i < ASH_N(forms); i++)
                if (ash_slice_starts(name, ash_slice_str(forms[i]))) {
                        AshSlice rest = ash_slice_from(name, strlen(forms[i]));
                        if (rest.len >= 3 && rest.ptr[1] == '.' && (rest.len == 3 || ash_slice_eqs(ash_slice_from(rest, 3), "+"))) {
                                ash_str_appendf(out, "%s%.3s-%s", forms[i], rest.ptr, rest.len == 3 ? "only" : "or-later");
                                return;
                        }
                        if (ash_slice_ends(rest, ASH_S("-only")) || ash_slice_ends(rest, ASH_S("-or-later"))) {
                                ash_str_append(out, name);
                                return;
                        }
                }
        ash_str_append_str(out, "LicenseRef-");
        for (size_t i = 0; i < name.len && i < 80; i++)
                ash_str_append_char(out, ref_char(name.ptr[i]) ? name.ptr[i] : '-');
}

static bool next_token(AshSlice *rest, AshSlice *ret) {
        while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t' || rest->ptr[0] == ','))
                *rest = ash_slice_from(*rest, 1);
        if (rest->len == 0)
                return false;
        size_t n = 0;
        while (n < rest->len && rest->ptr[n] != ' ' && rest->ptr[n] != '\t' && rest->ptr[n] != ',')
                n++;
        *ret = ash_slice_sub(*rest, 0, n);
        *rest = ash_slice_from(*rest, n);
        return true;
}

/* "GPL-2+ or Artistic, and BSD-3-clause with foo exception": words between operators are one name. "or" binds tighter than ", and", as DEP-5 says. */
static void append_expression(AshStr *out, AshSlice synopsis) {
        _str_ AshStr one = {}, name = {};
        AshSlice token;
        bool more, alternatives = false, exception = false;
        do {
                more = next_token(&synopsis, &token);
                bool is_or = more && ash_slice_eq_nocase(token, ASH_S("or")), is_and = more && (ash_slice_eq_nocase(token, ASH_S("and")) || ash_slice_eqs(token, "&"));
                if (more && !is_or && !is_and) {
                        exception |= ash_slice_eq_nocase(token, ASH_S("with"));
                        if (name.len && !exception)
                                ash_str_append_char(&name, '-');
                        else if (name.len)
                                ash_str_append_char(&name, '-');
                        ash_str_append(&name, token);
                        continue;
                }
                if (name.len)
                        append_license(&one, ash_str_slice(&name));
                ash_str_clear(&name);
                exception = false;
                if (is_or && one.len) {
                        ash_str_append_str(&one, " OR ");
                        alternatives = true;
                } else if (one.len) {
                        if (out->len)
                                ash_str_append_str(out, " AND ");
                        ash_str_appendf(out, alternatives ? "(%.*s)" : "%.*s", ASH_F(ash_str_slice(&one)));
                        ash_str_clear(&one);
                        alternatives = false;
                }
        } while (more);
}

/* Not machine-readable: the texts of /usr/share/common-licenses that it points at, each as Debian calls it; which of them governs what is not said. */
static void guess(AshSlice text, AshStr *out) {
        static const char dir[] = "/usr/share/common-licenses/";
        _map_ AshMap seen = {};
        ptrdiff_t at;
        while ((at = ash_slice_find(text, ash_slice_str(dir))) >= 0) {
                text = ash_slice_from(text, (size_t) at + strlen(dir));
                size_t n = 0;
                while (n < text.len && ref_char(text.ptr[n]))
                        n++;
                while (n > 0 && (text.ptr[n - 1] == '.' || text.ptr[n - 1] == '-'))
                        n--;
                AshSlice name = ash_slice_sub(text, 0, n);
                bool fresh = false;
                if (n > 0)
                        ash_map_ensure(&seen, name, &fresh);
                if (!fresh)
                        continue;
                if (out->len)
                        ash_str_append_str(out, " AND ");
                append_license(out, name);
        }
}

static bool add_synopsis(AshMap *seen, AshArena *arena, AshSlice value, AshStr *out) {
        ptrdiff_t nl = ash_slice_find_char(value, '\n');
        AshSlice synopsis = ash_slice_trim(nl < 0 ? value : ash_slice_sub(value, 0, (size_t) nl));
        if (synopsis.len == 0 || synopsis.len > 200)
                return false;
        _str_ AshStr text = {};
        append_expression(&text, synopsis);
        bool fresh = false;
        if (text.len)
                ash_map_ensure(seen, ash_arena_slice(arena, ash_str_slice(&text)), &fresh);
        if (!fresh)
                return false;
        if (out->len)
                ash_str_append_str(out, " AND ");
        ash_str_append(out, ash_str_slice(&text));
        return true;
}

AshSlice apt_license(AshArena *arena, AshSlice copyright, bool *ret_guessed) {
        _str_ AshStr out = {};
        _map_ AshMap seen = {};
        AshDeb822 in = ash_deb822(copyright);
        AshDebField f;
        bool machine_readable = false, files = false;
        int r;
        while ((r = ash_deb822_next(&in, &f)) > 0 && out.len < 2000) {
                if (r == ASH_DEB822_STANZA_END) {
                        files = false;
                        if (!machine_readable)
                                break;
                        continue;
                }
                machine_readable |= ash_slice_eq_nocase(f.name, ASH_S("Format")) || ash_slice_eq_nocase(f.name, ASH_S("Format-Specification"));
                files |= ash_slice_eq_nocase(f.name, ASH_S("Files"));
                if (files && ash_slice_eq_nocase(f.name, ASH_S("License")))
                        add_synopsis(&seen, arena, f.value, &out);
        }
        *ret_guessed = !machine_readable || out.len == 0;
        if (*ret_guessed) {
                ash_str_clear(&out);
                guess(copyright, &out);
        }
        if (out.len == 0)
                ash_str_append_str(&out, "LicenseRef-Debian-copyright-file");
        return ash_arena_slice(arena, ash_str_slice(&out));
}

/* ---- changelog: "package (version) suites; urgency=x", lines, " -- Name <mail>  date" (Policy 4.4) ---- */
static bool number(AshSlice s, uint64_t max, uint64_t *ret) { return ash_slice_to_u64(s, 10, ret) == 0 && *ret <= max; }

/* RFC 5322: "Mon, 05 May 2025 12:34:56 +0200". */
static bool parse_date(AshSlice s, uint32_t *ret) {
        static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        ptrdiff_t comma = ash_slice_find_char(s, ',');
        if (comma >= 0)
                s = ash_slice_from(s, (size_t) comma + 1);
        AshSlice day, month, year, time, zone;
        if (!ash_slice_next_word(&s, &day) || !ash_slice_next_word(&s, &month) || !ash_slice_next_word(&s, &year) || !ash_slice_next_word(&s, &time) || !ash_slice_next_word(&s, &zone))
                return false;
        uint64_t d, y, hh, mm, ss, z;
        unsigned m = 0;
        while (m < 12 && (month.len < 3 || memcmp(months + 3 * m, month.ptr, 3) != 0))
                m++;
        if (m == 12 || !number(day, 31, &d) || !number(year, 2105, &y) || y < 1970 || time.len != 8 || !number(ash_slice_sub(time, 0, 2), 23, &hh) || !number(ash_slice_sub(time, 3, 2), 59, &mm) ||
            !number(ash_slice_sub(time, 6, 2), 60, &ss) || zone.len != 5 || !number(ash_slice_from(zone, 1), 1400, &z))
                return false;
        /* days since 1970 of the proleptic Gregorian calendar, the year beginning in March */
        int64_t yy = (int64_t) y - (m < 2), era = yy / 400, yoe = yy - era * 400, doy = (153 * ((int64_t) (m + 10) % 12) + 2) / 5 + (int64_t) d - 1;
        int64_t days = era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
        int64_t offset = (int64_t) (z / 100 * 3600 + z % 100 * 60) * (zone.ptr[0] == '-' ? -1 : 1);
        int64_t t = days * 86400 + (int64_t) (hh * 3600 + mm * 60 + ss) - offset;
        *ret = (uint32_t) ASH_MAX(t, (int64_t) 0);
        return true;
}

static void append_version(AshSlice version, AshStr *out) {
        AshDebVersion v;
        if (ash_deb_version_parse(version, &v) == 0)
                ash_apt_evr(&v, out);
        else
                ash_str_append(out, version);
}

/* "- text" for "  * text", continuation lines as they are, empty lines left out. */
static void append_change(AshStr *out, AshSlice line) {
        AshSlice t = ash_slice_trim(line);
        if (t.len == 0 || out->len > 4000)
                return;
        if (out->len)
                ash_str_append_char(out, '\n');
        if (t.ptr[0] == '*') {
                ash_str_append_str(out, "- ");
                t = ash_slice_trim(ash_slice_from(t, 1));
        } else
                ash_str_append_str(out, t.ptr[0] == '[' ? "" : "  ");
        size_t bad;
        if (ash_utf8_valid(t, &bad))
                ash_str_append(out, t);
        else /* old entries in Latin-1: each byte is its own code point */
                for (size_t i = 0; i < t.len; i++) {
                        unsigned char c = (unsigned char) t.ptr[i];
                        if (c < 0x80)
                                ash_str_append_char(out, (char) c);
                        else
                                ash_str_append(out, ash_slice((char[]){ (char) (0xc0 | c >> 6), (char) (0x80 | (c & 0x3f)) }, 2));
                }
}

size_t apt_changelog(AshArena *arena, AshSlice text, AshRpmNewChange *ret, size_t max) {
        size_t n = 0;
        _str_ AshStr body = {}, name = {};
        AshSlice line, version = ASH_NOSLICE;
        while (n < max && ash_slice_next_line(&text, &line)) {
                ptrdiff_t open = ash_slice_find_char(line, '('), close = ash_slice_find_char(line, ')');
                if (line.len > 0 && line.ptr[0] != ' ' && line.ptr[0] != '\t' && open > 0 && close > open) {
                        version = ash_slice_sub(line, (size_t) open + 1, (size_t) (close - open) - 1);
                        ash_str_clear(&body);
                } else if (ash_slice_starts(line, ASH_S(" -- ")) && version.ptr) {
                        AshSlice who = ash_slice_from(line, 4);
                        ptrdiff_t end = ash_slice_find(who, ASH_S(">  "));
                        uint32_t time;
                        if (end < 0 || !parse_date(ash_slice_from(who, (size_t) end + 3), &time))
                                continue;
                        ash_str_clear(&name);
                        ash_str_appendf(&name, "%.*s - ", (int) end + 1, who.ptr);
                        append_version(version, &name);
                        ret[n++] = (AshRpmNewChange){ time, ash_arena_slice(arena, ash_str_slice(&name)), ash_arena_slice(arena, ash_str_slice(&body)) };
                        version = ASH_NOSLICE;
                } else if (version.ptr)
                        append_change(&body, line);
        }
        return n;
}
