/* machine: disk images booted by QEMU. Knows no project: a disk, how to run it, and what happens at its console. docs/machines.md
 *
 * Nothing is written to the disk (unless in_place): the machine works on an overlay in a scratch directory, with its own copy of the firmware's variables; both go with the machine. Console, commands and QEMU's own
 * control are socket pairs, so there are no names that others could take. The only port is that of ssh, on loopback. */
#pragma once
#include "io.h"

/* ---- what this host has ---- */
/* Whether /dev/kvm runs a guest: a virtual processor is made and runs a few instructions. Some hosts have the device, and stop at the first instruction that must be emulated. */
bool ash_kvm_works(const char **ret_why_not);

typedef struct AshMachineOptions {
        const char *disk;            /* a file */
        const char *format;          /* as Ashlar calls it: "raw", "vhd", "qcow2" ... */
        const char *arch;            /* "x86_64", "aarch64" */
        const char *accel;           /* "auto" (also when NULL), "kvm", "tcg" */
        const char *bus;             /* "virtio" (also when NULL), "nvme", "scsi" */
        const char *scratch;         /* parent of the scratch directory; NULL: $TMPDIR or /tmp */
        unsigned memory;             /* MiB; 0: 1024 */
        unsigned cpus;               /* 0: 2 */
        uint64_t disk_size;          /* bytes of the disk that the machine sees; 0: as it is */
        int ssh_port;                /* of 127.0.0.1; 0: the kernel chooses; negative: none */
        const char *seed;            /* an image of a NoCloud volume, or NULL */
        bool in_place;               /* the machine writes to the disk itself */
        bool agent;                  /* ash_machine_run() is wanted */
} AshMachineOptions;

typedef struct AshMachine AshMachine;
/* Starts it. Diagnostics say which package has a missing program or firmware. A disk that another process has booted in place is -EBUSY. */
int ash_machine_start(const AshMachineOptions *o, AshMachine **ret, AshDiags *diags);
/* Ends it at once, and removes its scratch directory. */
void ash_machine_free(AshMachine *m);
ASH_DEFINE_CLEANUP(AshMachine *, ash_machine_free)
unsigned ash_machine_ssh_port(const AshMachine *m);
const char *ash_machine_accel(const AshMachine *m);                /* "kvm" or "tcg" */
const char *ash_machine_scratch(const AshMachine *m);
AshSlice ash_machine_console(const AshMachine *m);                /* what the console said, the last 8 MiB of it */
uint64_t ash_machine_age(const AshMachine *m);                    /* ns since it was started */

/* A volume for AshMachineOptions.seed, as a file. */
int ash_machine_seed(const char *path, AshSlice user_data, AshSlice meta_data, AshDiags *diags);

/* Waits until one of the events happens: returns those that have, 0 when the time is over; negative after a signal (-EINTR: the user wants to end) or when QEMU cannot go on (with a diagnostic). */
enum {
        ASH_MACHINE_LOGIN = 1 << 0,  /* the console asks who logs in */
        ASH_MACHINE_AGENT = 1 << 1,  /* commands can be run */
        ASH_MACHINE_ENDED = 1 << 2,  /* QEMU has ended: the machine is off. Always waited for */
        ASH_MACHINE_ANSWER = 1 << 3, /* private */
};
int ash_machine_wait(AshMachine *m, unsigned events, int timeout_ms, AshDiags *diags);
uint64_t ash_machine_when(const AshMachine *m, unsigned event);   /* ns after the start; 0: not yet */

/* A command in the machine, as root, by /bin/sh. Needs agent, and systemd 254 or later in the machine. */
typedef struct AshMachineAnswer {
        int status;                  /* exit status; 124 when the time was over, as timeout(1) has it */
        AshStr output;               /* both streams, at most 256 KiB */
} AshMachineAnswer;
void ash_machine_answer_done(AshMachineAnswer *a);
int ash_machine_run(AshMachine *m, AshSlice command, unsigned timeout_s, AshMachineAnswer *ret, AshDiags *diags);
/* Presses the power button and waits. 0: it went off by itself; -ETIMEDOUT: it did not. */
int ash_machine_power_off(AshMachine *m, int timeout_ms, AshDiags *diags);
/* Joins standard input and output with the console until the machine is off or the user ends it: three times ^] within a second on a terminal, SIGINT or SIGTERM elsewhere. */
int ash_machine_terminal(AshMachine *m, AshDiags *diags);
