/* Reading a scenario. */
#include "world.h"

static const char *letters = "f e t i s r q n h";

static const struct verb *find_verb(const char *name)
{
	for (const struct verb *const *table = verb_tables; *table != NULL; table++) {
		for (const struct verb *verb = *table; verb->name != NULL; verb++) {
			if (strcmp(verb->name, name) == 0) {
				return verb;
			}
		}
	}
	fprintf(stderr, "no such operation: %s\n", name);
	exit(2);
}

static struct word read_word(char kind, const char *text)
{
	struct word word = { .how = 0, .n = 0 };

	if (kind == 'F') {
		word.n = (strchr(text, 'r') != NULL ? TEVENT_FD_READ : 0) | (strchr(text, 'w') != NULL ? TEVENT_FD_WRITE : 0);
	} else if (kind == 'W') {
		word.how = text[0];
		word.n = strchr(text, ':') != NULL ? atol(strchr(text, ':') + 1) : 0;
	} else if (kind == 'B') {
		word.n = strcmp(text, "yes") == 0;
	} else if (kind == 'N') {
		word.n = atol(text);
	} else if (strcmp(text, "-") == 0) {
		word.n = NOBODY;
	} else {
		word.n = atol(text + 1);
		if (strchr(letters, kind) == NULL || text[0] != kind || word.n < 0 || word.n >= IDS) {
			fprintf(stderr, "not an id of kind %c: %s\n", kind, text);
			exit(2);
		}
	}
	return word;
}

static struct op read_op(char *line)
{
	struct op op = { .text = talloc_strdup(w.mem, line) };
	char *rest = NULL;

	op.verb = find_verb(strtok_r(line, " ", &rest));
	for (size_t i = 0; op.verb->words[i] != 0; i++) {
		char *text = strtok_r(NULL, " ", &rest);

		if (text == NULL) {
			fprintf(stderr, "too few words: %s\n", op.text);
			exit(2);
		}
		op.word[i] = read_word(op.verb->words[i], text);
	}
	return op;
}

static void append(struct op **ops, size_t *length, struct op op)
{
	*ops = talloc_realloc(w.mem, *ops, struct op, *length + 1);
	(*ops)[(*length)++] = op;
}

/* Reads up to the line "end" that closes the scenario. */
bool read_scenario(FILE *in, char *name, size_t room, struct op **ops, size_t *length)
{
	struct script *script = NULL;
	char line[256];

	*ops = NULL;
	*length = 0;
	name[0] = 0;
	while (fgets(line, sizeof(line), in) != NULL) {
		char *text = line + strspn(line, " ");

		text[strcspn(text, "\n")] = 0;
		if (text[0] == 0 || text[0] == '#') {
			continue;
		}
		if (strncmp(text, "scenario ", 9) == 0) {
			snprintf(name, room, "%.*s", (int)room - 1, text + 9);
		} else if (strncmp(text, "handler h", 9) == 0) {
			script = &w.scripts[atoi(text + 9) % IDS];
		} else if (strcmp(text, "end") == 0 && script != NULL) {
			script = NULL;
		} else if (strcmp(text, "end") == 0) {
			return true;
		} else if (script != NULL) {
			append(&script->ops, &script->length, read_op(text));
		} else {
			append(ops, length, read_op(text));
		}
	}
	return false;
}

const char *flags_text(unsigned flags)
{
	static const char *const texts[] = { "-", "r", "w", "rw" };

	return texts[flags & 3];
}
