/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_backup: how fast an account with 100,000 messages is saved, checked and restored, by the
 * programs that people use. docs/bench.md.
 *
 * The first home is filled by restoring records that are made here, which is timed too; what it
 * holds is saved with petrelctl, and the file restored on a second home.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/call.h"
#include "bench/filled.h"
#include "bench/rig.h"

enum {
    CONTACTS = 100,
    MESSAGES = 100000,
    PASSPHRASE = 16,
};

static const char *const no_args[] = {"--listen", "127.0.0.1:0", NULL};
static const char passphrase[PASSPHRASE + 1] = "of a backup 1234";

/* --- petrelctl --- */

/* Runs it with the passphrase where %d stands in the option's value; how long, s. */
static double tool(const char *home, const char *command, const char *more, const char *option)
{
    char fd[16];
    int ends[2];
    int status = 0;
    if (pipe(ends) != 0 || write(ends[1], passphrase, PASSPHRASE) != PASSPHRASE) {
        rig_die("pipe: %s", strerror(errno));
    }
    (void)close(ends[1]);
    (void)snprintf(fd, sizeof fd, "%d", ends[0]);
    uint64_t began = rig_ns();
    pid_t pid = fork();
    if (pid == 0) {
        execl(PETREL_BINARY_DIR "/petrelctl", "petrelctl", "--home", home, command, "file", option,
              fd, more, (char *)NULL);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        rig_die("petrelctl %s: status %d", command, status);
    }
    double took = (double)(rig_ns() - began) / 1e9;
    (void)close(ends[0]);
    return took;
}

int main(void)
{
    struct rig_daemon from = {.pid = 0};
    struct rig_daemon to = {.pid = 0};
    struct stat st;
    rig_begin();
    (void)rig_start(&from, "from", no_args, -1);
    struct call *call = call_open("from", from.pid);
    double filled = filled_account(call, CONTACTS, MESSAGES);
    call_close(call);
    double saved = tool("from", "backup", NULL, "--passphrase-fd");
    if (stat("file", &st) != 0) {
        rig_die("no file");
    }
    double checked = tool("from", "backup", "--verify", "--passphrase-fd");
    rig_stop(&from);
    (void)rig_start(&to, "to", no_args, -1);
    double restored = tool("to", "restore", NULL, "--backup-passphrase-fd");
    rig_stop(&to);
    double mib = (double)st.st_size / (1024 * 1024);
    printf("# %d messages of %d bytes, %d contacts; a file of %.1f MiB; Argon2id once in each of "
           "backup and verify, twice in restore\n",
           (int)MESSAGES, (int)FILLED_TEXT, (int)CONTACTS, mib);
    rig_value("backup_mib_s", mib / saved, "MiB/s");
    rig_value("backup_verify_mib_s", mib / checked, "MiB/s");
    rig_value("restore_100k_s", restored, "s");
    rig_value("restore_records_100k_s", filled, "s");
    rig_end();
    return 0;
}
