/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor: findings, and what the file system says about a home. docs/man/petrelctl.1, "doctor".
 *
 * It looks and changes nothing, and reads no key: what is inside the database and the key files
 * is the daemon's to check (docs/decisions/0019-who-checks-a-home.md).
 */
#ifndef PETREL_CTL_DOCTOR_H
#define PETREL_CTL_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>

enum finding_state {
    FINDING_OK,
    FINDING_WARN, /* works, and should not stay so */
    FINDING_BAD,
};

struct doctor {
    bool json;    /* one object a finding */
    int rc;       /* of printing; EXIT_OK so far */
    unsigned bad; /* findings that are FINDING_BAD */
};

/* Prints one finding. check: its stable name. todo: what to do, NULL with FINDING_OK. format: what
 * was found, one sentence without an end. */
__attribute__((format(printf, 5, 6))) void doctor_say(struct doctor *d, enum finding_state state,
                                                      const char *check, const char *todo,
                                                      const char *format, ...);

/* Home, owner, modes, files, kind of file system, free space. false: there is no home to go on
 * with. */
bool doctor_home(struct doctor *d, const char *home);
/* Who holds the lock: 0: nobody. -1: somebody who did not leave a number. */
int64_t doctor_lock(const char *home);

#endif
