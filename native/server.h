// What sandd's own process is made of: sandd.c (the loop), owner.c (who asks, and what it is answered),
// table.c (the instances), handles.c (what an instance is given before there is a process of it).
#pragma once
#include "sandbox.h"

enum source { FROM_PARENT, FROM_SIGNALS, FROM_LISTENER, FROM_OWNER, FROM_STRANGER, FROM_INSTANCE, FROM_PASTA, FROM_HOST };

// -- sandd.c
extern struct place place;
extern bool is_ending;
void watch(int descriptor, enum source source, int index, uint32_t what); // epoll's bits; again: changes them
void unwatch(int descriptor);
__attribute__((format(printf, 1, 2))) void report(const char *form, ...); // one line for our starter's log
void begin_end(void); // of everything
void want_keeper(void); // our starter is to start a process that keeps pasta (network.h)

// -- owner.c
const char *owner_listen(const char *token); // on the run directory's launcher.sock; what is wrong, NULL when it listens
void greet(void);            // a connection waits
void prove(int index);       // a stranger says something
void serve_owner(void);      // the owner says something, or takes something again
int64_t strangers_due(int64_t now); // closes those whose time is over, takes more after a rest; when it is due again
void say(enum word word, uint32_t call, const void *fields, size_t length);
void say_failed(uint32_t call, const char *why);

void forget_others(const struct message *kept); // in a child: what else was said, and the token
int take_attached(uint32_t session); // the connection of who waits to be attached to it, the caller's from now on; -1

// -- table.c
void start_instance(const struct message *message); // START, SPARE
void assign_instance(const struct message *message, uint32_t call);
void stop_instance(const char *id, uint32_t grace_ms, uint32_t call);
void freeze_instance(const char *id, bool is_frozen, uint32_t call);
void demote_instance(const char *id, bool is_background, uint32_t call);
int running_control(const char *id, uid_t *uid); // the way to its first process, and whose it is; -1: it does not run a function
void hear_instance(int at);  // its first process says something
void reap(void);             // children have ended
void end_instances(void);    // at once
int instances_living(void);
int64_t instances_due(int64_t now); // does what is due; when the next is

// -- exec.c
void exec_instance(const struct message *message, uint32_t call);

// -- handles.c: what wrong is, NULL when all are there. `own` is our end of its control socket.
// `line`: for a spare the end of its start pipe that is still to be written to, else -1.
const char *open_handles(const struct start *start, struct handles *child, int *own, int *line, uid_t uid);
void close_handles(struct handles handles);

// -- spares.c: puts the code of a function where a spare looks for it. What is wrong, NULL when it is there.
struct entrance { int pidfd, user, mounts; }; // how a spare's mounts are entered: root by the first, others by the two
bool open_entrance(struct entrance *entrance, pid_t pid); // while its first process lets itself be looked at
const char *give_code(struct entrance entrance, const char *code, const char *packages);
void close_entrance(struct entrance *entrance); // the two

// -- program.c
const char *tell_program(int line, const struct program *program); // what is wrong, NULL when it is written
