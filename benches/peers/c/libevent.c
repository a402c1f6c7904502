/* libevent. What comes nearest to an immediate is an event that is activated by hand. */
#include "harness.h"
#include "latency.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>

static struct event_base *base;
static long count, group, limit;
static struct event *events, one;
static int ends[2];

static void setup(long size, long of) {
    (void)of;
    base = must(event_base_new(), "event_base_new");
    group = size;
    events = must(calloc((size_t)size + 1, sizeof *events), "calloc");
}

static void turn_until(long n) {
    while (count < n) {
        event_base_loop(base, EVLOOP_ONCE);
    }
}

static void count_up(evutil_socket_t fd, short what, void *private_data) {
    (void)fd, (void)what;
    ++*(long *)private_data;
}

static void rearm(evutil_socket_t fd, short what, void *private_data) {
    (void)fd, (void)what;
    if (++*(long *)private_data < limit) {
        event_active(&one, 0, 0);
    }
}

static void setup_rearm(long size, long of) {
    setup(size, of);
    event_assign(&one, base, -1, 0, rearm, &count);
}

static long run_rearm(long n) {
    count = 0;
    limit = n;
    event_active(&one, 0, 0);
    turn_until(n);
    return count;
}

static void setup_burst(long size, long of) {
    setup(size, of);
    for (long i = 0; i < size; i++) {
        event_assign(&events[i], base, -1, 0, count_up, &count);
    }
}

static long run_burst(long n) {
    for (long done = 0; done < n; done += group) {
        count = 0;
        for (long i = 0; i < group; i++) {
            event_active(&events[i], 0, 0);
        }
        turn_until(group);
    }
    return n;
}

static long run_once(long n) {
    count = 0;
    for (long i = 0; i < n; i++) {
        struct event *event = must(event_new(base, -1, 0, count_up, &count), "event_new");
        event_active(event, 0, 0);
        turn_until(i + 1);
        event_free(event);
    }
    return n;
}

static void add_timer(struct event *event, uint64_t us) {
    struct timeval after = {.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
    evtimer_assign(event, base, count_up, &count);
    event_add(event, &after);
}

static void setup_pending(long size, long of) {
    setup(size, of);
    for (long i = 0; i < size; i++) {
        add_timer(&events[i], random_pending_us());
    }
}

static long run_cycle(long n) {
    for (long i = 0; i < n; i++) {
        add_timer(&one, random_pending_us());
        event_del(&one);
    }
    return n;
}

static long run_latest(long n) {
    for (long i = 0; i < n; i++) {
        add_timer(&one, LATEST_US);
        event_del(&one);
    }
    return n;
}

static long run_fire(long n) {
    for (long done = 0; done < n; done += group) {
        count = 0;
        for (long i = 0; i < group; i++) {
            add_timer(&events[i], random_soon_us());
        }
        turn_until(group);
    }
    return n;
}

static long run_zero(long n) {
    for (long done = 0; done < n; done += group) {
        count = 0;
        for (long i = 0; i < group; i++) {
            add_timer(&events[i], 0);
        }
        turn_until(group);
    }
    return n;
}

static void run_hop(evutil_socket_t fd, short what, void *private_data) {
    (void)fd, (void)what;
    hop_on(private_data);
    count++;
}

static void setup_ring(long active, long of) {
    setup(of, 0);
    struct hop *hops = make_hops(active, of);
    for (long i = 0; i < of; i++) {
        event_assign(&events[i], base, hops[i].from, EV_READ | EV_PERSIST, run_hop, &hops[i]);
        event_add(&events[i], NULL);
    }
}

static long run_ring(long n) {
    count = 0;
    turn_until(n);
    return count;
}

static void setup_pair(long size, long of) {
    setup(size, of);
    make_pair(ends);
}

static long run_churn(long n) {
    for (long i = 0; i < n; i++) {
        event_assign(&one, base, ends[0], EV_READ | EV_PERSIST, count_up, &count);
        event_add(&one, NULL);
        event_del(&one);
    }
    return n;
}

static long run_fd_cycle(long n) {
    count = 0;
    for (long i = 0; i < n; i++) {
        event_assign(&one, base, ends[0], EV_WRITE | EV_PERSIST, count_up, &count);
        event_add(&one, NULL);
        turn_until(i + 1);
        event_del(&one);
    }
    return n;
}

static long clients, requests;

static void run_echo_client(evutil_socket_t fd, short what, void *private_data) {
    (void)what;
    if (!echo(fd, &requests)) {
        event_del(private_data);
        clients--;
    }
}

static void setup_echo(long size, long of) {
    setup(size, of);
    clients = size;
    for (long i = 0; i < size; i++) {
        event_assign(&events[i], base, echo_sockets[i], EV_READ | EV_PERSIST, run_echo_client, &events[i]);
        event_add(&events[i], NULL);
    }
}

static long run_echo(long n) {
    (void)n;
    while (clients > 0) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    return requests;
}

static void run_closure(evutil_socket_t fd, short what, void *private_data) {
    (void)fd, (void)what;
    if (++*(long *)private_data == limit) {
        event_base_loopbreak(base);
    }
}

static void *schedule_all(void *nothing) {
    for (long i = 0; i < limit; i++) {
        if (event_base_once(base, -1, EV_TIMEOUT, run_closure, &count, NULL) != 0) {
            fail("event_base_once");
        }
    }
    return nothing;
}

static void setup_closures(long size, long of) {
    if (evthread_use_pthreads() != 0) {
        fail("evthread_use_pthreads");
    }
    setup(size, of);
    limit = size;
}

static long run_closures(long n) {
    (void)n;
    start_other(schedule_all);
    event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY);
    join_other();
    return count;
}

static void run_stamp(evutil_socket_t fd, short what, void *private_data) {
    (void)fd, (void)what, (void)private_data;
    latency_called();
}

static void setup_latency(long idle, long pending) {
    setup_pending(pending, 0);
    struct event *files = must(calloc((size_t)idle + 1, sizeof *files), "calloc");
    for (long i = 0; i < idle; i++) {
        event_assign(&files[i], base, latency_idle[i], EV_READ | EV_PERSIST, count_up, &count);
        event_add(&files[i], NULL);
    }
    event_assign(&one, base, latency_pipe, EV_READ | EV_PERSIST, run_stamp, NULL);
    event_add(&one, NULL);
}

static long run_latency(long n) {
    while (latency_seen() < n) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    return n;
}

#define NO_REQUESTS "no requests"
#define NOT_MEASURED "the program's own"

static const struct workload workloads[] = {
    {"immediate-rearm", setup_rearm, run_rearm, NULL},
    {"immediate-burst", setup_burst, run_burst, NULL},
    {"immediate-once", setup, run_once, NULL},
    {"timer-cycle", setup_pending, run_cycle, NULL},
    {"timer-latest", setup_pending, run_latest, NULL},
    {"timer-fire", setup, run_fire, NULL},
    {"timer-zero", setup, run_zero, NULL},
    {"ring", setup_ring, run_ring, NULL},
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
