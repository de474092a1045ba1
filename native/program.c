// The program of a spare that waits without one: how sandd tells it through the start pipe, and the process that becomes
// it. That one is our code, with the rights of a program and nothing else to do, until it runs what it was told: whatever
// loaders and interpreters read of a function's environment, they read it as in an instance that was started with it.
#define _GNU_SOURCE
#include "server.h"
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

// All in one write, which the empty pipe takes whole: two counts, then the texts with their zero bytes.
struct told { uint16_t argc, envc; char texts[SPARE_LINE_MAX - 4]; };
static struct told told;

static bool append(char *const *texts, int count, size_t *used) {
  for (int at = 0; at < count; at++) {
    size_t length = strlen(texts[at]) + 1;
    if (length > sizeof told.texts - *used) return false;
    memcpy(told.texts + *used, texts[at], length);
    *used += length;
  }
  return true;
}

// Nothing of it stays: the instance's token is in it.
static const char *forget(const char *wrong) {
  int why = errno;
  explicit_bzero(&told, sizeof told);
  errno = why;
  return wrong;
}

const char *tell_program(int line, const struct program *program) {
  size_t used = 0;
  told.argc = program->argc;
  told.envc = program->envc;
  if (!append(program->argv, program->argc, &used) || !append(program->env, program->envc, &used)) {
    errno = E2BIG;
    return forget("its arguments and its environment are too long");
  }
  size_t length = offsetof(struct told, texts) + used;
  ssize_t written = write(line, &told, length);
  if (written >= 0 && written != (ssize_t)length) errno = EAGAIN; // the pipe is smaller than others: its user has too many
  return forget(written == (ssize_t)length ? NULL : "cannot write its program");
}

static void find_texts(char **list, int count, size_t *at, size_t used) {
  for (int each = 0; each < count; each++) {
    size_t length = strnlen(told.texts + *at, used - *at);
    if (*at + length >= used) _exit(125); // sandd writes all or nothing
    list[each] = told.texts + *at;
    *at += length + 1;
  }
  list[count] = NULL;
}

void await_program(struct program *program, int started) {
  char word = WAITS;
  size_t length = 0, at = 0;
  prctl(PR_SET_NAME, "sandd-spare", 0, 0, 0); // until it is the program's
  if (write(started, &word, 1) != 1) _exit(125);
  for (ssize_t count; length < sizeof told && (count = read(0, (char *)&told + length, sizeof told - length)) != 0;) {
    if (count < 0 && errno != EINTR) _exit(125);
    if (count > 0) length += (size_t)count;
  }
  if (length <= offsetof(struct told, texts) || told.argc > ARGV_MAX || told.envc > ENV_MAX) _exit(0); // nobody wants it
  size_t used = length - offsetof(struct told, texts);
  program->argc = told.argc;
  program->envc = told.envc;
  find_texts(program->argv, told.argc, &at, used);
  find_texts(program->env, told.envc, &at, used);
}
