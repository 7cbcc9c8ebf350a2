/*
 * Many connections, counted by who made them.
 *
 *   tcp_load serve IP PORT UP DOWN [once]     reads UP bytes and answers DOWN; with "once" it closes then
 *   tcp_load hold IP PORT UP DOWN N SOURCES   commands on its standard input, one a line, each answered by
 * "ok": open (N connections, from SOURCES addresses from 127.0.0.1 on), exchange (UP and DOWN on each), close
 *   tcp_load rate IP PORT UP DOWN N SECONDS   N new connections a second, one exchange each, closed by the
 * server
 *
 * All say "ready" first. serve ends with its standard input, and it and rate then say how many connections
 * they had from begin to end. Several may serve one port. Whatever goes wrong is an error: the counts are the
 * truth that others are compared with.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, MAX_FDS = 1 << 20, MAX_BYTES = 65536 };

static struct sockaddr_in address;
static int up, down, per_second, seconds;
static bool once;
static atomic_long done;
static int received[MAX_FDS]; /* of the request in work, by descriptor */
static const char bytes[MAX_BYTES];

static _Noreturn void fail(const char* what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    _exit(1);
}

static void check(bool good, const char* what) {
    if (!good) fail(what);
}

static void say(const char* word) {
    puts(word);
    fflush(stdout);
}

static int new_listener(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

    check(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) == 0, "listener");
    check(bind(fd, (struct sockaddr*)&address, sizeof(address)) == 0 && listen(fd, 8192) == 0, "listen");
    return fd;
}

static void end_connection(int fd) {
    close(fd);
    atomic_fetch_add(&done, 1);
}

/* Reads what is there; answers a whole request. */
static void serve_connection(int fd) {
    static _Thread_local char buffer[MAX_BYTES];
    ssize_t n = recv(fd, buffer, (size_t)(up - received[fd]), 0);

    if (n < 0 && errno == EAGAIN) return;
    check(n >= 0, "recv");
    if (n == 0) {
        check(received[fd] == 0, "the end of a request");
        end_connection(fd);
        return;
    }
    received[fd] += (int)n;
    if (received[fd] < up) return;
    received[fd] = 0;
    check(send(fd, bytes, (size_t)down, MSG_NOSIGNAL) == down, "send");
    if (once) end_connection(fd);
}

static void* serve(void* listening) {
    int listener = (int)(long)listening, poll = epoll_create1(0);
    struct epoll_event events[256], event = {.events = EPOLLIN, .data.fd = listener};

    check(poll >= 0 && epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event) == 0, "epoll");
    for (;;) {
        int n = epoll_wait(poll, events, 256, -1);

        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;

            if (fd != listener) {
                serve_connection(fd);
                continue;
            }
            while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                check(fd < MAX_FDS, "descriptors");
                received[fd] = 0;
                event = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
                check(epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll");
            }
            check(errno == EAGAIN, "accept");
        }
    }
    return NULL;
}

static int new_connection(const struct sockaddr_in* source) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    check(fd >= 0, "socket");
    if (source) {
        check(setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) == 0,
              "bind without port");
        check(bind(fd, (const struct sockaddr*)source, sizeof(*source)) == 0, "bind");
    }
    check(connect(fd, (struct sockaddr*)&address, sizeof(address)) == 0, "connect");
    return fd;
}

static void receive(int fd, int n) {
    static _Thread_local char buffer[MAX_BYTES];

    while (n > 0) {
        ssize_t got = recv(fd, buffer, (size_t)n, 0);

        check(got > 0, "answer");
        n -= (int)got;
    }
}

static void* make_connections(void* unused) {
    struct timespec now, begin;
    char byte;

    (void)unused;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (long made = 0;; made++) {
        double passed, ahead;
        int fd;

        clock_gettime(CLOCK_MONOTONIC, &now);
        passed = (double)(now.tv_sec - begin.tv_sec) + (double)(now.tv_nsec - begin.tv_nsec) * 1e-9;
        if (passed >= seconds) return NULL;
        ahead = (double)made * THREADS / per_second - passed;
        if (ahead > 0.001) usleep((useconds_t)(ahead * 1e6));
        fd = new_connection(NULL);
        check(send(fd, bytes, (size_t)up, MSG_NOSIGNAL) == up, "send");
        receive(fd, down);
        check(recv(fd, &byte, 1, 0) == 0, "end");
        end_connection(fd);
    }
}

static void run_threads(void* (*work)(void*), bool listening, bool wait) {
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        void* argument = listening ? (void*)(long)new_listener() : NULL;

        check(pthread_create(&threads[i], NULL, work, argument) == 0, "thread");
    }
    for (int i = 0; wait && i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void hold(int n, int sources) {
    struct sockaddr_in source = {.sin_family = AF_INET};
    int* fds = calloc((size_t)n, sizeof(int));
    char line[64];

    say("ready");
    while (fgets(line, sizeof(line), stdin)) {
        for (int i = 0; i < n; i++) {
            if (line[0] == 'o') {
                source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (unsigned)(i % sources));
                fds[i] = new_connection(&source);
            } else if (line[0] == 'e') {
                check(send(fds[i], bytes, (size_t)up, MSG_NOSIGNAL) == up, "send");
            } else {
                close(fds[i]);
            }
        }
        for (int i = 0; line[0] == 'e' && i < n; i++) receive(fds[i], down);
        say("ok");
    }
}

static void report(void) {
    printf("%ld\n", atomic_load(&done));
    fflush(stdout);
}

int main(int argc, char** argv) {
    struct rlimit files;

    check(argc >= 6, "usage");
    check(getrlimit(RLIMIT_NOFILE, &files) == 0, "descriptors");
    files.rlim_cur = files.rlim_max;
    check(setrlimit(RLIMIT_NOFILE, &files) == 0, "descriptors");
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)atoi(argv[3]));
    check(inet_pton(AF_INET, argv[2], &address.sin_addr) == 1, "address");
    up = atoi(argv[4]);
    down = atoi(argv[5]);
    check(up > 0 && up <= MAX_BYTES && down > 0 && down <= MAX_BYTES, "bytes");
    once = argc > 6;
    if (argv[1][0] == 's') {
        run_threads(serve, true, false);
        say("ready");
        while (getchar() != EOF) {
        }
        report();
    } else if (argv[1][0] == 'h' && argc == 8) {
        hold(atoi(argv[6]), atoi(argv[7]));
    } else if (argc == 8) {
        per_second = atoi(argv[6]);
        seconds = atoi(argv[7]);
        say("ready");
        run_threads(make_connections, false, true);
        report();
    }
    _exit(0);
}
