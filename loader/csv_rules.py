"""The rules of a CSV store: their file, and their changes in the change log."""

from collections.abc import Iterator
from contextlib import contextmanager

from loader.change_log import Change, Origin, RulesChange
from loader.csv_files import CsvFiles
from loader.csv_list import open_regular, system_errors, take_ownership_of
from loader.rules_history import last_rules_change
from loader.store import StoreError, rules_conflict, rules_version

MAX_RULES_BYTES = 4_000_000


class CsvRules:
    """Raises StoreError."""

    def __init__(self, files: CsvFiles) -> None:
        self._files = files
        self._path = files.rules

    def text(self) -> str:
        with system_errors(self._path), open_regular(self._path) as file:
            data = file.read(MAX_RULES_BYTES + 1)
        if len(data) > MAX_RULES_BYTES:
            raise StoreError(f"{self._path}: expected at most {MAX_RULES_BYTES} bytes")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise StoreError(f"{self._path}: line {line}: expected UTF-8") from None

    def put(self, text: str, version: str, origin: Origin | None, what: str) -> None:
        """As Store.put_rules."""
        with self._locked():
            before = self.text()
            found = rules_version(before)
            if found != version:
                raise rules_conflict(found, version)
            if before == text:
                return
            working = self._files.new_rules
            with system_errors(working), working.open("w", encoding="utf-8", newline="") as file:
                take_ownership_of(self._path, file.fileno())
                file.write(text)
            self._files.commit_rules(self._change(what, before, text), origin)

    def note_edit(self, before: str, origin: Origin | None) -> None:
        """As Store.note_rules_edit."""
        with self._locked():
            text = self.text()
            change = self._change("rules edited by hand", before, text)
            last = last_rules_change(self._files.log.lines())
            logged = last.change.rules if last else None
            if change.rules and (logged is None or change.rules.after != logged.after):
                self._files.commit(change, origin, {})

    def _change(self, what: str, before: str, after: str) -> Change:
        keep = self._files.batches.keep_text
        return Change("", what, rules=RulesChange(keep(before), keep(after)))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._files.lock(self._path):
            self._files.log.recover()
            yield
