// A further process in a running instance: what sandd, the instance's first process (exec.c) and the session's keeper
// (keeper.c) hand to each other.
#pragma once
#include "sandbox.h"

enum {
  EXECS_MAX = 8,             // sessions in one instance at once
  EXEC_MAX = 128 * 1024,     // a whole EXEC
  CHUNK_MAX = 16 * 1024,     // bytes in one frame
  FRAME_HEAD = 5,            // u8 channel, u32 length
};
// Channels of a session's socket (README.md, "Sessions").
enum channel { TO_INPUT, FROM_OUTPUT, FROM_ERRORS, WRONG, RESIZE, IS_OVER, IS_RUNNING };

// What sandd hands to the first process: the EXEC as it came, its socket, and both ends of a terminal or -1. is_whole: no
// more descriptors were sent than these, and all of them came.
struct order { uint8_t *bytes; size_t length; int socket, master, terminal; bool is_whole; };

// -- exec.c, in an instance's first process
enum ordered { ORDER_NONE, ORDER_WORD, ORDER_EXEC };
enum ordered exec_hear(int control, struct assigned *word, struct order *order); // NONE: nothing has come
void exec_begin(const struct start *start, const struct place *place, uid_t uid, int members, struct order order);
void exec_ended(pid_t pid); // some child of the first process

// -- keeper.c
struct session { const struct start *start; const struct place *place; const struct exec *exec; uid_t uid; int members, socket, master, terminal; };
_Noreturn void keep_session(struct session session);
void exec_refuse(int socket, const char *why);
