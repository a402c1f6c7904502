/* libev. What comes nearest to an immediate is a watcher that is fed an event by hand. */
#include "handover.h"
#include "harness.h"
#include "latency.h"

#include <ev.h>

static struct ev_loop *loop;
static long count, group, limit;
static ev_timer *timers, one;
static ev_io *ios, io;
static int ends[2];

static void setup(long size, long of) {
    (void)of;
    loop = must(ev_loop_new(EVBACKEND_EPOLL), "ev_loop_new");
    group = size;
    timers = must(calloc((size_t)size + 1, sizeof *timers), "calloc");
    ios = must(calloc((size_t)size + 1, sizeof *ios), "calloc");
}

static void turn_until(long n) {
    while (count < n) {
        ev_run(loop, EVRUN_ONCE);
    }
}

static void count_timer(EV_P_ ev_timer *w, int what) {
    (void)EV_A, (void)what;
    ++*(long *)w->data;
}

static void count_io(EV_P_ ev_io *w, int what) {
    (void)EV_A, (void)what;
    ++*(long *)w->data;
}

static void rearm(EV_P_ ev_timer *w, int what) {
    if (++*(long *)w->data < limit) {
        ev_feed_event(EV_A_ w, what);
    }
}

static void setup_rearm(long size, long of) {
    setup(size, of);
    ev_init(&one, rearm);
    one.data = &count;
}

static long run_rearm(long n) {
    count = 0;
    limit = n;
    ev_feed_event(loop, &one, EV_CUSTOM);
    turn_until(n);
    return count;
}

static void setup_burst(long size, long of) {
    setup(size, of);
    for (long i = 0; i < size; i++) {
        ev_init(&timers[i], count_timer);
        timers[i].data = &count;
    }
}

static long run_burst(long n) {
    for (long done = 0; done < n; done += group) {
        count = 0;
        for (long i = 0; i < group; i++) {
            ev_feed_event(loop, &timers[i], EV_CUSTOM);
        }
        turn_until(group);
    }
    return n;
}

static long run_once(long n) {
    count = 0;
    for (long i = 0; i < n; i++) {
        ev_timer *w = must(malloc(sizeof *w), "malloc");
        ev_init(w, count_timer);
        w->data = &count;
        ev_feed_event(loop, w, EV_CUSTOM);
        turn_until(i + 1);
        free(w);
    }
    return n;
}

static void add_timer(ev_timer *w, uint64_t us) {
    ev_timer_init(w, count_timer, (double)us * 1e-6, 0.);
    w->data = &count;
    ev_timer_start(loop, w);
}

static void setup_pending(long size, long of) {
    setup(size, of);
    for (long i = 0; i < size; i++) {
        add_timer(&timers[i], random_pending_us());
    }
}

static long run_cycle(long n) {
    for (long i = 0; i < n; i++) {
        add_timer(&one, random_pending_us());
        ev_timer_stop(loop, &one);
    }
    return n;
}

static long run_latest(long n) {
    for (long i = 0; i < n; i++) {
        add_timer(&one, LATEST_US);
        ev_timer_stop(loop, &one);
    }
    return n;
}

static long run_fire(long n) {
    for (long done = 0; done < n; done += group) {
        count = 0;
        ev_now_update(loop); /* its timers go by the time that the loop has seen last */
        for (long i = 0; i < group; i++) {
            add_timer(&timers[i], random_soon_us());
        }
        turn_until(group);
    }
    return n;
}

static long run_zero(long n) {
    for (long done = 0; done < n; done += group) {
        count = 0;
        for (long i = 0; i < group; i++) {
            add_timer(&timers[i], 0);
        }
        turn_until(group);
    }
    return n;
}

static void run_hop(EV_P_ ev_io *w, int what) {
    (void)EV_A, (void)what;
    hop_on(w->data);
    count++;
}

static void watch(ev_io *w, int fd, int what, void (*run)(EV_P_ ev_io *, int), void *private_data) {
    ev_io_init(w, run, fd, what);
    w->data = private_data;
    ev_io_start(loop, w);
}

static void setup_ring(long active, long of) {
    setup(of, 0);
    struct hop *hops = make_hops(active, of);
    for (long i = 0; i < of; i++) {
        watch(&ios[i], hops[i].from, EV_READ, run_hop, &hops[i]);
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
        watch(&io, ends[0], EV_READ, count_io, &count);
        ev_io_stop(loop, &io);
    }
    return n;
}

static long run_fd_cycle(long n) {
    count = 0;
    for (long i = 0; i < n; i++) {
        watch(&io, ends[0], EV_WRITE, count_io, &count);
        turn_until(i + 1);
        ev_io_stop(loop, &io);
    }
    return n;
}

static long clients, requests;

static void run_echo_client(EV_P_ ev_io *w, int what) {
    (void)what;
    if (!echo(w->fd, &requests)) {
        ev_io_stop(EV_A_ w);
        clients--;
    }
}

static void setup_echo(long size, long of) {
    setup(size, of);
    clients = size;
    for (long i = 0; i < size; i++) {
        watch(&ios[i], echo_sockets[i], EV_READ, run_echo_client, NULL);
    }
}

static long run_echo(long n) {
    (void)n;
    while (clients > 0) {
        ev_run(loop, EVRUN_ONCE);
    }
    return requests;
}

/* An ev_async wakes; the list is the program's. */
static ev_async bell;

static void count_up(void *private_data) {
    ++*(long *)private_data;
}

static void take_closures(EV_P_ ev_async *w, int what) {
    (void)EV_A, (void)w, (void)what;
    handover_run();
}

static void *schedule_all(void *nothing) {
    for (long i = 0; i < limit; i++) {
        if (handover_put(count_up, &count)) {
            ev_async_send(loop, &bell);
        }
    }
    return nothing;
}

static void setup_closures(long size, long of) {
    setup(size, of);
    limit = size;
    ev_async_init(&bell, take_closures);
    ev_async_start(loop, &bell);
}

static long run_closures(long n) {
    start_other(schedule_all);
    turn_until(n);
    join_other();
    return count;
}

static void run_stamp(EV_P_ ev_io *w, int what) {
    (void)EV_A, (void)w, (void)what;
    latency_called();
}

static void setup_latency(long idle, long pending) {
    setup_pending(pending, 0);
    ios = must(calloc((size_t)idle + 1, sizeof *ios), "calloc");
    for (long i = 0; i < idle; i++) {
        watch(&ios[i], latency_idle[i], EV_READ, count_io, &count);
    }
    watch(&io, latency_pipe, EV_READ, run_stamp, NULL);
}

static long run_latency(long n) {
    while (latency_seen() < n) {
        ev_run(loop, EVRUN_ONCE);
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
