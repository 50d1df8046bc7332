"""Which columns of an imported file are taken, and what stands around the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loader.csv_store import CsvStore
from tests.support.logged_lists import in_the_lists
from tests.support.shell import Shell, polish_shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return polish_shell(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "numbers.csv"


def numbers(shell: Shell) -> set[str]:
    return set(in_the_lists(CsvStore(shell.directory))["Default"])


def columns(shell: Shell, file: Path, text: str, *options: str, code: int = 0) -> dict[str, int]:
    """Field -> position from 1, of an import of this text."""
    file.write_text(text, "utf-8")
    output = shell.run("import", "Default", str(file), "--json", *options, code=code).output
    return {name: at["position"] for name, at in json.loads(output)["columns"].items()}


BOTH = {"+48600100200", "+48600100201"}
HEADERS = [
    "Mobile Phone",
    "Phone Number",
    "Phone 1 - Value",
    "Business Phone",
    "Primary Phone",
    "phone_number",
    "phone1",
    "caller_id_number",
    "call_block_number",
    "Caller ID",
    "src",
    "Telefon komórkowy",
    "Telefon kontaktowy",
    "Nr tel.",
    "Handynummer",
    "Rufnummer",
    "Numéro de téléphone",
    "Numero de telefono",
    "Número de teléfono",
    "Móvil",
    "Telemóvel",
    "Numero di telefono",
    "Cellulare",
    "Telefoonnummer",
    "Telefonní číslo",
    "Номер телефона",
    "Мобильный телефон",
]


@pytest.mark.parametrize("header", HEADERS)
def test_headers_of_exports_in_ten_languages(shell: Shell, file: Path, header: str) -> None:
    text = f"Nr;Score;{header};Ref\n1;500100200;600100200;\n2;500100201;600100201;\n"
    assert columns(shell, file, text)["number"] == 3
    assert numbers(shell) == BOTH


def test_row_numbers_are_never_taken(shell: Shell, file: Path) -> None:
    rows = "".join(f"{row};Jan;{600100200 + row % 2}\n" for row in range(1, 1101))
    for header in ("Nr;Imie;Telefon komorkowy\n", "Nr;Imie;Kontakt\n", "Numer;Imie;X\n", ""):
        assert columns(shell, file, header + rows)["number"] == 3
        assert numbers(shell) == BOTH
    for text in ("Nr;Imie\n", "Number\n", ""):
        file.write_text(text + "".join(f"{row};Jan\n" for row in range(1, 50)))
        output = shell.run("import", "Default", str(file), code=2).output
        assert "expected one column of numbers, found none" in output
        assert "('1', '2', '3'): row numbers" in output
    assert numbers(shell) == BOTH


@pytest.mark.parametrize("first", ["2026-01-02", "31.05.2026", "31.05.2026 12:30"])
def test_dates_are_never_taken(shell: Shell, file: Path, first: str) -> None:
    text = f"{first};600100200\n{first};600100201\n"
    file.write_text(text)
    shell.run("import", "Default", str(file), "--map", "date=")
    assert numbers(shell) == BOTH
    file.write_text(f"number\n{first}\n{first}\n")
    assert ": dates;" in shell.run("import", "Default", str(file), code=2).output


def test_numbers_of_our_own_are_never_taken(shell: Shell, file: Path) -> None:
    text = "did;Kontakt\n221234567;600100200\n221234567;600100201\n"
    assert columns(shell, file, text)["number"] == 2
    file.write_text("DID\n600100200\n")
    output = shell.run("import", "Default", str(file), code=2).output
    assert "column 1 'DID' ('600100200'): our own numbers; say --map number=COLUMN" in output
    shell.run("import", "Default", str(file), "--map", "number=DID")
    shell.write(
        "callsieve.toml",
        'default_region = "PL"\n[[forwarding]]\nlist = "Default"\naction = "hangup"\n'
        'called = ["+48221234567"]\n',
    )
    text = "Dokad;Kto\n221234567;600100200\n221234567;600100201\n"
    assert columns(shell, file, text)["number"] == 2
    assert numbers(shell) == BOTH


@pytest.mark.parametrize(
    "text",
    [
        "Telefon;Telefon 2\n600100200;600100201\n",
        "Phone Number,Mobile Phone Number\n600100200,600100201\n",
        "Kontakt;Inny\n600100200;600100201\n",
        "600100200;600100201\n600100203;600100204\n",
        "Numer;Telefon\n600100200;600100201\n",
    ],
)
def test_nothing_is_guessed_where_two_columns_could_be_meant(
    shell: Shell, file: Path, text: str
) -> None:
    file.write_text(text)
    output = shell.run("import", "Default", str(file), code=2).output
    assert "expected one column of numbers, found 2: column 1" in output
    assert "('600100201'" in output
    assert "say --map number=1, or another of them" in output
    assert numbers(shell) == set()
    assert columns(shell, file, text, "--map", "number=2")["number"] == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("600100200;Jan\n600100201;Ewa\n", {"number": 1, "description": 2}),
        ("600100200;2026-01-02;Jan\n", {"number": 1, "date": 2, "description": 3}),
        ("Jan;600100200;2026-01-02;x\n", {"number": 2, "date": 3, "description": 4}),
        ("600100200;Jan;x;2026-01-02\n", {"number": 1, "description": 3, "date": 4}),
        ("7;600100200;2026-01-02\n", {"number": 2, "date": 3}),
        ("6001\n6002\nabc\n", {"number": 1}),
    ],
)
def test_a_file_without_header_is_read_by_its_cells(
    shell: Shell, file: Path, text: str, found: dict[str, int]
) -> None:
    assert columns(shell, file, text, code=3 if "abc" in text else 0) == found


@pytest.mark.parametrize(
    ("above", "titles"),
    [
        ("sep=;\n", 0),
        ("SEP=;\r\n", 0),
        ('"sep=;"\n', 0),
        ("\ufeffsep=;\n", 0),
        ("Lista numerów\n\nStan na;2026-11-01\n", 2),
        ("Lista numerów;;\n;;\nSporządził: Jan;;\n", 2),
        ("# comment, one; two\n#\n", 0),
        ("sep=;\n# comment\nLista\n", 1),
    ],
)
@pytest.mark.parametrize("header", ["Imię;Telefon;Opis\n", "Imię;Kontakt;Opis\n"])
def test_what_stands_above_the_table_is_left_out(
    shell: Shell, file: Path, above: str, titles: int, header: str
) -> None:
    text = above + header + "Jan;600100200;a, b\nEwa;600100201;\n"
    assert columns(shell, file, text) == {"number": 2, "description": 3}
    assert numbers(shell) == BOTH
    report = json.loads(shell.run("import", "Default", str(file), "--json").output)
    assert report["titles"] == titles
    assert report["already_there"] == 2


def test_other_separators_can_be_stated(shell: Shell, file: Path) -> None:
    assert columns(shell, file, "sep=^\nphone^note\n600100200^a;b\n")["number"] == 1
    assert columns(shell, file, "sep=\t\nphone\tnote\n600100201\ta;b\n")["number"] == 1
    assert numbers(shell) == BOTH


def test_comment_lines_are_counted_and_crossed_out_numbers_are_no_comments(
    shell: Shell, file: Path
) -> None:
    file.write_text("# of May\nphone,note\n600100200,a\n# and,600100209\n600100201,# b\n#\n")
    report = json.loads(shell.run("import", "Default", str(file), "--json").output)
    assert report["comments"] == 3
    assert numbers(shell) == BOTH
    file.write_text("#phone,note\n600100202,a\n")
    shell.run("import", "Default", str(file))
    assert numbers(shell) == BOTH | {"+48600100202"}


def test_short_numbers_among_full_ones_are_mistakes(shell: Shell, file: Path) -> None:
    text = "600100200\n600100201\n6001\n600100200\n600100201\n"
    file.write_text(text)
    output = shell.run("import", "Default", str(file), code=3).output
    assert "expected a full number as in the first rows, found the short one 6001" in output
    assert numbers(shell) == BOTH
    for options in ((), ("--yes-really",)):
        shell.run("import", "Default", str(file), *options, code=3)
        assert numbers(shell) == BOTH
    report = json.loads(shell.run("import", "Default", str(file), "--short", "--json").output)
    assert report["short"] == {
        "rows": 1,
        "examples": [{"line": 3, "text": "6001", "number": "6001"}],
    }
    assert numbers(shell) == BOTH | {"6001"}


def test_a_list_of_extensions_is_taken_and_counted(shell: Shell, file: Path) -> None:
    file.write_text("number\n6001\n6002\n6010\n600100200\n")
    for options in ((), ("--yes-really",)):
        report = json.loads(shell.run("import", "Default", str(file), "--json", *options).output)
        assert report["short"]["rows"] == 3


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("country_code,phone_number\n1,2025550123\n48,600100200\n,600100201\n", ()),
        ("phone_code;phone_number\n+1;(202) 555-0123\n0048;600 100 200\n48;600100201\n", ()),
        ("Kraj;Telefon\nUS;2025550123\npl;600100200\nPL;600100201\n", ()),
        ("1,2025550123\n48,600100200\n48,600100201\n", ("--map", "country=1")),
        ("US,2025550123\nUS,+48600100200\nUS,0048600100201\n", ("--map", "country=1")),
    ],
)
def test_a_column_may_say_the_country(
    shell: Shell, file: Path, text: str, options: tuple[str, ...]
) -> None:
    found = columns(shell, file, text, *options)
    assert (found["country"], found["number"]) == (1, 2)
    assert numbers(shell) == BOTH | {"+12025550123"}


def test_a_country_that_is_none_or_another_costs_the_row(shell: Shell, file: Path) -> None:
    file.write_text("country,phone\n48,600100200\n99,600100201\nUS,48600100201\n48,600100201\n")
    output = shell.run("import", "Default", str(file), "--map", "country=country", code=3).output
    assert "expected a calling code such as 48 or a region such as PL, found '99'" in output
    assert "expected a number of country US, found '48600100201'" in output
    assert numbers(shell) == BOTH


def test_a_region_for_one_import(shell: Shell, file: Path) -> None:
    shell.run("add", "Default", "600100200")
    file.write_text("020 7946 0958\n")
    shell.run("import", "Default", str(file), "--region", "gb")
    assert numbers(shell) == {"+48600100200", "+442079460958"}
    output = shell.run("import", "Default", str(file), "--region", "XX", code=2).output
    assert "--region: expected a two-letter region code such as PL, found 'XX'" in output


def test_only_valid_refuses_numbers_in_no_range_that_is_in_use(shell: Shell, file: Path) -> None:
    file.write_text("600100200\n+48 100 100 200\n600100201\n")
    output = shell.run("import", "Default", str(file), "--only-valid", code=3).output
    assert "expected one that is in use (--only-valid), found +48100100200" in output
    assert numbers(shell) == BOTH
    report = json.loads(shell.run("import", "Default", str(file), "--json").output)
    assert report["rejected"] == 0
    assert "+48100100200" in numbers(shell)


def test_the_first_rows_are_shown_as_they_will_be_read(shell: Shell, file: Path) -> None:
    file.write_text("phone,date,note,expires\n600100200,2026-01-02,a,2099-01-01\nabc,,,\n1x,,,\n")
    report = json.loads(
        shell.run("import", "Default", str(file), "--json", "--dry-run", code=3).output
    )
    first, second, _ = report["sample"]
    assert (first["line"], first["text"], first["numbers"]) == (2, "600100200", ["+48600100200"])
    assert (first["date"], first["description"]) == ("2026-01-02", "a")
    assert first["expires"].startswith("2099-01-01")
    assert "found 'abc'" in second["rejected"]


def test_columns_have_a_bound(shell: Shell, file: Path) -> None:
    file.write_text("600100200" + "," * 256 + "\n")
    output = shell.run("import", "Default", str(file), code=2).output
    assert "expected at most 256 columns, found 257" in output


def test_what_dates_are_written_as_is_said(shell: Shell, file: Path) -> None:
    rows = "600100200,31.05.2026\n600100201,31.05.2026 12:30\n600100202,1.6.26\n"
    file.write_text("phone,date\n" + rows)
    output = shell.run("import", "Default", str(file), code=4).output
    assert output.count("say --date-format DD.MM.YYYY") == 2
    assert output.count("say --date-format D.M.YY\n") == 1
    formats = ["--date-format", "DD.MM.YYYY", "--date-format", "D.M.YY"]
    shell.run("import", "Default", str(file), *formats)
    found = in_the_lists(CsvStore(shell.directory))["Default"].values()
    assert sorted(str(entry.date) for entry in found) == ["2026-05-31", "2026-05-31", "2026-06-01"]


def test_a_date_format_without_a_column_of_dates_is_refused(shell: Shell, file: Path) -> None:
    file.write_text("Telefon;Kiedy\n600100200;05.11.2026\n", "utf-8")
    command = ("import", "Default", str(file), "--date-format", "DD.MM.YYYY")
    output = shell.run(*command, code=2).output
    assert "--date-format: expected a column of dates, found none" in output
    assert "'Telefon', 'Kiedy'" in output
    assert numbers(shell) == set()
    shell.run(*command, "--map", "date=Kiedy")
    assert numbers(shell) == {"+48600100200"}


def test_the_date_of_a_polish_objection_is_taken(shell: Shell, file: Path) -> None:
    text = "Telefon;Data zgłoszenia\n600100200;05.11.2026\n"
    found = columns(shell, file, text, "--date-format", "DD.MM.YYYY")
    assert found == {"number": 1, "date": 2}
