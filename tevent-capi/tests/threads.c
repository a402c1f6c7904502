/* Threaded contexts and thread proxies. */
#include "say.h"

#define THREADS 8
#define EACH 50

static pthread_t owner;
static int count, sum;

struct job {
	struct tevent_threaded_context *tctx;
	struct tevent_immediate *im[EACH];
	int number[EACH];
};

static void on_im(struct tevent_context *ev, struct tevent_immediate *im, void *number)
{
	check(pthread_equal(pthread_self(), owner));
	count++;
	sum += *(int *)number;
	talloc_free(im);
}

static void *schedule_all(void *p)
{
	struct job *job = p;
	int i;

	for (i = 0; i < EACH; i++) {
		tevent_threaded_schedule_immediate(job->tctx, job->im[i], on_im, &job->number[i]);
	}
	return NULL;
}

static void on_late(struct tevent_context *ev, struct tevent_timer *te, struct timeval now, void *priv)
{
	say("timed out");
	exit(1);
}

static void threaded(struct tevent_context *ev)
{
	struct job jobs[THREADS];
	pthread_t threads[THREADS];
	struct tevent_timer *te = tevent_add_timer(ev, ev, IN(30000), on_late, NULL);
	int i, j;

	say("== threaded contexts");
	for (i = 0; i < THREADS; i++) {
		jobs[i].tctx = tevent_threaded_context_create(ev, ev);
		check(strcmp(talloc_get_name(jobs[i].tctx), "struct tevent_threaded_context") == 0);
		for (j = 0; j < EACH; j++) {
			jobs[i].im[j] = tevent_create_immediate(ev);
			jobs[i].number[j] = i + j;
		}
		check(pthread_create(&threads[i], NULL, schedule_all, &jobs[i]) == 0);
	}
	while (count < THREADS * EACH) {
		check(tevent_loop_once(ev) == 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		talloc_free(jobs[i].tctx);
	}
	say("%d of %d, sum %d", count, THREADS * EACH, sum);
	talloc_free(te);
}

static void on_load(struct tevent_context *ev, struct tevent_immediate *im, void *number)
{
	check(pthread_equal(pthread_self(), owner));
	check(strcmp(talloc_get_name(number), "the load") == 0);
	count++;
	sum += *(int *)number;
}

static void *send_all(void *tp)
{
	int i;

	for (i = 0; i < EACH; i++) {
		struct tevent_immediate *im = tevent_create_immediate(NULL);
		int *number = talloc_named_const(NULL, sizeof(int), "the load");
		*number = i;
		tevent_thread_proxy_schedule(tp, &im, on_load, &number);
		check(im == NULL && number == NULL);
	}
	return NULL;
}

static void proxies(struct tevent_context *ev)
{
	pthread_t threads[THREADS];
	struct tevent_thread_proxy *tp = tevent_thread_proxy_create(ev);
	struct tevent_timer *te = tevent_add_timer(ev, ev, IN(30000), on_late, NULL);
	int i;

	say("== thread proxies");
	count = sum = 0;
	check(tp != NULL);
	for (i = 0; i < THREADS; i++) {
		check(pthread_create(&threads[i], NULL, send_all, tp) == 0);
	}
	while (count < THREADS * EACH) {
		check(tevent_loop_once(ev) == 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	say("%d of %d, sum %d", count, THREADS * EACH, sum);
	talloc_free(te);
	talloc_free(tp);
	run(ev);
}

/* One load goes back and forth between two threads, handed on inside its own handler. */
static struct tevent_thread_proxy *here, *there;
static bool over;

static void on_ball_here(struct tevent_context *ev, struct tevent_immediate *im, void *ball);

static void on_ball_there(struct tevent_context *ev, struct tevent_immediate *im, void *ball)
{
	check(!pthread_equal(pthread_self(), owner));
	over = ++*(int *)ball == EACH;
	tevent_thread_proxy_schedule(here, &im, on_ball_here, &ball);
}

static void on_ball_here(struct tevent_context *ev, struct tevent_immediate *im, void *ball)
{
	check(pthread_equal(pthread_self(), owner));
	count = *(int *)ball;
	if (count < EACH) {
		tevent_thread_proxy_schedule(there, &im, on_ball_there, &ball);
	}
}

static void *play(void *ready)
{
	struct tevent_context *ev = tevent_context_init(NULL);

	there = tevent_thread_proxy_create(ev);
	check(write(*(int *)ready, "x", 1) == 1);
	while (!over) {
		check(tevent_loop_once(ev) == 0);
	}
	talloc_free(there);
	talloc_free(ev);
	return NULL;
}

static void back_and_forth(struct tevent_context *ev)
{
	struct tevent_immediate *im = tevent_create_immediate(NULL);
	int *ball = talloc_named_const(NULL, sizeof(int), "the ball");
	pthread_t other;
	int ends[2];
	char c;

	say("== back and forth");
	count = *ball = 0;
	here = tevent_thread_proxy_create(ev);
	check(pipe(ends) == 0);
	check(pthread_create(&other, NULL, play, &ends[1]) == 0);
	check(read(ends[0], &c, 1) == 1);
	tevent_thread_proxy_schedule(there, &im, on_ball_there, &ball);
	while (count < EACH) {
		check(tevent_loop_once(ev) == 0);
	}
	pthread_join(other, NULL);
	say("%d times", count);
	talloc_free(here);
	close(ends[0]);
	close(ends[1]);
}

static void gone(void)
{
	struct tevent_context *ev = tevent_context_init(NULL);
	struct tevent_threaded_context *tctx = tevent_threaded_context_create(NULL, ev);
	struct tevent_immediate *im = tevent_create_immediate(NULL);
	int number = 1;

	say("== the context is gone");
	count = 0;
	talloc_free(ev);
	tevent_threaded_schedule_immediate(tctx, im, on_im, &number);
	say("%d ran", count);
	talloc_free(im);
	talloc_free(tctx);
}

int main(void)
{
	struct tevent_context *ev = tevent_context_init(NULL);

	owner = pthread_self();
	threaded(ev);
	proxies(ev);
	back_and_forth(ev);
	gone();
	return talloc_free(ev);
}
