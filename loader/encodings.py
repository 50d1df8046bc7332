"""Which encoding a text has that somebody wrote with an accented letter or two, or in Cyrillic.

The encodings of one byte a letter differ in what a byte above 127 is. Each language is tried in
each encoding that can write it; the one with the fewest characters that the language does not have
wins. Where two encodings do equally well and the text reads differently in them, it cannot be told.
"""

import codecs
from collections import Counter
from typing import NamedTuple

# What operators call them -> what Python does.
ENCODINGS = {
    "utf-8": "utf-8",
    "utf-16": "utf-16",
    "windows-1250": "cp1250",
    "windows-1251": "cp1251",
    "windows-1252": "cp1252",
    "latin-2": "iso8859-2",
}
NAMES = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "cp1250": "Windows-1250",
    "cp1251": "Windows-1251",
    "cp1252": "Windows-1252",
    "iso8859-2": "Latin-2",
}
_CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґўђјљњћџѓќѕ"
# Languages by the letters that they have besides those of ASCII; likelier encodings first.
_LANGUAGES = {
    "ąćęłńóśźż": ("cp1250", "iso8859-2"),  # Polish
    "áčďéěíňóřšťúůýž": ("cp1250", "iso8859-2"),  # Czech
    "áäčďéíĺľňóôŕšťúýž": ("cp1250", "iso8859-2"),  # Slovak
    "áéíóöőúüű": ("cp1250", "iso8859-2"),  # Hungarian
    "čćžšđ": ("cp1250", "iso8859-2"),  # Croatian, Slovene
    "äöüß": ("cp1252", "cp1250", "iso8859-2"),  # German
    "àâæçèéêëîïôœùûüÿ": ("cp1252",),  # French
    "áéíñóúü¡¿ºª": ("cp1252",),  # Spanish
    "ãáâàçéêíóôõúüºª": ("cp1252",),  # Portuguese
    "àèéìíîòóùú": ("cp1252",),  # Italian
    "áéèëïíóöüú": ("cp1252",),  # Dutch
    "åäöæøéüð": ("cp1252",),  # of the north
    "ăâîșțşţ": ("cp1250", "iso8859-2"),  # Romanian
    _CYRILLIC: ("cp1251",),
}
# Of any language: quotation marks, dashes, and signs that people write.
_SIGNS = frozenset("\xa0\u201e\u201d\u201c\u2019\u2018\u2013\u2014\u2026€§°«»•™®©")


class Letters(NamedTuple):
    """Bytes above 127 of a text, by value, and how many are in words of nothing but such bytes."""

    counts: Counter[int]
    alone: int


def guess(letters: Letters) -> tuple[str, str]:
    """The likeliest codec, and the name of another that is as likely and reads the text otherwise,
    or "".
    """
    # Words are Cyrillic letters throughout; in Latin ones accented letters stand beside others.
    is_cyrillic = letters.alone * 2 > letters.counts.total()
    scores: dict[str, int] = {}
    for alphabet, its_codecs in _LANGUAGES.items():
        for codec in its_codecs:
            if codec != "cp1251" or is_cyrillic:
                foreign = _foreign(letters.counts, codec, alphabet + alphabet.upper())
                if foreign < scores.get(codec, foreign + 1):
                    scores.pop(codec, None)  # so that of equal ones the first language's is first
                    scores[codec] = foreign
    best = min(scores, key=lambda codec: (scores[codec], codec != "cp1251"))
    text = bytes(letters.counts)
    for codec, score in scores.items():
        if score == scores[best] and _decoded(text, codec) != _decoded(text, best):
            return best, NAMES[codec]
    return best, ""


def _foreign(counts: Counter[int], codec: str, alphabet: str) -> int:
    """How many characters are neither in the alphabet nor signs."""
    return sum(
        count
        for byte, count in counts.items()
        if (character := _decoded(bytes([byte]), codec)) not in alphabet and character not in _SIGNS
    )


def _decoded(text: bytes, codec: str) -> str:
    return codecs.decode(text, codec, "replace")
