"""Import of a CSV file into a list: one outcome for every row."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from loader.change_log import Batch, BatchDetails, Origin
from loader.csv_layout import Layout
from loader.csv_rows import COLUMNS, Lines, Row, read_entry_cells
from loader.csv_source import open_source
from loader.dangerous_entries import Guard
from loader.held_back import HeldBackError
from loader.locking import uninterrupted
from loader.loss_guard import Counts, loss
from loader.rejects_file import RejectsFile
from loader.store import (
    NAMED_REJECTS,
    AddOutcome,
    BadValueError,
    Edit,
    Entry,
    Reject,
    Store,
)


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """replace: the list gets the file's numbers and loses all others. dry_run: nothing is changed.

    accept: replace whatever the list loses by it. guard: holds back dangerous entries; None: they
    are taken. check: raises BadValueError for a canonical number that the list must not have; None:
    there is none. progress: told how many bytes were read.
    """

    replace: bool = False
    dry_run: bool = False
    guard: Guard | None = None
    check: Callable[[str], object] | None = None
    origin: Origin | None = None
    accept: bool = False
    progress: Callable[[int], object] = lambda _: None


@dataclass
class ImportReport:
    """What became of the rows.

    removed: numbers that went, with replace. rejects_file: None when no such file was made.
    batch: None when the list was not changed.
    """

    layout: Layout
    counts: dict[AddOutcome, int] = field(default_factory=lambda: dict.fromkeys(AddOutcome, 0))
    removed: int = 0
    rejected: int = 0
    named_rejects: list[Reject] = field(default_factory=list)
    rejects_file: Path | None = None
    batch: Batch | None = None

    @property
    def accepted(self) -> int:
        return sum(self.counts.values())


def import_file(
    store: Store,
    name: str,
    file: Path,
    report: ImportReport,
    region: str | None,
    options: ImportOptions = ImportOptions(),
) -> None:
    """Add every row of `file` to the list in one step, and fill in the report.

    Rows that cannot be read, and those that `guard` holds back, go to a RejectsFile. When no row is
    accepted the list stays as it is, with `replace` too. Raises HeldBackError when `replace` would
    take out too much to be believed, StoreError; it stays then as well, and with KeyboardInterrupt
    unless the report has a batch.
    """
    layout = report.layout
    with (
        store.edit(name, region, options.replace) as edit,
        RejectsFile(file, layout) as rejects,
        open_source(file, layout.encoding, options.progress) as source,
    ):
        reading = _Reading(edit, layout, region, options, report, rejects)
        reading.read_all(source.lines)
        report.counts = edit.counts
        if report.accepted:
            details = BatchDetails(
                "replace" if options.replace else "import",
                options.origin,
                report.rejected,
                file.name,
                source.sha256,
            )
            if options.replace and not options.accept:
                _check_loss(edit)
            if options.dry_run:
                edit.prepare()
            else:
                with uninterrupted():
                    report.batch = edit.commit(details)
        report.removed = edit.removed
        if not options.dry_run:
            report.rejects_file = rejects.keep()


def _check_loss(edit: Edit) -> None:
    edit.prepare()
    lost = edit.removed
    if problem := loss(Counts(edit.entries), Counts(edit.entries - lost), lost):
        raise HeldBackError(f"{problem}; nothing was changed. If that is meant: --accept")


class _Reading:
    """One pass over the rows."""

    def __init__(
        self,
        edit: Edit,
        layout: Layout,
        region: str | None,
        options: ImportOptions,
        report: ImportReport,
        rejects: RejectsFile,
    ) -> None:
        self._edit = edit
        self._layout = layout
        self._region = region
        self._guard = options.guard
        self._check = options.check
        self._report = report
        self._rejects = rejects
        # A column that is not there, or not in a short row, reads as a blank cell.
        self._places = [layout.columns.get(name, sys.maxsize) for name in COLUMNS]

    def read_all(self, lines: Lines) -> None:
        has_header = not self._layout.header
        while not has_header and lines.ready():
            row = self._layout.read_row(lines)
            has_header = not row.blank and not row.problem
            if row.problem:
                self._reject(row, row.problem)
        reader = self._layout.plain_reader(self._region)
        keys = self._guard.keys if self._guard else None

        def take(lines: Lines) -> None:
            if self._check is None:  # what is checked is looked at a row at a time
                self._edit.take_plain(lines, reader, keys)

        for _ in lines.left_by(take):
            row = self._layout.read_row(lines)
            if row.blank:
                continue
            try:
                self._edit.put(self._entry(row))
            except ValueError as error:
                self._reject(row, str(error))

    def _entry(self, row: Row) -> Entry:
        """What the row says. Raises ValueError."""
        if row.problem:
            raise BadValueError(row.problem)
        if any(row.cells[self._layout.width :]):
            raise BadValueError(
                f"expected at most {self._layout.width} columns, found {len(row.cells)}"
            )
        width = len(row.cells)
        number, date, description, expires = [
            row.cells[at] if at < width else "" for at in self._places
        ]
        dates = self._layout.dates
        entry = read_entry_cells(
            number, date, description, expires, self._region, dates.day, dates.expiry
        )
        if self._guard:
            self._guard.check(entry.number)
        if self._check:
            self._check(entry.number)
        return entry

    def _reject(self, row: Row, reason: str) -> None:
        report = self._report
        report.rejected += 1
        if len(report.named_rejects) < NAMED_REJECTS:
            report.named_rejects.append(Reject(row.line, row.raw.rstrip("\r\n"), reason))
        self._rejects.write(row, reason)
