/* What happens while a machine runs. One loop reads everything; what came is remembered as events. */
#include <poll.h>
#include <sys/signalfd.h>
#include "machine-private.h"

static void happen(AshMachine *m, unsigned event) {
        unsigned bit = (unsigned) __builtin_ctz(event);
        if (!(m->happened & event))
                m->when[bit] = ash_machine_age(m);
        m->happened |= event;
}

uint64_t ash_machine_when(const AshMachine *m, unsigned event) {
        return m->happened & event ? m->when[__builtin_ctz(event)] : 0;
}

/* The prompt stands at the end of a line that getty left open. */
static void look_for_prompt(AshMachine *m) {
        static const char prompt[] = "login: ";
        size_t from = m->seen > sizeof prompt ? m->seen - sizeof prompt : 0;
        AshSlice fresh = ash_slice(m->console_text.ptr + from, m->console_text.len - from);
        if (fresh.len && memmem(fresh.ptr, fresh.len, prompt, sizeof prompt - 1))
                happen(m, ASH_MACHINE_LOGIN);
        m->seen = m->console_text.len;
}

/* -EPIPE at the end of the stream. */
static int take(int *fd, AshStr *text, AshSlice *ret_fresh) {
        char buffer[65536];
        ssize_t k = read(*fd, buffer, sizeof buffer);
        if (k < 0 && (errno == EINTR || errno == EAGAIN))
                return 0;
        if (k <= 0) {
                ash_close_p(fd);
                *fd = -1;
                return -EPIPE;
        }
        if (text->len + (size_t) k > MACHINE_CONSOLE_MAX) {
                size_t half = MACHINE_CONSOLE_MAX / 2;
                memmove(text->ptr, text->ptr + text->len - half, half);
                text->len = half;
        }
        ash_str_append(text, ash_slice(buffer, (size_t) k));
        *ret_fresh = ash_slice(text->ptr + text->len - (size_t) k, (size_t) k);
        return 0;
}

static int take_console(AshMachine *m) {
        AshSlice fresh = {};
        size_t before = m->console_text.len;
        int r = take(&m->console, &m->console_text, &fresh);
        if (r < 0)
                return 0;
        m->seen = ASH_MIN(m->seen, before);
        if (m->console_text.len < before)
                m->seen = 0;
        look_for_prompt(m);
        return m->echo && fresh.len ? ash_write_all(STDOUT_FILENO, fresh.ptr, fresh.len) : 0;
}

static void take_agent(AshMachine *m) {
        AshSlice fresh;
        if (take(&m->agent, &m->agent_text, &fresh) < 0)
                return;
        while (m->agent_text.len && ash_machine_agent_line(m))
                happen(m, m->happened & ASH_MACHINE_AGENT ? ASH_MACHINE_ANSWER : ASH_MACHINE_AGENT);
}

/* What QEMU says on its standard error is a warning, or why it cannot go on. */
static int take_errors(AshMachine *m, AshDiags *diags) {
        AshSlice fresh;
        if (take(&m->errors, &m->error_text, &fresh) < 0 || !strstr(m->error_text.ptr, "KVM internal error") || m->told)
                return 0;
        m->told = true;
        ash_fail(diags, -EIO, ASH_NOWHERE, "KVM cannot run this machine: it stopped at an instruction that it does not know");
        ash_hint(diags, "--accel tcg emulates the machine without KVM");
        return -EIO;
}

static int ended(AshMachine *m, AshDiags *diags) {
        _process_result_ AshProcessResult result = {};
        AshSlice fresh;
        bool good = m->happened & ASH_MACHINE_ENDED;
        if (good)
                return 0;
        while (m->console >= 0 && take(&m->console, &m->console_text, &fresh) >= 0)
                if (m->echo && fresh.len)
                        ash_write_all(STDOUT_FILENO, fresh.ptr, fresh.len);
        while (m->errors >= 0 && take(&m->errors, &m->error_text, &fresh) >= 0)
                ;
        int r = ash_child_finish(m->child, &result);
        happen(m, ASH_MACHINE_ENDED);
        if (r < 0 || result.status == 0)
                return r;
        r = ash_fail(diags, -EIO, ASH_NOWHERE, result.signal ? "QEMU was ended by signal %d" : "QEMU ended with status %d", result.signal ? result.signal : result.status);
        AshSlice rest = ash_str_slice(&m->error_text), line;
        for (unsigned n = 0; n < 8 && ash_slice_next_line(&rest, &line); n++)
                ash_note(diags, ASH_NOWHERE, "%.*s", (int) ASH_MIN(line.len, (size_t) 400), line.ptr);
        return r;
}

int ash_machine_turn(AshMachine *m, int input, int timeout_ms, AshDiags *diags) {
        struct pollfd fds[] = { { m->console, POLLIN, 0 }, { m->agent, POLLIN, 0 }, { m->control, POLLIN, 0 }, { m->errors, POLLIN, 0 }, { ash_child_fd(m->child), POLLIN, 0 }, { m->signals, POLLIN, 0 }, { input, POLLIN, 0 } };
        if (m->happened & ASH_MACHINE_ENDED)
                return 0;
        int r = poll(fds, ASH_N(fds), timeout_ms), k = 0;
        AshSlice fresh;
        if (r < 0)
                return errno == EINTR ? 0 : -errno;
        if (fds[0].revents && (k = take_console(m)) < 0)
                return k;
        if (fds[1].revents)
                take_agent(m);
        if (fds[2].revents)
                take(&m->control, &m->control_text, &fresh);
        if (fds[3].revents && (k = take_errors(m, diags)) < 0)
                return k;
        struct signalfd_siginfo info;
        if (fds[5].revents && read(m->signals, &info, sizeof info) == sizeof info) /* else it would come once more when the machine is gone */
                return -EINTR;
        if (fds[4].revents || (ash_child_fd(m->child) < 0 && ash_child_ended(m->child)))
                return ended(m, diags);
        return fds[6].revents ? 1 : 0;
}

int ash_machine_wait(AshMachine *m, unsigned events, int timeout_ms, AshDiags *diags) {
        uint64_t end = ash_now_ns() + (uint64_t) timeout_ms * 1000000u;
        events |= ASH_MACHINE_ENDED;
        while (!(m->happened & events)) {
                uint64_t now = ash_now_ns();
                if (now >= end)
                        return 0;
                int r = ash_machine_turn(m, -1, (int) ASH_MIN((end - now) / 1000000 + 1, (uint64_t) 1000), diags);
                if (r < 0)
                        return r;
        }
        return (int) (m->happened & events);
}

int ash_machine_control(AshMachine *m, const char *command) {
        return m->control < 0 ? -EPIPE : ash_write_all(m->control, command, strlen(command));
}

int ash_machine_power_off(AshMachine *m, int timeout_ms, AshDiags *diags) {
        int r = m->happened & ASH_MACHINE_ENDED ? 0 : ash_machine_control(m, "{\"execute\":\"system_powerdown\"}\n");
        if (r >= 0)
                r = ash_machine_wait(m, 0, timeout_ms, diags);
        return r < 0 ? r : r ? 0 : -ETIMEDOUT;
}
