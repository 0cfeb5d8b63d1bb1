/* Standard output, listings, diagnostics, small texts. Independent of locale: nothing here asks for one. */
#include <unistd.h>
#include "cli.h"

#define FLUSH_AT (64u << 10)

static void write_fd(int fd, AshSlice s, int *error) {
        while (s.len && !*error) {
                ssize_t n = write(fd, s.ptr, s.len);
                if (n < 0 && errno != EINTR)
                        *error = -errno;
                if (n > 0)
                        s = ash_slice_from(s, (size_t) n);
        }
}

void ash_cli_flush(AshCli *cli) {
        if (cli->out.len == 0)
                return;
        ash_cli_progress_pause(cli->progress);
        write_fd(STDOUT_FILENO, ash_str_slice(&cli->out), &cli->out_error);
        ash_str_clear(&cli->out);
}

void ash_cli_write(AshCli *cli, AshSlice text) {
        ash_str_append(&cli->out, text);
        if (cli->out.len >= FLUSH_AT)
                ash_cli_flush(cli);
}

void ash_cli_print(AshCli *cli, const char *text) { ash_cli_write(cli, ash_slice_str(text)); }

void ash_cli_printf(AshCli *cli, const char *format, ...) {
        va_list ap;
        va_start(ap, format);
        ash_str_appendv(&cli->out, format, ap);
        va_end(ap);
        if (cli->out.len >= FLUSH_AT)
                ash_cli_flush(cli);
}

static const char *const tints[ASH_TINT_MAX_] = {
        [ASH_TINT_BOLD] = "\033[1m", [ASH_TINT_DIM] = "\033[2m", [ASH_TINT_RED] = "\033[31m", [ASH_TINT_GREEN] = "\033[32m",
        [ASH_TINT_YELLOW] = "\033[33m", [ASH_TINT_CYAN] = "\033[36m", [ASH_TINT_OFF] = "\033[0m",
};
const char *ash_cli_tint(const AshCli *cli, AshTint tint) { return cli->color ? tints[tint] : ""; }

/* ---- listings ---- */
struct AshCliList {
        AshCli *cli;
        const AshCliColumn *columns;
        size_t n;
        AshArena *arena;
        ASH_ARRAY(AshSlice) cells;
        size_t *widths;
};

AshCliList *ash_cli_list_new(AshCli *cli, const AshCliColumn *columns, size_t n) {
        AshCliList *list = ash_calloc(1, sizeof *list);
        list->cli = cli;
        list->columns = columns;
        list->n = n;
        list->arena = ash_arena_new();
        list->widths = ash_calloc(n, sizeof *list->widths);
        return list;
}

void ash_cli_list_free(AshCliList *list) {
        if (!list)
                return;
        ash_array_done(&list->cells);
        ash_arena_free(list->arena);
        free(list->widths);
        free(list);
}

static size_t columns_of(AshSlice s) {
        size_t n = 0;
        for (size_t i = 0; i < s.len; i++)
                n += ((uint8_t) s.ptr[i] & 0xc0) != 0x80;
        return n;
}

void ash_cli_list_row(AshCliList *list, const AshSlice *cells) {
        for (size_t i = 0; i < list->n; i++) {
                AshSlice copy = cells[i].ptr ? ash_arena_slice(list->arena, cells[i]) : ASH_NOSLICE;
                for (size_t k = 0; k < copy.len && !list->cli->json; k++)
                        if ((uint8_t) copy.ptr[k] < 0x20 || copy.ptr[k] == 0x7f)
                                ((char *) copy.ptr)[k] = ' ';
                list->widths[i] = ASH_MAX(list->widths[i], columns_of(copy));
                ash_array_push(&list->cells, copy);
        }
}

static void list_json(AshCliList *list) {
        AshJson j = ash_cli_json(list->cli);
        ash_json_begin(&j, NULL, '[');
        for (size_t i = 0; i < list->cells.n; i++) {
                const AshCliColumn *c = &list->columns[i % list->n];
                AshSlice cell = list->cells.items[i];
                if (i % list->n == 0)
                        ash_json_begin(&j, NULL, '{');
                _free_ char *key = ash_strdup(c->title);
                for (char *p = key; *p; p++)
                        *p = *p == ' ' ? '-' : *p >= 'A' && *p <= 'Z' ? (char) (*p - 'A' + 'a') : *p;
                if (c->number && cell.len)
                        ash_json_raw(&j, key, cell);
                else
                        ash_json_text(&j, key, cell);
                if (i % list->n == list->n - 1)
                        ash_json_end(&j, '}');
        }
        ash_json_end(&j, ']');
        ash_cli_print(list->cli, "\n");
}

static bool left_out(const AshCliList *list, size_t column) { return list->columns[column].optional && list->widths[column] == 0; }

static void list_line(AshCliList *list, const AshSlice *cells, const char *tint, const char *off) {
        AshCli *cli = list->cli;
        size_t pad = 0; /* owed spaces: none are written at the end of a line */
        bool first = true;
        ash_cli_print(cli, tint);
        for (size_t i = 0; i < list->n; i++) {
                if (left_out(list, i))
                        continue;
                AshSlice cell = cells[i].ptr ? cells[i] : ASH_S("-");
                size_t space = cli->terminal ? list->widths[i] - ASH_MIN(list->widths[i], columns_of(cell)) : 0;
                if (!first && !cli->terminal)
                        ash_cli_print(cli, "\t");
                if (list->columns[i].number)
                        pad += space;
                ash_str_append_fill(&cli->out, ' ', pad);
                ash_cli_write(cli, cell);
                pad = cli->terminal ? 2 + (list->columns[i].number ? 0 : space) : 0;
                first = false;
        }
        ash_cli_printf(cli, "%s\n", off);
}

static void list_header(AshCliList *list) {
        _free_ AshSlice *titles = ash_calloc(list->n, sizeof *titles);
        for (size_t i = 0; i < list->n; i++) {
                titles[i] = ash_slice_str(list->columns[i].title);
                if (!left_out(list, i))
                        list->widths[i] = ASH_MAX(list->widths[i], columns_of(titles[i]));
        }
        list_line(list, titles, ash_cli_tint(list->cli, ASH_TINT_BOLD), ash_cli_tint(list->cli, ASH_TINT_OFF));
}

void ash_cli_list_print(AshCliList *list) {
        if (list->cli->json) {
                list_json(list);
                return;
        }
        if (list->cli->terminal && list->cells.n)
                list_header(list);
        for (size_t i = 0; i < list->cells.n; i += list->n)
                list_line(list, list->cells.items + i, "", "");
}

/* ---- diagnostics ---- */
static const char *code_name(int code) {
        switch (-code) {
        case 0: return NULL;
        case ASH_ERR_USAGE: return "usage";
        case ASH_ERR_CONFIG: return "configuration";
        case ASH_ERR_UNSOLVABLE: return "unsolvable";
        case ASH_ERR_VERIFY: return "verification";
        case ASH_ERR_AGAIN: return "try-again";
        case ASH_ERR_SYNTAX: return "syntax";
        case ASH_ERR_LIMIT: return "limit";
        }
        return strerrorname_np(-code);
}

static void json_place(AshJson *j, const char *file, AshPlace place) {
        if (!file)
                return;
        ash_json_str(j, "file", file);
        if (place.line) {
                ash_json_int(j, "line", place.line);
                ash_json_int(j, "column", place.column);
        }
}

static void json_diag(AshJson *j, const AshDiag *d) {
        ash_json_begin(j, NULL, '{');
        ash_json_str(j, "severity", ash_severity_name(d->severity));
        if (code_name(d->code))
                ash_json_str(j, "code", code_name(d->code));
        json_place(j, d->file, d->place);
        ash_json_str(j, "text", d->text);
        if (d->line)
                ash_json_str(j, "quoted", d->line);
        if (d->notes.n) {
                ash_json_begin(j, "notes", '[');
                for (size_t i = 0; i < d->notes.n; i++) {
                        ash_json_begin(j, NULL, '{');
                        json_place(j, d->notes.items[i].file, d->notes.items[i].place);
                        ash_json_str(j, "text", d->notes.items[i].text);
                        ash_json_end(j, '}');
                }
                ash_json_end(j, ']');
        }
        if (d->hint)
                ash_json_str(j, "hint", d->hint);
        ash_json_end(j, '}');
}

static bool shown(const AshCli *cli, const AshDiag *d) { return d->severity == ASH_ERROR || !cli->quiet; }

static bool same_text(const char *a, const char *b) { return a == b || (a && b && !strcmp(a, b)); }

static bool same_diag(const AshDiag *a, const AshDiag *b) {
        bool same = a->severity == b->severity && a->place.line == b->place.line && a->place.column == b->place.column && a->notes.n == b->notes.n && same_text(a->file, b->file) && same_text(a->text, b->text) &&
                    same_text(a->hint, b->hint);
        for (size_t i = 0; same && i < a->notes.n; i++)
                same = same_text(a->notes.items[i].file, b->notes.items[i].file) && same_text(a->notes.items[i].text, b->notes.items[i].text);
        return same;
}

/* What is done for each architecture or image finds the same thing to say each time. */
static bool said_before(const AshCli *cli, size_t i) {
        for (size_t k = 0; k < i && i < 1000; k++)
                if (same_diag(ash_diags_at(cli->diags, k), ash_diags_at(cli->diags, i)))
                        return true;
        return false;
}

void ash_cli_report(AshCli *cli) {
        size_t n = ash_diags_n(cli->diags);
        if (n == 0)
                return;
        _str_ AshStr out = {};
        AshJson j = { .out = &out, .compact = true };
        if (cli->json) {
                ash_json_begin(&j, NULL, '{');
                ash_json_str(&j, "event", "diagnostics");
                ash_json_begin(&j, "diagnostics", '[');
        }
        for (size_t i = 0; i < n; i++) {
                const AshDiag *d = ash_diags_at(cli->diags, i);
                if (!shown(cli, d) || said_before(cli, i))
                        continue;
                if (cli->json)
                        json_diag(&j, d);
                else
                        ash_diag_format(d, cli->color_err, &out);
        }
        if (cli->json) {
                ash_json_end(&j, ']');
                ash_json_end(&j, '}');
                ash_str_append_char(&out, '\n');
        }
        int error = 0;
        ash_cli_progress_pause(cli->progress);
        write_fd(STDERR_FILENO, ash_str_slice(&out), &error);
        cli->said_error |= ash_diags_count(cli->diags, ASH_ERROR) > 0;
        ash_diags_clear(cli->diags);
}

int ash_cli_exit_status(int code) {
        if (code >= 0)
                return code > 255 ? 1 : code;
        switch (-code) {
        case ASH_ERR_USAGE: return 2;
        case ASH_ERR_CONFIG: return 3;
        case ASH_ERR_UNSOLVABLE: return 4;
        case ASH_ERR_VERIFY: return 5;
        case ASH_ERR_AGAIN: return 75;
        case EINTR: return 130; /* as shells say it of a program that SIGINT ended */
        }
        return 1;
}

/* ---- texts ---- */
void ash_text_bytes(AshStr *out, uint64_t n) {
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
        size_t u = 0;
        double v = (double) n;
        for (; v >= 1023.5 && u + 1 < ASH_N(units); u++)
                v /= 1024;
        ash_str_appendf(out, u && v < 99.95 ? "%.1f %s" : "%.0f %s", v, units[u]);
}

void ash_text_duration(AshStr *out, uint64_t ns) {
        uint64_t ms = ns / 1000000, s = ms / 1000;
        if (ns < 10000000)
                ash_str_appendf(out, "%.1f ms", (double) ns / 1e6);
        else if (ms < 1000)
                ash_str_appendf(out, "%llu ms", (unsigned long long) ms);
        else if (s < 60)
                ash_str_appendf(out, "%.1f s", (double) ms / 1000);
        else if (s < 3600)
                ash_str_appendf(out, "%llu min %02llu s", (unsigned long long) (s / 60), (unsigned long long) (s % 60));
        else
                ash_str_appendf(out, "%llu h %02llu min", (unsigned long long) (s / 3600), (unsigned long long) (s / 60 % 60));
}

void ash_text_wrap(AshStr *out, const char *text, unsigned at, unsigned indent, unsigned width) {
        AshSlice rest = ash_slice_str(text), word;
        size_t column = at;
        bool first = true;
        while (ash_slice_next_word(&rest, &word)) {
                size_t n = columns_of(word);
                if (!first && column + 1 + n > width) {
                        ash_str_append_char(out, '\n');
                        ash_str_append_fill(out, ' ', indent);
                        column = indent;
                } else if (!first) {
                        ash_str_append_char(out, ' ');
                        column++;
                }
                ash_str_append(out, word);
                column += n;
                first = false;
        }
        ash_str_append_char(out, '\n');
}

AshJson ash_cli_json(AshCli *cli) { return (AshJson){ .out = &cli->out }; }
