// The instances of this server: one state each, and the moves between them (README.md, "States"). Called by owner.c
// with what is wanted and by the loop (sandd.c) with what happened.
#define _GNU_SOURCE
#include "server.h"
#include "network.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  WAITERS = 8,    // stops that wait for one instance
  HEAR_MS = 2000, // until an instance that was told to end, and does not hear it, is killed
  REMOVAL_MS = 500, // in which nobody else is served
  PATIENCE_MS = 200, // until one that ends in the background is taken out of it
};

struct instance {
  enum { FREE, STARTING, RUNS, ENDING } state;
  char id[ID_LENGTH + 1];
  pid_t pid;
  int control;
  uint32_t address; // in its own network; 0 in the host's
  struct entrance entrance; // its pidfd, and for a spare that waits what else it takes to give it code
  int line; // a spare that waits: where its start line is to be written; else -1
  uint32_t memory_mb, start_call, assign_call, waiters[WAITERS]; // assign_call 0: none waits for its program
  int waiting;
  bool has_ending, is_broken, is_background, waits_for_program;
  struct ending ending;
  char why[256];
  int64_t kill_at; // 0: never
};
static struct instance instances[INSTANCES_MAX];
static int living;
static char packages[PATH_LIMIT]; // where the code of all functions is, as the last spare was told

// Of the host; 0 when instances have no user of their own.
static uid_t uid_of(int at) {
  return place.first_uid == 0 || place.tier == TIER_NONE ? 0 : place.first_uid + (uid_t)at;
}

static struct instance *find(const char *id) {
  for (int at = 0; at < INSTANCES_MAX; at++)
    if (instances[at].state != FREE && strcmp(instances[at].id, id) == 0) return &instances[at];
  return NULL;
}

static void tell(struct instance *instance, char word) {
  if (instance->control >= 0 && send(instance->control, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EPIPE && errno != ECONNRESET)
    report("an instance does not listen: %s", strerror(errno));
}

// In the background its end gives way as well, which is right as long as that does not take long.
static void hurry(struct instance *instance) {
  if (instance->is_background) cgroups_put(&place.groups, instance->id, instance->memory_mb, instance->is_background = false);
}

static void kill_hard(struct instance *instance) {
  if (is_ending) hurry(instance);
  tell(instance, KILL);
  instance->state = instance->state == STARTING ? STARTING : ENDING;
  instance->kill_at = now_ms() + (instance->is_background ? PATIENCE_MS : HEAR_MS); // if it cannot even hear that
}

enum heard { WORD, NOTHING_YET, NO_MORE };

// Takes one answer of an instance's first process.
static enum heard hear(struct instance *instance) {
  char text[sizeof instance->why];
  ssize_t length = instance->control < 0 ? 0 : recv(instance->control, text, sizeof text - 1, MSG_DONTWAIT);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return NOTHING_YET;
  if (length <= 0) return NO_MORE;
  text[length] = 0;
  uint8_t answer[8];
  switch (text[0]) {
    case MAP_ME:
      if (instance->line >= 0 && !place.is_root && !open_entrance(&instance->entrance, instance->pid)) instance->is_broken = true;
      if (!instance->is_broken && instance_map(place.tier, instance->pid, uid_of((int)(instance - instances)))) tell(instance, GO);
      else {
        snprintf(instance->why, sizeof instance->why, "cannot give it a user of its own: %s", strerror(errno));
        instance->is_broken = true;
        kill_hard(instance);
      }
      break;
    case RUNNING:
      if (instance->state == RUNS && instance->assign_call != 0) {
        say(DONE, instance->assign_call, "", 0);
        instance->assign_call = 0;
      }
      if (instance->state != STARTING) break;
      instance->state = RUNS;
      // Not before: what makes a sandbox waits for locks of the whole machine, and in the background it would keep them for long.
      if (instance->is_background) instance->is_background = cgroups_put(&place.groups, instance->id, instance->memory_mb, true) == NULL;
      write_u32(answer, (uint32_t)instance->pid);
      write_u32(answer + 4, instance->address);
      say(DONE, instance->start_call, answer, sizeof answer);
      if (instance->waiting > 0) kill_hard(instance);
      break;
    case BROKEN:
      snprintf(instance->why, sizeof instance->why, "%s", text + 1);
      instance->is_broken = true;
      break;
    case ENDED:
      if (length == sizeof instance->ending) memcpy(&instance->ending, text, sizeof instance->ending);
      instance->has_ending = length == sizeof instance->ending;
      break;
    default: break;
  }
  return WORD;
}

// Its first process has been reaped, so nothing of it is left but what the kernel keeps for us.
static void forget(struct instance *instance, int status, const struct rusage *usage) {
  uint64_t peak_kb = (uint64_t)usage->ru_maxrss;
  bool out_of_memory = false;
  while (hear(instance) == WORD) {}
  // The kernel adds up only those that it has waited for, and at the end of a namespace it waits for nobody.
  if (instance->has_ending && instance->ending.peak_kb > peak_kb) peak_kb = instance->ending.peak_kb;
  cgroups_outcome(&place.groups, instance->id, &peak_kb, &out_of_memory);
  cgroups_remove(&place.groups, instance->id);
  if (place.tier == TIER_RESTRICTED) { // it did so itself, unless it was killed
    char path[128];
    snprintf(path, sizeof path, "%s/t/%s", place.run_dir, instance->id);
    remove_tree(path, now_ms() + REMOVAL_MS);
  }
  close(instance->control);
  close(instance->entrance.pidfd);
  close_entrance(&instance->entrance);
  if (instance->line >= 0) close(instance->line);
  if (instance->state == STARTING) {
    say_failed(instance->start_call, instance->is_broken ? instance->why : "it ended before its program ran");
  } else {
    uint8_t note[ID_LENGTH + 1 + 3 + 4] = {0};
    // Without a word from it, it was killed itself.
    bool is_signal = instance->has_ending ? instance->ending.is_signal : WIFSIGNALED(status) || instance->state == ENDING;
    uint8_t value = instance->has_ending ? instance->ending.value : WIFSIGNALED(status) ? (uint8_t)WTERMSIG(status) : is_signal ? SIGKILL : (uint8_t)WEXITSTATUS(status);
    memcpy(note, instance->id, ID_LENGTH + 1);
    note[ID_LENGTH + 1] = is_signal;
    note[ID_LENGTH + 2] = value;
    note[ID_LENGTH + 3] = out_of_memory || (instance->has_ending && instance->ending.out_of_memory);
    write_u32(note + ID_LENGTH + 4, peak_kb > UINT32_MAX ? UINT32_MAX : (uint32_t)peak_kb);
    say(EXITED, 0, note, sizeof note);
  }
  if (instance->assign_call != 0) say_failed(instance->assign_call, instance->is_broken ? instance->why : "it ended before its program ran");
  for (int at = 0; at < instance->waiting; at++) say(DONE, instance->waiters[at], "", 0);
  memset(instance, 0, sizeof *instance);
  living--;
}

// Tier none: if the function killed its reaper, its processes have become our children.
static void end_strays(void) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
  FILE *children = fopen(path, "re");
  long pid;
  while (children != NULL && fscanf(children, "%ld", &pid) == 1) {
    bool is_known = false;
    for (int at = 0; at < INSTANCES_MAX && !is_known; at++) is_known = instances[at].state != FREE && instances[at].pid == pid;
    if (!is_known) kill((pid_t)pid, SIGKILL);
  }
  if (children != NULL) fclose(children);
}

void reap(void) {
  struct rusage usage;
  int status;
  for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;)
    for (int at = 0; at < INSTANCES_MAX; at++)
      if (instances[at].state != FREE && instances[at].pid == pid) {
        forget(&instances[at], status, &usage);
        break;
      }
  if (!has_namespaces(place.tier)) end_strays();
}

// A process is in the network that its parent was in when it was made: we go there for that moment.
static pid_t clone_into(const struct start *start, struct net *net, int *pidfd, const char **wrong) {
  if (start->network == NETWORK_HOST && network_is_on() && !place.is_root) {
    *wrong = "who is not root has left the host's network";
    return -1;
  }
  if (start->network != NETWORK_HOST && (*wrong = network_take(net, start->network == NETWORK_OPEN)) != NULL) return -1;
  pid_t pid = network_enter(net) ? instance_clone(place.tier, pidfd) : -1;
  if (pid == 0) return 0;
  if (pid < 0) *wrong = "cannot make a process with namespaces";
  if (net->handle >= 0) {
    int error = errno;
    network_leave();
    close(net->handle);
    errno = error;
  }
  return pid;
}

void start_instance(const struct message *message) {
  const struct start *start = &message->start;
  uint32_t call = message->call;
  int at = 0, own = -1, line = -1, pidfd = -1;
  struct handles handles;
  struct net net = {-1, 0, 0};
  if (find(start->id) != NULL) return say_failed(call, "the instance is there already");
  if (start->is_spare && place.tier == TIER_RESTRICTED) return say_failed(call, "without mounts a spare cannot be given code");
  if (waits_for_program(start) && !has_namespaces(place.tier)) return say_failed(call, "without a root of its own no spare waits for its program");
  if (start->relay != RELAY_NONE && !has_namespaces(place.tier)) return say_failed(call, "a relay needs a sandbox");
  if (start->is_image && !has_namespaces(place.tier)) return say_failed(call, "an image needs a root of its own");
  while (at < INSTANCES_MAX && instances[at].state != FREE) at++;
  if (at == INSTANCES_MAX) return say_failed(call, "there are too many instances");
  const char *wrong = open_handles(start, &handles, &own, &line, uid_of(at));
  pid_t pid = -1;
  if (wrong == NULL) {
    pid = clone_into(start, &net, &pidfd, &wrong);
    if (pid == 0) {
      forget_others(message);
      instance_run(start, &place, handles);
    }
  }
  int why = errno;
  close_handles(handles);
  if (wrong != NULL) {
    char text[256];
    snprintf(text, sizeof text, "%s: %s", wrong, strerror(why));
    if (own >= 0) close(own);
    if (line >= 0) close(line);
    return say_failed(call, text);
  }
  struct instance *instance = &instances[at];
  instance->state = STARTING;
  memcpy(instance->id, start->id, ID_LENGTH);
  instance->pid = pid;
  instance->address = net.address;
  instance->entrance = (struct entrance){pidfd, -1, -1};
  instance->control = own;
  instance->line = line;
  instance->waits_for_program = waits_for_program(start);
  if (start->is_spare) snprintf(packages, sizeof packages, "%s", start->code);
  instance->memory_mb = start->memory_mb;
  instance->is_background = start->is_background;
  instance->start_call = call;
  living++;
  watch(own, FROM_INSTANCE, at, EPOLLIN);
}

// A spare becomes the instance of a function: limits, code, and last what lets it go on: its program, or its line.
void assign_instance(const struct message *message, uint32_t call) {
  struct instance *instance = find(message->id);
  struct assigned assigned = {ASSIGNED, message->memory_mb};
  size_t length = strlen(message->start_line);
  if (instance == NULL || instance->state != RUNS || instance->line < 0) return say_failed(call, "there is no such spare");
  if (instance->waits_for_program != (message->program.argc > 0)) return say_failed(call, "it waits for something else");
  int line = instance->line;
  instance->line = -1;
  instance->memory_mb = message->memory_mb;
  const char *wrong = cgroups_limit(&place.groups, instance->id, (struct size){message->memory_mb, message->cpu, place.pids});
  if (wrong == NULL && place.tier != TIER_NONE) wrong = give_code(instance->entrance, message->code, packages);
  if (wrong == NULL && send(instance->control, &assigned, sizeof assigned, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) wrong = "cannot tell its memory";
  // The pipe is empty and holds more than the longest line.
  if (wrong == NULL && instance->waits_for_program) wrong = tell_program(line, &message->program);
  else if (wrong == NULL && write(line, message->start_line, length) != (ssize_t)length) wrong = "cannot write its start line";
  int why = errno;
  close(line);
  close_entrance(&instance->entrance);
  if (wrong == NULL && instance->waits_for_program) instance->assign_call = call; // answered when its program runs
  else if (wrong == NULL) say(DONE, call, "", 0);
  else {
    char text[256];
    snprintf(text, sizeof text, "%s: %s", wrong, strerror(why));
    say_failed(call, text);
  }
}

void stop_instance(const char *id, uint32_t grace_ms, uint32_t call) {
  struct instance *instance = find(id);
  if (instance == NULL) return say(DONE, call, "", 0);
  if (instance->waiting == WAITERS) return say_failed(call, "too many wait for its end");
  instance->waiters[instance->waiting++] = call;
  if (instance->state == STARTING && instance->kill_at == 0) instance->kill_at = now_ms() + HEAR_MS;
  if (instance->state == ENDING || instance->state == STARTING) return; // STARTING: ended as soon as it runs
  if (grace_ms == 0) return kill_hard(instance);
  hurry(instance);
  tell(instance, THAW_ALL);
  tell(instance, TERMINATE);
  int64_t at = now_ms() + grace_ms;
  if (instance->kill_at == 0 || at < instance->kill_at) instance->kill_at = at;
}

void freeze_instance(const char *id, bool is_frozen, uint32_t call) {
  struct instance *instance = find(id);
  if (instance == NULL || instance->state != RUNS) return say_failed(call, "there is no such instance");
  tell(instance, is_frozen ? FREEZE_ALL : THAW_ALL);
  say(DONE, call, "", 0);
}

// Whose requests compute for long gives way to who needs the processors for a moment.
void demote_instance(const char *id, bool is_background, uint32_t call) {
  struct instance *instance = find(id);
  if (instance == NULL || instance->state != RUNS) return say_failed(call, "there is no such instance");
  const char *wrong = cgroups_put(&place.groups, id, instance->memory_mb, instance->is_background = is_background);
  if (wrong == NULL) say(DONE, call, "", 0);
  else say_failed(call, wrong);
}

int running_control(const char *id, uid_t *uid) {
  struct instance *instance = find(id);
  if (instance == NULL || instance->state != RUNS || instance->line >= 0) return -1;
  uid_t own = uid_of((int)(instance - instances));
  *uid = own != 0 ? own : place.owner;
  return instance->control;
}

// What the loop has fetched may be meant for the place's former instance: only its end is the end of it.
void hear_instance(int at) {
  if (instances[at].state != FREE && hear(&instances[at]) == NO_MORE) unwatch(instances[at].control);
}

void end_instances(void) {
  for (int at = 0; at < INSTANCES_MAX; at++)
    if (instances[at].state != FREE) kill_hard(&instances[at]);
}

int instances_living(void) {
  return living;
}

int64_t instances_due(int64_t now) {
  int64_t next = INT64_MAX;
  for (int at = 0; at < INSTANCES_MAX && living > 0; at++) {
    struct instance *instance = &instances[at];
    if (instance->state == FREE || instance->kill_at == 0) continue;
    if (instance->kill_at <= now && instance->state != RUNS && instance->is_background) {
      hurry(instance);
      instance->kill_at = now + HEAR_MS;
    } else if (instance->kill_at <= now && instance->state != RUNS) {
      // It could not hear: nothing may be left frozen when it is killed.
      tell(instance, THAW_ALL);
      syscall(SYS_pidfd_send_signal, instance->entrance.pidfd, SIGKILL, NULL, 0);
      instance->kill_at = now + HEAR_MS;
    } else if (instance->kill_at <= now) kill_hard(instance);
    if (instance->kill_at < next) next = instance->kill_at;
  }
  return next;
}
