#!/usr/bin/env python3
"""Whether this implementation and another agree on networks at random.

    agree.py FOLDER

FOLDER holds exported networks, each in a folder with `void.txt` beside the log: a line `index code` for every entry that
the other implementation found void. The epochs of each must be recomputed byte for byte, and the same entries be
void, for the same reasons. Exit code 0: they agree. 1: the first network where they do not. 2: the call is wrong.
"""

from __future__ import annotations

import argparse
import os
import sys

import cairn_check

# A statement that does not parse may be refused at any of several places, depending on what is read first.
UNREADABLE = {"STM-CBOR", "STM-SCHEMA", "STM-SIGNERS"}


def reason(code):
    """A code, or what those have in common that say the same of different places."""
    return "unreadable" if code in UNREADABLE else code


def void_of_other(folder):
    """What the other implementation found void: codes by index."""
    with open(os.path.join(folder, "void.txt"), encoding="ascii") as file:
        pairs = (line.split() for line in file)
        return {int(index): reason(code) for index, code in pairs}


def compare(folder):
    """What the two do not agree on, in words; `None` when they agree. And how many entries and epochs there were."""
    check = cairn_check.Check(cairn_check.parse_arguments([folder, "--json"]))
    try:
        check.run()
    except cairn_check.Difference as difference:
        return f"{difference}: expected {difference.expected}, found {difference.found}", 0, 0
    mine = {index: reason(code) for code, held in check.void.items() for index, _ in held}
    theirs = void_of_other(folder)
    for index in sorted(set(mine) | set(theirs)):
        here, there = mine.get(index, "valid"), theirs.get(index, "valid")
        if here != there:
            return f"entry {index} is {here} here and {there} there", 0, 0
    return None, check.report["entries"], len(check.report["epochs"])


def main():
    """Runs the program; the exit code."""
    parser = argparse.ArgumentParser(prog="agree.py", description="Compares two implementations over many networks.")
    parser.add_argument("folder", help="a folder of exported networks with `void.txt`")
    folder = parser.parse_args().folder
    names = sorted(os.listdir(folder))
    if not names:
        parser.error(f"{folder} holds no network")
    entries = epochs = 0
    for name in names:
        differs, of_entries, of_epochs = compare(os.path.join(folder, name))
        if differs is not None:
            print(f"network {name}: {differs}")
            return 1
        entries, epochs = entries + of_entries, epochs + of_epochs
    print(f"{len(names)} networks: the same of {entries} entries are void, and {epochs} epochs are the same bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
