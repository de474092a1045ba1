// What Java cannot do by itself in a process that waits for a function: change the environment and the working directory
// of the process. Loaded by src/yunmen/Spare.java; without <jni.h>, so that a C compiler is all that it takes.
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 64 * 1024 };
static char given[ROOM + 8]; // NAME=value and a zero byte each; the environment refers to it from then on

void Java_yunmen_Spare_put(void *jni, void *type, int32_t at, int64_t word) {
  (void)jni, (void)type;
  if (at >= 0 && at < ROOM) memcpy(given + at, &word, sizeof word);
}

// The area in which the kernel shows the environment that the process was started with.
static void show(int32_t length) {
  char *begin = environ[0], *end = begin;
  if (begin == NULL) return;
  for (char **each = environ; *each == end; each++) end += strlen(end) + 1;
  if (end - begin < length) return;
  memset(begin, 0, (size_t)(end - begin));
  memcpy(begin, given, (size_t)length);
}

int32_t Java_yunmen_Spare_take(void *jni, void *type, int32_t length) {
  (void)jni, (void)type;
  if (length < 0 || length > ROOM) return EINVAL;
  given[length] = 0;
  show(length);
  if (clearenv() != 0) return ENOMEM;
  for (char *each = given; each < given + length; each += strlen(each) + 1) {
    if (putenv(each) != 0) return ENOMEM;
  }
  const char *code = getenv("FC_FUNC_CODE_PATH");
  return code != NULL && chdir(code) == 0 ? 0 : errno;
}
