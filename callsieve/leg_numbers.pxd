# Has leg_numbers.py compiled; there are no types to tell.
