#define _GNU_SOURCE
#include "harness.h"
#include "latency.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How a workload is measured. */
enum measure {
    REPEAT, /* again and again until it has taken long enough: the processor's time, which is all the time where nothing
             * sleeps, but for what other processes take */
    ONCE,   /* once, `size` operations, on two threads: time on the wall */
    BYTES,  /* once, `size` objects: what resident memory grows by for each */
    SERVER, /* once, as long as the load lasts: the processor's time */
    LATENCY, /* twenty times a millisecond of what is asked for: time on the wall, the median and the 99th percentile */
};

static const struct {
    const char *name;
    const char *size; /* when none is given */
    enum measure measure;
    bool in_sizes; /* `size` operations belong together */
} known[] = {
    {"immediate-rearm", "0", REPEAT, false},     {"immediate-burst", "1000", REPEAT, true},
    {"immediate-once", "0", REPEAT, false},      {"timer-cycle", "0", REPEAT, false},
    {"timer-latest", "10000", REPEAT, false},    {"timer-fire", "10000", REPEAT, true},
    {"timer-zero", "1000", REPEAT, true},        {"ring", "1/1000", REPEAT, false},
    {"fd-churn", "0", REPEAT, false},            {"fd-cycle-owning", "0", REPEAT, false},
    {"fd-cycle-borrowed", "0", REPEAT, false},   {"request-post", "0", REPEAT, false},
    {"request-nopost", "0", REPEAT, false},      {"queue", "1000", REPEAT, true},
    {"echo", "1", SERVER, false},              {"closures", "1000000", ONCE, false},
    {"memory-fds", "15000", BYTES, false},     {"memory-timers", "100000", BYTES, false},
    {"memory-requests", "100000", BYTES, false}, {"memory-immediates", "100000", BYTES, false},
    {"latency", "10000/100000", LATENCY, false},
};

long wakeups = -1;
int *echo_sockets;
static pthread_t other;

_Noreturn void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

void *must(void *pointer, const char *what) {
    if (pointer == NULL) {
        fail(what);
    }
    return pointer;
}

static uint64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t now_ns(void) {
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t random_u64(void) { /* xorshift64 */
    static uint64_t state = 0x9E3779B97F4A7C15;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

uint64_t random_pending_us(void) {
    const uint64_t hour = UINT64_C(3600000000);
    return hour + random_u64() % hour;
}

uint64_t random_soon_us(void) {
    return random_u64() % 50000;
}

struct hop *make_hops(long active, long of) {
    struct hop *hops = must(calloc((size_t)of, sizeof *hops), "calloc");
    for (long i = 0; i < of; i++) {
        int ends[2];
        if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) {
            fail("pipe");
        }
        hops[i].from = ends[0];
        hops[(i + of - 1) % of].to = ends[1];
    }
    for (long i = 0; i < active; i++) {
        if (write(hops[i * of / active].to, "x", 1) != 1) {
            fail("write");
        }
    }
    return hops;
}

void hop_on(const struct hop *hop) {
    char byte;
    if (read(hop->from, &byte, 1) != 1 || write(hop->to, &byte, 1) != 1) {
        fail("hop");
    }
}

void make_pair(int ends[2]) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
        fail("socketpair");
    }
}

bool echo(int socket, long *requests) {
    char buffer[4096];
    ssize_t n = read(socket, buffer, sizeof buffer);
    if (n < 0 && errno == EAGAIN) {
        return true;
    }
    if (n <= 0) {
        return false;
    }
    if (write(socket, buffer, (size_t)n) != n) {
        fail("echo");
    }
    ++*requests;
    return true;
}

void start_other(void *(*body)(void *)) {
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    const char *core = getenv("PEERS_OTHER_CORE");
    if (core != NULL) {
        cpu_set_t cores;
        CPU_ZERO(&cores);
        CPU_SET(atoi(core), &cores);
        pthread_attr_setaffinity_np(&attr, sizeof cores, &cores);
    }
    if (pthread_create(&other, &attr, body, NULL) != 0) {
        fail("pthread_create");
    }
    pthread_attr_destroy(&attr);
}

void join_other(void) {
    pthread_join(other, NULL);
}

/* Of its own: not the pages of files, such as the program itself. */
static long resident(void) {
    long size, pages, of_files;
    FILE *file = must(fopen("/proc/self/statm", "r"), "statm");
    if (fscanf(file, "%ld %ld %ld", &size, &pages, &of_files) != 3) {
        fail("statm");
    }
    fclose(file);
    return (pages - of_files) * sysconf(_SC_PAGESIZE);
}

/* Starts the load generator, which lies beside this program, and takes its connections. */
static pid_t start_load(long clients, const char *milliseconds) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 1024) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        fail("listen");
    }
    char load[4096], port[16], count[16];
    ssize_t n = readlink("/proc/self/exe", load, sizeof load - 16);
    if (n < 0) {
        fail("readlink");
    }
    load[n] = '\0';
    strcpy(strrchr(load, '/') + 1, "echo-load");
    snprintf(port, sizeof port, "%d", ntohs(address.sin_port));
    snprintf(count, sizeof count, "%ld", clients);
    pid_t child = fork();
    if (child == 0) {
        execl(load, load, port, count, milliseconds, NULL);
        fail(load);
    }
    echo_sockets = must(calloc((size_t)clients, sizeof *echo_sockets), "calloc");
    for (long i = 0; i < clients; i++) {
        echo_sockets[i] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        int on = 1;
        if (echo_sockets[i] < 0 || setsockopt(echo_sockets[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
            fail("accept");
        }
    }
    close(listener);
    return child;
}

static _Noreturn void usage(const char *program, const struct workload *workloads) {
    fprintf(stderr, "usage: %s WORKLOAD [SIZE [MILLISECONDS]]; WORKLOAD is one of", program);
    for (; workloads->name != NULL; workloads++) {
        fprintf(stderr, " %s", workloads->name);
    }
    fputc('\n', stderr);
    exit(2);
}

static long parse(const char *program, const char *text, const struct workload *workloads, long *of) {
    char *end;
    long size = strtol(text, &end, 10);
    *of = *end == '/' ? strtol(end + 1, &end, 10) : 0;
    if (*end != '\0' || end == text || size < 0) {
        usage(program, workloads);
    }
    return size;
}

static void repeat(const struct workload *w, long n, uint64_t enough) {
    const char *operations = getenv("PEERS_OPERATIONS");
    if (operations != NULL) {
        n = atol(operations);
        enough = 0;
    }
    for (;;) {
        uint64_t cpu_started = clock_ns(CLOCK_PROCESS_CPUTIME_ID), started = now_ns();
        long done = w->run(n);
        uint64_t took = now_ns() - started, cpu_took = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_started;
        if (took >= enough) {
            printf("%.2f\n", (double)cpu_took / (double)done);
            return;
        }
        uint64_t more = enough + enough / 5;
        n *= took * 8 < more ? 8 : (long)(more / took) + 1;
    }
}

int harness_main(int argc, char **argv, const struct workload *workloads) {
    if (argc < 2 || argc > 4) {
        usage(argv[0], workloads);
    }
    const struct workload *w = workloads;
    while (w->name != NULL && strcmp(w->name, argv[1]) != 0) {
        w++;
    }
    size_t k = 0;
    while (k < sizeof known / sizeof *known && strcmp(known[k].name, argv[1]) != 0) {
        k++;
    }
    if (w->name == NULL || k == sizeof known / sizeof *known) {
        usage(argv[0], workloads);
    }
    if (w->lacks != NULL) {
        printf("lacks: %s\n", w->lacks);
        return 0;
    }
    long of, none;
    long size = parse(argv[0], argc > 2 ? argv[2] : known[k].size, workloads, &of);
    bool repeats = known[k].measure == REPEAT && !known[k].in_sizes;
    bool of_many = strchr(known[k].size, '/') != NULL;
    bool sound = repeats ? (of_many ? size > 0 && size <= of : of == 0) : size > 0 || known[k].measure == LATENCY;
    if (!sound) {
        usage(argv[0], workloads);
    }
    const char *milliseconds = argc > 3 ? argv[3] : "100";
    uint64_t enough = (uint64_t)parse(argv[0], milliseconds, workloads, &none) * 1000000;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    pid_t load = known[k].measure == SERVER ? start_load(size, milliseconds) : 0;
    if (known[k].measure == LATENCY) {
        latency_prepare(size, enough < 1000000 ? 10 : (long)(enough / 50000));
    }
    w->setup(size, of);
    switch (known[k].measure) {
    case REPEAT:
        repeat(w, known[k].in_sizes ? size : 64, enough);
        break;
    case ONCE: {
        uint64_t started = now_ns();
        long done = w->run(size);
        printf("%.2f\n", (double)(now_ns() - started) / (double)done);
        break;
    }
    case BYTES: {
        long before = resident();
        long done = w->run(size);
        printf("%.2f\n", (double)(resident() - before) / (double)done);
        break;
    }
    case SERVER: {
        uint64_t started = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        long done = w->run(0);
        printf("%.2f\n", (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - started) / (double)done);
        waitpid(load, NULL, 0);
        break;
    }
    case LATENCY:
        latency_measure(w->run);
        break;
    }
    if (wakeups >= 0) {
        printf("wakeups %.4f\n", (double)wakeups / (double)size);
    }
    return 0;
}
