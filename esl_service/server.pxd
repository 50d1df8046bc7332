# Types for server.py as it is compiled.

from esl_service.connection cimport Connection
from esl_service.conversation cimport Conversation

cdef class _Leg:
    cdef Connection _connection
    cdef double _queued
    cdef object _server
    cdef bint _undecided
    cdef readonly Conversation conversation

    cpdef open(self)
    cpdef read(self)
    cpdef advance(self)
    cpdef _run(self, to_block)
    cdef _act_on_events(self)
    cdef _act(self, event)
    cdef _answer(self, channel)
    cdef _block(self, channel)
    cdef _overload(self)
    cdef _close(self)
    cdef _settle(self)
