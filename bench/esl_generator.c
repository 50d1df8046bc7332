/* Plays FreeSWITCH's side of the outbound event socket, as fast as one core allows.

   usage: esl_generator PORT CONNECTIONS SECONDS LEGS [any|unprepared]

   Keeps CONNECTIONS legs open to 127.0.0.1:PORT for SECONDS, a new one for each that ends. A leg is
   what FreeSWITCH 1.11 does with `socket`: connect, wait to be asked, for `connect` one block of
   channel data, for `getvar callsieve_leg` the line that the dialplan made, then a reply for every
   command; after hangup or exit the disconnect notice and the close.
   LEGS is a file of legs to play in turn: 4 bytes length of the line's reply, 4 bytes length of the
   block (little-endian), 1 byte whether hangup is the right answer, the reply, the block.
   `any`: the service decides nothing, so any answer will do. `unprepared`: no dialplan made a line.

   Prints JSON: legs answered, how many were answered wrongly or not at all, and the time from
   connect() to the whole answer in microseconds. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_SAMPLES (1 << 22)
/* Legs come from 127.0.0.1 and the addresses behind it: from one alone there would soon be no port
   left that is not in TIME_WAIT. */
#define ADDRESSES 32
#define COMMANDS_BYTES 16384

static const char REPLY[] = "Content-Type: command/reply\nReply-Text: +OK\n\n";
static const char NO_LINE[] = "Content-Type: command/reply\nReply-Text: -ERR command not found\n\n";
static const char LINE[] = "getvar callsieve_leg\n\n";
static const char NOTICE[] =
    "Content-Type: text/disconnect-notice\n"
    "Controlled-Session-UUID: 4eed56e5-cef5-4d1a-842c-de58e37d6bf6\n"
    "Content-Disposition: disconnect\nContent-Length: 67\n\n"
    "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n";

struct block {
    const char *line;
    const char *data;
    uint32_t line_length;
    uint32_t length;
    int hangup;
};

struct leg {
    int fd;
    int described;
    const struct block *block;
    uint64_t started;
    size_t used;
    char commands[COMMANDS_BYTES + 1];
};

static struct block *blocks;
static size_t block_count, next_block;
static struct sockaddr_in service;
static int epoll, any_answer, unprepared;
static uint64_t answered, failed;
static uint32_t *samples;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static uint32_t little_endian(const uint8_t *bytes) {
    return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void read_legs(const char *path) {
    FILE *file = fopen(path, "rb");
    uint8_t head[9];
    if (file == NULL)
        die(path);
    while (fread(head, 1, sizeof head, file) == sizeof head) {
        uint32_t line_length = little_endian(head), length = little_endian(head + 4);
        char *line = malloc(line_length), *data = malloc(length);
        blocks = realloc(blocks, (block_count + 1) * sizeof *blocks);
        if (line == NULL || data == NULL || blocks == NULL ||
            fread(line, 1, line_length, file) != line_length ||
            fread(data, 1, length, file) != length)
            die(path);
        blocks[block_count++] = (struct block){line, data, line_length, length, head[8]};
    }
    fclose(file);
    if (block_count == 0) {
        fprintf(stderr, "%s: expected at least one leg\n", path);
        exit(1);
    }
}

static void start(struct leg *leg) {
    static uint32_t legs_started;
    struct sockaddr_in here = {.sin_family = AF_INET};
    int one = 1;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK + legs_started++ % ADDRESSES);
    leg->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (leg->fd < 0)
        die("socket");
    setsockopt(leg->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(leg->fd, (struct sockaddr *)&here, sizeof here) < 0)
        die("bind");
    setsockopt(leg->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    leg->described = 0;
    leg->used = 0;
    leg->block = &blocks[next_block++ % block_count];
    leg->started = now_ns();
    if (connect(leg->fd, (struct sockaddr *)&service, sizeof service) < 0 && errno != EINPROGRESS)
        die("connect");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = leg};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, leg->fd, &event) < 0)
        die("epoll_ctl");
}

static int send_all(struct leg *leg, const char *data, size_t length) {
    while (length > 0) {
        ssize_t sent = send(leg->fd, data, length, MSG_NOSIGNAL);
        if (sent < 0)
            return -1;
        data += sent;
        length -= (size_t)sent;
    }
    return 0;
}

/* The leg is over: it was answered by hangup, by exit, or (-1) not at all. */
static void finish(struct leg *leg, int hangup) {
    if (hangup < 0 || (!any_answer && hangup != leg->block->hangup))
        failed++;
    else if (answered < MAX_SAMPLES)
        samples[answered++] = (uint32_t)((now_ns() - leg->started) / 1000);
    close(leg->fd);
    start(leg);
}

static void reply(struct leg *leg, int count, int hangup) {
    char out[64 * sizeof REPLY + sizeof NOTICE];
    size_t length = 0;
    for (int i = 0; i < count && i < 64; i++) {
        memcpy(out + length, REPLY, sizeof REPLY - 1);
        length += sizeof REPLY - 1;
    }
    if (hangup >= 0) {
        memcpy(out + length, NOTICE, sizeof NOTICE - 1);
        length += sizeof NOTICE - 1;
    }
    if (send_all(leg, out, length) < 0)
        hangup = -1;
    if (hangup >= 0)
        finish(leg, hangup);
}

static void readable(struct leg *leg) {
    ssize_t got = recv(leg->fd, leg->commands + leg->used, COMMANDS_BYTES - leg->used, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        finish(leg, -1);
        return;
    }
    leg->used += (size_t)got;
    leg->commands[leg->used] = '\0';
    if (!leg->described) {
        const struct block *block = leg->block;
        const int connected = strstr(leg->commands, "connect\n\n") != NULL;
        int sent;
        if (connected)
            sent = send_all(leg, block->data, block->length);
        else if (strstr(leg->commands, LINE) == NULL)
            return;
        else if (unprepared)
            sent = send_all(leg, NO_LINE, sizeof NO_LINE - 1);
        else
            sent = send_all(leg, block->line, block->line_length);
        leg->described = connected || !unprepared;
        leg->used = 0;
        if (sent < 0)
            finish(leg, -1);
        return;
    }
    char *command = leg->commands, *limit = leg->commands + leg->used;
    int count = 0, ending = -1;
    for (char *end, *next; (end = strstr(command, "\n\n")) != NULL; command = next) {
        *end = '\0';
        const char *body = strstr(command, "content-length: ");
        next = end + 2 + (body == NULL ? 0 : atoi(body + 16));
        if (next > limit) {
            *end = '\n';
            break;
        }
        count++;
        if (strstr(command, "execute-app-name: hangup") != NULL ||
            strstr(command, "call-command: hangup") != NULL)
            ending = 1;
        else if (strcmp(command, "exit") == 0 && ending < 0)
            ending = 0;
    }
    leg->used -= (size_t)(command - leg->commands);
    memmove(leg->commands, command, leg->used);
    if (count > 0)
        reply(leg, count, ending);
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

int main(int count, char **arguments) {
    if (count < 5) {
        fprintf(stderr, "usage: esl_generator PORT CONNECTIONS SECONDS LEGS [any|unprepared]\n");
        return 2;
    }
    int connections = atoi(arguments[2]);
    uint64_t duration = (uint64_t)(atof(arguments[3]) * 1e9);
    service.sin_family = AF_INET;
    service.sin_port = htons((uint16_t)atoi(arguments[1]));
    service.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    read_legs(arguments[4]);
    any_answer = count > 5 && strcmp(arguments[5], "any") == 0;
    unprepared = count > 5 && strcmp(arguments[5], "unprepared") == 0;
    samples = malloc(MAX_SAMPLES * sizeof *samples);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    struct leg *legs = calloc((size_t)connections, sizeof *legs);
    if (samples == NULL || legs == NULL || epoll < 0)
        die("start");
    uint64_t began = now_ns();
    for (int i = 0; i < connections; i++)
        start(&legs[i]);
    struct epoll_event events[256];
    while (now_ns() - began < duration) {
        int ready = epoll_wait(epoll, events, 256, 100);
        for (int i = 0; i < ready; i++)
            readable(events[i].data.ptr);
    }
    double seconds = (double)(now_ns() - began) / 1e9;
    qsort(samples, answered, sizeof *samples, by_value);
    printf("{\"legs\": %llu, \"failed\": %llu, \"seconds\": %.3f, \"p50\": %u, \"p99\": %u}\n",
           (unsigned long long)answered, (unsigned long long)failed, seconds,
           answered ? samples[answered / 2] : 0, answered ? samples[answered * 99 / 100] : 0);
    return 0;
}
