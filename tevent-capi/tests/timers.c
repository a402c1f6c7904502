/* The order of timers, and what of it is left when some of them have gone or were moved. */
#include "say.h"

#define MANY 300

static struct tevent_context *ev;
static struct timeval base;
static struct tevent_timer *timers[MANY];

static struct timeval after(uint32_t us) {
    return tevent_timeval_add(&base, us / 1000000, us % 1000000);
}

static void on_timer(struct tevent_context *ctx, struct tevent_timer *te, struct timeval now, void *private_data) {
    (void)ctx, (void)te, (void)now;
    say("timer %ld", (long)(intptr_t)private_data);
}

static struct tevent_timer *add(struct timeval due, long name) {
    return tevent_add_timer(ev, ev, due, on_timer, (void *)(intptr_t)name);
}

static void on_many(struct tevent_context *ctx, struct tevent_timer *te, struct timeval now, void *private_data) {
    (void)ctx, (void)te;
    struct tevent_timer **mine = private_data;
    say("%ld%s", (long)(mine - timers), tevent_timeval_compare(&now, &base) < 0 ? ", early" : "");
    *mine = NULL;
    long other = (mine - timers) * 7 % MANY;
    if (timers[other] != NULL && other % 3 == 0) {
        TALLOC_FREE(timers[other]);
    }
}

/* Times all over, many of them equal; some go, some are moved, before and meanwhile. */
static void many(void) {
    uint32_t random = 1;
    for (long i = 0; i < MANY; i++) {
        random = random * 1664525 + 1013904223;
        timers[i] = tevent_add_timer(ev, ev, after((random >> 16) % 50 * 100), on_many, &timers[i]);
    }
    for (long i = 0; i < MANY; i += 5) {
        random = random * 1664525 + 1013904223;
        tevent_update_timer(timers[i], after((random >> 16) % 50 * 100));
    }
    for (long i = 0; i < MANY; i += 11) {
        TALLOC_FREE(timers[i]);
    }
    say("wait: %d", tevent_loop_wait(ev));
}

/* A turn waits for the first that is left, and is not cut short for one that has gone or was moved. */
static void gone(void) {
    struct tevent_timer *first = add(tevent_timeval_current_ofs(0, 1000), 1);
    struct tevent_timer *second = add(tevent_timeval_current_ofs(0, 2000), 2);
    add(tevent_timeval_current_ofs(0, 20000), 3);
    talloc_free(first);
    tevent_update_timer(second, tevent_timeval_current_ofs(0, 40000));
    say("once: %d", tevent_loop_once(ev));
    say("once: %d", tevent_loop_once(ev));
    talloc_free(add(tevent_timeval_current_ofs(3600, 0), 4));
    say("nothing left: %d", tevent_loop_wait(ev));
    talloc_free(add(tevent_timeval_zero(), 5));
    add(tevent_timeval_current_ofs(0, 1000), 6);
    say("once: %d", tevent_loop_once(ev));
    say("nothing left: %d", tevent_loop_wait(ev));
}

/* Zero timers are before all others, and among themselves in their order. */
static void zero(void) {
    add(after(0), 1);
    struct tevent_timer *moved = add(after(1), 2);
    add(tevent_timeval_zero(), 3);
    add(tevent_timeval_zero(), 4);
    tevent_update_timer(moved, tevent_timeval_zero());
    struct tevent_timer *back = add(tevent_timeval_zero(), 5);
    tevent_update_timer(back, after(2));
    say("wait: %d", tevent_loop_wait(ev));
}

static void nests(struct tevent_context *ctx, struct tevent_timer *te, struct timeval now, void *private_data) {
    (void)te, (void)now;
    say("nests");
    talloc_free(private_data);
    add(tevent_timeval_current_ofs(0, 3000), 8);
    say("inside: %d", tevent_loop_once(ctx));
}

/* A loop inside of a handler, after the timer that it would have waited for has gone. */
static void inside(void) {
    struct tevent_timer *goes = add(tevent_timeval_current_ofs(0, 1500), 7);
    tevent_loop_allow_nesting(ev);
    tevent_add_timer(ev, ev, tevent_timeval_current_ofs(0, 500), nests, goes);
    add(tevent_timeval_current_ofs(0, 6000), 9);
    say("once: %d", tevent_loop_once(ev));
    say("wait: %d", tevent_loop_wait(ev));
}

int main(void) {
    ev = tevent_context_init(NULL);
    base = tevent_timeval_current();
    many();
    gone();
    zero();
    inside();
    add(tevent_timeval_current_ofs(10, 0), 10);
    add(tevent_timeval_zero(), 11);
    talloc_free(ev);
    return 0;
}
