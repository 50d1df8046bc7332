/* The floor of an event-socket service: one epoll loop that finds the caller in the channel data and
   hangs up. No list, no decision, no receipt, no log.

   usage: esl_epoll        prints "listening on 127.0.0.1:PORT" */

#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FDS 65536
#define BLOCK_BYTES 16384

static const char CONNECT[] = "connect\n\n";
static const char HANGUP[] =
    "sendmsg\ncall-command: execute\nexecute-app-name: hangup\nexecute-app-arg: CALL_REJECTED\n\n"
    "exit\n\n";
static const char CALLER[] = "\nCaller-Caller-ID-Number: ";

struct leg {
    size_t used;
    int answered;
    char data[BLOCK_BYTES + 1];
};

static struct leg *legs[MAX_FDS];
static volatile unsigned long callers;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void drop(int fd) {
    free(legs[fd]);
    legs[fd] = NULL;
    close(fd);
}

static void readable(int fd) {
    struct leg *leg = legs[fd];
    ssize_t got = recv(fd, leg->data + leg->used, BLOCK_BYTES - leg->used, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        drop(fd);
        return;
    }
    if (leg->answered)
        return;
    leg->used += (size_t)got;
    leg->data[leg->used] = '\0';
    if (memmem(leg->data, leg->used, "\n\n", 2) == NULL)
        return;
    const char *caller = strstr(leg->data, CALLER);
    if (caller == NULL) {
        drop(fd);
        return;
    }
    callers += strtoul(caller + sizeof CALLER - 1, NULL, 10) != 0;
    leg->answered = 1;
    leg->used = 0;
    if (send(fd, HANGUP, sizeof HANGUP - 1, MSG_NOSIGNAL) < 0)
        drop(fd);
}

int main(void) {
    int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int epoll = epoll_create1(0);
    if (listening < 0 || epoll < 0 || bind(listening, (struct sockaddr *)&address, length) < 0 ||
        listen(listening, 1024) < 0 ||
        getsockname(listening, (struct sockaddr *)&address, &length) < 0)
        die("listen");
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listening};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &event);
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    struct epoll_event events[256];
    for (;;) {
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd != listening) {
                readable(events[i].data.fd);
                continue;
            }
            for (int fd; (fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
                if (fd >= MAX_FDS || (legs[fd] = malloc(sizeof(struct leg))) == NULL) {
                    close(fd);
                    continue;
                }
                legs[fd]->used = 0;
                legs[fd]->answered = 0;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                event = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
                epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
                if (send(fd, CONNECT, sizeof CONNECT - 1, MSG_NOSIGNAL) < 0)
                    drop(fd);
            }
        }
    }
}
