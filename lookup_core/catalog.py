"""A directory of published generations: number lists as snapshots, and documents as text.

    catalog.json            what is current; replaced by one rename, which is the commit
    counter                 8 bytes that readers map and compare; see counter.py
    lock, building          held by publishers; see commits.py
    *.snapshot, *.delta     the lists; see generation_files.py
    readers/                what each process that follows has; see readers.py

A generation is a snapshot file, or one and a delta over it; the files of the previous one are kept.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from lookup_core.catalog_file import CATALOG_FILE, JSON, Files, Row, load
from lookup_core.commits import building, committing, create_catalog, locked
from lookup_core.errors import SnapshotError
from lookup_core.follower import Follower
from lookup_core.generation_files import delta_path, open_generation, snapshot_path
from lookup_core.snapshot import Snapshot


class Catalog(Follower):
    """Follower and publisher of one directory. Any number of threads and processes may do both."""

    def __init__(self, directory: Path, create: bool = False) -> None:
        """create: make the directory an empty catalog unless it is one.

        Raises CatalogError, OSError.
        """
        if create:
            create_catalog(Path(directory))
        super().__init__(directory)

    def publish(
        self,
        name: str,
        numbers: Iterable[str | int],
        prefixes: Iterable[str] = (),
        info: Mapping[str, JSON] = MappingProxyType({}),
        same_info: Mapping[str, JSON] | None = None,
        *,
        ends: Iterable[tuple[str | int, int]] = (),
        addresses: Mapping[str, int | None] = MappingProxyType({}),
    ) -> int:
        """Makes these the list's entries in one step for all readers; the new generation's number.

        numbers, prefixes, ends, addresses: as for Snapshot.build. info: JSON values kept with the
        generation.
        same_info: when the list has these very entries and ends already, and every byte of its
        files is as it was written, no generation is made: the one that there is keeps its number
        and gets these values. None: a new one is made whatever the list has.
        Raises what Snapshot.build raises, ValueError or TypeError for an info that is not JSON,
        CatalogError, OSError; readers then see no change.
        """
        plain = _plain(info)
        with building(self.directory) as working:
            Snapshot.build(working, numbers, prefixes, ends=ends, addresses=addresses)
            if same_info is not None:
                generation = self._keep(name, working, _plain(same_info))
                if generation:
                    return generation
            with committing(self.directory) as contents:
                row = contents.lists.get(name)
                generation = 1 + (row.generation if row else contents.last_generations.get(name, 0))
                working.replace(snapshot_path(self.directory, name, generation))
                contents.last_generations.pop(name, None)
                contents.lists[name] = Row(
                    generation, Files(generation, 0, plain), row.files if row else None
                )
        return generation

    def _keep(self, name: str, built: Path, info: dict[str, JSON]) -> int:
        """Leave a list that is intact and has the entries of `built`; its generation, 0 for none.

        As with publish(), what others publish meanwhile is older news than what was built.
        """
        with locked(self.directory):  # or the files might be deleted before they are open
            row = load(self.directory / CATALOG_FILE).lists.get(name)
            if row is None:
                return 0
            try:
                found = open_generation(self.directory, name, row.files)
            except (SnapshotError, OSError):
                return 0
        try:
            if not found.has_entries_of(Snapshot.open(built)):
                return 0
            found.verify()
        except SnapshotError:
            return 0
        if row.files.info == info:
            return row.generation
        with committing(self.directory) as contents:
            now = contents.lists.get(name)
            if now is None or now.files != row.files:
                return 0
            contents.lists[name] = replace(now, files=replace(now.files, info=info))
        return row.generation

    def change(
        self,
        name: str,
        add: Iterable[str | int] = (),
        remove: Iterable[str | int] = (),
        add_prefixes: Iterable[str] = (),
        remove_prefixes: Iterable[str] = (),
        info: Mapping[str, JSON] | None = None,
        *,
        ends: Iterable[tuple[str | int, int]] = (),
        add_addresses: Mapping[str, int | None] = MappingProxyType({}),
        remove_addresses: Iterable[str] = (),
    ) -> int:
        """Changes entries of a list in one step for all readers; the new generation's number.

        Takes milliseconds whatever the list's size; fold() from time to time keeps it so. See
        Snapshot.build_delta for the entries and ends. info: None leaves the generation's as it is.
        Raises KeyError when there is no such list, and what publish() raises; readers then see no
        change.
        """
        with building(self.directory) as working, committing(self.directory) as contents:
            row = contents.lists[name]
            plain = row.files.info if info is None else _plain(info)
            before = open_generation(self.directory, name, row.files)
            Snapshot.build_delta(
                working,
                before,
                add,
                remove,
                add_prefixes,
                remove_prefixes,
                ends=ends,
                add_addresses=add_addresses,
                remove_addresses=remove_addresses,
            )
            contents.lists[name] = row = row.next(row.files.base, row.generation + 1, plain)
            working.replace(delta_path(self.directory, name, row.generation))
        return row.generation

    def fold(self, name: str) -> bool:
        """Writes all of a list anew, so that nothing is left of its delta. Whether it did.

        Other changes may come in meanwhile: they are not held up, and none is lost. False: there
        was no delta, or the list was published or withdrawn meanwhile. Raises KeyError,
        CorruptSnapshotError when the files are not what was written, and what publish() raises.
        """
        with building(self.directory) as working:
            with locked(self.directory):  # or the files might be deleted before they are open
                files = load(self.directory / CATALOG_FILE).lists[name].files
                if not files.delta:
                    return False
                folded_from = open_generation(self.directory, name, files)
            folded_from.verify()  # an altered number would be as good as any in the new file
            Snapshot.build(
                working,
                folded_from.keys(),
                folded_from.prefixes,
                ends=folded_from.ends(),
                addresses=folded_from.addresses,
            )
            with building(self.directory) as working_delta, committing(self.directory) as contents:
                row = contents.lists.get(name)
                if row is None or row.files.base != files.base:
                    return False
                base = row.generation + 1
                changed = row.files.delta != files.delta
                if changed:
                    Snapshot.build_delta_since(
                        working_delta,
                        Snapshot.open(working),
                        folded_from,
                        open_generation(self.directory, name, row.files),
                    )
                    working_delta.replace(delta_path(self.directory, name, base))
                working.replace(snapshot_path(self.directory, name, base))
                # The list says what it said, so the one before it is still the one before.
                folded = Files(base, base if changed else 0, row.files.info)
                contents.lists[name] = Row(base, folded, row.previous)
        return True

    def roll_back(self, name: str, info: Mapping[str, JSON] = MappingProxyType({})) -> int:
        """Makes the generation before the current one the next one; its number.

        Doing it twice returns to where it was. info: values to keep with it, over those that it
        had. Raises KeyError when there is no such list or none before, SnapshotError when that one
        cannot be opened, ValueError or TypeError for an info that is not JSON, CatalogError,
        OSError; readers then see no change.
        """
        plain = _plain(info)
        with building(self.directory), committing(self.directory) as contents:
            row = contents.lists[name]
            if row.previous is None:
                raise KeyError(name)
            before = row.previous
            open_generation(self.directory, name, before)
            contents.lists[name] = row.next(before.base, before.delta, before.info | plain)
            return row.generation + 1

    def publish_document(
        self, name: str, text: str, info: Mapping[str, JSON] = MappingProxyType({})
    ) -> int:
        """Makes this the document's text, as publish() does; the new generation's number."""
        row = {"text": text, "info": _plain(info)}
        with building(self.directory), committing(self.directory) as contents:
            generation = 1 + int(contents.documents.get(name, {"generation": 0})["generation"])
            contents.documents[name] = {"generation": generation, **row}
        return generation

    def withdraw(self, name: str) -> None:
        """Removes a list. Raises KeyError when there is none so named, CatalogError, OSError."""
        with building(self.directory), committing(self.directory) as contents:
            contents.last_generations[name] = contents.lists.pop(name).generation


def _plain(info: Mapping[str, JSON]) -> dict[str, JSON]:
    """A copy that is JSON. Raises TypeError or ValueError when it cannot be."""
    plain: dict[str, JSON] = json.loads(json.dumps(dict(info), allow_nan=False))
    return plain
