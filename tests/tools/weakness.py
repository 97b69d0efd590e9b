# SPDX-License-Identifier: Apache-2.0
"""What stands before a patch that weakens the core on purpose: `Name: words`, lines that begin with a
blank go on. At most five lines are added, and five taken away.
"""
import re

LINES = 5


class Weakness:
    def __init__(self, patch):
        self.name = patch.stem
        head, _, hunks = patch.read_text().partition("\n--- a/")
        self.fields = {name: " ".join(words.split())
                       for name, words in re.findall(r"^(\w+): (.+(?:\n +.+)*)", head, re.M)}
        self.what = self.fields.get("Weakness", "")
        changes = [line[0] for line in hunks.splitlines()
                   if line[:1] in ("+", "-") and not line.startswith(("--- a/", "+++ b/"))]
        self.added, self.taken = changes.count("+"), changes.count("-")

    def wrong(self, *wanted):
        """None, or what is wrong with the patch; wanted: the fields that it must have."""
        missing = [name for name in ("Weakness", *wanted) if not self.fields.get(name)]
        if missing:
            return f"its patch does not say: {', '.join(missing)}"
        if not 0 < self.added + self.taken or max(self.added, self.taken) > LINES:
            return f"its patch adds {self.added} lines and takes {self.taken}; 1 to {LINES} each"
        return None
