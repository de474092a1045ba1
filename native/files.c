// Files and paths, looked at as if somebody were changing them meanwhile: nothing here follows a link below where it begins.
#define _GNU_SOURCE
#include "sandbox.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
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

// Takes one name out of a directory, and if it is a directory itself, what is in it.
static void remove_entry(int parent, const char *name, int depth) {
  if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return;
  int directory = depth < 0 ? -1 : openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *list = directory < 0 ? NULL : fdopendir(directory);
  if (list == NULL && directory >= 0) close(directory);
  for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) remove_entry(directory, entry->d_name, depth - 1);
  if (list != NULL) closedir(list);
  unlinkat(parent, name, AT_REMOVEDIR);
}

void remove_directory(const char *path, int depth) {
  remove_entry(AT_FDCWD, path, depth);
}

bool is_same_file(int one, const struct stat *other) {
  struct stat seen;
  return fstat(one, &seen) == 0 && seen.st_dev == other->st_dev && seen.st_ino == other->st_ino;
}
