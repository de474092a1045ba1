// Files, as several parts of sandd need them.
#define _GNU_SOURCE
#include "sandbox.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
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

void remove_directory(const char *path, int depth) {
  DIR *list = depth < 0 ? NULL : opendir(path);
  for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
    char below[PATH_LIMIT];
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (snprintf(below, sizeof below, "%s/%s", path, entry->d_name) >= (int)sizeof below) continue;
    if (unlink(below) != 0) remove_directory(below, depth - 1);
  }
  if (list != NULL) closedir(list);
  rmdir(path);
}
