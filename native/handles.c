// What an instance is given before there is a process of it: output, start line, the way to its first process; and its
// own user's way to its sockets. Called by table.c.
#define _GNU_SOURCE
#include "server.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

// The function's output is connected and its start line written before there is a process of it.
const char *open_handles(const struct start *start, struct handles *child, int *own, uid_t uid) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char path[PATH_LIMIT];
  int line[2] = {-1, -1}, pair[2] = {-1, -1};
  *child = (struct handles){-1, -1, -1};
  snprintf(address.sun_path, sizeof address.sun_path, "%s/i/%s/l.sock", place.run_dir, start->id);
  child->output = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (child->output < 0 || connect(child->output, (struct sockaddr *)&address, sizeof address) != 0) return "cannot connect its log socket";
  fcntl(child->output, F_SETFL, 0);
  if (pipe2(line, O_CLOEXEC) != 0) return "cannot make its start pipe";
  child->input = line[0];
  ssize_t written = write(line[1], start->start_line, strlen(start->start_line));
  close(line[1]);
  if (written != (ssize_t)strlen(start->start_line)) return "cannot write its start line";
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return "cannot make its control socket";
  child->control = pair[0];
  *own = pair[1];
  if (place.tier == TIER_NONE || !place.is_root) return NULL;
  // Its own user must reach the directory and the frame socket; what they are is looked at, not believed.
  struct stat seen;
  snprintf(path, sizeof path, "%s/i/%s/f.sock", place.run_dir, start->id);
  int frames = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  bool is_given = frames >= 0 && fstat(frames, &seen) == 0 && S_ISSOCK(seen.st_mode) && fchownat(frames, "", uid, uid, AT_EMPTY_PATH) == 0;
  if (frames >= 0) close(frames);
  if (!is_given) return "cannot give it its frame socket";
  *strrchr(path, '/') = 0;
  int directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  is_given = directory >= 0 && fchmod(directory, 0711) == 0;
  if (directory >= 0) close(directory);
  return is_given ? NULL : "cannot open its directory to it";
}

void close_handles(struct handles handles) {
  if (handles.control >= 0) close(handles.control);
  if (handles.input >= 0) close(handles.input);
  if (handles.output >= 0) close(handles.output);
}
