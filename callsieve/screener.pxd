# Has screener.py compiled; there are no types to tell.
