# Types for channel_data.py as it is compiled.

cpdef read_leg(str line)
