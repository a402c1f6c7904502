/* libuv. What comes nearest to an immediate is an idle handle; time goes in milliseconds. */
#include "handover.h"
#include "harness.h"
#include "latency.h"

#include <uv.h>

static uv_loop_t loop;
static long count, group, limit;
static uv_timer_t *timers, one;
static uv_idle_t *idles, idle;
static uv_poll_t *polls, poll;
static int ends[2];

static void setup(long size, long of) {
    (void)of;
    if (uv_loop_init(&loop) != 0) {
        fail("uv_loop_init");
    }
    group = size;
    timers = must(calloc((size_t)size + 1, sizeof *timers), "calloc");
    idles = must(calloc((size_t)size + 1, sizeof *idles), "calloc");
    polls = must(calloc((size_t)size + 1, sizeof *polls), "calloc");
    uv_timer_init(&loop, &one);
    for (long i = 0; i < size; i++) {
        uv_timer_init(&loop, &timers[i]);
        timers[i].data = &count;
        uv_idle_init(&loop, &idles[i]);
        idles[i].data = &count;
    }
}

static void turn_until(long n) {
    while (count < n) {
        uv_run(&loop, UV_RUN_ONCE);
    }
}

static void count_timer(uv_timer_t *handle) {
    ++*(long *)handle->data;
}

/* Runs in every turn until it is stopped. */
static void count_idle(uv_idle_t *handle) {
    ++*(long *)handle->data;
}

static void count_idle_once(uv_idle_t *handle) {
    ++*(long *)handle->data;
    uv_idle_stop(handle);
}

static void setup_rearm(long size, long of) {
    setup(size, of);
    uv_idle_init(&loop, &idle);
    idle.data = &count;
    uv_idle_start(&idle, count_idle);
}

static long run_until(long n) {
    count = 0;
    turn_until(n);
    return count;
}

static long run_burst(long n) {
    for (long done = 0; done < n; done += group) {
        count = 0;
        for (long i = 0; i < group; i++) {
            uv_idle_start(&idles[i], count_idle_once);
        }
        turn_until(group);
    }
    return n;
}

static void free_handle(uv_handle_t *handle) {
    free(handle);
}

static void count_idle_and_close(uv_idle_t *handle) {
    ++*(long *)handle->data;
    uv_close((uv_handle_t *)handle, free_handle);
}

static long run_once(long n) {
    count = 0;
    for (long i = 0; i < n; i++) {
        uv_idle_t *handle = must(malloc(sizeof *handle), "malloc");
        uv_idle_init(&loop, handle);
        handle->data = &count;
        uv_idle_start(handle, count_idle_and_close);
        turn_until(i + 1);
    }
    return n;
}

static void setup_pending(long size, long of) {
    setup(size, of);
    for (long i = 0; i < size; i++) {
        uv_timer_start(&timers[i], count_timer, random_pending_us() / 1000, 0);
    }
}

static long run_cycle(long n) {
    for (long i = 0; i < n; i++) {
        uv_timer_start(&one, count_timer, random_pending_us() / 1000, 0);
        uv_timer_stop(&one);
    }
    return n;
}

static long run_latest(long n) {
    for (long i = 0; i < n; i++) {
        uv_timer_start(&one, count_timer, LATEST_US / 1000, 0);
        uv_timer_stop(&one);
    }
    return n;
}

static long run_fire(long n) {
    for (long done = 0; done < n; done += group) {
        count = 0;
        uv_update_time(&loop); /* its timers go by the time that the loop has seen last */
        for (long i = 0; i < group; i++) {
            uv_timer_start(&timers[i], count_timer, random_soon_us() / 1000, 0);
        }
        turn_until(group);
    }
    return n;
}

static long run_zero(long n) {
    for (long done = 0; done < n; done += group) {
        count = 0;
        for (long i = 0; i < group; i++) {
            uv_timer_start(&timers[i], count_timer, 0, 0);
        }
        turn_until(group);
    }
    return n;
}

static void watch(uv_poll_t *handle, int fd, int what, uv_poll_cb run, void *private_data) {
    uv_poll_init(&loop, handle, fd);
    handle->data = private_data;
    uv_poll_start(handle, what, run);
}

static void run_hop(uv_poll_t *handle, int status, int what) {
    (void)status, (void)what;
    hop_on(handle->data);
    count++;
}

static void setup_ring(long active, long of) {
    setup(of, 0);
    struct hop *hops = make_hops(active, of);
    for (long i = 0; i < of; i++) {
        watch(&polls[i], hops[i].from, UV_READABLE, run_hop, &hops[i]);
    }
}

static void count_poll(uv_poll_t *handle, int status, int what) {
    (void)status, (void)what;
    ++*(long *)handle->data;
}

/* One handle for all times: freeing it takes a turn of the loop. */
static void setup_pair(long size, long of) {
    setup(size, of);
    make_pair(ends);
    uv_poll_init(&loop, &poll, ends[0]);
    poll.data = &count;
}

static long run_churn(long n) {
    for (long i = 0; i < n; i++) {
        uv_poll_start(&poll, UV_READABLE, count_poll);
        uv_poll_stop(&poll);
    }
    return n;
}

static long run_fd_cycle(long n) {
    count = 0;
    for (long i = 0; i < n; i++) {
        uv_poll_start(&poll, UV_WRITABLE, count_poll);
        turn_until(i + 1);
        uv_poll_stop(&poll);
    }
    return n;
}

static long clients, requests;

static void run_echo_client(uv_poll_t *handle, int status, int what) {
    (void)status, (void)what;
    if (!echo(*(int *)handle->data, &requests)) {
        uv_poll_stop(handle);
        clients--;
    }
}

static void setup_echo(long size, long of) {
    setup(size, of);
    clients = size;
    for (long i = 0; i < size; i++) {
        watch(&polls[i], echo_sockets[i], UV_READABLE, run_echo_client, &echo_sockets[i]);
    }
}

static long run_echo(long n) {
    (void)n;
    while (clients > 0) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    return requests;
}

/* A uv_async_t wakes; the list is the program's. */
static uv_async_t bell;

static void count_up(void *private_data) {
    ++*(long *)private_data;
}

static void take_closures(uv_async_t *handle) {
    (void)handle;
    handover_run();
}

static void *schedule_all(void *nothing) {
    for (long i = 0; i < limit; i++) {
        if (handover_put(count_up, &count)) {
            uv_async_send(&bell);
        }
    }
    return nothing;
}

static void setup_closures(long size, long of) {
    setup(0, of);
    limit = size;
    uv_async_init(&loop, &bell, take_closures);
}

static long run_closures(long n) {
    start_other(schedule_all);
    turn_until(n);
    join_other();
    return count;
}

static void run_stamp(uv_poll_t *handle, int status, int what) {
    (void)handle, (void)status, (void)what;
    latency_called();
}

static void setup_latency(long idle, long pending) {
    setup_pending(pending, 0);
    polls = must(calloc((size_t)idle + 1, sizeof *polls), "calloc");
    for (long i = 0; i < idle; i++) {
        watch(&polls[i], latency_idle[i], UV_READABLE, count_poll, &count);
    }
    watch(&poll, latency_pipe, UV_READABLE, run_stamp, NULL);
}

static long run_latency(long n) {
    while (latency_seen() < n) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    return n;
}

#define NO_REQUESTS "no requests"
#define NOT_MEASURED "the program's own"

static const struct workload workloads[] = {
    {"immediate-rearm", setup_rearm, run_until, NULL},
    {"immediate-burst", setup, run_burst, NULL},
    {"immediate-once", setup, run_once, NULL},
    {"timer-cycle", setup_pending, run_cycle, NULL},
    {"timer-latest", setup_pending, run_latest, NULL},
    {"timer-fire", setup, run_fire, NULL},
    {"timer-zero", setup, run_zero, NULL},
    {"ring", setup_ring, run_until, NULL},
    {"fd-churn", setup_pair, run_churn, NULL},
    {"fd-cycle-owning", setup_pair, run_fd_cycle, NULL},
    {"fd-cycle-borrowed", setup_pair, run_fd_cycle, NULL},
    {"request-post", NULL, NULL, NO_REQUESTS},
    {"request-nopost", NULL, NULL, NO_REQUESTS},
    {"queue", NULL, NULL, NO_REQUESTS},
    {"echo", setup_echo, run_echo, NULL},
    {"closures", setup_closures, run_closures, NULL},
    {"memory-fds", NULL, NULL, NOT_MEASURED},
    {"memory-timers", NULL, NULL, NOT_MEASURED},
    {"memory-requests", NULL, NULL, NO_REQUESTS},
    {"memory-immediates", NULL, NULL, NOT_MEASURED},
    {"latency", setup_latency, run_latency, NULL},
    {0},
};

int main(int argc, char **argv) {
    return harness_main(argc, argv, workloads);
}
