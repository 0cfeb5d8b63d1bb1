/* ashlar: from arguments to an exit status. */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <unistd.h>
#include "cli.h"

/* A closed pipe and a file that may not grow further are errors of write(), not the end of the program in the middle of its work. A handler and not SIG_IGN: programs
 * that we run get the default back. */
static void on_write_signal(int signal) { (void) signal; }

static void quiet_writes(void) {
        struct sigaction sa = { .sa_handler = on_write_signal, .sa_flags = SA_RESTART };
        sigaction(SIGPIPE, &sa, NULL);
        sigaction(SIGXFSZ, &sa, NULL);
}

/* A standard descriptor that is closed would be given to the next file that is opened, and what is said would be written into that. What takes its place cannot be written to, so it stays an error. */
static void occupy_standard_descriptors(void) {
        int fd;
        do
                fd = open("/dev/null", O_RDONLY);
        while (fd >= 0 && fd <= STDERR_FILENO);
        if (fd >= 0)
                close(fd);
}

/* Memory that is freed is wanted again a moment later, by the next package or file: giving it back to the kernel each time costs more than it is worth to a program that ends soon. */
static void keep_memory(void) {
        mallopt(M_TRIM_THRESHOLD, 256 << 20);
        mallopt(M_MMAP_THRESHOLD, 4 << 20);
}

static bool colours(const AshCli *cli, int fd) {
        const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
        if (cli->color_mode)
                return cli->color_mode > 0;
        return !(no && *no) && isatty(fd) && !(term && strcmp(term, "dumb") == 0);
}

static void help(AshCli *cli) {
        _str_ AshStr out = {};
        const AshCliVerb *alone = cli->noun ? ash_cli_verb(cli->noun, ASH_S("")) : NULL;
        if (!cli->noun)
                ash_cli_help_program(cli, &out);
        else if (cli->verb || alone)
                ash_cli_help_verb(cli->noun, cli->verb ? cli->verb : alone, &out);
        else
                ash_cli_help_noun(cli->noun, &out);
        ash_cli_write(cli, ash_str_slice(&out));
}

static int run_verb(AshCli *cli) {
        int r = ash_cli_provide(cli, cli->verb->needs);
        if (r >= 0)
                r = cli->verb->run(cli);
        if (r < 0 && !cli->said_error && ash_diags_count(cli->diags, ASH_ERROR) == 0)
                ash_fail(cli->diags, r, ASH_NOWHERE, "%s %s: %s", cli->noun->name, cli->verb->name, ash_strerror(r));
        return r;
}

static int run(AshCli *cli, int argc, char **argv) {
        int r = ash_cli_parse(cli, argc, argv);
        cli->terminal = isatty(STDOUT_FILENO);
        cli->color = colours(cli, STDOUT_FILENO);
        cli->color_err = colours(cli, STDERR_FILENO);
        cli->progress = ash_cli_progress_new(cli);
        if (r < 0)
                return r;
        if (cli->help)
                help(cli);
        else if (cli->version)
                ash_cli_print(cli, "ashlar " ASHLAR_VERSION "\n");
        else
                r = run_verb(cli);
        return r;
}

static int finish(AshCli *cli, int r) {
        ash_cli_flush(cli);
        if (cli->out_error && cli->out_error != -EPIPE) {
                int e = ash_fail(cli->diags, cli->out_error, ASH_NOWHERE, "writing to standard output: %s", ash_strerror(cli->out_error));
                r = r < 0 ? r : e;
        }
        ash_cli_report(cli);
        if (cli->timings)
                ash_cli_progress_timings(cli->progress, cli);
        return ash_cli_exit_status(r);
}

int main(int argc, char **argv) {
        AshCli cli = { .dir = NULL, .store_dir = getenv("ASHLAR_STORE"), .diags = ash_diags_new() };
        occupy_standard_descriptors();
        quiet_writes();
        keep_memory();
        int status = finish(&cli, run(&cli, argc, argv));
        ash_cli_release(&cli);
        ash_cli_progress_free(cli.progress);
        ash_diags_free(cli.diags);
        ash_array_done(&cli.given);
        ash_array_done(&cli.words);
        ash_str_done(&cli.out);
        return status;
}
