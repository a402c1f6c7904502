/* Places for the objects of the random scenarios: who lives in them, and who has gone. */
#include "say.h"

enum { FDS = 3, SOME = 5, QUEUES = 2, PARENTS = 2, TURNS = 12, OPERATIONS = 70, DEEP = 4 };
enum kind { FD, TIMER, IMMEDIATE, SIGNAL, REQUEST, ENTRY, QUEUE, KINDS };
static const char *const kinds[] = { "fd", "timer", "immediate", "signal", "request", "entry", "queue" };

/* A place for an object. A child of the object empties it when the memory goes. */
struct place {
	enum kind kind;
	int number;
	void *object;
	void *state; /* of a request, until it is received */
	unsigned life; /* which object it is, of all that have been here */
	bool dying; /* freed while its handler ran: the memory stays until that has returned */
	bool queued, triggered; /* of a request; of an entry */
	bool runs; /* of a timer: the C library of this age loses one that is updated then */
	struct place *queue; /* of an entry */
};

static struct place places[KINDS][SOME];
static struct tevent_context *ev;
static void *parents[PARENTS];
static int near[FDS], far[FDS], beat[2];
static uint64_t seed;
static int left, depth, raised, in_signal;

static unsigned draw(unsigned n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(seed >> 33) % n;
}

static int emptied(struct place **mark)
{
	say("%*s%s %d is gone", depth * 2, "", kinds[(*mark)->kind], (*mark)->number);
	(*mark)->object = NULL;
	(*mark)->dying = false;
	return 0;
}

static void fill(struct place *p, void *object)
{
	struct place **mark;

	if (object == NULL) {
		say("%*s%s %d is refused", depth * 2, "", kinds[p->kind], p->number);
		return;
	}
	p->object = object;
	p->life++;
	p->queued = p->triggered = p->runs = false;
	mark = talloc(object, struct place *);
	*mark = p;
	talloc_set_destructor(mark, emptied);
}

/* Whether the object that was there is there still. */
static bool lives(struct place *p, unsigned life)
{
	return p->object != NULL && !p->dying && p->life == life;
}

/* One of that kind that lives, or an empty place for one. */
static struct place *living(enum kind kind)
{
	struct place *p = &places[kind][draw(kind == FD ? FDS : kind == QUEUE ? QUEUES : SOME)];
	return p->object != NULL && !p->dying ? p : NULL;
}

static struct place *vacant(enum kind kind)
{
	struct place *p = &places[kind][draw(kind == FD ? FDS : kind == QUEUE ? QUEUES : SOME)];
	return p->object == NULL ? p : NULL;
}

/* The context, one of the parents of all, or a request's state; that not for signals, which must not go in each other's handlers. */
static void *parent(enum kind of)
{
	unsigned n = draw(PARENTS + 2);
	struct place *p = living(REQUEST);

	if (n < PARENTS) {
		return parents[n];
	}
	return n > PARENTS && of != SIGNAL && p != NULL && p->state != NULL ? p->state : (void *)ev;
}

/* What hangs on it goes with it, what is busy as soon as its handler has returned. */
static void die(void *root)
{
	for (int kind = 0; kind < KINDS; kind++) {
		for (int i = 0; i < SOME; i++) {
			struct place *p = &places[kind][i];
			p->dying |= p->object != NULL && (p->object == root || talloc_is_parent(p->object, root));
		}
	}
}

/* Due at once; zero is before all others. */
static struct timeval long_ago(unsigned from)
{
	struct timeval time = tevent_timeval_set(from + draw(4), 0);

	say("%*sat %d", depth * 2, "", (int)time.tv_sec);
	return time;
}
