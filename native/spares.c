// Gives a waiting spare the code of its function: a mount that is read-only before anybody can see it, put on /code in the
// spare's own mounts by a helper that enters them and ends. Called by table.c; of the spare only our own code runs by then.
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

// In the helper. Root brings the code along; an ordinary user finds it among that of all functions, which then goes.
static __attribute__((noinline)) int put_code(struct entrance entrance, int tree, const char *below) {
  if (below == NULL && setns(entrance.pidfd, CLONE_NEWNS) != 0) return NO_ENTRY;
  if (below != NULL && (setns(entrance.user, CLONE_NEWUSER) != 0 || setns(entrance.mounts, CLONE_NEWNS) != 0)) return NO_ENTRY;
  if (below != NULL) {
    int all = open(waiting_code, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if ((tree = open_code(open_beneath(all, below, O_PATH))) < 0) return NO_TREE;
    close(all);
    if (umount2(waiting_code, MNT_DETACH) != 0) return NO_LEAVE;
  }
  return syscall(SYS_move_mount, tree, "", AT_FDCWD, "/code", MOVE_MOUNT_F_EMPTY_PATH) == 0 ? DONE_WELL : NO_MOUNT;
}

// A helper, because who has entered another's mounts as an ordinary user cannot come back. Root's stays in our user, and needs no
// copy of our memory: making one takes longer than all else here.
static pid_t start_helper(struct entrance entrance, int tree, const char *below) {
  pid_t helper = place.is_root ? vfork() : fork();
  if (helper != 0) return helper;
  int result = put_code(entrance, tree, below);
  _exit(result == DONE_WELL ? 0 : result << 5 | (errno > 31 ? 0 : errno));
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
  const char *below = NULL;
  size_t length = strlen(packages);
  int tree = -1, status = 0;
  if (!place.is_root) {
    if (strncmp(code, packages, length) != 0 || code[length] != '/') {
      errno = EINVAL;
      return "the code is not among that of all functions";
    }
    below = code + length + 1;
  } else if ((tree = open_code(open_allowed(code))) < 0) return whys[NO_TREE];
  pid_t helper = start_helper(entrance, tree, below);
  int why = errno;
  if (tree >= 0) close(tree);
  while (helper > 0 && waitpid(helper, &status, 0) < 0 && errno == EINTR) {}
  errno = helper < 0 ? why : WEXITSTATUS(status) & 31;
  if (helper < 0) return "cannot make a helper";
  return WIFEXITED(status) ? whys[WEXITSTATUS(status) >> 5] : whys[NO_ENTRY];
}
