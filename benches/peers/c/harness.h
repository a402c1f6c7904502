/* What the C programs share: arguments, clocks, random numbers, and the one line that they print. */
#ifndef HARNESS_H
#define HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct workload {
    const char *name;
    /* Makes what is measured; not measured itself. A size of `100/5000` comes as 100 and 5000. */
    void (*setup)(long size, long of);
    /* Does n operations or a few more, and says how many. */
    long (*run)(long n);
    /* In place of both: what the library has not. */
    const char *lacks;
};

/* The list ends with an empty one. */
int harness_main(int argc, char **argv, const struct workload *workloads);

_Noreturn void fail(const char *what);
void *must(void *pointer, const char *what);

uint64_t now_ns(void);
uint64_t random_u64(void);
/* Where pending timers lie, in microseconds from now: between one and two hours. */
uint64_t random_pending_us(void);
/* Later than all of these. */
#define LATEST_US (3 * 3600 * UINT64_C(1000000))
/* Within the 50 ms of timer-fire. */
uint64_t random_soon_us(void);

/* A pipe ring: `of` pipes, and a byte in every of/active-th. */
struct hop {
    int from, to;
};
struct hop *make_hops(long active, long of);
/* What each handler of the ring does. */
void hop_on(const struct hop *hop);

/* Both ends of a socket pair: the first can be written at any time. */
void make_pair(int ends[2]);

/* The connected sockets of the echo server's clients, which do not block. */
extern int *echo_sockets;
/* What each of its handlers does: false when the client has gone. */
bool echo(int socket, long *requests);

/* A thread on the other core. */
void start_other(void *(*body)(void *));
void join_other(void);
/* Writes that woke the loop, where the program knows. */
extern long wakeups;

#endif
