#include "handover.h"
#include "harness.h"

#include <pthread.h>

struct closure {
    struct closure *next;
    void (*run)(void *);
    void *private_data;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct closure *head, **tail = &head;

bool handover_put(void (*run)(void *), void *private_data) {
    struct closure *closure = must(malloc(sizeof *closure), "malloc");
    *closure = (struct closure){NULL, run, private_data};
    pthread_mutex_lock(&lock);
    bool first = head == NULL;
    *tail = closure;
    tail = &closure->next;
    pthread_mutex_unlock(&lock);
    return first;
}

void handover_run(void) {
    pthread_mutex_lock(&lock);
    struct closure *closure = head;
    head = NULL;
    tail = &head;
    pthread_mutex_unlock(&lock);
    while (closure != NULL) {
        struct closure *next = closure->next;
        closure->run(closure->private_data);
        free(closure);
        closure = next;
    }
}
