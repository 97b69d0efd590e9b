# SPDX-License-Identifier: Apache-2.0
"""The names of the cases that passed, in the form and under the name that Check uses for its own:
what docs/threat-model.md names is looked up there (tests/tools/threat_model.py)."""
import os

COUNT = 0


def passed(program, case):
    global COUNT  # of this process
    path = os.environ.get("CK_TAP_LOG_FILE_NAME")
    if not path:
        return
    COUNT += 1
    with open(path, "w" if COUNT == 1 else "a", encoding="ascii") as log:
        log.write(f"ok {COUNT} - {program}:{case}: Passed\n")
