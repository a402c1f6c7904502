/* Queues and their entries. */
#include "world.h"

/*
 * A timer or an fd event runs: no immediate is scheduled, and no queue's either. What this is for: QUEUE-2 says MUST
 * DIFFER for an immediate that finds a head which add_optimize_empty has triggered meanwhile.
 */
void lists_are_empty(void)
{
	for (int id = 0; id < IDS; id++) {
		w.queues[id].maybe_scheduled = false;
	}
}

static void entry_dies(struct entry *n)
{
	n->live = false;
	w.queues[n->queue].maybe_scheduled = true;
}

void entries_die(int req)
{
	for (int id = 0; id < IDS; id++) {
		if (w.entries[id].live && w.entries[id].req == req) {
			entry_dies(&w.entries[id]);
		}
	}
	/* The entry of a wait request has no number. */
	for (int id = 0; id < IDS; id++) {
		w.queues[id].maybe_scheduled = w.queues[id].maybe_scheduled || w.queues[id].has_wait;
	}
}

static void op_queue(const struct word *a)
{
	if (!CLAIM(queues, a->n)) {
		skip();
		return;
	}
	w.queues[a->n].live = true;
	w.queues[a->n].queue = tevent_queue_create(w.mem, "queue");
}

static void trigger(struct tevent_req *req, void *data)
{
	struct entry *n = data;

	(void)req;
	/* A turn inside the cleanup of a request that is being freed finds its entry in the queue. */
	if (n->live && !n->direct) {
		w.queues[n->queue].maybe_scheduled = false;
	}
	n->direct = false;
	enter("trigger n%d r%d", n->id, n->req);
	run_script(n->script);
	leave();
}

/* An entry that can be made, else NULL. */
static struct entry *join(const struct word *a)
{
	struct queue *q = &w.queues[a[1].n];
	struct request *r = &w.requests[a[2].n];

	if (!q->live || !r->live || r->kind != PLAIN || state_of(r) == TEVENT_REQ_RECEIVED || !CLAIM(entries, a[0].n)) {
		skip();
		return NULL;
	}
	struct entry *n = &w.entries[a[0].n];

	n->live = true;
	n->id = a[0].n;
	n->queue = a[1].n;
	n->req = a[2].n;
	n->number = w.numbers++;
	return n;
}

static void op_add(const struct word *a)
{
	struct entry *n = join(a);

	if (n != NULL) {
		struct queue *q = &w.queues[n->queue];

		n->script = a[3].n;
		q->maybe_scheduled = true;
		say("= %d", tevent_queue_add(q->queue, w.ev, w.requests[n->req].req, trigger, n));
	}
}

static void op_entry(const struct word *a)
{
	struct entry *n = join(a);

	if (n != NULL) {
		struct queue *q = &w.queues[n->queue];

		n->script = a[3].n;
		q->maybe_scheduled = true;
		n->entry = tevent_queue_add_entry(q->queue, w.ev, w.requests[n->req].req, trigger, n);
	}
}

static void op_blocker(const struct word *a)
{
	struct entry *n = join(a);

	if (n != NULL) {
		struct queue *q = &w.queues[n->queue];

		q->maybe_scheduled = true;
		n->entry = tevent_queue_add_entry(q->queue, w.ev, w.requests[n->req].req, NULL, NULL);
	}
}

static void op_optimize(const struct word *a)
{
	struct queue *q = &w.queues[a[1].n];
	struct request *r = &w.requests[a[2].n];
	bool at_once = q->live && tevent_queue_length(q->queue) == 0 && tevent_queue_running(q->queue) && !r->callback_set;

	/* QUEUE-2, MUST DIFFER: C might trigger this head twice. */
	if (at_once && q->maybe_scheduled) {
		skip();
		return;
	}
	struct entry *n = join(a);

	if (n == NULL) {
		return;
	}
	n->script = a[3].n;
	n->direct = at_once;
	q->maybe_scheduled = q->maybe_scheduled || !at_once;
	struct tevent_queue_entry *entry = tevent_queue_add_optimize_empty(q->queue, w.ev, r->req, trigger, n);

	if (n->live) {
		n->entry = entry;
	}
}

static void op_leave(const struct word *a)
{
	struct entry *n = &w.entries[a->n];

	if (!n->live || n->entry == NULL) {
		skip();
		return;
	}
	entry_dies(n);
	talloc_free(n->entry);
}

static struct queue *live_queue(const struct word *a)
{
	struct queue *q = &w.queues[a->n];

	if (w.freed || !q->live) {
		skip();
		return NULL;
	}
	return q;
}

static void op_stop(const struct word *a)
{
	struct queue *q = live_queue(a);

	if (q != NULL) {
		tevent_queue_stop(q->queue);
	}
}

static void op_start(const struct word *a)
{
	struct queue *q = live_queue(a);

	if (q != NULL) {
		q->maybe_scheduled = true;
		tevent_queue_start(q->queue);
	}
}

static void op_len(const struct word *a)
{
	struct queue *q = live_queue(a);

	if (q != NULL) {
		say("= %zu %d", tevent_queue_length(q->queue), tevent_queue_running(q->queue));
	}
}

static bool is_head(const struct entry *n)
{
	for (int id = 0; id < IDS; id++) {
		const struct entry *other = &w.entries[id];

		if (other->live && other->queue == n->queue && other->number < n->number) {
			return false;
		}
	}
	return true;
}

static void op_untrigger(const struct word *a)
{
	struct entry *n = &w.entries[a->n];

	/* QUEUE-8: everything else aborts in C. While something is being freed, who is the head is not known here. */
	if (w.freed || w.freeing > 0 || !n->live || n->entry == NULL || !w.queues[n->queue].live ||
	    tevent_queue_running(w.queues[n->queue].queue) || w.queues[n->queue].has_wait || !is_head(n)) {
		skip();
		return;
	}
	tevent_queue_entry_untrigger(n->entry);
}

static void queue_dies(int id)
{
	w.queues[id].live = false;
	for (int entry = 0; entry < IDS; entry++) {
		if (w.entries[entry].live && w.entries[entry].queue == id) {
			w.entries[entry].live = false;
		}
	}
}

static void op_free_queue(const struct word *a)
{
	if (!w.queues[a->n].live) {
		skip();
		return;
	}
	queue_dies(a->n);
	talloc_free(w.queues[a->n].queue);
}

bool queues_hold(void)
{
	for (int id = 0; id < IDS; id++) {
		if (w.queues[id].live && tevent_queue_length(w.queues[id].queue) > 0) {
			return true;
		}
	}
	return false;
}

void free_queues(void)
{
	for (int id = 0; id < IDS; id++) {
		if (w.queues[id].live) {
			queue_dies(id);
			talloc_free(w.queues[id].queue);
		}
	}
}

const struct verb queue_verbs[] = {
	{ "queue", "q", op_queue },          { "add", "nqrh", op_add },
	{ "entry", "nqrh", op_entry },       { "optimize", "nqrh", op_optimize },
	{ "blocker", "nqr", op_blocker },    { "leave", "n", op_leave },
	{ "stop", "q", op_stop },            { "start", "q", op_start },
	{ "len", "q", op_len },              { "untrigger", "n", op_untrigger },
	{ "free_queue", "q", op_free_queue }, { NULL, NULL, NULL },
};
