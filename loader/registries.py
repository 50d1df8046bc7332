"""The do-not-call registries whose files can be attached, each with its form, its age and why.

`--format`, the default of `--max-age`, how a file is read and the table in docs/reference.md come
from here. Where no form of file is published (most are washed against: the registry says of the
numbers that it is sent which are registered), ours is one number a line. Where a rule says "every
month" or "10 working days", max_age is the shortest time that this can be.

Left out: Denmark (the Robinson list has names and addresses, no numbers), the Netherlands (the
Bel-me-niet-register ended on 1 July 2021) and countries where calls need consent beforehand, such
as Germany.
"""

import datetime
from dataclasses import dataclass
from typing import Literal

from loader.store import BadValueError

Form = Literal["area codes", "numbers"]
AREA_CODES: Form = "area codes"
NUMBERS: Form = "numbers"
ANY_COLUMNS = 64


@dataclass(frozen=True, slots=True)
class Registry:
    """One registry.

    name: of --format. title: what it is. region: of its national numbers; None: the store's.
    form: `201,5550123`, flat or tagged as XML; or a number a row, international or national.
    columns: cells that a row of a full file may have. files: how many a zip of it may hold.
    max_age: days that a copy may be dialled from; None: any. age_source: who says so, where and of
    when it is. form_source: the same for the file's form; "" where the form is ours.
    ended: from that day on there is no such registry.
    """

    name: str
    title: str
    region: str | None
    form: Form
    max_age: int | None
    age_source: str
    form_source: str = ""
    columns: int = 1
    files: int = 1
    ended: datetime.date | None = None

    @property
    def row(self) -> str:
        """What a row of a full file is, in a few words."""
        if self.form == AREA_CODES:
            return "`201,5550123`; flat, XML, zip"
        if self.columns == 1:
            return "one number a line"
        return "number, date" if self.columns == 2 else "number, perhaps more columns"


REGISTRIES = (
    Registry(
        "ftc",
        "United States, National Do Not Call Registry",
        "US",
        AREA_CODES,
        31,
        "16 CFR 310.4(b)(3)(iv), since 2005",
        "FTC, Telemarketer Access Information, August 2003",
        columns=2,
    ),
    Registry(
        "crtc",
        "Canada, National Do Not Call List",
        "CA",
        AREA_CODES,
        31,
        "CRTC, Unsolicited Telecommunications Rules, part II, since 2008",
        "CRTC, National DNCL brochure, File Formats, 2019",
        columns=2,
        files=1000,  # one for each area code
    ),
    *(
        Registry(
            name,
            f"United Kingdom, {title}",
            "GB",
            NUMBERS,
            28,
            "Privacy and Electronic Communications Regulations 2003, reg. 21",
            "TPS, Technical Specifications for File Formats (undated)",
        )
        for name, title in (
            ("tps", "Telephone Preference Service"),
            ("ctps", "Corporate Telephone Preference Service"),
        )
    ),
    Registry(
        "acma",
        "Australia, Do Not Call Register (washed)",
        "AU",
        NUMBERS,
        30,
        "Do Not Call Register Act 2006, s. 11(3)",
    ),
    Registry(
        "bloctel",
        "France, Bloctel (washed)",
        "FR",
        NUMBERS,
        28,
        "Code de la consommation, art. R223-6 (monthly), until 10 August 2026",
        ended=datetime.date(2026, 8, 11),
    ),
    Registry(
        "rpo",
        "Italy, Registro pubblico delle opposizioni (washed)",
        "IT",
        NUMBERS,
        15,
        "D.P.R. 27 January 2022 n. 26 (every 15 days for calls)",
    ),
    Registry(
        "lista-robinson",
        "Spain, Lista Robinson (washed)",
        "ES",
        NUMBERS,
        30,
        "ours; Ley Orgánica 3/2018, art. 23, says before each campaign",
    ),
    Registry(
        "trai",
        "India, National Customer Preference Register (washed)",
        "IN",
        NUMBERS,
        7,
        "ours; TRAI, Customer Preference Regulations 2010, had a preference count after 7 days",
    ),
    Registry(
        "pdpc",
        "Singapore, Do Not Call Registry (washed)",
        "SG",
        NUMBERS,
        21,
        "PDPC, Do Not Call Registry Business Rules, since February 2021",
    ),
    Registry(
        "ofca",
        "Hong Kong, Do-not-call Registers",
        "HK",
        NUMBERS,
        10,
        "Unsolicited Electronic Messages Ordinance (Cap. 593), s. 11(3) (10 working days), 2007",
        "OFCA, Download Sample Do-not-call Registers (undated)",
        columns=2,
    ),
    Registry(
        "dncm",
        "Belgium, Ne m'appelez plus / Bel-me-niet-meer",
        "BE",
        NUMBERS,
        5,
        "DNCM vzw, How to order the list (at least every 5 days; undated)",
        "DNCM vzw, Frequently asked questions (number, date of registration; undated)",
        columns=2,
    ),
    Registry(
        "ndd",
        "Ireland, National Directory Database opt-out register",
        "IE",
        NUMBERS,
        28,
        "Data Protection Commissioner, media release of 21 July 2005",
    ),
    Registry(
        "brreg",
        "Norway, Reservasjonsregisteret",
        "NO",
        NUMBERS,
        28,
        "Brønnøysundregistrene, Reservasjon mot telefonsal (at least once a month), 25 August 2021",
    ),
    Registry(
        "nix",
        "Sweden, NIX-Telefon",
        "SE",
        NUMBERS,
        59,
        "NIX-Telefon, Så nixar du (up to two months; undated)",
    ),
    Registry(
        "nao-me-perturbe",
        "Brazil, Não Me Perturbe",
        "BR",
        NUMBERS,
        30,
        "Conexis and Anatel, Não Me Perturbe (up to 30 days), since July 2019",
    ),
    Registry(
        "repep",
        "Mexico, Registro Público para Evitar Publicidad",
        "MX",
        NUMBERS,
        30,
        "Profeco, Reglas de operación of the register (30 calendar days; as told in 2020 to 2025)",
    ),
    Registry(
        "numbers",
        "any other list that somebody keeps",
        None,
        NUMBERS,
        None,
        "yours, with `--max-age`",
        columns=ANY_COLUMNS,
    ),
)
FORMATS = tuple(registry.name for registry in REGISTRIES)
_NAMED = {registry.name: registry for registry in REGISTRIES}


def registry_named(name: str) -> Registry:
    """Raises BadValueError."""
    try:
        return _NAMED[name]
    except KeyError:
        raise BadValueError(
            f"format: expected one of {', '.join(FORMATS)}, found {name!r}"
        ) from None
