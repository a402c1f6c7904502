/* libtevent: requests, the queue, other threads, memory. */
#include "tevent.h"

#include <sys/eventfd.h>

/* 32 bytes, as in every program. */
struct state {
    long value;
    long rest[3];
};

/* What a callback does with the state. */
static void count_request(struct tevent_req *req) {
    struct state *state = tevent_req_data(req, struct state);
    state->value++;
}

static struct tevent_req *create(struct state **state) {
    struct tevent_req *req = tevent_req_create(ev, state, struct state);
    **state = (struct state){.value = 0};
    return req;
}

static long receive(struct tevent_req *req) {
    struct state *state = tevent_req_data(req, struct state);
    enum tevent_req_state how;
    uint64_t error;
    long value = tevent_req_is_error(req, &how, &error) ? 0 : state->value;
    tevent_req_received(req);
    talloc_free(req);
    return value;
}

long run_request_post(long n) {
    long total = 0;
    for (long i = 0; i < n; i++) {
        struct state *state;
        struct tevent_req *req = create(&state);
        tevent_req_done(req);
        tevent_req_post(req, ev);
        tevent_req_set_callback(req, count_request, NULL);
        tevent_loop_once(ev);
        total += receive(req);
    }
    return total;
}

long run_request_nopost(long n) {
    long total = 0;
    for (long i = 0; i < n; i++) {
        struct state *state;
        struct tevent_req *req = create(&state);
        tevent_req_set_callback(req, count_request, NULL);
        tevent_req_done(req);
        total += receive(req);
    }
    return total;
}

/* The queue: a trigger schedules an immediate that finishes the request; the callback frees it, so that the next is triggered. */

static void finish(struct tevent_context *ctx, struct tevent_immediate *im, void *private_data) {
    (void)ctx, (void)im;
    struct tevent_req *req = private_data;
    struct state *state = tevent_req_data(req, struct state);
    state->value++;
    tevent_req_done(req);
}

static void trigger(struct tevent_req *req, void *private_data) {
    (void)private_data;
    struct tevent_immediate *im = tevent_create_immediate(req);
    tevent_schedule_immediate(im, ev, finish, req);
}

static void queued_done(struct tevent_req *req) {
    long *total = tevent_req_callback_data_void(req);
    *total += receive(req);
}

long run_queue(long n) {
    static struct tevent_queue *queue;
    if (queue == NULL) {
        queue = must(tevent_queue_create(ev, "queue"), "tevent_queue_create");
    }
    for (long done = 0; done < n; done += group) {
        count = 0;
        for (long i = 0; i < group; i++) {
            struct state *state;
            struct tevent_req *req = create(&state);
            tevent_queue_add(queue, ev, req, trigger, NULL);
            tevent_req_set_callback(req, queued_done, &count);
        }
        turn_until(group);
    }
    return n;
}

/* Other threads. */

static struct tevent_threaded_context *threaded;
static long closures;

static void run_closure(struct tevent_context *ctx, struct tevent_immediate *im, void *private_data) {
    (void)ctx;
    ++*(long *)private_data;
    talloc_free(im);
}

static void *schedule_all(void *nothing) {
    for (long i = 0; i < closures; i++) {
        struct tevent_immediate *im = must(tevent_create_immediate(NULL), "immediate");
        tevent_threaded_schedule_immediate(threaded, im, run_closure, &count);
    }
    return nothing;
}

void setup_closures(long size, long of) {
    setup_context(size, of);
    closures = size;
    threaded = must(tevent_threaded_context_create(ev, ev), "tevent_threaded_context_create");
}

long run_closures(long n) {
    start_other(schedule_all);
    turn_until(n);
    join_other();
    return count;
}

/* Memory. */

static int *files;

static void no_fd(struct tevent_context *ctx, struct tevent_fd *fde, uint16_t flags, void *private_data) {
    (void)ctx, (void)fde, (void)flags, (void)private_data;
}

static void no_timer(struct tevent_context *ctx, struct tevent_timer *te, struct timeval now, void *private_data) {
    (void)ctx, (void)te, (void)now, (void)private_data;
}

void setup_memory_fds(long size, long of) {
    setup_context(size, of);
    files = must(calloc((size_t)size, sizeof *files), "calloc");
    for (long i = 0; i < size; i++) {
        files[i] = eventfd(0, EFD_NONBLOCK);
        if (files[i] < 0) {
            fail("eventfd");
        }
    }
}

long run_memory_fds(long n) {
    for (long i = 0; i < n; i++) {
        must(tevent_add_fd(ev, ev, files[i], TEVENT_FD_READ, no_fd, &count), "fd event");
    }
    return n;
}

long run_memory_timers(long n) {
    struct timeval when = tevent_timeval_current_ofs(3600, 0);
    for (long i = 0; i < n; i++) {
        must(tevent_add_timer(ev, ev, when, no_timer, &count), "timer");
    }
    return n;
}

long run_memory_requests(long n) {
    for (long i = 0; i < n; i++) {
        struct state *state;
        must(create(&state), "request");
    }
    return n;
}

long run_memory_immediates(long n) {
    for (long i = 0; i < n; i++) {
        must(tevent_create_immediate(ev), "immediate");
    }
    return n;
}
