/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/args.h"

/* reason: of errno, or 0 where it is no longer known. */
static int failed(int reason)
{
    fprintf(stderr, "petrelctl: cannot write to standard output%s%s\n", reason != 0 ? ": " : "",
            reason != 0 ? strerror(reason) : "");
    return EXIT_LOCAL;
}

int output_flush(void)
{
    if (ferror(stdout) != 0) {
        return failed(0); /* a write in between: its errno is gone */
    }
    return fflush(stdout) == 0 ? EXIT_OK : failed(errno);
}

int output_close(void)
{
    int rc = output_flush();
    if (rc != EXIT_OK) {
        return rc;
    }
    /* A disk over the network may refuse only now. */
    return fclose(stdout) == 0 || errno == EBADF ? EXIT_OK : failed(errno);
}
