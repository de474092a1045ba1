// Files and paths, looked at as if somebody were changing them meanwhile: nothing here follows a link below where it begins.
#define _GNU_SOURCE
#include "sandbox.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

bool write_file(const char *path, const char *text) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  ssize_t written = write(file, text, strlen(text));
  int why = errno;
  close(file);
  errno = why;
  return written == (ssize_t)strlen(text);
}

int open_beneath(int directory, const char *path, int flags) {
  struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
  return (int)syscall(SYS_openat2, directory, path[0] == 0 ? "." : path, &how, sizeof how);
}

int open_instance_directory(const struct place *place, const char *id) {
  char below[8 + ID_LENGTH];
  snprintf(below, sizeof below, "i/%s", id);
  int run = open(place->run_dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int found = run < 0 ? -1 : open_beneath(run, below, O_PATH | O_DIRECTORY);
  if (run >= 0) close(run);
  return found;
}

int open_directory(int parent, const char *name) {
  int found = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (found >= 0 || errno != EACCES) return found;
  char path[32];
  int itself = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  snprintf(path, sizeof path, "/proc/self/fd/%d", itself); // a name could be a link by now
  if (itself >= 0 && chmod(path, 0700) == 0) found = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int why = errno;
  if (itself >= 0) close(itself);
  errno = why;
  return found;
}

static DIR *list_directory(int parent, const char *name) {
  int directory = open_directory(parent, name);
  DIR *list = directory < 0 ? NULL : fdopendir(directory);
  if (list == NULL && directory >= 0) close(directory);
  return list;
}

// To a name that nobody has taken: who made this directory may have guessed some. What is replaced is an empty directory.
static bool move_up(int from, const char *name, int top) {
  static unsigned count;
  char to[32];
  for (int tries = 0; tries < 1024; tries++) {
    snprintf(to, sizeof to, ".%u", count++);
    if (renameat(from, name, top, to) == 0) return true;
    if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR) return false;
  }
  return false;
}

// Empties the directory but for those directories in it that have something in them; these are moved to `top`, -1: they stay.
// Whether anything has changed.
static bool clear(DIR *list, int top, int64_t until) {
  bool has_changed = false;
  for (struct dirent *entry; now_ms() < until && (entry = readdir(list)) != NULL;) {
    const char *name = entry->d_name;
    int own = dirfd(list);
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    has_changed = unlinkat(own, name, 0) == 0 || unlinkat(own, name, AT_REMOVEDIR) == 0 || (top >= 0 && move_up(own, name, top)) || has_changed;
  }
  return has_changed;
}

// However deep it is, two directories are open at once: what lies below is moved up, level by level.
void remove_tree(const char *path, int64_t until) {
  DIR *top = list_directory(AT_FDCWD, path);
  for (bool goes_on = true; top != NULL && goes_on && now_ms() < until;) {
    goes_on = clear(top, -1, until);
    rewinddir(top);
    for (struct dirent *entry; now_ms() < until && (entry = readdir(top)) != NULL;) {
      DIR *below = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ? NULL : list_directory(dirfd(top), entry->d_name);
      if (below == NULL) continue;
      goes_on = clear(below, dirfd(top), until) || goes_on;
      closedir(below);
    }
    rewinddir(top);
  }
  if (top != NULL) closedir(top);
  if (rmdir(path) != 0 && errno == ENOTDIR) unlink(path);
}

void close_between(unsigned from, unsigned to) {
  if (syscall(SYS_close_range, from, to, 0) == 0) return;
  // A container's filter of system calls may not know that one.
  DIR *list = opendir("/proc/self/fd");
  if (list == NULL) _exit(125); // what it was to close would be somebody else's now
  for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
    unsigned each = (unsigned)strtoul(entry->d_name, NULL, 10);
    if (entry->d_name[0] != '.' && each >= from && each <= to && (int)each != dirfd(list)) close((int)each);
  }
  closedir(list);
}

bool is_same_file(int one, const struct stat *other) {
  struct stat seen;
  return fstat(one, &seen) == 0 && seen.st_dev == other->st_dev && seen.st_ino == other->st_ino;
}
