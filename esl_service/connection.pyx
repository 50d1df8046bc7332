"""A TCP connection as the service needs it: system calls that never wait, and little around them.

A socket of Python's costs a leg several times what its system calls do.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_SetFromErrno
from libc.errno cimport EAGAIN, ECONNABORTED, EINTR, errno
from libc.stdint cimport uint16_t

import socket

cdef extern from "sys/socket.h" nogil:
    ctypedef unsigned int socklen_t
    cdef struct sockaddr:
        unsigned short sa_family
    int AF_INET6, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_NONBLOCK
    int accept4(int fd, sockaddr *address, socklen_t *length, int flags)
    ssize_t recv(int fd, void *buffer, size_t length, int flags)
    ssize_t send(int fd, const void *buffer, size_t length, int flags)
    int getsockopt(int fd, int level, int name, void *value, socklen_t *length)

cdef extern from "netinet/in.h" nogil:
    int IPPROTO_TCP
    cdef struct in_addr:
        pass
    cdef struct in6_addr:
        pass
    cdef struct sockaddr_in:
        uint16_t sin_port
        in_addr sin_addr
    cdef struct sockaddr_in6:
        uint16_t sin6_port
        in6_addr sin6_addr
    uint16_t ntohs(uint16_t number)

cdef extern from "netinet/tcp.h" nogil:
    int TCP_INFO

cdef extern from "unistd.h" nogil:
    int close(int fd)

cdef enum:
    READ_BYTES = 16 * 1024


@cython.final
cdef class Connection:
    """One accepted connection. What reads, sends or measures raises OSError, also after `close`."""

    def __cinit__(self):
        self._descriptor = -1

    def __dealloc__(self):
        self.close()

    cpdef int fileno(self) noexcept:
        return self._descriptor

    @property
    def peer(self):
        """The other side's address, as text, and its port."""
        cdef sockaddr_in *four = <sockaddr_in *>&self._peer
        cdef sockaddr_in6 *six = <sockaddr_in6 *>&self._peer
        if self._peer.ss_family == AF_INET6:
            address = (<const char *>&six.sin6_addr)[: sizeof(six.sin6_addr)]
            return socket.inet_ntop(AF_INET6, address), ntohs(six.sin6_port)
        address = (<const char *>&four.sin_addr)[: sizeof(four.sin_addr)]
        return socket.inet_ntoa(address), ntohs(four.sin_port)

    cpdef receive(self):
        """What has come, up to 16 KB; no bytes at the end of the stream, None if nothing came."""
        cdef char buffer[READ_BYTES]
        cdef ssize_t size
        while True:
            size = recv(self._descriptor, buffer, READ_BYTES, 0)
            if size >= 0:
                return PyBytes_FromStringAndSize(buffer, size)
            if errno == EAGAIN:
                return None
            if errno != EINTR:
                PyErr_SetFromErrno(OSError)

    cpdef send(self, bytes data):
        """Raises OSError when not all of it is taken at once: nothing here waits."""
        # The buffer of a connection that was sent nothing else takes more than the longest answer.
        cdef ssize_t size
        if data is None:
            raise TypeError("expected bytes, got None")
        size = send(
            self._descriptor, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), MSG_NOSIGNAL
        )
        if size < 0:
            PyErr_SetFromErrno(OSError)
        if size < PyBytes_GET_SIZE(data):
            raise OSError("FreeSWITCH does not read")

    cpdef double seconds_since_data(self) except -1.0:
        """How long ago the last data came: what waits for us waits in the kernel."""
        return self._info().tcpi_last_data_recv / 1000

    cpdef double seconds_since_acknowledgement(self) except -1.0:
        """The same for the last acknowledgement; at first, the one that opened the connection."""
        return self._info().tcpi_last_ack_recv / 1000

    cpdef close(self):
        """May be called again."""
        if self._descriptor >= 0:
            close(self._descriptor)
            self._descriptor = -1

    cdef tcp_info _info(self) except *:
        cdef tcp_info info
        cdef socklen_t length = sizeof(info)
        if getsockopt(self._descriptor, IPPROTO_TCP, TCP_INFO, &info, &length) < 0:
            PyErr_SetFromErrno(OSError)
        return info


cpdef accept(int listening):
    """The next connection to a listening socket that does not wait; None where there is none.

    One that has gone meanwhile is passed over. Raises OSError.
    """
    cdef Connection connection = Connection.__new__(Connection)
    cdef socklen_t length
    while True:
        length = sizeof(connection._peer)
        connection._descriptor = accept4(
            listening, <sockaddr *>&connection._peer, &length, SOCK_CLOEXEC | SOCK_NONBLOCK
        )
        if connection._descriptor >= 0:
            return connection
        if errno == EAGAIN:
            return None
        if errno not in (EINTR, ECONNABORTED):
            PyErr_SetFromErrno(OSError)
