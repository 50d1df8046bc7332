# Types for conversation.py as it is compiled.

from esl_service.codec cimport Decoder

cdef class Conversation:
    cdef Decoder _decoder
    cdef str _state
    cdef str _mode
    cdef bint _ended
    cdef double _too_late
    cdef readonly bytes opening
    cdef readonly double deadline

    cpdef receive(self, bytes data)
    cpdef next_event(self, double now)
    cpdef bytes answer(self, outcome, double now)
    cdef _message(self, message, double now)
    cdef _opened(self, str reply, double now)
    cdef _described(self, channel, double now)
    cdef _end(self, without_answer)
