# Types for codec.py as it is compiled.

cdef class Decoder:
    cdef object _wanted
    cdef bytearray _buffer
    cdef Py_ssize_t _searched
    cdef object _headers
    cdef Py_ssize_t _body_bytes

    cpdef feed(self, bytes data)
    cpdef skip(self, bytes message)
    cpdef bint starts_with(self, bytes beginning) except -1
    cpdef take_reply(self)
    cpdef next_message(self)
    cdef bint _take_block(self) except -1
