"""What a differential test finds, case by case: the plain kernel's answer beside ours, field by field.

A difference is accepted only where accepted.py names it and says why. The table of a test file, with the accepted
differences under it, is kept beside the file as a snapshot, so that a change of behaviour is a change of the snapshot:
a difference that comes, goes, grows, or changes its number fails the test until someone has looked at it and run
`FILE.py --record`. Every kernel has a snapshot of its own, as FILE.linux-6.18.txt; under one that has none, the
differences alone are judged, and that there were about as many cases as on the kernels that have one.
"""

from __future__ import annotations

import collections
import dataclasses
import difflib
import pathlib
import platform
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence

from accepted import ACCEPTED, Accepted

RECORD = "--record"
ADAPTOR = "adaptor"  # the kind of those cases that it answered
NEARLY_ALL = 0.9  # of the cases: some kernels lack what others have

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

    @property
    def apart(self) -> int:
        """How far, if they are numbers."""
        numbers = [int(each) for each in (self.plain, self.ours) if re.fullmatch(r"\d+", str(each))]
        return abs(numbers[0] - numbers[1]) if len(numbers) == 2 else 0

    def __str__(self) -> str:
        return f"{self.case}: {self.field}: plain {self.plain!r}, ours {self.ours!r}"


@dataclasses.dataclass
class Explained:
    """What one reason was given for: how many cases, and how far apart the fields were that it names."""

    cases: int = 0
    apart: dict[str, list[int]] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        told = [f"{field} {len(apart)} times" + (f", by up to {max(apart)}" if any(apart) else "")
                for field, apart in sorted(self.apart.items())]
        return "; ".join(told)


class Report:
    """`kinds` are further columns of the table: every case is of one of them, such as who answered."""

    def __init__(self, kinds: Iterable[str] = (), accepted: Iterable[Accepted] = ACCEPTED) -> None:
        self.unexplained: list[Difference] = []
        self.kinds = tuple(kinds)
        self._accepted = tuple(accepted)
        self._lines: dict[str, collections.Counter[str]] = {}
        self._explained: dict[str, Explained] = {}  # by reason
        self._seen: set[Case] = set()
        self._skipped: dict[str, str] = {}

    def add(self, case: Case, plain: Fields, ours: Fields, kind: str | None = None) -> None:
        if case in self._seen:
            raise ValueError(f"two cases of one name: {case}")
        if kind is not None and kind not in self.kinds:
            raise ValueError(f"{case}: no column {kind}")
        self._seen.add(case)
        line = self._lines.setdefault(case.group, collections.Counter())
        line["cases"] += 1
        line[kind or ""] += 1
        line[self._judge(case, plain, ours)] += 1

    @property
    def cases(self) -> int:
        return len(self._seen)

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
        accepted = [self._acceptance(each, plain, ours) for each in differences]
        self.unexplained += [each for each, why in zip(differences, accepted) if why is None]
        if None in accepted:
            return "different"
        told = [why for why in accepted if why and why.steady]
        reasons = {why.reason: self._explained.setdefault(why.reason, Explained()) for why in told}
        for explained in reasons.values():
            explained.cases += 1
        for each, why in zip(differences, accepted):
            if why and why.steady and why.field == each.field:
                reasons[why.reason].apart.setdefault(each.field, []).append(each.apart)
        return "accepted" if accepted else "equal"

    def _acceptance(self, found: Difference, plain: Fields, ours: Fields) -> Accepted | None:
        return next((each for each in self._accepted
                     if each.covers(found.case.group, found.case.name, found.field, plain, ours)), None)

    # --- The table ----------------------------------------------------------------------------------------------------

    def table(self) -> str:
        return "\n".join((kernel(), "", *self._rows(), "")) + self._reasons() + self._skips()

    def total(self) -> tuple[str, str]:
        """All groups together: the names of the columns and what is in them."""
        rows = self._rows()
        return rows[0], rows[-1]

    def _rows(self) -> list[str]:
        columns = ("cases", *self.kinds, "equal", "accepted", "different")
        lines = {**self._lines, "all": sum(self._lines.values(), collections.Counter())}
        return aligned([("", *columns), *((group, *(str(line[column]) for column in columns))
                                          for group, line in lines.items())])

    def _reasons(self) -> str:
        lines = [f"{found.cases} cases: {reason}\n{found}" for reason, found in sorted(self._explained.items())]
        return titled("Accepted differences", lines)

    def _skips(self) -> str:
        return titled("Not tried here", [f"{group}: {why}" for group, why in self._skipped.items()])


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))])
            for row in rows]


def titled(title: str, entries: list[str]) -> str:
    """The first line of each entry hangs out, further ones are about it."""
    wrapped = [textwrap.fill(line, 116, initial_indent="      " if number else "  ", subsequent_indent="      ")
               for entry in entries for number, line in enumerate(entry.splitlines())]
    return "\n".join(("", title, *wrapped, "")) if entries else ""


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
    if report.unexplained:
        shown = "\n".join(map(str, report.unexplained[:40]))
        raise AssertionError(f"{len(report.unexplained)} differences that accepted.py does not name, such as\n{shown}")
    test = pathlib.Path(test_file)
    snapshot = test.with_suffix(f".{kernel().lower().replace(' ', '-')}.txt")
    if record:
        snapshot.write_text(report.table())
    if snapshot.exists():
        compare(report.table(), snapshot, f"{test_file} {RECORD}")
    else:
        if others := [each.read_text() for each in test.parent.glob(f"{test.stem}.linux-*.txt")]:
            weigh(report, others)
        print("", report.table(), f"{snapshot.name} is not there, and nothing compared", sep="\n", file=sys.stderr)
    print("", *report.total(), sep="\n", file=sys.stderr)


def compare(table: str, snapshot: pathlib.Path, command: str) -> None:
    lines = snapshot.read_text().splitlines(), table.splitlines()
    changes = "\n".join(difflib.unified_diff(*lines, snapshot.name, "found", n=0, lineterm=""))
    if changes:
        raise AssertionError(f"not the table on record; where the change is right, run {command}\n{changes}")


def weigh(report: Report, others: Sequence[str]) -> None:
    """Under a kernel that has no snapshot: as much must have been tried as under those that have one, and the adaptor
    must have had its part in it. `others`: their tables."""
    known = [int(cases) for table in others for cases in re.findall(r"^all +(\d+)", table, re.MULTILINE)]
    least = NEARLY_ALL * min(known)
    if report.cases < least:
        raise AssertionError(f"{report.cases} cases, where other kernels have {min(known)}")
    answered = report.number(ADAPTOR)
    if ADAPTOR in report.kinds and 2 * answered < report.cases:
        raise AssertionError(f"the adaptor answered in no more than {answered} of {report.cases} cases")
