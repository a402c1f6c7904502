/* The plain loop: its workloads. */
#include "handover.h"
#include "latency.h"
#include "raw_loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

/* What the handlers raise. */
static long count;
static long group;
static int ends[2];

static void turn_until(long n) {
    while (count < n) {
        turn();
    }
}

static void setup(long size, long of) {
    (void)of;
    group = size;
    make_loop();
}

static void count_up(void *private_data) {
    ++*(long *)private_data;
}

static void rearm(void *private_data) {
    ++*(long *)private_data;
    schedule(rearm, private_data);
}

static void setup_rearm(long size, long of) {
    setup(size, of);
    schedule(rearm, &count);
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
            schedule(count_up, &count);
        }
        turn_until(group);
    }
    return n;
}

static long run_once(long n) {
    count = 0;
    for (long i = 0; i < n; i++) {
        struct call *call = must(malloc(sizeof *call), "malloc");
        *call = (struct call){count_up, &count};
        schedule(call->run, call->private_data);
        turn_until(i + 1);
        free(call);
    }
    return n;
}

static void setup_pending(long size, long of) {
    setup(size, of);
    for (long i = 0; i < size; i++) {
        add_timer(now_ns() + random_pending_us() * 1000, count_up, &count);
    }
}

static long run_cycle(long n) {
    for (long i = 0; i < n; i++) {
        cancel_timer(add_timer(now_ns() + random_pending_us() * 1000, count_up, &count));
    }
    return n;
}

static long run_latest(long n) {
    for (long i = 0; i < n; i++) {
        cancel_timer(add_timer(now_ns() + LATEST_US * 1000, count_up, &count));
    }
    return n;
}

static long run_fire(long n) {
    for (long done = 0; done < n; done += group) {
        count = 0;
        for (long i = 0; i < group; i++) {
            add_timer(now_ns() + random_soon_us() * 1000, count_up, &count);
        }
        turn_until(group);
    }
    return n;
}

static long run_zero(long n) {
    for (long done = 0; done < n; done += group) {
        count = 0;
        for (long i = 0; i < group; i++) {
            add_timer(0, count_up, &count);
        }
        turn_until(group);
    }
    return n;
}

static void run_hop(void *private_data) {
    hop_on(private_data);
    count++;
}

static void setup_ring(long active, long of) {
    setup(active, of);
    struct hop *hops = make_hops(active, of);
    struct call *calls = must(calloc((size_t)of, sizeof *calls), "calloc");
    for (long i = 0; i < of; i++) {
        calls[i] = (struct call){run_hop, &hops[i]};
        watch(hops[i].from, EPOLLIN, &calls[i]);
    }
}

static void setup_pair(long size, long of) {
    setup(size, of);
    make_pair(ends);
}

static long run_churn(long n) {
    struct call call = {count_up, &count};
    for (long i = 0; i < n; i++) {
        watch(ends[0], EPOLLIN, &call);
        unwatch(ends[0]);
    }
    return n;
}

static long run_fd_cycle(long n) {
    struct call call = {count_up, &count};
    count = 0;
    for (long i = 0; i < n; i++) {
        watch(ends[0], EPOLLOUT, &call);
        turn_until(i + 1);
        unwatch(ends[0]);
    }
    return n;
}

static long clients, requests;

static void run_echo_client(void *private_data) {
    int socket = *(int *)private_data;
    if (!echo(socket, &requests)) {
        unwatch(socket);
        clients--;
    }
}

static void setup_echo(long size, long of) {
    setup(size, of);
    struct call *calls = must(calloc((size_t)size, sizeof *calls), "calloc");
    clients = size;
    for (long i = 0; i < size; i++) {
        calls[i] = (struct call){run_echo_client, &echo_sockets[i]};
        watch(echo_sockets[i], EPOLLIN, &calls[i]);
    }
}

static long run_echo(long n) {
    (void)n;
    while (clients > 0) {
        turn();
    }
    return requests;
}

/* Requests: a block of memory with its callback, and a list in which they wait for their turn. */
struct request {
    struct request *next;
    void (*callback)(struct request *);
    long state[4];
};
static struct request *queue_head, **queue_tail = &queue_head;

static void count_request(struct request *req) {
    req->state[0]++;
}

static struct request *create(void (*callback)(struct request *)) {
    struct request *req = must(malloc(sizeof *req), "malloc");
    *req = (struct request){.callback = callback};
    return req;
}

static void call_back(void *private_data) {
    struct request *req = private_data;
    req->callback(req);
}

static long receive(struct request *req) {
    long value = req->state[0];
    free(req);
    return value;
}

static long run_request_post(long n) {
    long total = 0;
    for (long i = 0; i < n; i++) {
        struct request *req = create(count_request);
        schedule(call_back, req);
        turn();
        total += receive(req);
    }
    return total;
}

static long run_request_nopost(long n) {
    long total = 0;
    for (long i = 0; i < n; i++) {
        struct request *req = create(count_request);
        /* Or the compiler finds that there is nothing to do. */
        __asm__ volatile("" : : "r"(req) : "memory");
        call_back(req);
        total += receive(req);
    }
    return total;
}

static void finish(void *private_data) {
    struct request *req = private_data;
    req->state[0]++;
    req->callback(req);
}

static void trigger(void *private_data) {
    schedule(finish, private_data);
}

static void queued_done(struct request *req) {
    queue_head = req->next;
    if (queue_head == NULL) {
        queue_tail = &queue_head;
    } else {
        schedule(trigger, queue_head);
    }
    count += receive(req);
}

static long run_queue(long n) {
    for (long done = 0; done < n; done += group) {
        count = 0;
        for (long i = 0; i < group; i++) {
            struct request *req = create(queued_done);
            if (queue_head == NULL) {
                schedule(trigger, req);
            }
            *queue_tail = req;
            queue_tail = &req->next;
        }
        turn_until(group);
    }
    return n;
}

/* Other threads: an eventfd is written when the list was empty. */
static long closures;
static int bell;

static void *schedule_all(void *nothing) {
    for (long i = 0; i < closures; i++) {
        if (handover_put(count_up, &count)) {
            wakeups++;
            if (write(bell, &(uint64_t){1}, 8) != 8) {
                fail("write");
            }
        }
    }
    return nothing;
}

static void take_closures(void *private_data) {
    uint64_t rung;
    if (read(*(int *)private_data, &rung, sizeof rung) != sizeof rung) {
        fail("read");
    }
    handover_run();
}

static void setup_closures(long size, long of) {
    static struct call call = {take_closures, &bell};
    setup(size, of);
    closures = size;
    wakeups = 0;
    bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    watch(bell, EPOLLIN, &call);
}

static long run_closures(long n) {
    start_other(schedule_all);
    turn_until(n);
    join_other();
    return count;
}

static void run_stamp(void *nothing) {
    (void)nothing;
    latency_called();
}

static void setup_latency(long idle, long pending) {
    static struct call call = {run_stamp, NULL}, none = {count_up, &count};
    setup_pending(pending, 0);
    for (long i = 0; i < idle; i++) {
        watch(latency_idle[i], EPOLLIN, &none);
    }
    watch(latency_pipe, EPOLLIN, &call);
}

static long run_latency(long n) {
    while (latency_seen() < n) {
        turn();
    }
    return n;
}

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
    {"request-post", setup, run_request_post, NULL},
    {"request-nopost", setup, run_request_nopost, NULL},
    {"queue", setup, run_queue, NULL},
    {"echo", setup_echo, run_echo, NULL},
    {"closures", setup_closures, run_closures, NULL},
    {"memory-fds", NULL, NULL, "keeps nothing"},
    {"memory-timers", NULL, NULL, "keeps nothing"},
    {"memory-requests", NULL, NULL, "keeps nothing"},
    {"memory-immediates", NULL, NULL, "keeps nothing"},
    {"latency", setup_latency, run_latency, NULL},
    {0},
};

int main(int argc, char **argv) {
    return harness_main(argc, argv, workloads);
}
