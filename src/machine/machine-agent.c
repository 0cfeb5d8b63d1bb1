/* Commands in the machine: a unit that systemd takes from the firmware's tables (systemd.system-credentials(7): systemd.extra-unit.*, SMBIOS type 11). It runs a shell loop at a virtio port. The image needs nothing for it. */
#include "machine-private.h"

#define PORT "org.ashlar.agent"
#define OUTPUT_MAX "262144"

/* A line to it: number, seconds, command in base64. A line back: number, exit status, output in base64. */
static const char unit[] =
        "[Unit]\n"
        "Description=Commands of ashlar\n"
        "DefaultDependencies=no\n"
        "Requires=dev-virtio\\x2dports-" PORT ".device\n"
        "After=dev-virtio\\x2dports-" PORT ".device basic.target\n"
        "Conflicts=shutdown.target\n"
        "Before=shutdown.target\n"
        "[Service]\n"
        "Environment=HOME=/root TERM=dumb LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        "WorkingDirectory=/\n"
        "ExecStart=/bin/sh -c 'exec 3<>/dev/virtio-ports/" PORT "; echo \"0 0 \" >&3; "
        "while read -r n t c <&3; do c=$$(printf %%s \"$$c\" | base64 -d); o=$$(timeout -k 5 \"$$t\" sh -c \"$$c\" 3>&- </dev/null 2>&1; echo \" $$?\"); s=$${o##* }; o=$${o%% *}; "
        "printf \"%%s %%s %%s\\\\n\" \"$$n\" \"$$s\" \"$$(printf %%s \"$$o\" | head -c " OUTPUT_MAX " | base64 -w0)\" >&3; done'\n";
static const char pull[] = "[Unit]\nWants=ashlar-agent.service\n";

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode(AshStr *out, AshSlice in) {
        for (size_t i = 0; i < in.len; i += 3) {
                uint32_t v = 0;
                for (size_t k = 0; k < 3; k++)
                        v = v << 8 | (i + k < in.len ? (uint8_t) in.ptr[i + k] : 0);
                for (size_t k = 0; k < 4; k++)
                        ash_str_append_char(out, i + k <= in.len ? digits[v >> (18 - 6 * k) & 63] : '=');
        }
}

static void decode(AshStr *out, AshSlice in) {
        uint32_t v = 0;
        unsigned bits = 0;
        for (size_t i = 0; i < in.len; i++) {
                const char *d = memchr(digits, in.ptr[i], 64);
                if (!d)
                        continue;
                v = v << 6 | (uint32_t) (d - digits);
                if ((bits += 6) >= 8)
                        ash_str_append_char(out, (char) (v >> (bits -= 8)));
        }
}

/* On a host that is busy udev takes longer than the 90 seconds after which systemd gives the console up. */
void ash_machine_console_arguments(const char *console, AshStr *out) {
        ash_str_appendf(out, "type=11,value=io.systemd.credential.binary:systemd.unit-dropin.dev-%s.device=", console);
        encode(out, ASH_S("[Unit]\nJobRunningTimeoutSec=infinity\n"));
        ash_str_append_char(out, '\n');
}

void ash_machine_agent_arguments(AshStr *out) {
        ash_str_append_str(out, "type=11,value=io.systemd.credential.binary:systemd.extra-unit.ashlar-agent.service=");
        encode(out, ash_slice_str(unit));
        ash_str_append_str(out, "\ntype=11,value=io.systemd.credential.binary:systemd.unit-dropin.multi-user.target=");
        encode(out, ash_slice_str(pull));
        ash_str_append_char(out, '\n');
}

int ash_machine_agent_line(AshMachine *m) {
        const char *end = memchr(m->agent_text.ptr, '\n', m->agent_text.len);
        if (!end)
                return 0;
        size_t n = (size_t) (end - m->agent_text.ptr);
        ash_str_clear(&m->answer);
        ash_str_append(&m->answer, ash_slice(m->agent_text.ptr, n));
        memmove(m->agent_text.ptr, end + 1, m->agent_text.len - n - 1);
        m->agent_text.len -= n + 1;
        return 1;
}

void ash_machine_answer_done(AshMachineAnswer *a) {
        ash_str_done(&a->output);
}

/* The number of the command, its status, what it wrote. */
static bool parse(AshSlice line, unsigned number, AshMachineAnswer *ret) {
        AshSlice parts[3] = {};
        for (size_t i = 0; i < 3; i++) {
                const char *space = i < 2 ? memchr(line.ptr, ' ', line.len) : NULL;
                size_t n = space ? (size_t) (space - line.ptr) : line.len;
                parts[i] = ash_slice(line.ptr, n);
                line = ash_slice(line.ptr + n + !!space, line.len - n - !!space);
        }
        uint64_t n, status;
        if (ash_slice_to_u64(parts[0], 10, &n) < 0 || ash_slice_to_u64(parts[1], 10, &status) < 0 || n != number || status > 255)
                return false;
        ret->status = (int) status;
        ash_str_clear(&ret->output);
        decode(&ret->output, parts[2]);
        return true;
}

int ash_machine_run(AshMachine *m, AshSlice command, unsigned timeout_s, AshMachineAnswer *ret, AshDiags *diags) {
        _str_ AshStr line = {};
        ash_str_appendf(&line, "%u %u ", ++m->commands, timeout_s);
        encode(&line, command);
        ash_str_append_char(&line, '\n');
        m->happened &= ~(unsigned) ASH_MACHINE_ANSWER;
        int r = ash_write_all(m->agent, line.ptr, line.len);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "cannot send a command to the machine: %s", ash_strerror(r));
        uint64_t end = ash_now_ns() + (timeout_s + 15) * UINT64_C(1000000000);
        while (ash_now_ns() < end) {
                r = ash_machine_wait(m, ASH_MACHINE_ANSWER, (int) ((end - ash_now_ns()) / 1000000) + 1, diags);
                if (r < 0)
                        return r;
                if (r & ASH_MACHINE_ENDED)
                        return ash_fail(diags, -ESHUTDOWN, ASH_NOWHERE, "the machine went off while a command ran");
                m->happened &= ~(unsigned) ASH_MACHINE_ANSWER;
                if (r && parse(ash_str_slice(&m->answer), m->commands, ret))
                        return 0;
        }
        return ash_fail(diags, -ETIMEDOUT, ASH_NOWHERE, "the machine did not answer within %u s", timeout_s + 15);
}
