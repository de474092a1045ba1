// Runs a program as in a container without privileges: the capabilities that containers keep, and a filter of system calls
// like theirs. Usage: container root|tracer|<uid> program [arguments]; tracer: root
// who may look into other users' processes besides, as a test of them must. Built by container.ts.
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const unsigned kept[] = {
  CAP_AUDIT_WRITE, CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_MKNOD, CAP_NET_BIND_SERVICE,
  CAP_NET_RAW, CAP_SETFCAP, CAP_SETGID, CAP_SETPCAP, CAP_SETUID, CAP_SYS_CHROOT,
};
static const int refused[] = {
  SYS_mount, SYS_umount2, SYS_pivot_root, SYS_setns, SYS_unshare, SYS_open_tree, SYS_move_mount, SYS_fsopen, SYS_fsmount,
  SYS_mount_setattr, SYS_bpf, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup,
};
enum { namespaces = CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS };

static void fail(const char *what) {
  perror(what);
  exit(125);
}

static void filter(void) {
  struct sock_filter program[128] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
  unsigned short length = 1;
  for (size_t at = 0; at < sizeof refused / sizeof *refused; at++) {
    program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)refused[at], 0, 1);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
  }
  program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1);
  program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
  program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3);
  program[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args));
  program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, namespaces, 0, 1);
  program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
  program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog all = {length, program};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &all) != 0) fail("seccomp");
}

static void drop(bool may_trace) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct has[2] = {{0, 0, 0}, {0, 0, 0}};
  for (size_t at = 0; at < sizeof kept / sizeof *kept; at++) has[kept[at] / 32].permitted |= 1u << kept[at] % 32;
  if (may_trace) has[0].permitted |= 1u << CAP_SYS_PTRACE;
  for (int half = 0; half < 2; half++) has[half].effective = has[half].permitted;
  for (unsigned each = 0; each < 64; each++)
    if (each >= 32 || (has[0].permitted & 1u << each) == 0)
      if (prctl(PR_CAPBSET_DROP, each, 0, 0, 0) != 0 && errno != EINVAL) fail("bounding set");
  if (syscall(SYS_capset, &header, has) != 0) fail("capset");
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  bool may_trace = strcmp(argv[1], "tracer") == 0;
  uid_t uid = may_trace || strcmp(argv[1], "root") == 0 ? 0 : (uid_t)strtoul(argv[1], NULL, 10);
  filter();
  drop(may_trace);
  if (uid != 0 && (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)) fail("user");
  if (uid != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("no new privileges");
  execvp(argv[2], argv + 2);
  fail(argv[2]);
}
