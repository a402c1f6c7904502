/*
 * What can be had at all: a plain loop on level-triggered epoll, as one would write it for one program alone. It is no
 * library: nothing is checked, nothing can be freed behind its back. What runs next is a ring of functions, timers are a
 * binary heap, and a request is a block of memory in a list.
 */
#ifndef RAW_LOOP_H
#define RAW_LOOP_H

#include "harness.h"

#include <sys/epoll.h>

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

static void make_loop(void) {
    epoll = epoll_create1(EPOLL_CLOEXEC);
    ring = must(calloc(ring_size, sizeof *ring), "calloc");
}

#endif
