cimport cython

cdef extern from "sys/socket.h" nogil:
    cdef struct sockaddr_storage:
        unsigned short ss_family

cdef extern from "netinet/tcp.h" nogil:
    cdef struct tcp_info:
        unsigned int tcpi_last_data_recv
        unsigned int tcpi_last_ack_recv

@cython.final
cdef class Connection:
    cdef int _descriptor
    cdef sockaddr_storage _peer

    cpdef int fileno(self) noexcept
    cpdef receive(self)
    cpdef send(self, bytes data)
    cpdef double seconds_since_data(self) except -1.0
    cpdef double seconds_since_acknowledgement(self) except -1.0
    cpdef close(self)
    cdef tcp_info _info(self) except *

cpdef accept(int listening)
