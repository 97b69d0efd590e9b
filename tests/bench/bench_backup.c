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

#include <sodium.h>

#include "bench/call.h"
#include "bench/rig.h"
#include "crypto/prim.h"
#include "crypto/words.h"
#include "node/content.h"

enum {
    CONTACTS = 100,
    MESSAGES = 100000,
    TEXT = 300,       /* bytes of each */
    PART = 96 * 1024, /* of records in a call, about */
    PART_MAX = PART + 2048,
    PASSPHRASE = 16,
};

static const char *const no_args[] = {"--listen", "127.0.0.1:0", NULL};
static const char passphrase[PASSPHRASE + 1] = "of a backup 1234";

/* --- records, docs/protocol/10-backup.md, section 10.1 --- */

static void record(struct writer *w, unsigned kind, const struct writer *fields)
{
    pack_array(w, 2);
    pack_uint(w, kind);
    pack_bin_slice(w, writer_done(fields));
}

static void contact_record(struct writer *w, unsigned number)
{
    uint8_t bytes[512];
    uint8_t seed[32];
    static const uint8_t zeros[32];
    struct sign_pk id;
    struct sign_sk sk;
    struct writer f = writer_of(bytes, sizeof bytes);
    randombytes_buf(seed, sizeof seed);
    prim_sign_keypair(&id, &sk, seed);
    pack_map(&f, 10);
    pack_uint(&f, 0);
    pack_uint(&f, number);
    pack_uint(&f, 1);
    pack_bin(&f, id.b, sizeof id.b);
    pack_uint(&f, 2);
    pack_uint(&f, 3); /* accepted */
    pack_uint(&f, 3);
    pack_bool(&f, false);
    pack_uint(&f, 4);
    pack_uint(&f, 1700000000000);
    pack_uint(&f, 8);
    pack_bool(&f, false);
    pack_uint(&f, 10);
    pack_bin(&f, zeros, sizeof zeros);
    pack_uint(&f, 12);
    pack_bool(&f, false);
    pack_uint(&f, 13);
    pack_bool(&f, false);
    pack_uint(&f, 15);
    pack_bin(&f, zeros, sizeof zeros);
    record(w, 3, &f);
}

static void message_record(struct writer *w, unsigned contact, uint64_t order)
{
    uint8_t bytes[TEXT + 256];
    uint8_t encoded[TEXT + CONTENT_OVERHEAD];
    char text[TEXT];
    struct writer f = writer_of(bytes, sizeof bytes);
    struct writer c = writer_of(encoded, sizeof encoded);
    memset(text, 'a' + (int)(order % 26), sizeof text);
    struct content content = {
        .type = CONTENT_TEXT, .sent_ms = 1700000000000, .text = slice_of(text, sizeof text)};
    randombytes_buf(content.id, sizeof content.id);
    if (content_encode(&c, &content) != ERR_OK) {
        rig_die("content");
    }
    pack_map(&f, 5);
    pack_uint(&f, 0);
    pack_uint(&f, contact);
    pack_uint(&f, 1);
    pack_uint(&f, order);
    pack_uint(&f, 2);
    pack_uint(&f, 4); /* received */
    pack_uint(&f, 3);
    pack_uint(&f, 1700000000000);
    pack_uint(&f, 4);
    pack_bin_slice(&f, writer_done(&c));
    record(w, 4, &f);
}

static void put(struct call *call, struct writer *w)
{
    call_begin(call);
    call_bin(call, "records", writer_done(w));
    (void)call_run(call, "restore.put");
    w->len = 0;
}

/* Makes the account, and puts all of it in; how long, s. */
static double fill(struct call *call)
{
    static uint8_t part[PART_MAX];
    uint8_t seed[WORDS_SEED];
    char words[WORDS_TEXT];
    randombytes_buf(seed, sizeof seed);
    words_encode(seed, words);
    uint64_t began = rig_ns();
    call_begin(call);
    call_text(call, "words", words);
    call_true(call, "restore");
    (void)call_run(call, "account.create");
    struct writer w = writer_of(part, sizeof part);
    for (unsigned i = 1; i <= CONTACTS; i++) {
        contact_record(&w, i);
    }
    for (unsigned i = 0; i < MESSAGES; i++) {
        message_record(&w, 1 + i / (MESSAGES / CONTACTS), 1 + i % (MESSAGES / CONTACTS));
        if (w.len >= PART) {
            put(call, &w);
        }
    }
    put(call, &w);
    (void)call_plain(call, "restore.end");
    return (double)(rig_ns() - began) / 1e9;
}

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
    if (sodium_init() < 0) {
        return 1;
    }
    rig_begin();
    (void)rig_start(&from, "from", no_args, -1);
    struct call *call = call_open("from", from.pid);
    double filled = fill(call);
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
           (int)MESSAGES, (int)TEXT, (int)CONTACTS, mib);
    rig_value("backup_mib_s", mib / saved, "MiB/s");
    rig_value("backup_verify_mib_s", mib / checked, "MiB/s");
    rig_value("restore_100k_s", restored, "s");
    rig_value("restore_records_100k_s", filled, "s");
    rig_end();
    return 0;
}
