// What a trial instance does in the place of a program: looks around, tries what must fail, runs into its limits.
#define _GNU_SOURCE
#include "probe.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

char directory[64];
struct sockaddr_un outside;
socklen_t outside_length;
bool is_counted;

static void look(const char *what, bool is_right) {
  dprintf(1, "%s=%s\n", what, is_right ? "yes" : "no");
}

static bool is_writable(const char *path) {
  int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file >= 0) close(file);
  return file >= 0;
}

// Runs in the instance, in the place of a program. Every line must say yes.
void look_around(void) {
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

static bool can_read(const char *path) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file >= 0) close(file);
  return file >= 0;
}

// In tier restricted: the same without namespaces. What has no user of its own there is not asked about it.
void look_around_restricted(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct has[2] = {{1, 1, 1}, {1, 1, 1}};
  char path[128], other[64];
  syscall(SYS_capget, &header, has);
  look("user", setuid(getuid() + 1) != 0);
  look("no-capabilities", (has[0].permitted | has[0].effective | has[1].permitted | has[1].effective | has[0].inheritable) == 0);
  look("no-new-rights", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
  snprintf(other, sizeof other, "/proc/%d/status", getppid());
  look("others-processes", kill(getppid(), 0) != 0 && !can_read(other) && !can_read("/proc") && can_read("/proc/self/status"));
  snprintf(path, sizeof path, "%s/canary", directory);
  look("others-files", !can_read(path) && !can_read("/") && !can_read("/tmp") && can_read("."));
  snprintf(path, sizeof path, "%s/code/x", directory);
  look("kept-files", !is_writable("/tmp/x") && !is_writable("/usr/x") && !is_writable("/etc/x") && !is_writable(path) && !is_writable("x"));
  snprintf(path, sizeof path, "%s/t", directory);
  look("others-places", !is_writable("/dev/shm/x") && is_writable("/dev/null") && !is_writable("/proc/sys/kernel/hostname") && !can_read(path));
  look("no-mounts", mount("x", "/tmp", "tmpfs", 0, NULL) != 0 && umount2("/tmp", MNT_DETACH) != 0);
  look("filter", unshare(CLONE_FILES) != 0 && errno == EPERM && syscall(SYS_personality, 8) == -1 && errno == EPERM);
  look("no-raw-sockets", socket(AF_INET, SOCK_RAW, 1) < 0 && socket(AF_PACKET, SOCK_RAW, 0) < 0 && socket(AF_VSOCK, SOCK_STREAM, 0) < 0);
  if (landlock_version() < 6) return;
  int to = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  look("landlock", to >= 0 && connect(to, (struct sockaddr *)&outside, outside_length) != 0 && errno == EPERM);
}

static volatile sig_atomic_t is_told;
static void hear_signal(int signal) { is_told = signal; }

// Runs into the limit of processes, ticks until told to stop, and then into the limit of memory.
void exceed(void) {
  int made = 0;
  signal(SIGTERM, hear_signal);
  for (pid_t pid = 1; is_counted && made < 4 * few_processes && pid > 0; made += pid > 0)
    if ((pid = fork()) == 0) for (;;) pause();
  dprintf(1, "processes=%s\n", made < few_processes ? "yes" : "no");
  for (int ticks = 0; !is_told && ticks < trial_ms; ticks++) {
    dprintf(1, ".");
    usleep(1000);
  }
  size_t size = (size_t)4 * little_memory_mb << 20;
  char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (size_t at = 0; memory != MAP_FAILED && at < size; at += 4096) memory[at] = 1;
  for (int tenths = 0; tenths < 50; tenths++) usleep(100 * 1000); // where it is only watched
  dprintf(1, "memory=no\n");
}
