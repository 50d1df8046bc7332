"""The rules that a new store begins with."""

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
