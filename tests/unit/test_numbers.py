"""What dialled strings, caller numbers and list entries mean."""

import pytest

from loader.numbers import EntryError, check_region, read_entry, read_number

POLISH_MOBILE = """
+48600100200
+48 600-100-200
+48 (600) 100 200
++48600100200
+0048600100200
0048600100200
00 48 600 100 200
48600100200
600100200
(600) 100.200
600/100/200
\uff0b48\u00a0600\u2011100\u2011200
\u202a+48 600 100 200\u202c
\u0666\u0660\u0660\u0661\u0660\u0660\u0662\u0660\u0660
tel:+48-600-100-200
TEL:600-100-200;phone-context=+48
tel:600100200;phone-context=pbx.example
sip:+48600100200@192.0.2.1:5060;user=phone
sips:600100200:secret@pbx.example
sip:600100200;npdi@pbx.example
+48600100200;npdi;rn=+48600999999
600100200@192.0.2.1
+48 600 100 200 ext. 5
600 100 200 wew. 12
600100200,00
600100200 x5
600100200#
600100200#12
+48 (0) 600 100 200
0048(0)600100200
Tel. 600 100 200
'600100200
""".strip().split("\n")


@pytest.mark.parametrize("text", POLISH_MOBILE)
def test_spellings_of_one_number_in_poland(text: str) -> None:
    reading = read_number(text, "PL")
    assert (reading.number, reading.kind) == ("+48600100200", "e164")


SPELLINGS = [
    # Plain numbers of other regions, and their own international prefixes.
    ("020 7031 3000", "GB", "+442070313000"),
    ("+44 (0)20 7031 3000", "PL", "+442070313000"),
    ("(0)20 7031 3000", "GB", "+442070313000"),
    ("06 6982 0001", "IT", "+390669820001"),
    ("+39 (0)6 6982 0001", "PL", "+390669820001"),
    ("8 800 555 35 35", "RU", "+78005553535"),
    ("011 48 600 100 200", "US", "+48600100200"),
    ("0011 48 600 100 200", "AU", "+48600100200"),
    ("1-650-253-0000", "US", "+16502530000"),
    ("(650) 253-0000", "us", "+16502530000"),
    ("242 322 1234", "BS", "+12423221234"),
    ("322 1234", "BS", "+12423221234"),
    # 00 in countries that dial something else, and where 00 is also the start of national numbers.
    ("0048600100200", "US", "+48600100200"),
    ("0048600100200", "AU", "+48600100200"),
    ("0048600100200", "JP", "+48600100200"),
    ("0048600100200", None, "+48600100200"),
    ("0066 123456", "JP", "+810066123456"),
    # Without +.
    ("48600100200", "US", "+48600100200"),
    ("4915123456789", "DE", "+4915123456789"),
    ("015123456789", "DE", "+4915123456789"),
    ("15123456789", "DE", "+4915123456789"),
    ("62812345678", "ID", "+62812345678"),
    # Ranges and codes that are not in use are kept; a context that cannot be is not used.
    ("+15550001", "PL", "+15550001"),
    ("+999 123 4567", None, "+9991234567"),
    ("00 1 555 0001", "PL", "+15550001"),
    # Short national numbers that are valid and dialled as they must be.
    ("02800", "NO", "+4702800"),
    ("62889", "AC", "+24762889"),
]


@pytest.mark.parametrize(("text", "region", "number"), SPELLINGS)
def test_spellings_elsewhere(text: str, region: str | None, number: str) -> None:
    reading = read_number(text, region)
    assert (reading.number, reading.kind) == (number, "e164")


DIALLED = [
    ("1000", "PL", "1000"),
    ("2001", "PL", "2001"),
    ("1000", "DE", "1000"),
    ("1000", "LU", "1000"),
    ("1000", None, "1000"),
    ("0", "PL", "0"),
    ("007", "PL", "007"),
    ("10-00", "PL", "1000"),
    ("\u0661\u0660\u0660\u0660", "PL", "1000"),
    ("sip:1000@pbx.example", "PL", "1000"),
    ("sip:1000", "PL", "1000"),
    ("tel:112;phone-context=+48", "PL", "112"),
    # Emergency and short numbers.
    ("112", "PL", "112"),
    ("999", "GB", "999"),
    ("911", "US", "911"),
    ("1-1-2", "DE", "112"),
    ("116111", "PL", "116111"),
    ("19115", "PL", "19115"),
    # Five and six digits are extensions in countries with a national prefix.
    ("725101", "DE", "725101"),
    ("30303", "AT", "30303"),
    ("123456", "PL", "123456"),
    # Feature codes.
    ("*30", "PL", "*30"),
    ("#31#", "PL", "#31#"),
    ("*31#600100200", "PL", "*31#600100200"),
    ("30*", "PL", "30*"),
    ("1000#", "PL", "1000#"),
    # No number of the region, or no region.
    ("253 0000", "US", "2530000"),
    ("600100200", None, "600100200"),
    ("48600100200", None, "48600100200"),
    ("2025550123", None, "2025550123"),
    # What callers without a number send.
    ("0000000000", "PL", "0000000000"),
    ("+0000000", "PL", "0000000"),
    ("1111111111", "PL", "1111111111"),
    ("600100200", "XX", "600100200"),
    ("600100200;phone-context=+1", "PL", "600100200"),
    ("000000000000", "PL", "000000000000"),
]


@pytest.mark.parametrize(("text", "region", "number"), DIALLED)
def test_extensions_short_numbers_and_codes(text: str, region: str | None, number: str) -> None:
    reading = read_number(text, region)
    assert (reading.number, reading.kind) == (number, "dialled")


WITHHELD = """
anonymous
ANONYMOUS
Restricted
private
Unavailable
unknown
withheld
sip:anonymous@anonymous.invalid
Anonymous@192.0.2.1
sip:@192.0.2.1
266696687
+266696687
""".strip().split("\n")


@pytest.mark.parametrize("text", ["", "  ", "\u00a0", *WITHHELD])
def test_withheld_callers(text: str) -> None:
    reading = read_number(text, "PL")
    assert (reading.number, reading.kind) == ("anonymous", "withheld")


UNREADABLE = """
alice
alice42
sip:alice@pbx.example
sip:pbx.example
sip:192.0.2.1:5060
gw7f3k2m9q1z
anonymous caller
---
+
+112
+1000
+600 100
+0600100200
+48700*
+48 600 100 200 300 400 500
48+600100200
600,100,200
4.86E+10
60010020O
1234567890123456
600***200
6001*0200
600100200*12
1.2.3.4
192.168.1.10
2026-05-31
31.05.2026 12:30
6.001E+08
//600100203
!600100206
-600100205
#600100202
600600200;600600201
600100202, 600100203
600100200/600100201
600100200 600100201
600100200-
600100200.
600100200-299
600100XXX
60010020[0-9]
1-800-FLOWERS
************************
${uuid_kill(1)}600100200
""".strip().split("\n")


UNSAFE = ["600\n100200", "+48600100200\x00", "\ud800600100200", "600\u2028100200", "\x85"]


@pytest.mark.parametrize("text", [*UNREADABLE, *UNSAFE])
def test_unreadable(text: str) -> None:
    reading = read_number(text, "PL")
    assert (reading.number, reading.kind) == (None, "unreadable"), reading.how


HOW = [
    ("+48600100200", "international number"),
    ("0048600100200", "international number after the international prefix of PL"),
    ("48600100200", "number with the country code of PL, without its +"),
    ("600100200", "national number of PL"),
    ("600100200 ext 5", "national number of PL, extension dropped"),
    ("1 650 253 0000", "international number without its +"),
    ("+15550001", "international number of an unknown range, as written"),
    ("1000", "extension or short number, as dialled"),
    ("00000000", "one digit throughout, as dialled"),
    ("0000001", "no full number of PL, as dialled"),
    ("*30", "feature code, as dialled"),
    ("anonymous", "withheld: no caller number"),
    ("alice", "letters are not digits here"),
    ("1-800-FLOWERS", "letters are not digits here"),
    (
        "+1-800-FLOWERS",
        "letters are not digits here; on a keypad they would be +18003569377: write"
        " that if it is meant",
    ),
    ("266696687", "withheld: the keys of the word anonymous"),
]


@pytest.mark.parametrize(("text", "how"), HOW)
def test_how_a_number_was_read(text: str, how: str) -> None:
    assert read_number(text, "PL").how == how


ENTRIES = [
    ("600 100 200", "+48600100200"),
    ("1000", "1000"),
    ("*30", "*30"),
    ("*30*", "*30*"),
    ("**", "**"),
    ("Anonymous", "anonymous"),
    (" anonymous ", "anonymous"),
    ("No-Number ", "no-number"),
    ("+48700*", "+48700*"),
    ("0048 700*", "+48700*"),
    ("+48 700 *", "+48700*"),
    ("\uff0b48 (700)*", "+48700*"),
    ("+1*", "+1*"),
    ("+48123456789012*", "+48123456789012*"),
]


@pytest.mark.parametrize(("text", "entry"), ENTRIES)
def test_list_entries(text: str, entry: str) -> None:
    assert read_entry(text, "PL") == entry


REFUSED_ENTRIES = [
    ("", ""),
    ("  ", ""),
    ("unknown", ""),
    ("sip:anonymous@pbx.example", ""),
    ("alice", "letters are not digits here"),
    ("*", "every number"),
    ("+*", "1 to 14 digits"),
    ("*;", "every number"),
    ("30*;", "a feature code begins with *"),
    ("30*", "a feature code begins with *"),
    ("700*", "begins with + and the country code"),
    ("+0*", "1 to 14 digits"),
    ("+481234567890123*", "1 to 14 digits"),
    ("+44 (0)20*", "leave out the (0)"),
    ("+48700**", "1 to 14 digits"),
    ("+48a*", "begins with +"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED_ENTRIES)
def test_refused_list_entries(text: str, reason: str) -> None:
    with pytest.raises(EntryError) as caught:
        read_entry(text, "PL")
    message = str(caught.value)
    expected, _, because = message.partition(f", found {text!r}")
    assert expected == (
        "expected a phone number, a prefix like +48700*, an extension, sip:USER@HOST, 'anonymous'"
        " or 'no-number'"
    )
    assert reason in because
    assert bool(reason) == bool(because)


@pytest.mark.parametrize("region", ["PL", None])
def test_an_entry_of_many_digits_must_be_a_number(region: str | None) -> None:
    """Kept as dialled it would look listed and match nobody."""
    number, where = ("0000001", "no number in PL") if region else ("600100200", "default_region")
    assert read_number(number, region).kind == "dialled"
    with pytest.raises(EntryError, match=where):
        read_entry(number, region)


def test_the_error_shows_the_text_escaped_and_cut() -> None:
    with pytest.raises(EntryError, match=r"found 'a\\x1b\[31m\\ud800'"):
        read_entry("a\x1b[31m\ud800", "PL")
    with pytest.raises(EntryError, match=r"found 'x{64}'\.\.\.: too long"):
        read_entry("x" * 1_000_000, "PL")


def test_regions() -> None:
    assert check_region("PL") == "PL"
    assert check_region("pl") == "PL"
    for text in "XX", "", "POL", "001", "ZZ", "\u0131t":
        with pytest.raises(ValueError, match="expected a two-letter region code such as PL, found"):
            check_region(text)
