"""The rules that a new store begins with."""

import re

NO_REGION = '# default_region = "PL"   # none: only numbers with a country code can be read'

_NEW_RULES = """\
# Rules of this Callsieve store. `callsieve reload` checks them and puts them into effect;
# a file with a mistake changes nothing.

# How national numbers are read, here and in the lists: a two-letter country code.
{region}

# Inbound calls from numbers on a list; the first rule that fits decides.
[[forwarding]]
list = "Default"
action = "hangup"                  # or "redirect", or "continue": through all rules
# cause = "CALL_REJECTED"          # hangup: a FreeSWITCH cause name
# redirect = "1000"                # redirect: an extension, a number or a SIP URI
# called = ["+48221234567"]        # "Calls to number"; without it, every number
# except = ["VIP"]                 # numbers on these lists pass

# Numbers that a campaign does not dial, and the status that they get.
# [campaign."Spring sale"]
# lists = ["Default"]
# status = "Do not call"           # without it: Blacklist

# Numbers that no campaign dials. A call that names no campaign and no route is dialled only where
# there are such lists, or unnamed = "open".
# [outbound]
# lists = ["Default"]

# Extensions that may be dialled. Other short numbers, and what cannot be read, are not.
# (At the top of the file, beside default_region.)
# extensions = ["1XXX"]

# Numbers that are not called back from a queue, or from a widget.
# [queue."Infoline"]
# callback_lists = ["Default"]
# [widget."Home page"]
# callback_lists = ["Default"]

# Calls that present a random number from a list of our own numbers.
# [route."Poland"]
# present_from = "Our numbers"
"""


def new_rules(region: str | None) -> str:
    """region: two letters; None: the store is to have none."""
    line = NO_REGION if region is None else f'default_region = "{region}"'
    return _NEW_RULES.replace("{region}", line)


def are_new_rules(text: str) -> bool:
    """Whether a store still has the rules that it began with, whatever region was said."""
    parts = map(re.escape, _NEW_RULES.split("{region}"))
    return re.fullmatch("[^\n]*".join(parts), text) is not None
