/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <jansson.h>

#include "ctl/args.h"
#include "ctl/json.h"
#include "ctl/render.h"

enum {
    /* docs/protocol/08-at-rest.md, 8.1, 8.4, 8.5 and 8.7 */
    KEY_FILE = 32,
    ERASE_FILE = 12288,
    RESERVE_MIB = 64,
    LOCK_WORD_PID = 1,
    SENTENCE = 512,
    OWNER = 96, /* a user's name and number, with NUL */
};

/* --- findings --- */

static void print_finding(const char *state, const char *check, const char *todo, const char *text)
{
    printf("%-5s %-12s ", state, check);
    render_text(stdout, slice_of(text, strlen(text)));
    fputc('\n', stdout);
    if (todo != NULL) {
        printf("                   -> %s\n", todo);
    }
}

void doctor_say(struct doctor *d, enum finding_state state, const char *check, const char *todo,
                const char *format, ...)
{
    static const char *const names[] = {
        [FINDING_OK] = "ok", [FINDING_WARN] = "warn", [FINDING_BAD] = "bad"};
    char text[SENTENCE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    d->bad += state == FINDING_BAD;
    if (!d->json) {
        print_finding(names[state], check, todo, text);
        return;
    }
    json_t *found = json_string(text);
    int rc = json_print_value(json_pack("{s:s, s:s, s:o, s:s*}", "check", check, "state",
                                        names[state], "found",
                                        found != NULL ? found : json_string("?"), "todo", todo));
    d->rc = d->rc == EXIT_OK ? rc : d->rc;
}

/* --- the folder --- */

/* File systems on which LMDB's locks and maps do not hold what they promise, and those that do not
 * last. Numbers: statfs(2). */
static const struct {
    uint32_t magic;
    const char *name;
    enum finding_state state;
} UNSAFE[] = {
    {0x6969, "NFS", FINDING_BAD},
    {0x517b, "SMB", FINDING_BAD},
    {0xff534d42, "CIFS", FINDING_BAD},
    {0xfe534d42, "SMB", FINDING_BAD},
    {0x01021997, "9p", FINDING_BAD},
    {0x5346414f, "AFS", FINDING_BAD},
    {0x73757245, "Coda", FINDING_BAD},
    {0x00c36400, "Ceph", FINDING_BAD},
    {0x65735546, "FUSE", FINDING_WARN},
    {0x01021994, "tmpfs, which the next boot empties", FINDING_WARN},
    {0x858458f6, "ramfs, which the next boot empties", FINDING_WARN},
};

static void check_file_system(struct doctor *d, const char *home)
{
    struct statfs fs;
    if (statfs(home, &fs) != 0) {
        doctor_say(d, FINDING_WARN, "filesystem", "see whether the disk is broken: dmesg",
                   "its file system cannot be asked: %s", strerror(errno));
        return;
    }
    for (size_t i = 0; i < sizeof UNSAFE / sizeof UNSAFE[0]; i++) {
        if (UNSAFE[i].magic == (uint32_t)fs.f_type) {
            doctor_say(d, UNSAFE[i].state, "filesystem",
                       "move the home to a local disk: stop petreld, copy the whole folder",
                       "the home is on %s", UNSAFE[i].name);
            return;
        }
    }
    doctor_say(d, FINDING_OK, "filesystem", NULL, "the home is on a local file system");
}

static void check_space(struct doctor *d, const char *home)
{
    struct statvfs fs;
    if (statvfs(home, &fs) != 0) {
        return; /* check_file_system has said so */
    }
    uint64_t mib = (uint64_t)fs.f_bavail * fs.f_frsize >> 20;
    uint64_t percent = ((uint64_t)fs.f_blocks * fs.f_frsize >> 20) / 100;
    uint64_t reserve = percent > RESERVE_MIB ? percent : RESERVE_MIB;
    if (mib < reserve) {
        doctor_say(d, FINDING_BAD, "space", "make room: below that nothing new is taken in",
                   "%llu MiB are free, the reserve is %llu MiB", (unsigned long long)mib,
                   (unsigned long long)reserve);
    } else {
        doctor_say(d, FINDING_OK, "space", NULL, "%llu MiB are free", (unsigned long long)mib);
    }
}

static const char *owner_text(uid_t uid, char out[static OWNER])
{
    /* cppcheck-suppress getpwuidCalled ; petrelctl has one thread */
    const struct passwd *user = getpwuid(uid);
    if (user != NULL) {
        (void)snprintf(out, OWNER, "%.64s (%u)", user->pw_name, (unsigned)uid);
    } else {
        (void)snprintf(out, OWNER, "user %u", (unsigned)uid);
    }
    return out;
}

/* Owner and mode of the folder, as petreld asks for them at its start. Root looks at the homes of
 * others, and is not the one who runs petreld there. */
static void check_folder(struct doctor *d, const struct stat *st)
{
    char owner[OWNER];
    unsigned mode = st->st_mode & 07777;
    owner_text(st->st_uid, owner);
    if (st->st_uid == geteuid()) {
        doctor_say(d, FINDING_OK, "owner", NULL, "the home belongs to you");
    } else if (geteuid() == 0) {
        doctor_say(d, FINDING_OK, "owner", NULL,
                   "the home belongs to %s, the only user who can run petreld on it", owner);
    } else {
        doctor_say(d, FINDING_BAD, "owner",
                   "run this, and petreld, as that user; or chown -R the home",
                   "the home belongs to %s, and you are user %u", owner, (unsigned)geteuid());
    }
    if ((mode & 022) != 0) {
        doctor_say(d, FINDING_BAD, "mode", "chmod 700 the home; petreld does not start before",
                   "others may write to the home: mode %04o", mode);
    } else if ((mode & 077) != 0) {
        doctor_say(d, FINDING_WARN, "mode", "chmod 700 the home",
                   "others may look into the home: mode %04o", mode);
    } else {
        doctor_say(d, FINDING_OK, "mode", NULL, "nobody else may look into the home");
    }
}

/* --- its files --- */

static bool file_stat(const char *home, const char *name, struct stat *st)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", home, name);
    return n > 0 && n < (int)sizeof path && stat(path, st) == 0;
}

/* The size that a file of this name has; 0: it is none that opens something. */
static long long size_of(const char *name)
{
    size_t len = strlen(name);
    if (strncmp(name, "erase-", 6) == 0 && strspn(name + 6, "0123456789") == len - 6) {
        return ERASE_FILE;
    }
    bool account =
        strncmp(name, "account-", 8) == 0 && len > 12 && strcmp(name + len - 4, ".key") == 0;
    return strcmp(name, "node.key") == 0 || account ? KEY_FILE : 0;
}

/* Whether the home's owner has this part of it too: another one's cannot be read or written. */
static bool file_is_owned(struct doctor *d, const char *name, const struct stat *st, uid_t owner)
{
    char theirs[OWNER];
    char whose[OWNER];
    if (st->st_uid == owner) {
        return true;
    }
    doctor_say(d, FINDING_BAD, "files", "chown it to the owner of the home, who runs petreld",
               "%s belongs to %s, and the home to %s", name, owner_text(st->st_uid, theirs),
               owner_text(owner, whose));
    return false;
}

/* One file that opens something. */
static bool file_is_well(struct doctor *d, const char *home, const char *name, uid_t owner)
{
    struct stat st;
    bool key = strncmp(name, "erase-", 6) != 0;
    if (!file_stat(home, name, &st)) {
        return true; /* it went away meanwhile */
    }
    if (key && (st.st_mode & 077) != 0) {
        doctor_say(d, FINDING_BAD, "files", "chmod 600 it, and think about who may have read it",
                   "%s: others may read it: mode %04o", name, (unsigned)st.st_mode & 07777);
        return false;
    }
    if (!file_is_owned(d, name, &st, owner)) {
        return false;
    }
    if ((long long)st.st_size != size_of(name)) {
        doctor_say(d, FINDING_BAD, "files", "put it back from a copy of the same time",
                   "%s is damaged: it has %lld bytes and should have %lld", name,
                   (long long)st.st_size, size_of(name));
        return false;
    }
    return true;
}

/* What must be there in any home that was ever used. The node's ID is in the database, which only
 * node.key opens. */
static bool parts_are_there(struct doctor *d, const char *home, uid_t owner)
{
    static const char database[] = "db/data.mdb";
    static const char key[] = "node.key";
    struct stat st;
    bool with_database = file_stat(home, database, &st);
    bool well = with_database && file_is_owned(d, database, &st, owner);
    if (!with_database) {
        doctor_say(d, FINDING_BAD, "files",
                   "put the whole home back from a copy; a start would make an empty database",
                   "%s is missing", database);
    }
    if (!file_stat(home, key, &st)) {
        doctor_say(
            d, FINDING_BAD, "files",
            with_database
                ? "put its copy back: no other key opens this database, and a new node would "
                  "have an ID that nobody knows; a node.key that systemd hands in is as good"
                : "put the whole home back from a copy; a start would make a new node, with "
                  "an ID that nobody knows",
            "%s is missing", key);
        well = false;
    }
    return well;
}

static void check_files(struct doctor *d, const char *home, uid_t owner)
{
    DIR *folder = opendir(home);
    if (folder == NULL) {
        doctor_say(d, FINDING_BAD, "files", "run this as the user that runs petreld",
                   "the home cannot be read: %s", strerror(errno));
        return;
    }
    bool well = parts_are_there(d, home, owner);
    /* cppcheck-suppress readdirCalled ; petrelctl has one thread */
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (size_of(entry->d_name) != 0) {
            well &= file_is_well(d, home, entry->d_name, owner);
        }
    }
    closedir(folder);
    if (well) {
        doctor_say(d, FINDING_OK, "files", NULL, "keys, erase files and database are there");
    }
}

bool doctor_home(struct doctor *d, const char *home)
{
    struct stat st;
    if (stat(home, &st) != 0 || !S_ISDIR(st.st_mode)) {
        doctor_say(d, FINDING_BAD, "home",
                   "start petreld to make it, or give the right one with --home",
                   "there is no home at %s: %s", home,
                   S_ISDIR(st.st_mode) ? strerror(errno) : strerror(ENOTDIR));
        return false;
    }
    doctor_say(d, FINDING_OK, "home", NULL, "%s", home);
    check_folder(d, &st);
    check_file_system(d, home);
    check_space(d, home);
    check_files(d, home, st.st_uid);
    return true;
}

int64_t doctor_lock(const char *home)
{
    char path[PATH_MAX];
    uint64_t words[LOCK_WORD_PID + 1] = {0};
    int n = snprintf(path, sizeof path, "%s/lock", home);
    int fd = n > 0 && n < (int)sizeof path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
    if (fd < 0) {
        return 0;
    }
    /* A shared lock is given up at once; a start in this instant would find the home locked, and
     * say so. */
    bool held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    bool read_it = pread(fd, words, sizeof words, 0) == (ssize_t)sizeof words;
    close(fd);
    if (!held) {
        return 0;
    }
    return read_it && words[LOCK_WORD_PID] != 0 ? (int64_t)words[LOCK_WORD_PID] : -1;
}
