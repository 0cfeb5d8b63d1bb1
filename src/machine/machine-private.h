#pragma once
#include "machine.h"

#define MACHINE_CONSOLE_MAX (8u << 20)

struct AshMachine {
        AshTempDir *scratch;
        AshChild *child;
        AshLockFile *lock;
        int console, agent, control, errors;      /* our ends; -1: none or closed */
        AshStr console_text, agent_text, control_text, error_text;
        size_t seen;                               /* bytes of the console that were looked at for a prompt */
        AshStr answer;                             /* the agent's last line */
        unsigned happened;
        uint64_t when[8];                          /* by the number of the event's bit; ns after the start */
        uint64_t started;
        unsigned ssh_port, commands;
        const char *accel;
        bool echo;                                 /* the console goes to standard output */
        bool told;                                 /* QEMU's own mistake has been reported */
        int signals;                               /* signalfd */
        sigset_t old_signals;
        bool signals_blocked;
};

/* machine-host.c */
typedef struct AshMachineArch {
        const char *name, *program, *package;      /* QEMU */
        const char *machine, *console;
        struct { const char *code, *vars; } firmware[4];
        const char *firmware_package;
} AshMachineArch;
const AshMachineArch *ash_machine_arch(const char *name);
int ash_machine_firmware(const AshMachineArch *arch, const char **ret_code, const char **ret_vars, AshDiags *diags);
int ash_machine_port(int wanted, AshDiags *diags);                 /* whether nobody listens there */

/* machine-agent.c */
void ash_machine_agent_arguments(AshStr *out);                     /* SMBIOS strings, each ended by a newline */
void ash_machine_console_arguments(const char *console, AshStr *out);
int ash_machine_agent_line(AshMachine *m);                         /* a whole line of the agent is in agent_text: takes it */

/* machine-run.c */
int ash_machine_turn(AshMachine *m, int input, int timeout_ms, AshDiags *diags); /* one wait for whatever comes; 1: there is input */
int ash_machine_control(AshMachine *m, const char *command);
