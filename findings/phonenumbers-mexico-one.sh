#!/bin/sh
# phonenumbers 8.13.37 and 8.13.38: one patch release apart, one Mexican line has two keys
#
# Until August 2019 a Mexican mobile number was dialled from abroad with a 1 behind +52, and many
# lists still hold it so. 8.13.37 takes the 1 off, so that both forms give one E.164 text. 8.13.38,
# the next patch release, keeps it: the old form is then eleven digits and no valid number. A list
# whose keys were made by the one no longer meets callers that are read by the other, with nothing
# in the version number to warn of it.
#
# Expected: the same E.164 text for both forms in both releases, or a change of the minor version.
# Seen: one text with 8.13.37, two with 8.13.38.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
for version in 8.13.37 8.13.38; do
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check "phonenumbers==$version"
    "$work/venv/bin/python" - "$version" <<'PYTHON'
import sys

import phonenumbers

texts = [
    phonenumbers.format_number(
        phonenumbers.parse(text, None), phonenumbers.PhoneNumberFormat.E164
    )
    for text in ("+52 1 55 1234 5678", "+52 55 1234 5678")
]
print(sys.argv[1], *texts)
expected = {"8.13.37": 1, "8.13.38": 2}[sys.argv[1]]
assert len(set(texts)) == expected, texts
PYTHON
done
