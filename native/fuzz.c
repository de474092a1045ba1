// Feeds the parser messages that are random, or right ones with a few bytes changed, cut or repeated; built with
// sanitizers by tests/contract/sandd-parser.contract.test.ts. Usage: fuzz <seed> <count>. Prints what was taken.
#include "messages.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

static uint32_t next(void) { // xorshift64*
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (uint32_t)(state * 2685821657736338717ULL >> 32);
}

static uint8_t *put(uint8_t *at, uint32_t value, int bytes) {
  for (int count = bytes - 1; count >= 0; count--) *at++ = (uint8_t)(value >> (8 * count));
  return at;
}

static uint8_t *put_text(uint8_t *at, const char *text) {
  size_t length = strlen(text) + 1;
  at = put(at, (uint32_t)length, 2);
  memcpy(at, text, length);
  return at + length;
}

static size_t write_seed(uint8_t *bytes) {
  static const uint8_t words[] = {AUTHENTICATE, START, START, START, STOP, FREEZE, THAW, SPARE, ASSIGN, LEND, KEEP, BACKGROUND, FOREGROUND, EXEC, EXEC, ATTACH, CONFIGURE, CONFIGURE, ALLOW};
  uint8_t word = words[next() % sizeof words], *at = put(bytes + 4, word, 1);
  at = put(at, next(), 4);
  const char *id = "c-01234567-0123456789abcdef0123";
  if (word == AUTHENTICATE || word == LEND || word == KEEP || word == ATTACH) at = put_text(at, "0123456789abcdef0123456789abcdef");
  if (word == STOP || word == FREEZE || word == THAW || word == ASSIGN || word == BACKGROUND || word == FOREGROUND || word == EXEC) at = put_text(at, id);
  if (word == ATTACH) at = put(at, next() % 4, 4);
  if (word == EXEC) {
    at = put(put(put(put_text(put(at, next() % 4, 4), "/code"), next() % 3, 1), next(), 2), next(), 2);
    for (int list = 0; list < 2; list++) {
      uint32_t count = next() % 6;
      at = put(at, count, 2);
      for (uint32_t each = 0; each < count; each++) at = put_text(at, list == 1 ? "NAME=value" : "sh");
    }
  }
  if (word == STOP) at = put(at, next(), 4);
  if (word == CONFIGURE) at = put(put_text(put_text(at, "/tmp/yunmen-x"), "0123456789abcdef0123456789abcdef"), next() % 5, 1);
  if (word == CONFIGURE) {
    at = put(put(put(at, next(), 4), next(), 4), next() % 4, 1);
    for (int list = 0; list < 2; list++) {
      uint32_t count = next() % 8 == 0 ? next() % 100 : next() % 5;
      at = put(at, count, 2);
      for (uint32_t each = 0; each < count; each++) at = put(put(at, next(), 4), next() % 34, 1);
    }
  }
  if (word == ALLOW) at = put_text(at, "/data/packages");
  if (word == ASSIGN) at = put_text(put_text(put(put(at, 16 + next() % 4096, 4), next() % 4000, 4), "/data/code/x"), "{}\n");
  if (word == START || word == SPARE) {
    at = put(put(put(put_text(at, id), 16 + next() % 4096, 4), next() % 4000, 4), next() % 3, 1);
    at = put_text(put_text(at, "/data/code"), "{}\n");
    for (int list = 0; list < 3; list++) {
      uint32_t count = next() % 6 + (list == 0);
      at = put(at, count, 2);
      for (uint32_t each = 0; each < count; each++) {
        at = put_text(at, list == 1 ? "NAME=value" : "/usr/bin/python3");
        if (list == 2) at = put_text(at, "/opt/x");
      }
    }
    uint32_t relay = next() % 3;
    at = put(put(put(put(at, relay, 1), relay == 0 ? 0 : 1 + next() % 65535, 2), next() % 2, 1), next() % 2, 1);
  }
  put(bytes, (uint32_t)(at - bytes - 4), 4);
  return (size_t)(at - bytes);
}

static void check_text(const char *text, const uint8_t *bytes, size_t length) {
  const uint8_t *at = (const uint8_t *)text;
  if (at < bytes || at >= bytes + length || memchr(at, 0, (size_t)(bytes + length - at)) == NULL) abort();
}

static void check_program(const struct program *program, const uint8_t *bytes, size_t length) {
  for (int at = 0; at < program->argc; at++) check_text(program->argv[at], bytes, length);
  for (int at = 0; at < program->envc; at++) check_text(program->env[at], bytes, length);
  if (program->argv[program->argc] != NULL || program->env[program->envc] != NULL) abort();
}

static void check(const struct message *message, const uint8_t *bytes, size_t length) {
  const struct start *start = &message->start;
  if (message->id != NULL) check_text(message->id, bytes, length);
  if (message->token != NULL) check_text(message->token, bytes, length);
  if (message->directory != NULL) check_text(message->directory, bytes, length);
  for (int list = 0; list < 2; list++) {
    const struct blocks *blocks = list == 0 ? &message->policy.allowed : &message->policy.refused;
    if (blocks->count < 0 || blocks->count > BLOCKS_MAX) abort();
    for (int at = 0; at < blocks->count; at++) if (blocks->list[at].bits > 32) abort();
  }
  if (message->word == ASSIGN) {
    check_text(message->code, bytes, length);
    check_text(message->start_line, bytes, length);
    check_program(&message->program, bytes, length);
  }
  if (message->word == EXEC) {
    const struct exec *exec = &message->exec;
    check_text(exec->directory, bytes, length);
    for (int at = 0; at < exec->argc; at++) check_text(exec->argv[at], bytes, length);
    for (int at = 0; at < exec->envc; at++) check_text(exec->env[at], bytes, length);
    if (exec->argc == 0 || exec->argv[exec->argc] != NULL || exec->env[exec->envc] != NULL) abort();
  }
  if (message->word != START && message->word != SPARE) return;
  check_text(start->id, bytes, length);
  check_text(start->code, bytes, length);
  check_text(start->start_line, bytes, length);
  check_program(&start->program, bytes, length);
  for (int at = 0; at < start->bindc; at++) check_text(start->binds[at].from, bytes, length);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  state = strtoull(argv[1], NULL, 10) | 1;
  long count = strtol(argv[2], NULL, 10), taken = 0;
  for (long each = 0; each < count; each++) {
    uint8_t seed[2048 + 1024];
    size_t length = write_seed(seed);
    uint32_t kind = next() % 8;
    if (kind == 0) for (size_t at = 0; at < length; at++) seed[at] = (uint8_t)next();
    if (kind >= 2) for (uint32_t changes = next() % 4; changes > 0; changes--) seed[next() % length] = (uint8_t)next();
    if (kind == 3) length = next() % (length + 1);
    if (kind == 4 && length > 40) memmove(seed + 20, seed + 20 + next() % 10, length - 40);
    if (kind == 5 && length >= 4) put(seed, (uint32_t)length - 4 + (next() % 3 - 1), 4);
    if (kind >= 6 && length >= 4) put(seed, (uint32_t)length - 4, 4);
    uint8_t *bytes = malloc(length + (length == 0)); // exactly so long: one byte too far is found
    memcpy(bytes, seed, length);
    struct message message;
    if (parse_message(bytes, length, &message) == NULL) {
      check(&message, bytes, length);
      taken++;
    }
    free(bytes);
  }
  printf("taken %ld of %ld\n", taken, count);
  return 0;
}
