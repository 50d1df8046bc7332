#!/bin/sh
# python-calamine 0.9.1 and openpyxl 3.1.5: one telephone number of one workbook has two texts
#
# A workbook keeps every numeric cell as a binary float; a whole number is written as `600100200`.
# openpyxl gives it as an int, python-calamine as a float. Its text, as str() and csv.writer make it,
# is then `600100200.0`: one digit more for whoever takes a dot for a mark between digits, as readers
# of telephone numbers do. A column that is converted with one library and compared with a list that
# was converted with the other has no number in common.
#
# Expected: the same value for a whole number from both readers.
# Seen: openpyxl '600100200', calamine '600100200.0'.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    openpyxl==3.1.5 python-calamine==0.9.1
cd "$work"
venv/bin/python - <<'PYTHON'
import csv
import io

import openpyxl
import python_calamine

workbook = openpyxl.Workbook()
workbook.active.append([600100200])
workbook.save("numbers.xlsx")


def text(cell):
    out = io.StringIO()
    csv.writer(out).writerow([cell])
    return out.getvalue().strip()


by_openpyxl = text(openpyxl.load_workbook("numbers.xlsx").active["A1"].value)
sheet = python_calamine.CalamineWorkbook.from_path("numbers.xlsx").get_sheet_by_index(0)
by_calamine = text(sheet.to_python()[0][0])
print(repr(by_openpyxl), repr(by_calamine))
assert (by_openpyxl, by_calamine) == ("600100200", "600100200.0"), (by_openpyxl, by_calamine)
PYTHON
