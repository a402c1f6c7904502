/* libtevent: immediates, timers, fds. */
#include "latency.h"
#include "tevent.h"

struct tevent_context *ev;
long count;

long group;
static struct tevent_immediate **immediates;
static int ends[2];
static long clients, requests;

void setup_context(long size, long of) {
    (void)of;
    ev = must(tevent_context_init(NULL), "tevent_context_init");
    group = size;
}

void turn_until(long n) {
    while (count < n) {
        if (tevent_loop_once(ev) != 0) {
            fail("tevent_loop_once");
        }
    }
}

/* Immediates. */

static void count_immediate(struct tevent_context *ctx, struct tevent_immediate *im, void *private_data) {
    (void)ctx, (void)im;
    ++*(long *)private_data;
}

static void rearm(struct tevent_context *ctx, struct tevent_immediate *im, void *private_data) {
    ++*(long *)private_data;
    tevent_schedule_immediate(im, ctx, rearm, private_data);
}

static void setup_rearm(long size, long of) {
    setup_context(size, of);
    struct tevent_immediate *im = must(tevent_create_immediate(ev), "immediate");
    tevent_schedule_immediate(im, ev, rearm, &count);
}

static long run_until(long n) {
    count = 0;
    turn_until(n);
    return count;
}

static void setup_burst(long size, long of) {
    setup_context(size, of);
    immediates = must(calloc((size_t)size, sizeof *immediates), "calloc");
    for (long i = 0; i < size; i++) {
        immediates[i] = must(tevent_create_immediate(ev), "immediate");
    }
}

static long run_burst(long n) {
    for (long done = 0; done < n; done += group) {
        count = 0;
        for (long i = 0; i < group; i++) {
            tevent_schedule_immediate(immediates[i], ev, count_immediate, &count);
        }
        turn_until(group);
    }
    return n;
}

static long run_once(long n) {
    count = 0;
    for (long i = 0; i < n; i++) {
        struct tevent_immediate *im = tevent_create_immediate(ev);
        tevent_schedule_immediate(im, ev, count_immediate, &count);
        turn_until(i + 1);
        talloc_free(im);
    }
    return n;
}

/* Timers. */

static void count_timer(struct tevent_context *ctx, struct tevent_timer *te, struct timeval now, void *private_data) {
    (void)ctx, (void)te, (void)now;
    ++*(long *)private_data;
}

static struct tevent_timer *add_timer(uint64_t us) {
    struct timeval when = tevent_timeval_current_ofs((uint32_t)(us / 1000000), (uint32_t)(us % 1000000));
    return tevent_add_timer(ev, ev, when, count_timer, &count);
}

static int compare(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/*
 * The list that adding in random order makes, but without the hours: libtevent finds a timer's place from the tail, so
 * they are added in their order. Their memory lies in random order nevertheless, because it is that of twice as many
 * timers of which every other was freed, in random order.
 */
static void setup_pending(long size, long of) {
    setup_context(size, of);
    size_t n = (size_t)size;
    uint64_t *due = must(calloc(n + 1, sizeof *due), "calloc");
    struct tevent_timer **first = must(calloc(2 * n + 1, sizeof *first), "calloc");
    for (size_t i = 0; i < n; i++) {
        due[i] = random_pending_us();
    }
    qsort(due, n, sizeof *due, compare);
    for (size_t i = 0; i < 2 * n; i++) {
        first[i] = must(add_timer(1000000), "timer");
    }
    for (size_t i = n; i > 1; i--) { /* shuffles the odd ones */
        size_t j = random_u64() % i;
        struct tevent_timer *swapped = first[2 * i - 1];
        first[2 * i - 1] = first[2 * j + 1];
        first[2 * j + 1] = swapped;
    }
    for (size_t i = 0; i < n; i++) {
        talloc_free(first[2 * i + 1]);
    }
    for (size_t i = 0; i < n; i++) {
        must(add_timer(due[i]), "timer");
    }
    for (size_t i = 0; i < n; i++) {
        talloc_free(first[2 * i]);
    }
    free(first);
    free(due);
}

static long run_cycle(long n) {
    for (long i = 0; i < n; i++) {
        talloc_free(add_timer(random_pending_us()));
    }
    return n;
}

static long run_latest(long n) {
    for (long i = 0; i < n; i++) {
        talloc_free(add_timer(LATEST_US));
    }
    return n;
}

static long run_fire(long n) {
    for (long done = 0; done < n; done += group) {
        count = 0;
        for (long i = 0; i < group; i++) {
            add_timer(random_soon_us());
        }
        turn_until(group);
    }
    return n;
}

static long run_zero(long n) {
    for (long done = 0; done < n; done += group) {
        count = 0;
        for (long i = 0; i < group; i++) {
            tevent_add_timer(ev, ev, tevent_timeval_zero(), count_timer, &count);
        }
        turn_until(group);
    }
    return n;
}

/* Fds. */

static void run_hop(struct tevent_context *ctx, struct tevent_fd *fde, uint16_t flags, void *private_data) {
    (void)ctx, (void)fde, (void)flags;
    hop_on(private_data);
    count++;
}

static void setup_ring(long active, long of) {
    setup_context(active, of);
    struct hop *hops = make_hops(active, of);
    for (long i = 0; i < of; i++) {
        must(tevent_add_fd(ev, ev, hops[i].from, TEVENT_FD_READ, run_hop, &hops[i]), "fd event");
    }
}

static void count_fd(struct tevent_context *ctx, struct tevent_fd *fde, uint16_t flags, void *private_data) {
    (void)ctx, (void)fde, (void)flags;
    ++*(long *)private_data;
}

static void setup_pair(long size, long of) {
    setup_context(size, of);
    make_pair(ends);
}

static long run_churn(long n) {
    for (long i = 0; i < n; i++) {
        talloc_free(tevent_add_fd(ev, ev, ends[0], TEVENT_FD_READ, count_fd, &count));
    }
    return n;
}

static long run_fd_cycle(long n) {
    count = 0;
    for (long i = 0; i < n; i++) {
        struct tevent_fd *fde = tevent_add_fd(ev, ev, ends[0], TEVENT_FD_WRITE, count_fd, &count);
        turn_until(i + 1);
        talloc_free(fde);
    }
    return n;
}

static void run_echo_client(struct tevent_context *ctx, struct tevent_fd *fde, uint16_t flags, void *private_data) {
    (void)ctx, (void)flags;
    if (!echo(*(int *)private_data, &requests)) {
        talloc_free(fde);
        clients--;
    }
}

static void setup_echo(long size, long of) {
    setup_context(size, of);
    clients = size;
    for (long i = 0; i < size; i++) {
        must(tevent_add_fd(ev, ev, echo_sockets[i], TEVENT_FD_READ, run_echo_client, &echo_sockets[i]), "fd event");
    }
}

static long run_echo(long n) {
    (void)n;
    while (clients > 0) {
        tevent_loop_once(ev);
    }
    return requests;
}

/* Latency. */

static void run_stamp(struct tevent_context *ctx, struct tevent_fd *fde, uint16_t flags, void *private_data) {
    (void)ctx, (void)fde, (void)flags, (void)private_data;
    latency_called();
}

static void setup_latency(long idle, long pending) {
    setup_pending(pending, 0);
    for (long i = 0; i < idle; i++) {
        must(tevent_add_fd(ev, ev, latency_idle[i], TEVENT_FD_READ, count_fd, &count), "fd event");
    }
    must(tevent_add_fd(ev, ev, latency_pipe, TEVENT_FD_READ, run_stamp, NULL), "fd event");
}

static long run_latency(long n) {
    while (latency_seen() < n) {
        tevent_loop_once(ev);
    }
    return n;
}

static const struct workload workloads[] = {
    {"immediate-rearm", setup_rearm, run_until, NULL},
    {"immediate-burst", setup_burst, run_burst, NULL},
    {"immediate-once", setup_context, run_once, NULL},
    {"timer-cycle", setup_pending, run_cycle, NULL},
    {"timer-latest", setup_pending, run_latest, NULL},
    {"timer-fire", setup_context, run_fire, NULL},
    {"timer-zero", setup_context, run_zero, NULL},
    {"ring", setup_ring, run_until, NULL},
    {"fd-churn", setup_pair, run_churn, NULL},
    {"fd-cycle-owning", setup_pair, run_fd_cycle, NULL},
    {"fd-cycle-borrowed", setup_pair, run_fd_cycle, NULL},
    {"request-post", setup_context, run_request_post, NULL},
    {"request-nopost", setup_context, run_request_nopost, NULL},
    {"queue", setup_context, run_queue, NULL},
    {"echo", setup_echo, run_echo, NULL},
    {"closures", setup_closures, run_closures, NULL},
    {"memory-fds", setup_memory_fds, run_memory_fds, NULL},
    {"memory-timers", setup_context, run_memory_timers, NULL},
    {"memory-requests", setup_context, run_memory_requests, NULL},
    {"memory-immediates", setup_context, run_memory_immediates, NULL},
    {"latency", setup_latency, run_latency, NULL},
    {0},
};

int main(int argc, char **argv) {
    return harness_main(argc, argv, workloads);
}
