#define _GNU_SOURCE
#include "latency.h"
#include "harness.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

int *latency_idle, latency_pipe;

static int to;
static long wanted;
static atomic_long seen;
static uint64_t *took;

void latency_prepare(long idle, long n) {
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) {
        fail("pipe");
    }
    latency_pipe = ends[0];
    to = ends[1];
    wanted = n;
    took = must(calloc((size_t)n, sizeof *took), "calloc");
    latency_idle = must(calloc((size_t)idle + 1, sizeof *latency_idle), "calloc");
    for (long i = 0; i < idle; i++) {
        latency_idle[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (latency_idle[i] < 0) {
            fail("eventfd");
        }
    }
}

void latency_called(void) {
    uint64_t now = now_ns(), written;
    if (read(latency_pipe, &written, sizeof written) != sizeof written) {
        fail("read");
    }
    long i = atomic_load_explicit(&seen, memory_order_relaxed);
    took[i] = now - written;
    atomic_store_explicit(&seen, i + 1, memory_order_release);
}

long latency_seen(void) {
    return atomic_load_explicit(&seen, memory_order_relaxed);
}

/* It spins: its own sleeps would be measured too. */
static void *write_stamps(void *nothing) {
    for (long i = 0; i < wanted; i++) {
        /* By then the loop sleeps. */
        uint64_t at = now_ns() + 20000 + random_u64() % 80000;
        while (now_ns() < at) {
        }
        uint64_t stamp = now_ns();
        if (write(to, &stamp, sizeof stamp) != sizeof stamp) {
            fail("write");
        }
        while (atomic_load_explicit(&seen, memory_order_acquire) <= i) {
        }
    }
    return nothing;
}

static int compare(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

void latency_measure(long (*run)(long n)) {
    start_other(write_stamps);
    run(wanted);
    join_other();
    qsort(took, (size_t)wanted, sizeof *took, compare);
    printf("%.2f\np99 %.2f\n", (double)took[wanted / 2], (double)took[wanted * 99 / 100]);
}
