"""Import of a CSV file into a list: one outcome for every row."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from loader.change_log import Batch, BatchDetails, Origin
from loader.csv_layout import Layout, is_comment
from loader.csv_rows import Lines, Row
from loader.csv_source import open_source
from loader.dangerous_entries import Guard
from loader.held_back import HeldBackError
from loader.import_rows import RowReader, RowReading
from loader.locking import uninterrupted
from loader.loss_guard import Counts, loss
from loader.rejects_file import REJECTS_ENDING, RejectsFile
from loader.store import NAMED_REJECTS, AddOutcome, Edit, Reject, Store

NAMED_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class MadeOf:
    """What the file of text was made of that is imported: a workbook, standard input.

    name, sha256: for the change log. rejects: where rejected rows are written.
    """

    name: str
    sha256: str
    rejects: Path


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """replace: the list gets the file's numbers and loses all others. dry_run: nothing is changed.

    accept: replace whatever the list loses by it. guard: holds back dangerous entries; None: they
    are taken. check: raises BadValueError for a canonical number that the list must not have; None:
    there is none. progress: told how many bytes were read. take_short, only_valid: of RowReader.
    made_of: None for a file that is imported itself. region: of the file's national numbers; None:
    the list's.
    """

    replace: bool = False
    dry_run: bool = False
    guard: Guard | None = None
    check: Callable[[str], object] | None = None
    origin: Origin | None = None
    accept: bool = False
    progress: Callable[[int], object] = lambda _: None
    take_short: bool = False
    only_valid: bool = False
    made_of: MadeOf | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A row that was accepted and is worth a look. numbers: how many entries it gave."""

    line: int
    text: str
    number: str
    numbers: int = 1
    what: str = ""


@dataclass
class Group:
    """Accepted rows of one kind: how many, and the first of them."""

    rows: int = 0
    examples: list[Example] = field(default_factory=list)

    def add(self, example: Example) -> None:
        self.rows += 1
        if len(self.examples) < NAMED_EXAMPLES:
            self.examples.append(example)


@dataclass
class ImportReport:
    """What became of the rows.

    counts: of entries, by what became of them; a row that is a range gives several. removed:
    numbers that went, with replace. rejects_file: None when no such file was made. batch: None when
    the list was not changed. comments: lines left out because they begin with #.

    Rows worth a look, each among the accepted too: possible, numbers in no range that is in use;
    repaired, numbers that something was put right in; short, extensions and short numbers; ranges,
    rows of several entries. notes_cleaned: rows whose description was cut or put on one line.
    """

    layout: Layout
    counts: dict[AddOutcome, int] = field(default_factory=lambda: dict.fromkeys(AddOutcome, 0))
    removed: int = 0
    rejected: int = 0
    named_rejects: list[Reject] = field(default_factory=list)
    rejects_file: Path | None = None
    batch: Batch | None = None
    possible: Group = field(default_factory=Group)
    repaired: Group = field(default_factory=Group)
    short: Group = field(default_factory=Group)
    ranges: Group = field(default_factory=Group)
    notes_cleaned: int = 0
    comments: int = 0

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
    """Add every row of `file` to the list in one step, and fill in the report. region: the list's.

    Rows that cannot be read, and those that `guard` holds back, go to a RejectsFile. When no row is
    accepted the list stays as it is, with `replace` too. Raises HeldBackError when `replace` would
    take out too much to be believed, StoreError; it stays then as well, and with KeyboardInterrupt
    unless the report has a batch.
    """
    layout, made_of = report.layout, options.made_of
    rejects_path = made_of.rejects if made_of else file.with_name(file.name + REJECTS_ENDING)
    with (
        store.edit(name, region, options.replace) as edit,
        RejectsFile(rejects_path, layout) as rejects,
        open_source(file, layout.encoding, options.progress) as source,
    ):
        read_in = options.region or region
        rows = RowReader(layout, read_in, options.take_short, options.only_valid)
        _Reading(edit, rows, options, report, rejects).read_all(
            source.lines, read_in, options.only_valid
        )
        report.possible.rows += edit.possible
        report.counts = edit.counts
        if report.accepted:
            details = BatchDetails(
                "replace" if options.replace else "import",
                options.origin,
                report.rejected,
                made_of.name if made_of else file.name,
                made_of.sha256 if made_of else source.sha256,
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


def read_sample(
    file: Path, layout: Layout, region: str | None, options: ImportOptions, count: int
) -> list[tuple[Row, RowReading | str]]:
    """The first rows as they will be read: what each says, or why it is rejected."""
    rows = RowReader(layout, options.region or region, options.take_short, options.only_valid)
    found: list[tuple[Row, RowReading | str]] = []
    with open_source(file, layout.encoding) as source:
        while source.lines.ready() and len(found) < count:
            row = layout.read_row(source.lines)
            if row.line < layout.first_line + bool(layout.header) or row.blank or is_comment(row):
                continue
            try:
                found.append((row, rows.read(row)))
            except ValueError as error:
                found.append((row, str(error)))
    return found


class _Reading:
    """One pass over the rows."""

    def __init__(
        self,
        edit: Edit,
        rows: RowReader,
        options: ImportOptions,
        report: ImportReport,
        rejects: RejectsFile,
    ) -> None:
        self._edit = edit
        self._rows = rows
        self._guard = options.guard
        self._check = options.check
        self._report = report
        self._rejects = rejects

    def read_all(self, lines: Lines, region: str | None, only_valid: bool) -> None:
        layout = self._report.layout
        before = layout.first_line + bool(layout.header)
        while lines.number + 1 < before and lines.ready():
            row = layout.read_row(lines)
            if row.problem:
                self._reject(row, row.problem)
            self._report.comments += row.line < layout.first_line and is_comment(row)
        every, valid = (layout.plain_reader(region, valid_only) for valid_only in (False, True))
        examples = self._report.possible.examples
        keys = self._guard.keys if self._guard else None

        def take(lines: Lines) -> None:
            if self._check:
                return  # what is checked is looked at a row at a time
            # Compiled code counts the numbers that are not in use, and keeps no examples of them.
            needs_all = only_valid or len(examples) < NAMED_EXAMPLES
            self._edit.take_plain(lines, valid if needs_all else every, keys)

        for _ in lines.left_by(take):
            row = layout.read_row(lines)
            if row.blank:
                continue
            if is_comment(row):
                self._report.comments += 1
                continue
            try:
                self._put(row, self._rows.read(row))
            except ValueError as error:
                self._reject(row, str(error))

    def _put(self, row: Row, reading: RowReading) -> None:
        """All entries of a row, or none. Raises ValueError."""
        if self._guard:
            self._guard.check_all([entry.number for entry in reading.entries])
        if self._check:
            for entry in reading.entries:
                self._check(entry.number)
        for entry in reading.entries:
            self._edit.put(entry, keep_expiry=True)
        report = self._report
        number, count = reading.entries[0].number, len(reading.entries)
        example = Example(row.line, reading.text, number, count, reading.repaired)
        if reading.tier == "possible":
            report.possible.add(example)
        if reading.repaired:
            report.repaired.add(example)
        if reading.is_short:
            report.short.add(example)
        if count > 1:
            report.ranges.add(example)
        report.notes_cleaned += reading.note_cleaned

    def _reject(self, row: Row, reason: str) -> None:
        report = self._report
        report.rejected += 1
        if len(report.named_rejects) < NAMED_REJECTS:
            report.named_rejects.append(Reject(row.line, row.raw.rstrip("\r\n"), reason))
        self._rejects.write(row, reason)
