// Gives a waiting spare the code of its function: a mount that is read-only before anybody can see it, put on /code in the
// spare's own mounts by who enters them for that. Called by table.c; of the spare only our own code runs by then.
#define _GNU_SOURCE
#include "server.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DONE_WELL, NO_ENTRY, NO_TREE, NO_LEAVE, NO_MOUNT };
static const char *const whys[] = {NULL, "cannot enter the mounts of the spare", "cannot open the code", "cannot put away the code of others", "cannot mount the code"};

// A copy of the mount that holds `directory` (which is closed), read-only, seen by nobody yet; -1 when there is none.
static int open_code(int directory) {
  struct mount_attr wanted = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
  if (directory < 0) return -1;
  int tree = (int)syscall(SYS_open_tree, directory, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH);
  bool is_ready = tree >= 0 && syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &wanted, sizeof wanted) == 0;
  int why = errno;
  close(directory);
  if (!is_ready && tree >= 0) close(tree);
  errno = why;
  return is_ready ? tree : -1;
}

static int show_code(int tree) {
  return syscall(SYS_move_mount, tree, "", AT_FDCWD, "/code", MOVE_MOUNT_F_EMPTY_PATH) == 0 ? DONE_WELL : NO_MOUNT;
}

// Root goes there itself, with the code, and comes back: a helper would take longer than all else here. Who cannot come back is of no
// use any more: everything that is done by name would be done in the spare.
static int visit(struct entrance entrance, int tree) {
  static int mounts = -1, root = -1; // our own; what is the root to us need not be theirs
  if (mounts < 0) mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  if (root < 0) root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (mounts < 0 || root < 0 || setns(entrance.pidfd, CLONE_NEWNS) != 0) return NO_ENTRY;
  int result = show_code(tree), why = errno;
  if (setns(mounts, CLONE_NEWNS) != 0 || fchdir(root) != 0 || chroot(".") != 0) {
    report("cannot leave the mounts of a spare: %s", strerror(errno));
    _exit(1);
  }
  errno = why;
  return result;
}

// In a helper: who has entered another's mounts as an ordinary user cannot come back. The code is found among that of all functions,
// which then goes.
static int put_code(struct entrance entrance, const char *below) {
  if (setns(entrance.user, CLONE_NEWUSER) != 0 || setns(entrance.mounts, CLONE_NEWNS) != 0) return NO_ENTRY;
  int all = open(waiting_code, O_PATH | O_DIRECTORY | O_CLOEXEC);
  int tree = open_code(open_beneath(all, below, O_PATH));
  if (tree < 0) return NO_TREE;
  close(all);
  return umount2(waiting_code, MNT_DETACH) == 0 ? show_code(tree) : NO_LEAVE;
}

bool open_entrance(struct entrance *entrance, pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
  entrance->user = open(path, O_RDONLY | O_CLOEXEC);
  snprintf(path, sizeof path, "/proc/%d/ns/mnt", pid);
  entrance->mounts = open(path, O_RDONLY | O_CLOEXEC);
  return entrance->user >= 0 && entrance->mounts >= 0;
}

void close_entrance(struct entrance *entrance) {
  if (entrance->user >= 0) close(entrance->user);
  if (entrance->mounts >= 0) close(entrance->mounts);
  entrance->user = entrance->mounts = -1;
}

const char *give_code(struct entrance entrance, const char *code, const char *packages) {
  if (place.is_root) {
    int tree = open_code(open_allowed(code));
    if (tree < 0) return whys[NO_TREE];
    int result = visit(entrance, tree), why = errno;
    close(tree);
    errno = why;
    return whys[result];
  }
  size_t length = strlen(packages);
  int status = 0;
  if (strncmp(code, packages, length) != 0 || code[length] != '/') {
    errno = EINVAL;
    return "the code is not among that of all functions";
  }
  pid_t helper = fork();
  if (helper == 0) {
    int result = put_code(entrance, code + length + 1);
    _exit(result == DONE_WELL ? 0 : result << 5 | (errno > 31 ? 0 : errno));
  }
  if (helper < 0) return "cannot make a helper";
  while (waitpid(helper, &status, 0) < 0 && errno == EINTR) {}
  errno = WEXITSTATUS(status) & 31;
  return WIFEXITED(status) ? whys[WEXITSTATUS(status) >> 5] : whys[NO_ENTRY];
}
