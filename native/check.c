// Sessions where something is missing (descriptors, processes, the parent, a moment without signals), a system call that is not
// there, files that hide, and who never pauses. What no test of a running sandd can bring about, tried on its parts; built with sanitizers by
// tests/contract/sandd-sessions.contract.test.ts. Usage: check <case>. Prints `right`, or what was not.
#define _GNU_SOURCE
#include "exec.c"
#include "keeper.c"
#include "program.c"
#include "relay.c"
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

struct place place = {.tier = TIER_NONE};
static struct start start;
static int failures = -1;

void tell_failures_to(int descriptor) { failures = descriptor; }
_Noreturn void give_up(const char *what, const char *which) {
  dprintf(failures, "B%s %s: %s", what, which, strerror(errno));
  _exit(125);
}
int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
// What these cases never come to.
int running_control(const char *id, uid_t *uid) { return id == NULL && uid == NULL ? 0 : -1; }
int take_attached(uint32_t session) { return session == 0 ? 0 : -1; }
void say(enum word word, uint32_t call, const void *fields, size_t length) { (void)word, (void)call, (void)fields, (void)length; }
void say_failed(uint32_t call, const char *why) { (void)call, (void)why; }
void become(uid_t uid, gid_t gid, gid_t shared) { (void)uid, (void)gid, (void)shared; }
void drop_rights(enum tier tier) { (void)tier; }
void restricted_drop(const struct start *of, const struct place *at, uid_t uid) { (void)of, (void)at, (void)uid; }

static _Noreturn __attribute__((format(printf, 1, 2))) void fail(const char *form, ...) {
  va_list values;
  va_start(values, form);
  vprintf(form, values);
  va_end(values);
  printf("\n");
  fflush(stdout);
  _exit(1);
}

static int count_descriptors(void) {
  int count = 0;
  for (int at = 0; at < 1024; at++) count += fcntl(at, F_GETFD) >= 0;
  return count;
}

static void make_pair(int type, int pair[2]) {
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) != 0) fail("no pair of sockets");
}

static uint8_t *put_word(uint8_t *at, uint32_t value, int bytes) {
  for (int count = bytes - 1; count >= 0; count--) *at++ = (uint8_t)(value >> (8 * count));
  return at;
}

static uint8_t *put_text(uint8_t *at, const char *text) {
  size_t length = strlen(text) + 1;
  memcpy(put_word(at, (uint32_t)length, 2), text, length);
  return at + 2 + length;
}

static size_t write_exec(uint8_t *bytes, bool wants_terminal) {
  uint8_t *at = put_text(put_word(put_word(bytes + 4, EXEC, 1), 1, 4), "c-01234567-0123456789abcdef0123");
  at = put_word(put_word(put_word(put_text(put_word(at, 7, 4), "/tmp"), wants_terminal, 1), 24, 2), 80, 2);
  at = put_word(put_text(put_word(at, 1, 2), "/bin/true"), 0, 2);
  put_word(bytes, (uint32_t)(at - bytes - 4), 4);
  return (size_t)(at - bytes);
}

static void send_with(int to, char word, bool wants_terminal, const int *handed, size_t count) {
  uint8_t bytes[1024] = {(uint8_t)word};
  struct iovec part = {bytes, word == RUN_MORE ? 1 + write_exec(bytes + 1, wants_terminal) : 1};
  union { char bytes[CMSG_SPACE(8 * sizeof(int))]; struct cmsghdr head; } room = {0};
  struct msghdr sent = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
  room.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(&room.head), handed, count * sizeof(int));
  if (sendmsg(to, &sent, 0) < 0) fail("cannot send: %s", strerror(errno));
}

// The session's last word: `wrong` and its sentence.
static void expect_refusal(int socket, const char *wanted) {
  uint8_t frame[FRAME_HEAD + 256 + 1] = {0};
  size_t used = 0;
  struct pollfd way = {socket, POLLIN, 0};
  for (ssize_t length; used < sizeof frame - 1 && poll(&way, 1, 5000) == 1 && (length = read(socket, frame + used, sizeof frame - 1 - used)) > 0;) {
    used += (size_t)length;
    if (used >= FRAME_HEAD && used >= FRAME_HEAD + read_u32(frame + 1)) break;
  }
  if (used < FRAME_HEAD || frame[0] != WRONG || strstr((char *)frame + FRAME_HEAD, wanted) == NULL)
    fail("'%s' was to be said: %zu bytes of kind %d, '%s'", wanted, used, frame[0], frame + FRAME_HEAD);
}

static void expect_order(bool wants_terminal, size_t count, int free_descriptors, const char *wanted) {
  int control[2], way[2], handed[8], held[64], holds = 0;
  struct rlimit most, few;
  make_pair(SOCK_SEQPACKET, control);
  make_pair(SOCK_STREAM, way);
  for (size_t at = 0; at < count; at++) handed[at] = at == 0 ? way[0] : 2;
  send_with(control[1], RUN_MORE, wants_terminal, handed, count);
  close(way[0]);
  int before = count_descriptors();
  getrlimit(RLIMIT_NOFILE, &most);
  if (free_descriptors >= 0) {
    while (holds < 64 && (held[holds] = dup(2)) < 32) holds++;
    close(held[holds]);
    for (int at = 0; at < free_descriptors; at++) close(held[--holds]);
    few = (struct rlimit){32, most.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
  }
  struct assigned word;
  struct order order;
  if (exec_hear(control[0], &word, &order) != ORDER_EXEC) fail("no order was heard");
  setrlimit(RLIMIT_NOFILE, &most);
  exec_begin(&start, &place, 0, -1, order);
  while (holds > 0) close(held[--holds]);
  if (count_descriptors() != before) fail("%d descriptors instead of %d", count_descriptors(), before);
  if (wanted != NULL) expect_refusal(way[1], wanted);
  for (int at = 0; at < 2; at++) close(control[at]);
  close(way[1]);
}

static void try_descriptors(void) {
  expect_order(false, 4, -1, "descriptors");
  expect_order(false, 8, -1, "descriptors");
  expect_order(true, 3, 1, "descriptors"); // this process may open one more only
  expect_order(true, 3, 0, NULL);          // not even that: nobody can be told
  expect_order(true, 1, -1, "terminal");
  expect_order(false, 3, -1, "terminal");
  int control[2];
  make_pair(SOCK_SEQPACKET, control);
  send_with(control[1], TERMINATE, false, (int[]){2, 2}, 2);
  int before = count_descriptors();
  struct assigned word;
  struct order order;
  if (exec_hear(control[0], &word, &order) != ORDER_WORD || word.word != TERMINATE) fail("no word was heard");
  if (count_descriptors() != before) fail("a word's descriptors stay open");
}

static void expect_session(rlim_t processes, rlim_t files, const char *wanted) {
  static char *argv[] = {"/bin/true", NULL};
  static struct exec exec;
  int way[2], status;
  exec = (struct exec){.directory = "/tmp", .argc = 1, .argv = {argv[0]}};
  make_pair(SOCK_STREAM, way);
  pid_t keeper = fork();
  if (keeper == 0) {
    close(way[1]);
    if (processes > 0 && geteuid() == 0 && (setgroups(0, NULL) != 0 || setresuid(54321, 54321, 54321) != 0)) _exit(9); // root has as many as it likes
    if (processes > 0) setrlimit(RLIMIT_NPROC, &(struct rlimit){processes, processes});
    if (files > 0) setrlimit(RLIMIT_NOFILE, &(struct rlimit){files, files});
    keep_session((struct session){&start, &place, &exec, 0, -1, way[0], -1, -1});
  }
  close(way[0]);
  expect_refusal(way[1], wanted);
  close(way[1]);
  if (waitpid(keeper, &status, 0) != keeper || status != 0) fail("the keeper ended by %x", status);
}

static void try_limits(void) {
  expect_session(1, 0, "cannot start a process: Resource temporarily unavailable");
  expect_session(0, 7, "cannot make a pipe: Too many open files");
}

// The keeper has gone before its child asks to go with it.
static void try_orphan(void) {
  char path[] = "/tmp/yunmen-check-XXXXXX";
  int file = mkstemp(path), way[2];
  char byte;
  if (file < 0 || pipe(way) != 0) fail("no file");
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  pid_t keeper = fork();
  if (keeper == 0) {
    pid_t own = getpid();
    if (fork() != 0) _exit(0);
    while (getppid() == own) usleep(1000);
    static struct exec exec;
    exec = (struct exec){.directory = "/tmp", .argc = 2, .argv = {"/bin/rm", path}};
    struct session session = {&start, &place, &exec, 0, -1, -1, -1, -1};
    close(way[0]);
    run_command(&session, (int[]){0, 1, 2}, way[1], own);
  }
  close(way[1]);
  while (waitpid(-1, NULL, 0) > 0) {}
  if (read(way[0], &byte, 1) != 0) fail("it was tried");
  bool is_there = access(path, F_OK) == 0;
  unlink(path);
  if (!is_there) fail("it ran without a keeper");
}

static int alarms;
static void hear_alarm(int number) {
  (void)number;
  if (write(alarms, ".", 1) != 1) _exit(8);
}

// The connection takes nothing for a while, in which there are signals.
static void try_interrupted(void) {
  static uint8_t bytes[1 << 16];
  int way[2], told[2];
  uint8_t over[2] = {0, 3}, last[FRAME_HEAD + 2] = {0};
  make_pair(SOCK_STREAM, way);
  if (pipe(told) != 0) fail("no pipe");
  pid_t keeper = fork();
  if (keeper == 0) {
    close(way[1]);
    for (size_t size = sizeof bytes; size > 0;)
      if (send(way[0], bytes, size, MSG_DONTWAIT) < 0) size /= 2;
    connection = way[0];
    ends[0] = ends[1] = ends[2] = -1;
    program = getpid(); // nobody of its group or session is left but itself
    setsid();
    alarms = told[1];
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = hear_alarm}, NULL);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 2000}, {0, 2000}}, NULL);
    finish(over);
    _exit(7);
  }
  close(way[0]);
  close(told[1]);
  for (int heard_alarms = 0; heard_alarms < 20; heard_alarms++)
    if (read(told[0], bytes, 1) != 1) break; // it has ended
  for (ssize_t length; (length = read(way[1], bytes, sizeof bytes)) > 0;) {
    size_t kept = (size_t)length < sizeof last ? (size_t)length : sizeof last;
    memmove(last, last + kept, sizeof last - kept);
    memcpy(last + sizeof last - kept, bytes + length - kept, kept);
    if (last[0] == IS_OVER && last[4] == 2 && last[6] == 3) break;
  }
  kill(keeper, SIGKILL);
  waitpid(keeper, NULL, 0);
  if (last[0] != IS_OVER || last[6] != 3) fail("the end was not told: %d", last[0]);
}

static void try_told(void) {
  static char token[] = "TOKEN=0123456789abcdef";
  struct program given = {1, 1, {"/bin/true"}, {token}};
  int line[2];
  if (pipe(line) != 0) fail("no pipe");
  if (tell_program(line[1], &given) != NULL) fail("not told");
  for (size_t at = 0; at < sizeof told; at++)
    if (((char *)&told)[at] != 0) fail("something is left at %zu", at);
}

// What a keeper was told is the command's: shown by memory that it shares with this process.
static void try_kept(void) {
  static struct exec exec;
  char *given = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int way[2];
  uint8_t frame[FRAME_HEAD];
  if (given == MAP_FAILED) fail("no memory");
  strcpy(given, "TOKEN=0123456789abcdef");
  exec = (struct exec){.directory = "/tmp", .argc = 1, .argv = {strdup("/bin/cat")}, .envc = 1, .env = {given}};
  make_pair(SOCK_STREAM, way);
  pid_t keeper = fork();
  if (keeper == 0) {
    close(way[1]);
    keep_session((struct session){&start, &place, &exec, 0, -1, way[0], -1, -1});
  }
  close(way[0]);
  free(exec.argv[0]);
  if (recv(way[1], frame, sizeof frame, MSG_WAITALL) != sizeof frame || frame[0] != IS_RUNNING) fail("it does not run");
  for (size_t at = 0; at < 22; at++)
    if (given[at] != 0) fail("something is left at %zu", at);
  close(way[1]);
  waitpid(keeper, NULL, 0);
}

// As in a container whose filter of system calls is older than close_range.
static void try_closing(void) {
  struct sock_filter lines[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {sizeof lines / sizeof *lines, lines};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) fail("no filter");
  for (int at = 10; at < 20; at++) dup2(2, at);
  close_between(10, 14);
  if (fcntl(14, F_GETFD) >= 0 || fcntl(15, F_GETFD) < 0) fail("others were closed");
  close_between(3, ~0U);
  if (count_descriptors() != 3) fail("%d descriptors are open", count_descriptors());
}

// A tree of 700 levels with a file at the end, one that its owner may not read, and names that what is moved up could be given.
static void make_tree(const char *path) {
  char name[64];
  int below = open(path, O_RDONLY | O_DIRECTORY);
  for (int level = 0; level < 700; level++) {
    if (mkdirat(below, "d", 0700) != 0) fail("no directory at level %d", level);
    int next = openat(below, "d", O_RDONLY | O_DIRECTORY);
    close(below);
    below = next;
  }
  close(openat(below, "file", O_WRONLY | O_CREAT, 0600));
  close(below);
  for (int at = -1; at < 64; at++) {
    if (at < 0) snprintf(name, sizeof name, "%s/hidden", path);
    else snprintf(name, sizeof name, "%s/.%d", path, at);
    if (mkdir(name, 0300) != 0) fail("no directory %s", name);
    strcat(name, "/file");
    close(open(name, O_WRONLY | O_CREAT, 0600));
  }
}

// What a function leaves of files. In a child, as an ordinary user may not look at who has changed its user, and root may look everywhere.
static void try_removal(void) {
  char path[] = "/tmp/yunmen-check-XXXXXX";
  int status;
  pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setresuid(54321, 54321, 54321) != 0)) fail("no other user");
    if (mkdtemp(path) == NULL) fail("no directory");
    make_tree(path);
    int before = count_descriptors();
    remove_tree(path, now_ms() + 10000);
    if (access(path, F_OK) == 0) fail("%s is left", path);
    if (count_descriptors() != before) fail("descriptors stay open");
    _exit(0);
  }
  if (waitpid(child, &status, 0) != child || status != 0) fail("it ended by %x", status);
}

// Who always has more to say waits for the others' turn, and all of it arrives.
static void try_turns(void) {
  static uint8_t bytes[1 << 16];
  int from[2], to[2], size = 4 << 20, filled = 0, moved = 0;
  make_pair(SOCK_STREAM, from);
  make_pair(SOCK_STREAM, to);
  for (int at = 0; at < 2; at++) {
    setsockopt(from[at], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(to[at], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  }
  while (send(from[1], bytes, 1 << 12, MSG_DONTWAIT) > 0) filled += 1 << 12;
  pairs[0] = (struct pair){.is_used = true, .ends = {from[0], to[0]}};
  used = 2; // another stays
  for (int turns = 0; moved < filled; turns++) {
    serve(&pairs[0]);
    int before = moved;
    for (ssize_t length; (length = recv(to[1], bytes, sizeof bytes, MSG_DONTWAIT)) > 0;) moved += (int)length;
    if (moved == before) fail("%d of %d bytes arrived", moved, filled);
    if (moved - before > ROUNDS * FLOW_BYTES) fail("%d bytes in one turn", moved - before);
    if (pairs[0].has_more != (moved < filled) && moved < filled) fail("it does not say that it has more");
  }
  if (filled <= 0) fail("nothing was to be moved");
}

static int connect_to(const struct sockaddr_un *address) {
  int way = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (way < 0 || connect(way, (const struct sockaddr *)address, sizeof *address) != 0) fail("cannot connect");
  return way;
}

// A relay that may open hardly any files: who waits for it is taken when another has gone, and does not keep it busy meanwhile.
static void try_full(void) {
  struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "/tmp/yunmen-check-XXXXXX"};
  struct sockaddr_in port = loopback(0);
  socklen_t length = sizeof port;
  struct rusage usage;
  char byte = 0;
  int ways[16], inside = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), outside = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), status;
  if (mkdtemp(at.sun_path) == NULL) fail("no directory");
  rmdir(at.sun_path);
  if (bind(inside, (struct sockaddr *)&port, sizeof port) != 0 || listen(inside, 64) != 0 || getsockname(inside, (struct sockaddr *)&port, &length) != 0) fail("no port");
  if (bind(outside, (struct sockaddr *)&at, sizeof at) != 0 || listen(outside, 64) != 0) fail("no socket");
  pid_t relay = fork();
  if (relay == 0) {
    start.relay = RELAY_IN;
    start.relay_port = ntohs(port.sin_port);
    dup2(outside, 3);
    close_between(4, ~0U);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){11, 11}); // three pairs, and nothing left to take another with
    relay_run(&start, 3);
  }
  close(outside);
  int first = connect_to(&at);
  if (recv(first, &byte, 1, 0) != 1 || byte != '-') fail("it was not told that somebody listens");
  for (int each = 0; each < 16; each++) ways[each] = connect_to(&at);
  struct pollfd end = {ways[15], POLLIN, 0};
  if (poll(&end, 1, 1000) != 0) fail("one that waits was closed");
  for (int each = 0; each < 15; each++) close(ways[each]);
  // What was tried, those that have gone, and the one that waited come to the port, and end there.
  struct pollfd next[2] = {{inside, POLLIN, 0}, {ways[15], POLLIN, 0}};
  while (next[1].revents == 0 && poll(next, 2, 5000) > 0)
    if (next[0].revents != 0) close(accept(inside, NULL, NULL));
  if (next[1].revents == 0) fail("one that waits was never taken");
  kill(relay, SIGKILL);
  if (wait4(relay, &status, 0, &usage) != relay || WTERMSIG(status) != SIGKILL) fail("it ended by %x", status);
  unlink(at.sun_path);
  if (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec > 0 || usage.ru_utime.tv_usec + usage.ru_stime.tv_usec > 80000)
    fail("it took %ld us of the processor", usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

int main(int argc, char **argv) {
  static const struct { const char *name; void (*run)(void); } cases[] = {
    {"descriptors", try_descriptors}, {"limits", try_limits}, {"orphan", try_orphan}, {"interrupted", try_interrupted}, {"told", try_told}, {"kept", try_kept},
    {"closing", try_closing}, {"removal", try_removal}, {"turns", try_turns}, {"full", try_full},
  };
  for (size_t at = 0; argc == 2 && at < sizeof cases / sizeof *cases; at++)
    if (strcmp(cases[at].name, argv[1]) == 0) {
      cases[at].run();
      puts("right");
      return 0;
    }
  fputs("usage: check <case>\n", stderr);
  return 2;
}
