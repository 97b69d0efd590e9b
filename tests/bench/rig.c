/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/rig.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/magic.h>
#include <sodium.h>

#include "bench/call.h"

enum {
    RIG_ARGS = 16,
    RIG_REMOVE_FILES = 16, /* folders that nftw holds open */
};

void rig_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(EXIT_FAILURE); /* daemons have PR_SET_PDEATHSIG */
}

/* --- the folder --- */

static void enter_folder(void)
{
    char path[PATH_MAX];
    struct statfs fs;
    const char *given = getenv("PETREL_BENCH_DIR");
    snprintf(path, sizeof path, "%s", given != NULL ? given : PETREL_BINARY_DIR "/bench-XXXXXX");
    if (given == NULL && mkdtemp(path) == NULL) {
        rig_die("%s: %s", path, strerror(errno));
    }
    if (chdir(path) != 0 || statfs(".", &fs) != 0) {
        rig_die("%s: %s", path, strerror(errno));
    }
    if (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC) {
        rig_die("%s lies in memory: nothing durable can be measured there", path);
    }
    if (setenv("XDG_RUNTIME_DIR", path, 1) != 0) {
        rig_die("no memory");
    }
}

void rig_begin(void)
{
    struct rlimit files;
    if (sodium_init() < 0) {
        rig_die("libsodium does not start");
    }
    signal(SIGPIPE, SIG_IGN);
    umask(077);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    enter_folder();
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

void rig_end(void)
{
    char path[PATH_MAX];
    if (getenv("PETREL_BENCH_DIR") == NULL && getcwd(path, sizeof path) != NULL &&
        chdir("..") == 0) {
        (void)nftw(path, remove_one, RIG_REMOVE_FILES, FTW_DEPTH | FTW_PHYS);
    }
}

/* --- time and figures --- */

uint64_t rig_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void env_fill(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    randombytes_buf(out, len);
}

struct env rig_env(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (struct env){.now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
                        .random = env_fill};
}

void rig_sleep_ms(unsigned ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&t, &t) != 0 && errno == EINTR) {
    }
}

/* Whether this port (0: any, which is put there) could be had for sockets of this type. */
static bool port_is_free(int type, struct sockaddr_in *a)
{
    socklen_t len = sizeof *a;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        rig_die("no socket: %s", strerror(errno));
    }
    bool is_free = bind(fd, (struct sockaddr *)a, sizeof *a) == 0 &&
                   getsockname(fd, (struct sockaddr *)a, &len) == 0;
    close(fd);
    return is_free;
}

uint16_t rig_port(void)
{
    for (unsigned i = 0; i < 100; i++) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        if (port_is_free(SOCK_STREAM, &a) && port_is_free(SOCK_DGRAM, &a)) {
            return ntohs(a.sin_port);
        }
    }
    rig_die("no free port: %s", strerror(errno));
}

void rig_value(const char *name, double value, const char *unit)
{
    printf("%s: %.*f %s\n", name, value < 10 ? 3 : value < 1000 ? 1 : 0, value, unit);
    fflush(stdout);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

double rig_percentile(double *values, size_t n, double percent)
{
    qsort(values, n, sizeof *values, compare);
    size_t at = (size_t)((double)n * percent / 100);
    return values[at < n ? at : n - 1];
}

double rig_median(double *values, size_t n)
{
    double high = rig_percentile(values, n, 50);
    return n % 2 == 1 ? high : (values[n / 2 - 1] + high) / 2;
}

/* --- programs --- */

pid_t rig_run(const char *name, const char *const argv[])
{
    char log[64];
    char *copy[RIG_ARGS];
    size_t n = 0;
    for (; argv[n] != NULL; n++) {
        if (n + 1 >= RIG_ARGS || (copy[n] = strdup(argv[n])) == NULL) {
            rig_die("too many arguments");
        }
    }
    copy[n] = NULL;
    snprintf(log, sizeof log, "%s.log", name);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        rig_die("fork: %s", strerror(errno));
    }
    if (pid == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent || fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0) {
            _exit(127);
        }
        close(fd);
        execvp(copy[0], copy);
        _exit(127);
    }
    while (n > 0) {
        free(copy[--n]);
    }
    return pid;
}

void rig_config(const char *home, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "%s/petreld.conf", home);
    if (mkdir(home, 0700) != 0 && errno != EEXIST) {
        rig_die("%s: %s", home, strerror(errno));
    }
    FILE *f = fopen(path, "we");
    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0) {
        rig_die("%s cannot be written", path);
    }
}

uint64_t rig_start(struct rig_daemon *d, const char *home, const char *const args[], int fd)
{
    char number[16];
    const char *argv[RIG_ARGS] = {PETREL_BINARY_DIR "/petreld", "--home", home};
    size_t n = 3;
    for (size_t i = 0; args[i] != NULL; i++) {
        argv[n++] = args[i];
    }
    if (fd >= 0) {
        snprintf(number, sizeof number, "%d", fd);
        argv[n++] = "--passphrase-fd";
        argv[n++] = number;
    }
    snprintf(d->home, sizeof d->home, "%s", home);
    uint64_t began = rig_ns();
    d->pid = rig_run(home, argv);
    struct call *call = call_open(home, d->pid);
    uint64_t took = rig_ns() - began;
    call_close(call);
    return took;
}

static int wait_for(pid_t pid)
{
    int status = 0;
    for (unsigned i = 0; i < RIG_STOP_S * 100; i++) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            return status;
        }
        rig_sleep_ms(10);
    }
    kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    return status;
}

void rig_end_program(pid_t pid)
{
    kill(pid, SIGTERM);
    (void)wait_for(pid);
}

void rig_stop(struct rig_daemon *d)
{
    kill(d->pid, SIGTERM);
    int status = wait_for(d->pid);
    d->pid = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        rig_die("%s ended with status %#x", d->home, (unsigned)status);
    }
}

static uint64_t status_field(const char *path, const char *field)
{
    char line[256];
    uint64_t value = 0;
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        rig_die("%s: %s", path, strerror(errno));
    }
    while (fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, field, strlen(field)) == 0) {
            value = strtoull(line + strlen(field) + 1, NULL, 10);
        }
    }
    fclose(f);
    return value;
}

uint64_t rig_status(pid_t pid, const char *field)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    return status_field(path, field);
}

uint64_t rig_wakeups(pid_t pid)
{
    char path[320];
    uint64_t sum = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    if (dir == NULL) {
        rig_die("%s: %s", path, strerror(errno));
    }
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (e->d_name[0] != '.') {
            snprintf(path, sizeof path, "/proc/%d/task/%s/status", (int)pid, e->d_name);
            sum += status_field(path, "voluntary_ctxt_switches");
        }
    }
    closedir(dir);
    return sum;
}

double rig_cpu(pid_t pid)
{
    char path[64];
    unsigned long user = 0;
    unsigned long system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL || fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                            &system) != 2) {
        rig_die("%s cannot be read", path);
    }
    fclose(f);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}
