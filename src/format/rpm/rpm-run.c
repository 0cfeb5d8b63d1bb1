#include <stdio.h>
#include <rpm/rpmlib.h>
#include <rpm/rpmmacro.h>
#include <rpm/rpmte.h>
#include <rpm/rpmts.h>
#include "rpm-run.h"

/* ---- order ---- */
static void ts_done(rpmts *ts) { rpmtsFree(*ts); }

static int add_header(rpmts ts, AshSlice blob, uint32_t *index, AshDiags *diags) {
        Header h = headerImport((void *) blob.ptr, (unsigned) blob.len, HEADERIMPORT_COPY);
        int r = h ? rpmtsAddInstallElement(ts, h, index, 0, NULL) : -1;
        headerFree(h);
        return r != 0 ? ash_fail(diags, -ASH_ERR_SYNTAX, ASH_NOWHERE, "librpm does not take the header of package %u", *index) : 0;
}

int ash_rpm_order(const AshSlice *headers, size_t n, uint32_t *ret_order, AshDiags *diags) {
        _cleanup_(ts_done) rpmts ts = rpmtsCreate();
        _free_ uint32_t *indices = ash_calloc(n + 1, sizeof *indices);
        int r = 0;
        rpmtsSetVSFlags(ts, (rpmVSFlags) -1);
        rpmtsSetDBMode(ts, -1); /* no database is looked at */
        for (size_t i = 0; r >= 0 && i < n; i++) {
                indices[i] = (uint32_t) i;
                r = add_header(ts, headers[i], &indices[i], diags);
        }
        if (r < 0)
                return r;
        if (rpmtsOrder(ts) != 0)
                return ash_fail(diags, -EINVAL, ASH_NOWHERE, "librpm finds no order for %zu packages", n);
        rpmtsi it = rpmtsiInit(ts);
        size_t k = 0;
        for (rpmte te; k < n && (te = rpmtsiNext(it, TR_ADDED));)
                ret_order[k++] = *(const uint32_t *) rpmteKey(te);
        rpmtsiFree(it);
        return k == n ? 0 : ash_fail(diags, -EINVAL, ASH_NOWHERE, "librpm leaves out %zu of %zu packages", n - k, n);
}

/* ---- Lua ---- */
/* librpm has no public call for a scriptlet; %{lua:...} of its macros runs in the same interpreter with the same modules. There "print" makes the macro's result: it is printed then, as rpm would have
 * done at once. What newer versions have and scriptlets of current distributions use is added where it is missing. */
static const char bootstrap[] =
        "%%{lua: local give, status = print, 1; io.stdout:setvbuf('line'); local file = io.open('%s', 'rb'); local text = file:read('a'); file:close(); "
        "local function like(s, p) "
        "  if p == '' then return s == '' end; local c = p:sub(1, 1); "
        "  if c == '*' then for i = 1, #s + 1 do if like(s:sub(i), p:sub(2)) then return true end end; return false end; "
        "  return s ~= '' and (c == '?' or c == s:sub(1, 1)) and like(s:sub(2), p:sub(2)) end; "
        "local clock = tonumber(os.getenv('ASHLAR_CLOCK')); local time, date = os.time, os.date; "
        "if clock then os.time = function(t) return t and time(t) or clock end; os.date = function(f, t) return date(f, t or clock) end end; "
        "rpm.next_file = rpm.next_file or function() return io.read('l') end; "
        "local function result(good, text, code) " /* rpm.execute of 4.18 gives the status of wait(2) */
        "  if good or text:find('^posix_spawn') then return good, text, code end; code = math.floor(code); "
        "  if code >= 256 then return nil, 'exit code', code // 256 end; return nil, 'exit signal', code end; "
        "rpm.spawn = rpm.spawn or function(command, actions) "
        "  local words, redirections = {'/bin/sh', '-c', '', 'sh'}, { { 'stdin', '<' }, { 'stdout', '>>' }, { 'stderr', '2>>' } }; "
        "  if not actions or not next(actions) then return result(rpm.execute(table.unpack(command))) end; "
        "  words[3] = 'exec \"$@\"'; for _, w in ipairs(command) do words[#words + 1] = w end; "
        "  for _, r in ipairs(redirections) do if actions[r[1]] then words[3] = words[3] .. ' ' .. r[2] .. \"'\" .. actions[r[1]]:gsub(\"'\", \"'\\\\''\") .. \"'\" end end; "
        "  return result(rpm.execute(table.unpack(words))) end; "
        "rpm.glob = rpm.glob or function(pattern) "
        "  local dir, base = pattern:match('^(.*)/([^/]*)$'); local found, names = {}, posix.files(dir or '.'); "
        "  if names then for n in names do if n ~= '.' and n ~= '..' and (n:sub(1, 1) ~= '.' or base:sub(1, 1) == '.') and like(n, base or pattern) then found[#found + 1] = (dir and dir .. '/' or '') .. n end end end; "
        "  if #found == 0 then found[1] = pattern end; table.sort(found); return found end; "
        "_G.print = function(...) local out = {}; for i = 1, select('#', ...) do out[i] = tostring((select(i, ...))) end; io.stdout:write(table.concat(out, string.char(9)), string.char(10)) end; "
        "local chunk, problem = load(text, '=%s', 't', setmetatable({arg = {'<lua>'%s}}, {__index = _G})); "
        "if chunk then local good; good, problem = pcall(chunk); if good then status = 0 end end; "
        "io.stdout:flush(); if status ~= 0 then io.stderr:write(tostring(problem), string.char(10)) end; give(status)}";

int ash_rpm_run_lua(const char *body_path, const char *name, const int *args, size_t n_args) {
        _str_ AshStr numbers = {};
        for (size_t i = 0; i < n_args; i++)
                ash_str_appendf(&numbers, ", %d", args[i]);
        _free_ char *text = ash_asprintf(bootstrap, body_path, name, numbers.ptr ? numbers.ptr : "");
        rpmInitMacros(NULL, "");
        _free_ char *out = rpmExpand(text, NULL);
        fflush(stdout);
        return out && !strcmp(out, "0") ? 0 : 1;
}

#define MACRO_FILES "/usr/lib/rpm/macros:/usr/lib/rpm/macros.d/macros.*:/usr/lib/rpm/redhat/macros:/etc/rpm/macros.*:/etc/rpm/macros"

int ash_rpm_expand_body(const char *body_path, bool expand, bool format, AshSlice header) {
        _bytes_ AshBytes body = {};
        if (ash_file_read(AT_FDCWD, body_path, 0, &body) < 0)
                return 1;
        _free_ char *text = ash_slice_dup(ash_bytes_slice(&body));
        if (expand) {
                rpmInitMacros(NULL, MACRO_FILES);
                char *out = rpmExpand(text, NULL);
                free(text);
                text = out;
        }
        if (format) {
                Header h = headerImport((void *) header.ptr, (unsigned) header.len, HEADERIMPORT_COPY);
                char *out = h ? headerFormat(h, text, NULL) : NULL;
                headerFree(h);
                free(text);
                text = out;
        }
        return !text || ash_write_all(1, text, strlen(text)) < 0;
}
