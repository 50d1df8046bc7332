"""Writers that are killed: what a file is left like is never read as something else."""

from pathlib import Path

import pytest

from loader.csv_store import CsvStore
from loader.store import Entry, Reject

WHOLE = (
    "number,date,description,expires\n"
    '+48600100200,2026-01-01,"first, with a comma",2099-01-01T00:00:00Z\n'
)
ROWS = [
    "+48600100300,2026-01-02,,\n",
    '+48600100300,2026-01-02,"a ""quoted"" Łódź, yes",2099-06-01T10:00:00Z\n',
]


@pytest.mark.parametrize("row", ROWS)
def test_a_row_cut_anywhere_is_itself_or_a_reject(tmp_path: Path, row: str) -> None:
    data = row.encode()
    for cut in range(1, len(data)):
        store = CsvStore(tmp_path / f"store{cut}", create=True)
        file = store.directory / "lists" / "Default.csv"
        file.write_bytes(WHOLE.encode() + data[:cut])
        for _ in range(2):  # the same before and after the next change has closed the row
            rows = list(store.entries("Default", "PL"))
            numbers = [entry.number for entry in rows if isinstance(entry, Entry)]
            rejects = [reject for reject in rows if isinstance(reject, Reject)]
            assert numbers[0] == "+48600100200"
            assert set(numbers) <= {"+48600100200", "+48600100300", "+48600100400"}
            assert len(rejects) + ("+48600100300" in numbers) == 1
            store.add("Default", Entry("+48600100400"), "PL")
        assert numbers[-1] == "+48600100400"
        assert file.read_bytes().startswith(WHOLE.encode() + data[:cut])
        # Rewriting keeps what could not be read.
        store.remove("Default", "+48600100200", "PL")
        assert sum(isinstance(r, Reject) for r in store.entries("Default", "PL")) == len(rejects)
        assert file.read_bytes().endswith(b"\n")


def test_a_working_file_left_behind_does_no_harm(tmp_path: Path) -> None:
    store = CsvStore(tmp_path / "store", create=True)
    store.add("Default", Entry("+48600100200"), "PL")
    left = store.directory / "lists" / ".Default.csv.0123abcd.new"
    left.write_text("+48999")
    assert store.list_names() == ("Default",)
    store.remove("Default", "+48600100200", "PL")
    assert list(store.entries("Default", "PL")) == []
    assert not left.exists()
