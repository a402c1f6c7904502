/*
 * What can be had at all: a plain loop on level-triggered epoll, as one would write it for one program alone. It is no
 * library: nothing is checked, nothing can be freed behind its back. What runs next is a ring of functions, timers are a
 * binary heap, and a request is a block of memory in a list.
 */
#include "harness.h"

#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

typedef void function(void *private_data);

/* The ring of what runs next. */
struct call {
    function *run;
    void *private_data;
};
static struct call *ring;
static size_t ring_head, ring_tail, ring_size = 1024; /* a power of two */

static void schedule(function *run, void *private_data) {
    if (ring_tail - ring_head == ring_size) {
        struct call *wider = must(calloc(2 * ring_size, sizeof *wider), "calloc");
        for (size_t i = ring_head; i < ring_tail; i++) {
            wider[i & (2 * ring_size - 1)] = ring[i & (ring_size - 1)];
        }
        free(ring);
        ring = wider;
        ring_size *= 2;
    }
    ring[ring_tail++ & (ring_size - 1)] = (struct call){run, private_data};
}

/* Timers: slots, and a heap of their numbers with the deadlines beside them. */
struct timer {
    struct call call;
    uint32_t place; /* in the heap; in a free slot the next free one */
};
struct pending {
    uint64_t due;
    uint32_t timer;
};
static struct timer *timers;
static struct pending *heap;
static uint32_t heap_size, slots, free_slot = UINT32_MAX, room;

static void put(uint32_t place, struct pending pending) {
    heap[place] = pending;
    timers[pending.timer].place = place;
}

static void sift(uint32_t place, struct pending pending) {
    while (place > 0 && heap[(place - 1) / 2].due > pending.due) {
        put(place, heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= heap_size) {
            break;
        }
        child += child + 1 < heap_size && heap[child + 1].due < heap[child].due;
        if (heap[child].due >= pending.due) {
            break;
        }
        put(place, heap[child]);
        place = child;
    }
    put(place, pending);
}

static uint32_t add_timer(uint64_t due, function *run, void *private_data) {
    uint32_t timer = free_slot;
    if (timer != UINT32_MAX) {
        free_slot = timers[timer].place;
    } else {
        if (slots == room) {
            room = room ? 2 * room : 64;
            timers = must(realloc(timers, room * sizeof *timers), "realloc");
            heap = must(realloc(heap, room * sizeof *heap), "realloc");
        }
        timer = slots++;
    }
    timers[timer].call = (struct call){run, private_data};
    heap_size++;
    sift(heap_size - 1, (struct pending){due, timer});
    return timer;
}

static void cancel_timer(uint32_t timer) {
    uint32_t place = timers[timer].place;
    struct pending last = heap[--heap_size];
    if (place < heap_size) {
        sift(place, last);
    }
    timers[timer].place = free_slot;
    free_slot = timer;
}

static void run_due_timers(uint64_t now) {
    while (heap_size > 0 && heap[0].due <= now) {
        uint32_t timer = heap[0].timer;
        struct call call = timers[timer].call;
        cancel_timer(timer);
        call.run(call.private_data);
    }
}

/* Fds, and the loop itself. */
static int epoll;
static long count;

static void watch(int fd, uint32_t events, struct call *call) {
    struct epoll_event event = {.events = events, .data.ptr = call};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        fail("epoll_ctl");
    }
}

static void unwatch(int fd) {
    if (epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) != 0) {
        fail("epoll_ctl");
    }
}

static void turn(void) {
    if (ring_head != ring_tail) {
        struct call call = ring[ring_head++ & (ring_size - 1)];
        call.run(call.private_data);
        return;
    }
    int timeout = -1;
    if (heap_size > 0) {
        uint64_t due = heap[0].due, now = due == 0 ? 0 : now_ns();
        if (due <= now) {
            run_due_timers(now);
            return;
        }
        timeout = (int)((due - now + 999999) / 1000000);
    }
    struct epoll_event events[64];
    int n = epoll_wait(epoll, events, 64, timeout);
    for (int i = 0; i < n; i++) {
        struct call *call = events[i].data.ptr;
        call->run(call->private_data);
    }
}

static void turn_until(long n) {
    while (count < n) {
        turn();
    }
}

/* The workloads. */
static long group;
static int ends[2];

static void setup(long size, long of) {
    (void)of;
    group = size;
    epoll = epoll_create1(EPOLL_CLOEXEC);
    ring = must(calloc(ring_size, sizeof *ring), "calloc");
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

/* Other threads: a list under a lock, and an eventfd that is written when the list was empty. */
struct closure {
    struct closure *next;
    struct call call;
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct closure *list_head, **list_tail = &list_head;
static long closures;
static int bell;

static void *schedule_all(void *nothing) {
    for (long i = 0; i < closures; i++) {
        struct closure *closure = must(malloc(sizeof *closure), "malloc");
        *closure = (struct closure){NULL, {count_up, &count}};
        pthread_mutex_lock(&lock);
        bool first = list_head == NULL;
        *list_tail = closure;
        list_tail = &closure->next;
        pthread_mutex_unlock(&lock);
        if (first) {
            wakeups++;
            if (write(bell, &(uint64_t){1}, 8) != 8) {
                fail("write");
            }
        }
    }
    return nothing;
}

static void run_closures_now(void *private_data) {
    uint64_t rung;
    if (read(*(int *)private_data, &rung, sizeof rung) != sizeof rung) {
        fail("read");
    }
    pthread_mutex_lock(&lock);
    struct closure *closure = list_head;
    list_head = NULL;
    list_tail = &list_head;
    pthread_mutex_unlock(&lock);
    while (closure != NULL) {
        struct closure *next = closure->next;
        closure->call.run(closure->call.private_data);
        free(closure);
        closure = next;
    }
}

static void setup_closures(long size, long of) {
    static struct call call = {run_closures_now, &bell};
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
    {0},
};

int main(int argc, char **argv) {
    return harness_main(argc, argv, workloads);
}
