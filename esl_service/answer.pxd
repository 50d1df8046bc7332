# Types for answer.py as it is compiled.

cdef bytes _let_go(list commands, mode)
cdef list _hangup(decision)
cdef bint _is_uri(str target) except -1
cdef list _set(list variables)
