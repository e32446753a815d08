#!/usr/bin/env python3
"""Wraps the prose of Markdown files at 100 columns, in place.

    scripts/wrap.py FILE...

Only paragraphs and list items with a line that is too long are touched. Headings, tables, code, quotes and formulas on lines
of their own stay as they are; code spans and formulas within a line are kept on one line.
"""

import re
import sys
from pathlib import Path

COLUMNS = 100
# What must stay on one line: code spans, formulas, and the end of a link with its target.
WORD = re.compile(r"(?:`+[^`]*`+|\$[^$]+\$|\]\([^)]*\)|[^\s`$]|\$)+")
# What would mean something else at the beginning of a line.
MARK = re.compile(r"[-+*#>|]|\d+[.)]$")


def wrap(paragraph):
    """The lines of a paragraph or list item, wrapped if one is too long."""
    if all(len(line) <= COLUMNS for line in paragraph):
        return paragraph
    first = re.match(r"\s*(?:[-*] |\d+\. )?", paragraph[0]).group()
    indent = " " * len(first)
    words = []
    for word in WORD.findall(" ".join([paragraph[0][len(first):], *paragraph[1:]])):
        if words and MARK.match(word):
            words[-1] += " " + word
        else:
            words.append(word)
    lines = [first + words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) > COLUMNS:
            lines.append(indent + word)
        else:
            lines[-1] += " " + word
    return lines


def wrapped(text):
    result, paragraph, end = [], [], None
    in_list = False

    def close():
        result.extend(wrap(paragraph) if paragraph else [])
        paragraph.clear()

    for line in text.splitlines():
        fence = re.match(r"\s*(```|~~~|\$\$)", line)
        blank = not paragraph and (not result or not result[-1] or result[-1].startswith("    "))
        code = line.startswith("    ") and blank and not in_list
        if end or fence or code or not line.strip() or re.match(r"[|#>!]|.*  $", line):
            close()
            result.append(line)
            # A formula may begin and end on one line.
            if end:
                end = None if end in line else end
            elif fence and not (fence.group(1) == "$$" and line.count("$$") == 2):
                end = fence.group(1)
        else:
            item = re.match(r"\s*(?:[-*] |\d+\. )", line)
            if item:
                close()
            if not line.startswith(" "):
                in_list = bool(item)
            paragraph.append(line)
    close()
    return "\n".join(result) + "\n"


def main():
    if not sys.argv[1:] or sys.argv[1].startswith("-"):
        sys.exit(__doc__.strip())
    for path in map(Path, sys.argv[1:]):
        path.write_text(wrapped(path.read_text()))


main()
