"""What a new CSV store has: the list Default, and rules with comments."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from loader.csv_list import HEADER, replacing
from loader.store import DEFAULT_LIST

NEW_RULES = """\
# Rules of this Callsieve store. `callsieve reload` checks them and puts them into effect;
# a file with a mistake changes nothing.

# How national numbers are read, here and in the lists: a two-letter country code.
# default_region = "PL"

# Inbound calls from numbers on a list; the first rule that fits decides.
[[forwarding]]
list = "Default"
action = "hangup"                  # or "redirect"
# cause = "CALL_REJECTED"          # hangup: a FreeSWITCH cause name
# redirect = "1000"                # redirect: an extension, a number or a SIP URI
# called = ["+48221234567"]        # "Calls to number"; without it, every number
# except = ["VIP"]                 # numbers on these lists pass

# Numbers that a campaign does not dial, and the status that they get.
# [campaign."Spring sale"]
# lists = ["Default"]
# status = "Do not call"           # without it: Blacklist

# Numbers that are not called back from a queue, or from a widget.
# [queue."Infoline"]
# callback_lists = ["Default"]
# [widget."Home page"]
# callback_lists = ["Default"]

# Calls that present a random number from a list of our own numbers.
# [route."Poland"]
# present_from = "Our numbers"
"""


def make_store(
    lists: Path, rules: Path, lock: Callable[[Path], AbstractContextManager[None]]
) -> None:
    """Make what is missing. lock: of a file. Raises StoreError, OSError."""
    lists.mkdir(parents=True, exist_ok=True)
    default = lists / f"{DEFAULT_LIST}.csv"
    # Rules that are missing from a store that has lists were lost: an empty file in their place
    # would take effect with the next reload. So they are made first, and only then.
    is_new = not any(lists.glob("*.csv"))
    for path, text in ((rules, NEW_RULES), (default, HEADER + "\n")):
        if (is_new or path == default) and not path.exists():
            with lock(path):
                if not path.exists():
                    with replacing(path) as file:
                        file.write(text)
