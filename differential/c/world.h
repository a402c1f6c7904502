/*
 * What a scenario is made of, as the C driver keeps it. src/driver/ is its twin, rule by rule: a rule that says when an
 * operation is passed over (see README.md) has to stand in both.
 */
#ifndef WORLD_H
#define WORLD_H

#define _GNU_SOURCE
/* Declares what the nesting of loops needs, without a warning at each use. */
#define TEVENT_DEPRECATED 1
#define _DEPRECATED_
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include <tevent.h>

enum { IDS = 256, NOBODY = -1, WORDS = 6, FUEL = 2000, DEPTH = 8, LEVELS = 3, LINES = 4 };

/* One word of an operation: an id, a number or flags in n; what a moment counts from in how. */
struct word {
	char how;
	long n;
};

struct verb {
	const char *name;
	/* a letter for each word: f e t i s r q n h ids; N number, F flags, W when, B yes or no */
	const char *words;
	void (*run)(const struct word *word);
};

struct op {
	const struct verb *verb;
	struct word word[WORDS];
	const char *text;
};

struct script {
	struct op *ops;
	size_t length;
};

struct file {
	/* lapsed: an event that shared it has gone, or asks for less, and the loop has not waited since */
	bool used, socket, shared, lapsed;
	int fd;
};

struct fd_event {
	bool used, live, closes, shares, entered_again;
	struct tevent_fd *fde;
	int id, file, script, of, running;
};

struct timer {
	bool used, live;
	struct tevent_timer *te;
	int id, script, of, running;
};

struct immediate {
	bool used, live;
	struct tevent_immediate *im;
	int id, script, once, of, running;
	bool entered_again;
};

struct signal_event {
	bool used, live, once, info;
	struct tevent_signal *se;
	int id, line, script, running;
};

/* All events on one signal. */
struct line {
	/* the first of them has SA_SIGINFO; the kernel has gone back to the default action, which is to end the process */
	bool info, spent;
	/* something may be on its way: it was raised, and no turn since has passed without its handlers */
	bool pending, raised, ran;
};

enum home { TOP, SUBREQ, KEPT };
enum kind { PLAIN, WAKEUP, WAIT };

struct request {
	bool used, live;
	struct tevent_req *req;
	enum home home;
	enum kind kind;
	int id, parent, callback, cleanup, cancel, pinned, calling;
	/* the callback is given the request by value and frees it at its end; what the cancel function says; an end time
	 * is set; a posted callback may drop it */
	bool by_value, callback_set, cancels, timed, posted;
};

/* The private data of a plain request. */
struct state {
	int id;
};

struct queue {
	bool used, live, maybe_scheduled, has_wait;
	struct tevent_queue *queue;
};

struct entry {
	bool used, live, direct;
	struct tevent_queue_entry *entry;
	int id, queue, req, script, number;
};

struct world {
	struct tevent_context *ev;
	void *mem;
	struct timeval start;
	/* a handler has run: counted, to see whether a turn did anything */
	unsigned long handled;
	bool freed, nesting, waiting, silent, signals_used;
	struct line lines[LINES];
	int in_signals;
	int fuel, depth, level, indent, freeing, numbers;
	struct script scripts[IDS];
	struct file files[IDS];
	struct fd_event fds[IDS];
	struct timer timers[IDS];
	struct immediate immediates[IDS];
	struct signal_event signals[IDS];
	struct request requests[IDS];
	struct queue queues[IDS];
	struct entry entries[IDS];
};

extern struct world w;
extern const struct verb *const verb_tables[];

/* text.c */
bool read_scenario(FILE *in, char *name, size_t room, struct op **ops, size_t *length);
const char *flags_text(unsigned flags);

/* driver.c */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void skip(void);
void run_script(int script);
void enter(const char *format, ...) __attribute__((format(printf, 1, 2)));
void leave(void);
struct timeval moment(const struct word *when);
long long since_start(struct timeval tv);
void status(void);

/* Each claims an id that was never used. */
#define CLAIM(table, id) (!w.freed && !w.table[id].used && (w.table[id].used = true))

/* files.c */
extern const struct verb file_verbs[];
void close_files(void);

/* fds.c */
extern const struct verb fd_verbs[];
int events_on(long file, bool armed);
bool siblings_clash(void);
bool fds_live(void);
void fd_dies(struct fd_event *e);
void free_fds(void);

/* events.c */
extern const struct verb event_verbs[];
void free_events(void);

/* signals.c */
extern const struct verb signal_verbs[];
bool signals_run(void);
bool signals_live(void);
bool signals_pending(void);
void signals_before_turn(void);
void signals_after_turn(void);
void free_signals(void);

/* finish.c */
extern const struct verb finish_verbs[];

/* requests.c */
extern const struct verb request_verbs[];
void *home_of(int of);
bool can_own(int of);
enum tevent_req_state state_of(const struct request *r);

/* homes.c */
extern const struct verb home_verbs[];
bool is_pinned(const struct request *r);
void free_request(struct request *r);
void free_requests(void);

/* queues.c */
extern const struct verb queue_verbs[];
void entries_die(int req);
void lists_are_empty(void);
bool queues_hold(void);
void free_queues(void);

/* turns.c */
extern const struct verb turn_verbs[];
int turn(void);

#endif
