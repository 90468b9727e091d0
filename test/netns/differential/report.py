"""What a differential test finds, case by case: the plain kernel's answer beside ours, field by field.

A difference is accepted only where accepted.py names it and says why. The table of a test file, with the accepted
differences under it, is kept beside the file as a snapshot, so that a change of behaviour is a change of the snapshot:
a difference that comes, goes, or changes its number fails the test until someone has looked at it and run
`FILE.py --record`. A snapshot speaks for the kernel that its first line names; under another one, the differences alone
are judged.
"""

from __future__ import annotations

import collections
import dataclasses
import difflib
import pathlib
import platform
import sys
import textwrap
from collections.abc import Iterable, Mapping

from accepted import ACCEPTED, Accepted

RECORD = "--record"

Fields = Mapping[str, object]


@dataclasses.dataclass(frozen=True)
class Case:
    """One set-up and one thing tried with it; `group` is a line of the table."""

    group: str
    name: str

    def __str__(self) -> str:
        return f"{self.group} / {self.name}"


@dataclasses.dataclass(frozen=True)
class Difference:
    case: Case
    field: str
    plain: object
    ours: object

    def __str__(self) -> str:
        return f"{self.case}: {self.field}: plain {self.plain!r}, ours {self.ours!r}"


class Report:
    """`kinds` are further columns of the table: every case is of one of them, such as who answered."""

    def __init__(self, kinds: Iterable[str] = (), accepted: Iterable[Accepted] = ACCEPTED) -> None:
        self.unexplained: list[Difference] = []
        self._kinds = tuple(kinds)
        self._accepted = tuple(accepted)
        self._lines: dict[str, collections.Counter[str]] = {}
        self._explained: collections.Counter[str] = collections.Counter()  # cases, by reason
        self._seen: set[Case] = set()
        self._skipped: dict[str, str] = {}

    def add(self, case: Case, plain: Fields, ours: Fields, kind: str | None = None) -> None:
        if case in self._seen:
            raise ValueError(f"two cases of one name: {case}")
        if kind is not None and kind not in self._kinds:
            raise ValueError(f"{case}: no column {kind}")
        self._seen.add(case)
        line = self._lines.setdefault(case.group, collections.Counter())
        line["cases"] += 1
        line[kind or ""] += 1
        line[self._judge(case, plain, ours)] += 1

    def number(self, kind: str) -> int:
        """Of the cases of that kind."""
        return sum(line[kind] for line in self._lines.values())

    def skip(self, group: str, why: str) -> None:
        """What cannot be tried on this machine: it stays visible in the table."""
        self._skipped[group] = why

    def _judge(self, case: Case, plain: Fields, ours: Fields) -> str:
        differences = [Difference(case, field, plain.get(field), ours.get(field))
                       for field in (*plain, *(f for f in ours if f not in plain))
                       if plain.get(field) != ours.get(field)]
        reasons = [self._reason(each, plain, ours) for each in differences]
        self.unexplained += [each for each, reason in zip(differences, reasons) if reason is None]
        if None in reasons:
            return "different"
        self._explained.update({each.reason for each in reasons if each})
        return "accepted" if reasons else "equal"

    def _reason(self, found: Difference, plain: Fields, ours: Fields) -> Accepted | None:
        return next((each for each in self._accepted
                     if each.covers(found.case.group, found.case.name, found.field, plain, ours)), None)

    # --- The table ----------------------------------------------------------------------------------------------------

    def table(self) -> str:
        return "\n".join((kernel(), "", *self._rows(), "")) + self._reasons() + self._skips()

    def total(self) -> str:
        """The last row, all groups together."""
        return self._rows()[-1]

    def _rows(self) -> list[str]:
        columns = ("cases", *self._kinds, "equal", "accepted", "different")
        lines = {**self._lines, "all": sum(self._lines.values(), collections.Counter())}
        return aligned([("", *columns), *((group, *(str(line[column]) for column in columns))
                                          for group, line in lines.items())])

    def _reasons(self) -> str:
        lines = [f"{number} cases: {reason}" for reason, number in self._explained.items()]
        return titled("Accepted differences", sorted(lines, key=lambda line: line.split(":", 1)[1]))

    def _skips(self) -> str:
        return titled("Not tried here", [f"{group}: {why}" for group, why in self._skipped.items()])


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))])
            for row in rows]


def titled(title: str, lines: list[str]) -> str:
    wrapped = "\n".join(textwrap.fill(line, 116, initial_indent="  ", subsequent_indent="      ") for line in lines)
    return f"\n{title}\n{wrapped}\n" if lines else ""


def kernel() -> str:
    return "Linux " + ".".join(platform.release().split(".")[:2])


# --- The snapshot -----------------------------------------------------------------------------------------------------

def recording() -> bool:
    """Whether the snapshot is to be written; takes the word from the command line."""
    wanted = RECORD in sys.argv
    if wanted:
        sys.argv.remove(RECORD)
    return wanted


def settle(report: Report, test_file: str, record: bool) -> None:
    """Fails on a difference that nobody accepted, and where the table is not the one on record."""
    snapshot = pathlib.Path(test_file).with_suffix(".snapshot.txt")
    if report.unexplained:
        shown = "\n".join(map(str, report.unexplained[:40]))
        raise AssertionError(f"{len(report.unexplained)} differences that accepted.py does not name, such as\n{shown}")
    if record:
        snapshot.write_text(report.table())
    table = report.table().splitlines()
    on_record = snapshot.read_text().splitlines() if snapshot.exists() else [""]
    if on_record[0] not in ("", kernel()):
        print("\n".join(table), f"{snapshot.name} is of another kernel, and not compared", sep="\n", file=sys.stderr)
    elif table != on_record:
        changes = "\n".join(difflib.unified_diff(on_record, table, snapshot.name, "found", n=0, lineterm=""))
        raise AssertionError(f"not the table on record; where the change is right, run {test_file} {RECORD}\n{changes}")
    else:
        print("", table[2], report.total(), sep="\n", file=sys.stderr)
