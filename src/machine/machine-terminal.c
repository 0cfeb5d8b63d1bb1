#include <termios.h>
#include "machine-private.h"

#define ESCAPE 0x1d            /* ^] */
#define ESCAPES 3              /* as systemd-nspawn has it */
#define ESCAPE_NS UINT64_C(1000000000)

typedef struct Terminal {
        struct termios before;
        bool raw;
        unsigned escapes;
        uint64_t first;
} Terminal;

static void terminal_done(Terminal *t) {
        if (t->raw)
                tcsetattr(STDIN_FILENO, TCSADRAIN, &t->before);
}

static void terminal_open(Terminal *t) {
        if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &t->before) < 0)
                return;
        struct termios raw = t->before;
        cfmakeraw(&raw);
        t->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

static bool wants_out(Terminal *t, const char *bytes, size_t n) {
        for (size_t i = 0; t->raw && i < n; i++) {
                uint64_t now = ash_now_ns();
                if (bytes[i] != ESCAPE || (t->escapes && now - t->first > ESCAPE_NS))
                        t->escapes = 0;
                if (bytes[i] != ESCAPE)
                        continue;
                if (!t->escapes++)
                        t->first = now;
                if (t->escapes == ESCAPES)
                        return true;
        }
        return false;
}

int ash_machine_terminal(AshMachine *m, AshDiags *diags) {
        _cleanup_(terminal_done) Terminal t = {};
        int input = STDIN_FILENO;
        terminal_open(&t);
        m->echo = true;
        int r = ash_write_all(STDOUT_FILENO, m->console_text.ptr ? m->console_text.ptr : "", m->console_text.len);
        while (r >= 0 && !(m->happened & ASH_MACHINE_ENDED)) {
                char bytes[1024];
                r = ash_machine_turn(m, input, -1, diags);
                if (r <= 0)
                        continue;
                ssize_t k = read(input, bytes, sizeof bytes);
                if (k <= 0)
                        input = -1; /* the machine goes on without us */
                else if (wants_out(&t, bytes, (size_t) k))
                        break;
                else
                        r = ash_write_all(m->console, bytes, (size_t) k);
        }
        m->echo = false;
        return r == -EINTR ? 0 : r < 0 ? r : 0;
}
