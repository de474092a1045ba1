// One instance from its clone to its end. Its first process (pid 1 of its own processes; in tier none: their reaper)
// prepares everything, starts the program as its child, reaps, hears from sandd, and ends all when the program or sandd
// has gone. It is this code, never the function's.
#define _GNU_SOURCE
#include "exec.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Without control groups memory is measured so often; nothing else limits it there. Files are in one of four times.
enum { measure_ms = 250 };
static int control = -1; // the way to sandd; in the program's process: to the first one
static uid_t uid;        // in tier restricted: its own user of the host, or 0
static const char *id;
static uint64_t peak_kb; // of what was measured

_Noreturn void give_up(const char *what, const char *which) {
  char text[256] = {BROKEN};
  snprintf(text + 1, sizeof text - 1, "%s %s: %s", what, which, strerror(errno));
  _exit(write(control, text, strlen(text)) < 0 ? 126 : 125);
}

void tell_failures_to(int descriptor) {
  control = descriptor;
}

pid_t instance_clone(enum tier tier, int *pidfd) {
  struct clone_args wanted = {.flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)pidfd, .exit_signal = SIGCHLD};
  if (has_namespaces(tier)) wanted.flags |= CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
  if (tier == TIER_USER) wanted.flags |= CLONE_NEWUSER;
  pid_t pid = (pid_t)syscall(SYS_clone3, &wanted, sizeof wanted);
  // Containers' filters of system calls cannot look into clone3's arguments, so they say that there is no such call.
  if (pid < 0 && errno == ENOSYS) pid = (pid_t)syscall(SYS_clone, wanted.flags | SIGCHLD, 0, pidfd, 0, 0);
  return pid;
}

// Its user is one of its own on the host when we are root, else ours. In tier user, root needs itself for the mounts;
// nothing in the instance can become it again.
bool instance_map(enum tier tier, pid_t pid, uid_t uid) {
  char path[64], lines[96];
  const char *also_root = tier == TIER_USER && geteuid() == 0 ? "0 0 1\n" : "";
  snprintf(lines, sizeof lines, "%s%d %u 1\n", also_root, SHOWN_ID, geteuid() == 0 ? uid : geteuid());
  snprintf(path, sizeof path, "/proc/%d/setgroups", pid);
  if (geteuid() != 0 && !write_file(path, "deny")) return false;
  snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
  if (!write_file(path, lines)) return false;
  snprintf(lines, sizeof lines, "%s%d %u 1\n", also_root, SHOWN_ID, geteuid() == 0 ? uid : getegid());
  snprintf(path, sizeof path, "/proc/%d/gid_map", pid);
  return write_file(path, lines);
}

static void ask_for_map(void) {
  char word = MAP_ME;
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); // else an ordinary user's sandd may not write our map
  if (send(control, &word, 1, MSG_NOSIGNAL) != 1 || recv(control, &word, 1, 0) != 1 || word != GO) _exit(125);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static void close_others(struct handles handles) {
  int kept[4] = {handles.control, handles.input, handles.output, handles.relay};
  for (int round = 0; round < 3; round++)
    for (int at = 0; at < 3; at++)
      if (kept[at] > kept[at + 1]) {
        int higher = kept[at];
        kept[at] = kept[at + 1];
        kept[at + 1] = higher;
      }
  unsigned from = 3;
  for (int at = 0; at < 4; at++) {
    if (kept[at] < 0) continue;
    if ((unsigned)kept[at] > from) close_between(from, (unsigned)kept[at] - 1);
    from = (unsigned)kept[at] + 1;
  }
  close_between(from, ~0U);
}

static void wipe(const char *text) {
  if (text != NULL) explicit_bzero((char *)(uintptr_t)text, strlen(text)); // what is tried at the start has no line
}

// What its program is started with has passwords and keys in it: in processes that are not the program it has no business.
static void forget_program(const struct start *start) {
  wipe(start->start_line);
  for (int at = 0; at < start->program.argc; at++) wipe(start->program.argv[at]);
  for (int at = 0; at < start->program.envc; at++) wipe(start->program.env[at]);
}

// Has what the program has, and nothing of ours but its listening socket.
static void start_relay(const struct start *start, const struct place *place, int listening) {
  pid_t relay = fork();
  if (relay < 0) give_up("cannot start", "its relay");
  if (relay > 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  forget_program(start);
  prctl(PR_SET_NAME, "sandd-relay", 0, 0, 0);
  if (dup2(listening, 0) != 0) _exit(1);
  close_between(1, ~0U);
  control = -1; // what goes wrong shows by what does not answer
  setsid();
  drop_rights(place->tier);
  confine_signals();
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  relay_run(start, 0);
}

// The program's side of the fork. `started` closes by itself when the program runs; else it carries what give_up says.
static _Noreturn void run_program(const struct start *start, const struct place *place, struct handles handles, int members, int started) {
  sigset_t none;
  sigemptyset(&none);
  control = started;
  if (members >= 0 && write(members, "0", 1) != 1) give_up("cannot join", "the freezer");
  if (dup2(handles.input, 0) < 0 || dup2(handles.output, 1) < 0 || dup2(handles.output, 2) < 0) give_up("cannot set", "the first descriptors");
  if (started != 3 && dup3(started, 3, O_CLOEXEC) < 0) give_up("cannot set", "the fourth descriptor");
  control = 3;
  close_between(4, ~0U);
  setsid();
  struct program given, *program = (struct program *)&start->program;
  if (has_namespaces(place->tier)) {
    drop_rights(place->tier);
    confine_signals();
  }
  if (waits_for_program(start)) await_program(program = &given, control);
  if (place->tier == TIER_RESTRICTED) restricted_drop(start, place, handles.uid);
  if (place->tier == TIER_NONE && place->owner != geteuid()) become(place->owner, place->owner_group, 0);
  const char *code = has_namespaces(place->tier) ? "/code" : start->code;
  if (chdir(code) != 0) give_up("cannot enter", code);
  signal(SIGPIPE, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (place->inside != NULL) {
    close(control);
    place->inside();
    _exit(0);
  }
  execve(program->argv[0], program->argv, program->env);
  give_up("cannot run", program->argv[0]);
}

static void set_frozen(const struct freezer *freezer, bool is_frozen) {
  if (freezer->state >= 0) {
    const char *word = is_frozen ? freezer->frozen : freezer->thawed;
    if (write(freezer->state, word, strlen(word)) < 0) return; // the group has gone: nothing is frozen
  } else if (getpid() == 1) kill(-1, is_frozen ? SIGSTOP : SIGCONT);
  else restricted_signal(uid, is_frozen ? SIGSTOP : SIGCONT);
}

static _Noreturn void end_all(const struct place *place, const struct freezer *freezer, pid_t program) {
  set_frozen(freezer, false);
  if (place->tier == TIER_NONE) tree_end(program);
  if (place->tier == TIER_RESTRICTED) restricted_end(place, id, uid, program);
  _exit(0); // the end of pid 1 is the end of all its processes
}

static void tell_end(int status, bool out_of_memory) {
  struct ending ending = {ENDED, WIFSIGNALED(status), (uint8_t)(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)), out_of_memory, peak_kb > UINT32_MAX ? UINT32_MAX : (uint32_t)peak_kb};
  if (send(control, &ending, sizeof ending, MSG_NOSIGNAL) < 0) return; // sandd has gone: nobody wants to know
}

int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum verdict { WITHIN, TOO_MUCH_MEMORY, TOO_MUCH_ELSE };

// By the clock, not when nothing happens: who starts one process after the other would never be looked at.
static enum verdict measure(const struct place *place, uint32_t memory_mb) {
  static int64_t due;
  static unsigned times;
  if (now_ms() < due) return WITHIN;
  uint64_t limit = (uint64_t)memory_mb << 20, page = (uint64_t)sysconf(_SC_PAGESIZE);
  struct tree_size size = tree_measure(place->tier == TIER_USER, false, 0);
  if (size.pages * page > limit) size = tree_measure(place->tier == TIER_USER, true, place->tier == TIER_RESTRICTED ? uid : 0);
  bool fills_disk = place->tier == TIER_RESTRICTED && times++ % 4 == 3 && restricted_fills_disk(place, id);
  due = now_ms() + measure_ms; // however long it took
  if (size.pages * page >> 10 > peak_kb) peak_kb = size.pages * page >> 10;
  if (size.pages * page > limit) return TOO_MUCH_MEMORY;
  return fills_disk || size.is_too_deep || (place->tier == TIER_RESTRICTED && size.threads > PROCESSES_MAX) ? TOO_MUCH_ELSE : WITHIN;
}

// A spare has been given its program: what became of that.
static void tell_program_runs(int started) {
  char why[256], word = RUNNING;
  ssize_t length = read(started, why, sizeof why);
  if (length <= 0) {
    if (send(control, &word, 1, MSG_NOSIGNAL) == 1) return; // when sandd has gone, the way to it tells
  } else if (write(control, why, (size_t)length) == length) _exit(125);
  _exit(126);
}

// `started`: of a spare that waits for its program the other end of what it closes by running that; else -1.
static _Noreturn void attend(const struct start *start, const struct place *place, const struct freezer *freezer, pid_t program, int children, int started) {
  uint32_t memory_mb = start->is_spare ? 0 : start->memory_mb; // a spare runs our code only
  struct pollfd sources[3] = {{control, POLLIN, 0}, {children, POLLIN, 0}, {started, POLLIN, 0}};
  bool is_frozen = false;
  for (;;) {
    bool measures = (place->tier == TIER_USER || place->tier == TIER_RESTRICTED) && place->groups.version == 0 && !is_frozen && memory_mb > 0;
    poll(sources, 3, measures ? measure_ms : -1);
    if (sources[2].revents != 0) {
      tell_program_runs(started);
      close(started);
      sources[2] = (struct pollfd){-1, 0, 0};
    }
    enum verdict verdict = measures ? measure(place, memory_mb) : WITHIN;
    if (verdict != WITHIN) {
      tell_end(SIGKILL, verdict == TOO_MUCH_MEMORY);
      end_all(place, freezer, program);
    }
    struct signalfd_siginfo told;
    while (read(children, &told, sizeof told) > 0) {}
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
      if (pid == program) {
        tell_end(status, false);
        end_all(place, freezer, program);
      } else exec_ended(pid);
    if (sources[0].revents == 0) continue;
    struct assigned told_by_sandd;
    struct order order;
    enum ordered what = exec_hear(control, &told_by_sandd, &order);
    if (what == ORDER_EXEC) exec_begin(start, place, uid, freezer->members, order);
    if (what != ORDER_WORD) continue;
    switch (told_by_sandd.word) {
      case TERMINATE: kill(program, SIGTERM); break;
      case FREEZE_ALL: set_frozen(freezer, is_frozen = true); break;
      case THAW_ALL: set_frozen(freezer, is_frozen = false); break;
      case ASSIGNED: memory_mb = told_by_sandd.memory_mb; break;
      default: end_all(place, freezer, program); // KILL, or sandd has gone
    }
  }
}

_Noreturn void instance_run(const struct start *start, const struct place *place, struct handles handles) {
  struct freezer freezer = {-1, -1, "", ""};
  int started[2];
  char why[256];
  sigset_t child;
  control = handles.control;
  uid = handles.uid;
  id = start->id;
  if (!has_namespaces(place->tier)) prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  else prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  close_others(handles);
  setsid();
  umask(022);
  prctl(PR_SET_NAME, "sandd-instance", 0, 0, 0);
  if (place->tier == TIER_USER) ask_for_map();
  if (place->groups.version != 0) {
    const char *wrong = cgroups_join(&place->groups, start->id, (struct size){start->memory_mb, start->cpu, place->pids}, &freezer);
    if (wrong != NULL) give_up(wrong, start->id);
  }
  if (has_namespaces(place->tier) && unshare(CLONE_NEWCGROUP) != 0) give_up("cannot make", "a namespace of control groups");
  if (place->tier == TIER_RESTRICTED) restricted_prepare(start, place, uid);
  if (has_namespaces(place->tier)) {
    if (sethostname("fc", 2) != 0) give_up("cannot name", "the host");
    build_root(start, place);
    if (place->is_root && setgroups(0, NULL) != 0) give_up("cannot leave", "groups");
  }
  if (place->tier == TIER_STRONG) { // last, so that the mounts belong to a namespace that it has no rights in
    if (unshare(CLONE_NEWUSER) != 0) give_up("cannot make", "a user namespace");
    ask_for_map();
  }
  if (has_namespaces(place->tier)) confine_files(start);
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_SETMASK, &child, NULL);
  int children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  if (children < 0 || pipe2(started, O_CLOEXEC) != 0) give_up("cannot watch", "the program");
  if (start->relay != RELAY_NONE) {
    int listening = start->relay == RELAY_OUT ? relay_listen(start) : handles.relay;
    if (listening < 0) give_up("cannot listen for", "its relay");
    start_relay(start, place, listening);
    close(listening);
  }
  pid_t program = fork();
  if (program < 0) give_up("cannot start", "a process");
  if (program == 0) run_program(start, place, handles, freezer.members, started[1]);
  forget_program(start);
  close(started[1]);
  close(handles.input);
  close(handles.output);
  for (int standard = 0; standard < 3; standard++) close(standard);
  if (place->tier == TIER_RESTRICTED) {
    restricted_hold();
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    snprintf(why, sizeof why, "/proc/%d", program);
    open(why, O_PATH | O_CLOEXEC); // kept: a rule for it holds as long as the kernel remembers the directory
  } else if (place->tier != TIER_NONE) {
    drop_rights(place->tier);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    // With a freezer of version 1 a kill would wait for ever for what is frozen: the end of `control` thaws first.
    prctl(PR_SET_PDEATHSIG, freezer.state >= 0 ? 0 : SIGKILL, 0, 0, 0);
  }
  ssize_t length = read(started[0], why, sizeof why);
  bool waits = length == 1 && why[0] == WAITS;
  if (length > 0 && !waits) {
    ssize_t told = write(control, why, (size_t)length);
    if (place->tier == TIER_RESTRICTED) restricted_end(place, id, uid, program);
    _exit(told < 0 ? 126 : 125);
  }
  if (!waits) close(started[0]);
  char word = RUNNING;
  if (send(control, &word, 1, MSG_NOSIGNAL) < 0) end_all(place, &freezer, program);
  attend(start, place, &freezer, program, children, waits ? started[0] : -1);
}
