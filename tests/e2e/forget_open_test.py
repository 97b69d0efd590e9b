#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The searches of forget_test.py where one step of forgetting is left out, or rows are not sealed:
there each must find.

usage: forget_open_test.py --bin FOLDER --tools FOLDER [STORY...]

Daemons that are petreld except that the former root is not overwritten (petreld-keep-roots), that no
bucket gets another key (petreld-keep-keys; both keep_old.c), or that rows are not hidden
(petreld-open-rows, open_aead.c)."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib.forgetting import DELETED, Deleter  # noqa: E402
from lib.people import until  # noqa: E402
from lib.searching import holds  # noqa: E402
from lib.thief import MINUTE, forgotten_in, slots  # noqa: E402
from lib.views import files_of  # noqa: E402
from lib.world import main  # noqa: E402


def a_step_that_is_left_out_is_found(w):
    relay = w.person("relay", relay=True)
    bob = w.person("bob").create(relay)
    tools = pathlib.Path(w.options.tools)
    roots = Deleter(w, relay, bob, "roots", tools / "petreld-keep-roots")
    keys = Deleter(w, relay, bob, "keys", tools / "petreld-keep-keys")
    rows = Deleter(w, relay, bob, "rows", tools / "petreld-open-rows", "rows")
    everyone = (roots, keys, rows)
    until("the kept root has another beside it",
          lambda: max(slots(roots.node.home)) > roots.generation, 2 * MINUTE)
    for her in (keys, rows):
        her.quiet()
    for her in everyone:
        her.copy_and_delete()
    for her in everyone:
        until("all keys are under another root", her.under_another_root, 2 * MINUTE, 1)
        her.open_early()
    for her in (keys, rows):
        forgotten_in(her.node.home, (her.generation, her.then))
        her.look()
    files = {her: files_of(her.late) for her in everyone}
    w.checks.same("kept roots: deleted texts that open", roots.found(), 2 * DELETED)
    holds(roots, "kept roots: her home", ["the root, sealed"], roots.needles(), files[roots])
    w.checks.same("kept keys: deleted texts that open", keys.found(), 2 * DELETED)
    hits = {hit.needle.name for hit in rows.search.hits(rows.needles(), files[rows])}
    for what in ("text", "key"):
        found = [name for name in hits if name.startswith(what)]
        w.checks.true(f"open rows: a {what} of what is deleted", found)
        print(f"   open rows: found {len(found)} of kind {what}")


def no_step_is_left_out_of_petreld(w):
    for program, there in (("petreld-keep-roots", b"keep_keyfile_patch"),
                           ("petreld-keep-keys", b"keep_seal_renew")):
        switched = (pathlib.Path(w.options.tools) / program).read_bytes()
        w.checks.same(program, there in switched, True)
        w.checks.same("petreld", there in (w.bin / "petreld").read_bytes(), False)


STORIES = [no_step_is_left_out_of_petreld, a_step_that_is_left_out_is_found]


def options_of(parser):
    parser.add_argument("--tools", required=True, help="folder with e2e_carve and e2e_search")


if __name__ == "__main__":
    main(STORIES, "where a step of forgetting is left out it is found", options_of)
