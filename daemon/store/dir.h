/* SPDX-License-Identifier: Apache-2.0
 *
 * dir: makes the names in a folder durable: flushing a file does not flush the folder that names
 * it. docs/protocol/08-at-rest.md, section 8.5.
 */
#ifndef PETREL_DAEMON_STORE_DIR_H
#define PETREL_DAEMON_STORE_DIR_H

#include "base/err.h"

/* ERR_IO. */
enum err dir_flush(const char *dir) PETREL_MUST_USE;

#endif
