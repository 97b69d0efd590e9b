/* SPDX-License-Identifier: Apache-2.0
 *
 * break_out: for LD_PRELOAD under a daemon: does in its place what somebody would who had got into
 * it. When the file $PETREL_BREAK_OUT is there, the next flush of the database first makes the call
 * that the file's first word names, on the thread that flushes, and puts its errno (0: it went
 * through) into the file instead. The file lies in the home.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

typedef int flush(int fd);

/* -1 with errno when it is refused. */
static long call_of(const char *word)
{
    char *const argv[] = {"true", NULL};
    if (strcmp(word, "program") == 0) {
        return execv("/bin/true", argv);
    }
    if (strcmp(word, "trace") == 0) {
        return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
    }
    if (strcmp(word, "socket") == 0) {
        return socket(AF_PACKET, SOCK_RAW, 0);
    }
    if (strcmp(word, "listen") == 0) {
        return listen(socket(AF_INET, SOCK_STREAM, 0), 1);
    }
    if (strcmp(word, "code") == 0) {
        int prot = PROT_READ | PROT_WRITE | PROT_EXEC;
        return mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
    }
    if (word[0] == '+') {
        return open(word + 1, O_WRONLY | O_CREAT, 0600);
    }
    abort();
}

static void break_out(const char *path)
{
    char word[256];
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return;
    }
    int got = fscanf(f, "%255s", word);
    fclose(f);
    if (got != 1 || (word[0] >= '0' && word[0] <= '9')) {
        return; /* it is the answer, which was not read yet */
    }
    int error = call_of(word) >= 0 ? 0 : errno;
    char fresh[4096];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    f = fopen(fresh, "we");
    if (f == NULL || fprintf(f, "%d\n", error) < 0 || fclose(f) != 0 || rename(fresh, path) != 0) {
        abort();
    }
}

int fdatasync(int fd)
{
    static flush *real;
    const char *path = getenv("PETREL_BREAK_OUT");
    if (path != NULL) {
        break_out(path);
    }
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    }
    return real(fd);
}
