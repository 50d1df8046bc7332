"""A listed number is never dialled because something stood before, behind or within it.

Whatever is put around the digits of a listed number, the leg is matched or nobody can tell, unless
the dialled string says itself that it is another line: with + or an international prefix, or as a
valid national number that is dialled with the national prefix.
"""

from __future__ import annotations

import random
import re

import phonenumbers
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat

from callsieve.screener import read_facts
from esl_service.channel_data import ChannelData
from screening import Rules, decide
from screening.extensions import read_extensions
from screening.rules import Route, SkipRule, Unassigned
from tests.support.number_lists import number_lists

LISTED = {
    "PL": ("+48600100200", "+48221234567", "+48700100555"),
    "US": ("+12025550123", "+13125550199"),
    "DE": ("+493012345678", "+4915123456789", "+4989123456"),
    "GB": ("+442079460958", "+447700900123"),
    "AU": ("+61291234567", "+61412345678"),
    "FR": ("+33612345678", "+33142345678"),
}
LISTS = number_lists(
    Default=[*(number for numbers in LISTED.values() for number in numbers), "+48700100*"]
)
INTERNATIONAL = {"US": ("+", "00", "011"), "AU": ("+", "00", "0011")}
STRIPPED = ("9", "0,", "12345#")
KNOWN = re.compile(r"^\s*(?:(?:[0-9],+|[*#]31#|\*67|\*82|183[12]|1470|141|1167|1182)\s*)+")
"""What is taken off by itself; what stands behind it says for itself which line it is."""
BEHIND = re.compile(r"(?<=[0-9)])[\s.-]*(?:#|,|x|;| ext\.|@).*")
"""The key that sends a number, an extension, parameters: the line is what stands before."""
MASKS = [read_extensions(text) for text in ("XXX", "XXXX", "XXXXX", "XXXXXX", "000-999")]

before = st.one_of(
    st.text("0123456789", max_size=6),
    st.sampled_from(
        ["0,", "9,", "9,,", "#31#", "*31#", "*67", "*82", "1831", "141", "12345#", "*30", "tel:"]
    ),
    st.text("0123456789*#,-. +()", max_size=6),
)
behind = st.one_of(
    st.just(""),
    st.text("0123456789", max_size=5),
    st.sampled_from(["#", "#5", ",5", "x5", " ext. 12", ";ext=5", "*", "*1", "@host", ".0"]),
    st.text("0123456789*#,-. ()", max_size=4),
)


@st.composite
def spelled(draw: st.DrawFn, region: str) -> tuple[str, str]:
    """A listed number, and its digits in some spelling."""
    number = draw(st.sampled_from(LISTED[region]))
    parsed = phonenumbers.parse(number)
    national = str(parsed.national_number)
    trunk = phonenumbers.ndd_prefix_for_region(region, True) or ""
    code = str(parsed.country_code)
    digits = draw(st.sampled_from([national, trunk + national, code + national, number]))
    separators = draw(
        st.lists(st.sampled_from(["", "", "", " ", "-", ".", "/", " - "]), max_size=len(digits))
    )
    text = "".join(
        digit + (separators[at] if at < len(separators) else "") for at, digit in enumerate(digits)
    )
    return number, text


def is_another_line(text: str, region: str, listed: str) -> bool:
    """Whether the text says for certain which other number it is."""
    text = BEHIND.sub("", text)
    try:
        parsed = phonenumbers.parse(text, region, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return False
    if phonenumbers.format_number(parsed, PhoneNumberFormat.E164) == listed:
        return False
    if not phonenumbers.is_valid_number(parsed):
        return False
    digits = "".join(sign for sign in text if sign.isdecimal() or sign == "+")
    if digits.startswith(INTERNATIONAL.get(region, ("+", "00"))):
        return True
    trunk = phonenumbers.ndd_prefix_for_region(region, True) or ""
    code = str(phonenumbers.country_code_for_region(region))
    own = parsed.country_code == int(code)
    return own and (not trunk or digits.startswith((trunk, code)))


@example(("PL", "+48600100200", "600100200"), "9", "", "cannot tell", True)
@example(("PL", "+48600100200", "600100200"), "0", "", "cannot tell", False)
@example(("PL", "+48600100200", "600100200"), "4848", "", "cannot tell", False)
@example(("PL", "+48600100200", "600100200"), "", "220", "cannot tell", False)
@example(("PL", "+48600100200", "600100200"), "", "220", "dial", False)
@example(("PL", "+48600100200", "600100200"), "4930", "", "cannot tell", False)
@example(("US", "+12025550123", "2025550123"), "9", "1", "cannot tell", False)
@example(("US", "+12025550123", "12025550123"), "9", "", "dial", False)
@example(("DE", "+493012345678", "3012345678"), "9", "", "cannot tell", False)
@given(
    case=st.sampled_from(sorted(LISTED)).flatmap(
        lambda region: spelled(region).map(lambda found: (region, *found))
    ),
    prefix=before,
    suffix=behind,
    unassigned=st.sampled_from(["cannot tell", "dial"]),
    stripping=st.booleans(),
)
@settings(max_examples=1500, deadline=None)
def test_no_leg_is_dialled_whose_string_holds_a_listed_number(
    case: tuple[str, str, str], prefix: str, suffix: str, unassigned: Unassigned, stripping: bool
) -> None:
    region, listed, spelling = case
    text = f"{prefix}{spelling}{suffix}"
    taken_off = next((text[len(one) :] for one in STRIPPED if text.startswith(one)), text)
    assume(not is_another_line(KNOWN.sub("", taken_off if stripping else text), region, listed))
    rules = Rules(
        default_region=region,
        campaigns={"Sale": SkipRule("campaign.Sale", ("Default",))},
        queues={"Infoline": SkipRule("queue.Infoline", ("Default",))},
        widgets={"Home": SkipRule("widget.Home", ("Default",))},
        routes={"Trunk": Route("route.Trunk", None, STRIPPED if stripping else ())},
        extensions=tuple(mask for mask in MASKS if mask is not None),
        unassigned=unassigned,
    )
    leg = ChannelData(called_number=text, route="Trunk")
    for named in (
        leg._replace(flow="outbound", campaign="Sale"),
        leg._replace(flow="callback", queue="Infoline"),
        leg._replace(flow="widget", widget="Home"),
    ):
        decision = decide(read_facts(named, rules), rules, LISTS, random.Random(1))
        assert decision.action == "skip", (text, decision)


@given(st.sampled_from(sorted(LISTED)).flatmap(spelled), st.text("0123456789", max_size=6))
@settings(max_examples=300, deadline=None)
def test_no_leg_is_dialled_by_national_digits_that_no_region_reads(
    found: tuple[str, str], prefix: str
) -> None:
    """Without a region even a listed number in national spelling is nobody's."""
    rules = Rules(campaigns={"Sale": SkipRule("campaign.Sale", ("Default",))})
    _, spelling = found
    text = prefix + spelling
    assume(not spelling.startswith("+") and not text.startswith("00"))
    leg = ChannelData(flow="outbound", called_number=text, campaign="Sale")
    assert decide(read_facts(leg, rules), rules, LISTS, random.Random(1)).action == "skip"
