// What an instance may do: limits, capabilities (none), system calls (a list of refused ones), Landlock. Both its first
// process, which has its files confined before, and its program go through drop_rights; nothing of it can be taken back.
#define _GNU_SOURCE
#include "sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the filter of system calls knows x86_64 and aarch64"
#endif

// Refused whatever the arguments. Numbers above those of the headers here are written out.
static const int refused[] = {
  // the kernel and the machine
  SYS_acct, SYS_bpf, SYS_delete_module, SYS_finit_module, SYS_init_module, SYS_kexec_file_load, SYS_kexec_load, SYS_perf_event_open,
  SYS_quotactl, SYS_quotactl_fd, SYS_reboot, SYS_swapoff, SYS_swapon, SYS_syslog, SYS_vhangup, SYS_fanotify_init, SYS_nfsservctl,
  // clocks and names
  SYS_adjtimex, SYS_clock_adjtime, SYS_clock_settime, SYS_setdomainname, SYS_sethostname, SYS_settimeofday,
  // mounts, roots, namespaces
  SYS_chroot, SYS_fsconfig, SYS_fsmount, SYS_fsopen, SYS_fspick, SYS_mount, SYS_mount_setattr, SYS_move_mount, SYS_open_tree,
  SYS_pivot_root, SYS_setns, SYS_umount2, SYS_unshare, SYS_name_to_handle_at, SYS_open_by_handle_at,
  // other processes
  SYS_kcmp, SYS_migrate_pages, SYS_move_pages, SYS_pidfd_getfd, SYS_process_madvise, SYS_process_vm_readv, SYS_process_vm_writev, SYS_ptrace,
  // memory and keys
  SYS_add_key, SYS_keyctl, SYS_request_key, SYS_userfaultfd, SYS_lookup_dcookie,
#if defined(__x86_64__)
  SYS_ioperm, SYS_iopl, SYS_modify_ldt, SYS_sysfs, SYS_uselib, SYS_ustat, SYS__sysctl, SYS_create_module, SYS_get_kernel_syms, SYS_query_module,
#endif
};
// As if the kernel did not have them: libraries then take another way.
static const int unknown[] = {SYS_clone3, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register};
// So are those that nobody has looked at for this filter: later ones open mounts, set attributes of files, and whatever comes yet.
// Whoever raises it decides on each that comes in.
enum { NEWEST_LOOKED_AT = 462 /* mseal, Linux 6.10 */ };

enum { new_namespaces = CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS };

static struct sock_filter program[512];
static unsigned short program_length;

static void add(struct sock_filter line) {
  if (program_length == sizeof program / sizeof *program) give_up("cannot write", "the filter of system calls");
  program[program_length++] = line;
}

static void load(size_t offset) { add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offset)); }
static void answer(unsigned value) { add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, value)); }
// `skip` lines are left out when the loaded value is not (equal to) `value`; with `go` when it is.
static void when_equal(unsigned value, unsigned char skip) { add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)); }
static void when_equal_go(unsigned value, unsigned char skip) { add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, skip, 0)); }
static void when_any(unsigned bits, unsigned char skip) { add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, skip)); }
static void mask(unsigned bits) { add((struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits)); }

enum { allow = SECCOMP_RET_ALLOW };
static unsigned refuse(int why) { return SECCOMP_RET_ERRNO | (unsigned)why; }
static size_t argument(int index) { return offsetof(struct seccomp_data, args) + 8 * (size_t)index; } // low half, little endian

// Where System V memory, message queues and the like are everybody's.
static const int shared[] = {
  SYS_shmget, SYS_shmat, SYS_shmctl, SYS_semget, SYS_semop, SYS_semtimedop, SYS_semctl, SYS_msgget, SYS_msgsnd, SYS_msgrcv, SYS_msgctl,
  SYS_mq_open, SYS_mq_unlink,
};
// What Landlock does not look at, where all files are the same user's.
static const int modes[] = {
  SYS_fchmod, SYS_fchmodat, 452 /* fchmodat2 */, SYS_fchown, SYS_fchownat,
  // A list of who may what (ACL) is an attribute, and their names cannot be looked at.
  SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr, SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr,
#if defined(__x86_64__)
  SYS_chmod, SYS_chown, SYS_lchown,
#endif
};
// Their first argument is a process; 0 is the own one.
static const int of_a_process[] = {SYS_prlimit64, SYS_sched_setaffinity, SYS_sched_setattr, SYS_sched_setparam, SYS_sched_setscheduler};
static const int of_any_process[] = {SYS_setpriority, SYS_ioprio_set}; // their second is, if the first says so

// Of terminals, whatever their kind: a session's command has one that is the host's. Nothing that runs in one needs them.
static const unsigned terminal_calls[] = {
  0x5412 /* TIOCSTI: typing into it */, 0x541c /* TIOCLINUX: the console's selection */, 0x541d /* TIOCCONS: what the console says */,
  0x5423 /* TIOCSETD: its line discipline, which loads drivers of modems and buses */, 0x5437 /* TIOCVHANGUP */, 0x5457 /* TIOCSLCKTRMIOS: locks its settings */,
};

static void refuse_list(const int *list, size_t count) {
  for (size_t at = 0; at < count; at++) {
    when_equal((unsigned)list[at], 1);
    answer(refuse(EPERM));
  }
}

// Of limits, turns and priorities. Where others' processes are in sight, they are for the own process alone (0). In a namespace of
// processes they are for all but the first one, 1, which has the same user: who set its limits or its turns would keep it from
// measuring, and from ending all. Groups, and all of a user's, could hold it.
static void keep_from_processes(bool is_among_users) {
  unsigned process = is_among_users ? 0 : 1, it = is_among_users ? allow : refuse(EPERM), others = is_among_users ? refuse(EPERM) : allow;
  for (size_t at = 0; at < sizeof of_a_process / sizeof *of_a_process; at++) {
    when_equal((unsigned)of_a_process[at], 4);
    load(argument(0));
    when_equal(process, 1);
    answer(it);
    answer(others);
  }
  for (size_t at = 0; at < sizeof of_any_process / sizeof *of_any_process; at++) {
    when_equal((unsigned)of_any_process[at], 7);
    load(argument(0));
    when_equal(at == 0 ? 0u /* PRIO_PROCESS */ : 1u /* IOPRIO_WHO_PROCESS */, 4);
    load(argument(1));
    when_equal(process, 1);
    answer(it);
    answer(others);
    answer(refuse(EPERM));
  }
}

static void write_program(enum calls calls) {
  static const unsigned personalities[] = {0, 0xffffffff};
  // Others are code of the kernel's that hardly anybody uses, loaded on demand. MPTCP: what Go listens with.
  static const unsigned protocols[] = {0, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6, 262 /* IPPROTO_MPTCP */};
  enum { protocols_count = sizeof protocols / sizeof *protocols };
  load(offsetof(struct seccomp_data, arch));
  when_equal(OWN_ARCHITECTURE, 1);
  add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0));
  answer(SECCOMP_RET_KILL_PROCESS);
  load(offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
  add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1)); // the x32 numbers
  answer(refuse(ENOSYS));
#endif
  add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, NEWEST_LOOKED_AT, 0, 1));
  answer(refuse(ENOSYS));
  refuse_list(refused, sizeof refused / sizeof *refused);
  if (calls >= CALLS_AMONG_USERS) refuse_list(shared, sizeof shared / sizeof *shared);
  if (calls >= CALLS_OF_ONE_USER) refuse_list(modes, sizeof modes / sizeof *modes);
  keep_from_processes(calls >= CALLS_AMONG_USERS);
  for (size_t at = 0; at < sizeof unknown / sizeof *unknown; at++) {
    when_equal((unsigned)unknown[at], 1);
    answer(refuse(ENOSYS));
  }
  when_equal(SYS_clone, 4);
  load(argument(0));
  when_any(new_namespaces, 1);
  answer(refuse(EPERM));
  answer(allow);
  enum { calls_count = sizeof terminal_calls / sizeof *terminal_calls };
  when_equal(SYS_ioctl, 2 * calls_count + 2);
  load(argument(1)); // the kernel looks at 32 bits of it, too
  for (size_t at = 0; at < calls_count; at++) {
    when_equal(terminal_calls[at], 1);
    answer(refuse(EPERM));
  }
  answer(allow);
  when_equal(SYS_personality, 6);
  load(argument(0));
  for (size_t at = 0; at < 2; at++) {
    when_equal(personalities[at], 1);
    answer(allow);
  }
  answer(refuse(EPERM));
  when_equal(SYS_socketpair, 4);
  load(argument(0));
  when_equal(AF_UNIX, 1);
  answer(allow);
  answer(refuse(EAFNOSUPPORT));
  when_equal(SYS_socket, 22 + 2 * protocols_count);
  load(argument(0));
  when_equal(AF_NETLINK, 4); // only what lists the own addresses
  load(argument(2));
  when_equal(0 /* NETLINK_ROUTE */, 1);
  answer(allow);
  answer(refuse(EAFNOSUPPORT));
  when_equal(AF_UNIX, 5);
  load(argument(1));
  mask(0xf);
  when_equal(SOCK_RAW, 1);
  answer(refuse(EPERM));
  answer(allow);
  when_equal_go(AF_INET, 2);
  when_equal_go(AF_INET6, 1);
  answer(refuse(EAFNOSUPPORT));
  load(argument(1));
  mask(0xf);
  when_equal_go(SOCK_STREAM, 2);
  when_equal_go(SOCK_DGRAM, 1);
  answer(refuse(EPERM));
  load(argument(2));
  for (size_t at = 0; at < protocols_count; at++) {
    when_equal(protocols[at], 1);
    answer(allow);
  }
  answer(refuse(EPERM));
  answer(allow);
}

int landlock_version(void) {
  long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version < 0 ? 0 : (int)version;
}

// Names of newer rights and fields, for older headers: REFER, TRUNCATE, IOCTL_DEV; scopes of abstract sockets and signals.
struct ruleset { uint64_t files, network, scopes; };
enum { WRITE_RIGHTS = 0x1ff2 /* WRITE_FILE and all of MAKE_ and REMOVE_ */, REFER = 1 << 13, TRUNCATE = 1 << 14, IOCTL_DEV = 1 << 15 };

static void permit_writing(int rules, uint64_t rights, const char *path) {
  struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC)};
  if (rule.parent_fd < 0 || syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) give_up("cannot make a rule for", path);
  close(rule.parent_fd);
}

// Writing is for /tmp, /dev, the own /proc and an image's volumes only; other instances' and the host's abstract sockets are out of reach.
// Called by the first process before it has children, who are kept to the same rules: who was kept to others could neither be
// signalled by the first process nor be looked at by what is started beside the program later.
void confine_files(const struct start *start) {
  static const char *const writable[] = {"/tmp", "/dev", "/proc"};
  int version = landlock_version();
  if (version == 0) return;
  struct ruleset wanted = {.files = WRITE_RIGHTS | (version >= 2 ? REFER : 0) | (version >= 3 ? TRUNCATE : 0) | (version >= 5 ? IOCTL_DEV : 0),
                           .scopes = version >= 6 ? 3 : 0};
  int rules = (int)syscall(SYS_landlock_create_ruleset, &wanted, version >= 6 ? 24 : version >= 4 ? 16 : 8, 0);
  if (rules < 0) give_up("cannot make rules for", "files");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up("cannot refuse", "new privileges");
  for (size_t at = 0; at < sizeof writable / sizeof *writable; at++) permit_writing(rules, wanted.files, writable[at]);
  for (int at = 0; start->is_image && at < start->bindc; at++)
    if (start->binds[at].from[0] == 0) permit_writing(rules, wanted.files, start->binds[at].to);
  if (syscall(SYS_landlock_restrict_self, rules, 0) != 0) give_up("cannot keep to rules for", "files");
  close(rules);
}

// The program's own, below the rules of all: it signals neither the first process nor what is started beside it.
void confine_signals(void) {
  struct ruleset wanted = {.scopes = 2};
  if (landlock_version() < 6) return;
  int rules = (int)syscall(SYS_landlock_create_ruleset, &wanted, 24, 0);
  if (rules < 0 || syscall(SYS_landlock_restrict_self, rules, 0) != 0) give_up("cannot keep to rules for", "signals");
  close(rules);
}

void limit(int what, uint64_t value) {
  struct rlimit now, wanted = {value, value};
  if (getrlimit((__rlimit_resource_t)what, &now) != 0) give_up("cannot read", "a limit");
  if (now.rlim_max != RLIM_INFINITY && now.rlim_max < value) wanted.rlim_cur = wanted.rlim_max = now.rlim_max;
  if (setrlimit((__rlimit_resource_t)what, &wanted) != 0) give_up("cannot set", "a limit");
}

void set_limits(void) {
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_NOFILE, FILES_MAX);
  limit(RLIMIT_MEMLOCK, 8 << 20);
  limit(RLIMIT_MSGQUEUE, 0);
}

// Who may not do that has nothing in it that could be got: no new rights come by programs.
void drop_bounding(void) {
  for (int capability = 0; capability < 64; capability++)
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL && errno != EPERM) give_up("cannot drop", "a capability");
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) give_up("cannot drop", "ambient capabilities");
}

void refuse_calls(enum calls calls) {
  static enum calls written;
  if (program_length == 0 || written != calls) {
    program_length = 0;
    write_program(written = calls);
  }
  struct sock_fprog filter = {program_length, program};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) give_up("cannot filter", "system calls");
}

void drop_rights(enum tier tier) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
  set_limits();
  if (tier == TIER_USER) limit(RLIMIT_NPROC, PROCESSES_MAX); // counted within the user namespace
  drop_bounding();
  if (setresgid(SHOWN_ID, SHOWN_ID, SHOWN_ID) != 0) give_up("cannot change", "the group");
  if (setresuid(SHOWN_ID, SHOWN_ID, SHOWN_ID) != 0) give_up("cannot change", "the user");
  if (syscall(SYS_capset, &header, none) != 0) give_up("cannot drop", "capabilities");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up("cannot refuse", "new privileges");
  refuse_calls(CALLS_OF_ALL);
}
