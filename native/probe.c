// What works here, found out by doing it: a throw-away instance in each tier looks around and tries what must fail, and
// a second one in tier strong runs into its limits. Prints key=value lines; a tier is `ok` or says what was wrong.
#define _GNU_SOURCE
#include "sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { wait_ms = 4000, still_ms = 15, few_processes = 16, little_memory_mb = 16, output_max = 4096 };

static char directory[64];
static struct sockaddr_un outside; // an abstract socket of the host
static socklen_t outside_length;
static char output[output_max];

static void look(const char *what, bool is_right) {
  dprintf(1, "%s=%s\n", what, is_right ? "yes" : "no");
}

static bool is_writable(const char *path) {
  int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file >= 0) close(file);
  return file >= 0;
}

// Runs in the instance, in the place of a program. Every line must say yes.
static void look_around(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct has[2] = {{1, 1, 1}, {1, 1, 1}};
  syscall(SYS_capget, &header, has);
  look("user", getuid() == SHOWN_ID && geteuid() == SHOWN_ID && getgid() == SHOWN_ID && setuid(0) != 0);
  look("no-capabilities", (has[0].permitted | has[0].effective | has[1].permitted | has[1].effective | has[0].inheritable) == 0 && prctl(PR_CAPBSET_READ, 0) == 0);
  look("no-new-rights", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
  look("own-processes", getpid() == 2 && kill(getppid(), 0) == (landlock_version() >= 6 ? -1 : 0));
  look("own-root", access(directory, F_OK) != 0 && access("/code", R_OK | X_OK) == 0);
  look("kept-root", !is_writable("/x") && !is_writable("/usr/x") && !is_writable("/etc/x") && !is_writable("/code/x") && !is_writable("/run/yunmen/x"));
  look("tmp", is_writable("/tmp/x") && is_writable("/dev/null") && !is_writable("/proc/sys/kernel/hostname"));
  look("no-mounts", mount("x", "/tmp", "tmpfs", 0, NULL) != 0 && umount2("/tmp", MNT_DETACH) != 0);
  // Anybody may do these two: only the filter refuses them.
  look("filter", unshare(CLONE_FILES) != 0 && errno == EPERM && syscall(SYS_personality, 8) == -1 && errno == EPERM);
  look("no-raw-sockets", socket(AF_INET, SOCK_RAW, 1) < 0 && socket(AF_PACKET, SOCK_RAW, 0) < 0 && socket(AF_VSOCK, SOCK_STREAM, 0) < 0);
  if (landlock_version() < 6) return;
  int to = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  look("landlock", to >= 0 && connect(to, (struct sockaddr *)&outside, outside_length) != 0 && errno == EPERM);
}

static volatile sig_atomic_t is_told;
static void hear_signal(int signal) { is_told = signal; }

// Runs into the limit of processes, ticks until told to stop, and then into the limit of memory.
static void exceed(void) {
  int made = 0;
  signal(SIGTERM, hear_signal);
  for (pid_t pid = 1; made < 4 * few_processes && pid > 0; made += pid > 0)
    if ((pid = fork()) == 0) for (;;) pause();
  dprintf(1, "processes=%s\n", made < few_processes ? "yes" : "no");
  for (int ticks = 0; !is_told && ticks < wait_ms; ticks++) {
    dprintf(1, ".");
    usleep(1000);
  }
  size_t size = (size_t)4 * little_memory_mb << 20;
  char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (size_t at = 0; memory != MAP_FAILED && at < size; at += 4096) memory[at] = 1;
  dprintf(1, "memory=no\n");
}

struct trial { pid_t pid; int control, from; char id[ID_LENGTH + 1]; };

// What came within `limit_ms`; nothing when it was still.
static size_t drain(int from, int limit_ms) {
  struct pollfd source = {from, POLLIN, 0};
  char bytes[512];
  ssize_t length = poll(&source, 1, limit_ms) == 1 ? read(from, bytes, sizeof bytes) : 0;
  return length > 0 ? (size_t)length : 0;
}

// Waits for one message of the first process; MAP_ME is answered on the way. Writes a sentence into `why` when it broke.
static char hear_trial(struct trial *trial, enum tier tier, char *why, size_t size) {
  struct pollfd source = {trial->control, POLLIN, 0};
  char text[256];
  while (poll(&source, 1, wait_ms) == 1) {
    ssize_t length = recv(trial->control, text, sizeof text - 1, 0);
    if (length <= 0) break;
    text[length] = 0;
    if (text[0] == BROKEN) snprintf(why, size, "%s", text + 1);
    if (text[0] != MAP_ME) return text[0];
    char go = GO;
    if (!instance_map(tier, trial->pid, FIRST_UID - 1) || send(trial->control, &go, 1, MSG_NOSIGNAL) != 1) break;
  }
  snprintf(why, size, "cannot give it a user of its own");
  return BROKEN;
}

static bool begin_trial(struct trial *trial, struct place *place, char *why, size_t size) {
  static struct start start;
  int pair[2], out[2], pidfd;
  char path[128];
  snprintf(trial->id, sizeof trial->id, "c-%08x-%020x", (unsigned)getpid(), (unsigned)place->pids);
  snprintf(path, sizeof path, "%s/i/%s", directory, trial->id);
  mkdir(path, 0755);
  snprintf(path, sizeof path, "%s/code", directory);
  start = (struct start){.id = trial->id, .code = path, .memory_mb = place->inside == exceed ? little_memory_mb : 128};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 || pipe2(out, O_CLOEXEC) != 0) return false;
  trial->pid = instance_clone(place->tier, &pidfd);
  if (trial->pid == 0) instance_run(&start, place, (struct handles){pair[0], open("/dev/null", O_RDONLY | O_CLOEXEC), out[1], -1});
  close(pair[0]);
  close(out[1]);
  trial->control = pair[1];
  trial->from = out[0];
  if (trial->pid < 0) snprintf(why, size, "cannot make a process with namespaces: %s", strerror(errno));
  else close(pidfd);
  return trial->pid > 0 && hear_trial(trial, place->tier, why, size) == RUNNING;
}

static void end_trial(struct trial *trial, const struct place *place) {
  char word = KILL;
  if (send(trial->control, &word, 1, MSG_NOSIGNAL) < 0) errno = 0; // it has ended by itself
  if (trial->pid > 0) waitpid(trial->pid, NULL, 0);
  close(trial->control);
  close(trial->from);
  cgroups_remove(&place->groups, trial->id);
}

// Reads all that it has to say.
static void read_output(struct trial *trial) {
  size_t used = 0;
  struct pollfd source = {trial->from, POLLIN, 0};
  for (ssize_t length; used < sizeof output - 1 && poll(&source, 1, wait_ms) == 1; used += (size_t)length)
    if ((length = read(trial->from, output + used, sizeof output - 1 - used)) <= 0) break;
  output[used] = 0;
}

static void print_lines(const char *tier, char *why, size_t size) {
  for (char *line = strtok(output, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    char *equals = strchr(line, '=');
    if (equals == NULL) continue;
    printf("%s.%s\n", tier, line);
    if (strcmp(equals, "=yes") != 0 && why[0] == 0) snprintf(why, size, "the sandbox does not hold what it promises: %.*s", (int)(equals - line), line);
  }
}

static void try_limits(struct place *place, char *why, size_t size) {
  struct trial trial = {.control = -1};
  char freeze = FREEZE_ALL, thaw = THAW_ALL, stop = TERMINATE;
  place->inside = exceed;
  place->pids = few_processes;
  if (begin_trial(&trial, place, why, size)) {
    char line[64] = "";
    ssize_t length = read(trial.from, line, sizeof line - 1);
    bool processes = length > 0 && strstr(line, "processes=yes") != NULL;
    bool is_still = drain(trial.from, wait_ms) > 0 && send(trial.control, &freeze, 1, MSG_NOSIGNAL) == 1;
    usleep(still_ms * 1000);
    drain(trial.from, 0);
    is_still = is_still && drain(trial.from, still_ms) == 0;
    bool goes_on = send(trial.control, &thaw, 1, MSG_NOSIGNAL) == 1 && drain(trial.from, wait_ms) > 0;
    bool ended = send(trial.control, &stop, 1, MSG_NOSIGNAL) == 1 && hear_trial(&trial, place->tier, line, sizeof line) == ENDED;
    uint64_t peak;
    bool memory = false;
    cgroups_outcome(&place->groups, trial.id, &peak, &memory);
    snprintf(output, sizeof output, "limit-processes=%s\nfreeze=%s\nlimit-memory=%s\n", processes ? "yes" : "no", is_still && goes_on ? "yes" : "no", ended && memory ? "yes" : "no");
    print_lines("strong", why, size);
  }
  end_trial(&trial, place);
}

static void try_tier(enum tier tier, const char *name) {
  struct place place = {.tier = tier, .inside = look_around, .pids = PROCESSES_MAX, .is_root = geteuid() == 0, .owner = geteuid()};
  struct trial trial = {.control = -1};
  char why[256] = "";
  place.groups.lock = -1;
  snprintf(place.run_dir, sizeof place.run_dir, "%s", directory);
  if (tier == TIER_STRONG && !place.is_root) snprintf(why, sizeof why, "it needs root");
  else if (tier == TIER_STRONG && !cgroups_open(&place.groups, strrchr(directory, '/') + 1)) snprintf(why, sizeof why, "%s", cgroups_why);
  else {
    if (begin_trial(&trial, &place, why, sizeof why)) {
      read_output(&trial);
      if (strstr(output, "no-raw-sockets") == NULL) snprintf(why, sizeof why, "it ended while it looked around");
      print_lines(name, why, sizeof why);
    }
    end_trial(&trial, &place);
    if (tier == TIER_STRONG && why[0] == 0) try_limits(&place, why, sizeof why);
  }
  if (tier == TIER_STRONG) printf("cgroups=%d\n", place.groups.version);
  cgroups_close(&place.groups);
  printf("%s=%s\n", name, why[0] == 0 ? "ok" : why);
}

int probe(void) {
  char path[128];
  signal(SIGPIPE, SIG_IGN);
  setvbuf(stdout, NULL, _IOLBF, 0);
  strcpy(directory, "/tmp/yunmen-probe-XXXXXX");
  if (mkdtemp(directory) == NULL) return 1;
  for (int at = 0; at < 3; at++) {
    snprintf(path, sizeof path, "%s/%s", directory, (const char *[]){"i", "root", "code"}[at]);
    mkdir(path, 0755);
  }
  if (allow_directory(path, geteuid(), getegid()) != NULL) return 1;
  outside.sun_family = AF_UNIX;
  outside_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)snprintf(outside.sun_path + 1, 64, "yunmen-probe-%d", getpid()));
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener >= 0 && bind(listener, (struct sockaddr *)&outside, outside_length) == 0) listen(listener, 4);
  printf("landlock=%d\n", landlock_version());
  try_tier(TIER_STRONG, "strong");
  try_tier(TIER_USER, "user");
  if (listener >= 0) close(listener);
  remove_directory(directory, 3);
  return 0;
}
