# Attacks by way of the kernel: rights, namespaces, mounts, keys, clocks, modules, rare system calls, strange sockets.
import ctypes
import os
import resource
import socket

import kit

NEWNS, NEWUSER, SIGCHLD = 0x20000, 0x10000000, 17


def has_capabilities(given):
    status = kit.read_text('/proc/self/status')
    return int(status.split('CapEff:')[1].split()[0], 16) != 0


def become_root(given):
    os.setuid(0)
    os.setgroups([])
    return os.getuid() == 0


def can_gain_rights(given):
    return kit.libc.prctl(39, 0, 0, 0, 0) == 0


def nest_user_namespace(given):
    return kit.in_child(lambda: kit.checked(kit.libc.unshare(NEWUSER)) == 0)


def clone_user_namespace(given):
    pid = kit.syscall((56, 220), NEWUSER | SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return True


def clone3_user_namespace(given):
    """clone3 hides its flags from a filter of system calls."""
    arguments = (ctypes.c_uint64 * 11)(NEWUSER, 0, 0, 0, SIGCHLD)
    pid = kit.syscall((435, 435), ctypes.byref(arguments), 88)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return True


def unshare_files(given):
    return kit.in_child(lambda: kit.checked(kit.libc.unshare(0x400)) == 0)


def mount_memory(given):
    def act():
        kit.checked(kit.libc.unshare(NEWNS))
        kit.checked(kit.libc.mount(b'none', b'/', None, 0x44000, None))
        return kit.checked(kit.libc.mount(b'x', b'/tmp', b'tmpfs', 0, None)) == 0

    return kit.in_child(act)


def unmount(given):
    return kit.reaches_kernel((166, 39), ctypes.c_char_p(b'/yunmen-no-such-place'), 2)


def clone_mount_tree(given):
    tree = kit.syscall((428, 428), -100, ctypes.c_char_p(b'/'), 1)
    os.close(tree)
    return True


def enter_namespace_of_another(given):
    def act():
        place = os.open('/proc/%d/ns/uts' % given['controlPid'], os.O_RDONLY)
        return kit.checked(kit.libc.setns(place, 0)) == 0

    return kit.in_child(act)


def enter_own_namespace_anew(given):
    """By a descriptor that it may open."""
    place = os.open('/proc/self/ns/uts', os.O_RDONLY)
    return kit.in_child(lambda: kit.reaches_kernel((308, 268), place, 0))


def open_by_handle(given):
    return kit.reaches_kernel((304, 265), -1, 0, 0)


def write_keyring(given):
    return kit.syscall((248, 217), ctypes.c_char_p(b'user'), ctypes.c_char_p(b'yunmen'), ctypes.c_char_p(b'x'), 1, -2) > 0


def read_keyring(given):
    return kit.reaches_kernel((250, 219), 0, -3, 1)


class Timex(ctypes.Structure):
    _fields_ = [('modes', ctypes.c_uint), ('rest', ctypes.c_long * 64)]


def change_clock(given):
    """Sets the clock's tick to what it is."""
    state = Timex()
    kit.checked(kit.libc.adjtimex(ctypes.byref(state)))
    state.modes = 0x4000
    return kit.checked(kit.libc.adjtimex(ctypes.byref(state))) >= 0


def set_clock(given):
    bad = (ctypes.c_long * 2)(0, 2000000000)
    return kit.reaches_kernel((227, 112), 0, ctypes.byref(bad))


def name_host(given):
    return kit.reaches_kernel((170, 161), 0, -1)


def load_module(given):
    return kit.reaches_kernel((175, 105), 0, 0, ctypes.c_char_p(b''))


def load_module_from_file(given):
    return kit.reaches_kernel((313, 273), -1, ctypes.c_char_p(b''), 0)


def load_kernel(given):
    return kit.reaches_kernel((246, 104), 0, 1000, 0, 0)


def reboot(given):
    return kit.reaches_kernel((169, 142), 0, 0, 0, 0)


def use_swap(given):
    return kit.reaches_kernel((167, 224), ctypes.c_char_p(b'/yunmen-no-such-file'), 0)


def read_kernel_log_by_call(given):
    return kit.syscall((103, 116), 10, 0, 0) > 0


def make_bpf_map(given):
    attributes = (ctypes.c_uint32 * 32)(2, 4, 4, 1)
    os.close(kit.syscall((321, 280), 0, ctypes.byref(attributes), 128))
    return True


def count_by_perf(given):
    return kit.reaches_kernel((298, 241), 0, 0, -1, -1, 0)


def handle_page_faults(given):
    os.close(kit.syscall((323, 282), 1))
    return True


def use_io_uring(given):
    return kit.reaches_kernel((425, 425), 1, 0)


def change_personality(given):
    before = kit.syscall((135, 92), 0xFFFFFFFF)
    kit.syscall((135, 92), 0x0040000)
    kit.syscall((135, 92), before)
    return True


def type_into_terminal(given):
    return terminal_call(0x5412)


def type_into_terminal_by_high_bits(given):
    """The kernel looks at 32 bits of the request; a filter that looks at 64 is passed."""
    return terminal_call(0x5412 | 1 << 32)


def change_line_discipline(given):
    """Loads the driver of a modem or a bus, and gives it what is typed."""
    return terminal_call(0x5423)


def take_console(given):
    return terminal_call(0x541d)


def hang_terminal_up(given):
    return terminal_call(0x5437)


def lock_terminal(given):
    return terminal_call(0x5457)


def terminal_call(request):
    null = os.open('/dev/null', os.O_RDWR)
    letter = ctypes.create_string_buffer(b'x', 64)
    try:
        return kit.reaches_kernel((16, 29), null, request, ctypes.byref(letter))
    finally:
        os.close(null)


def reach_any(calls):
    """What the kernel said to those that came to it; raises what the last one was told when none did."""
    reached, error = [], OSError('nothing to try')
    for numbers, *arguments in calls:
        try:
            reached.append('%d: %s' % (numbers[0], kit.reaches_kernel(numbers, *arguments)))
        except OSError as refusal:
            error = refusal
    if not reached:
        raise error
    return reached


def open_rare_protocols(given):
    """SCTP, DCCP, UDP-Lite, L2TP, SMC: the kernel loads them, or says that it has none."""
    kinds = ((5, 0), (1, 132), (6, 33), (2, 136), (2, 115), (1, 256))
    return reach_any([((41, 198), family, kind, protocol) for family in (2, 10) for kind, protocol in kinds])


def call_what_is_newer(given):
    """setxattrat, open_tree_attr, file_setattr: with arguments that do nothing."""
    return reach_any([((number, number), -1, 0, 0, 0, 0, 0) for number in (463, 467, 469)])


def dump_core(given):
    try:
        soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, max(hard, 1 << 20) if hard != -1 else hard))
        resource.setrlimit(resource.RLIMIT_CORE, (soft, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        return True
    except ValueError:
        return None  # Python's word for not allowed


def open_socket(family, kind, protocol=0):
    socket.socket(family, kind, protocol).close()
    return True


def send_raw_packets(given):
    return open_socket(socket.AF_INET, socket.SOCK_RAW, 1)


def capture_packets(given):
    return open_socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300)


def talk_to_kernel_subsystems(given):
    return open_socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 15)


def join_other_process_group(given):
    """Real-time processes take the processor from everybody."""
    before = os.sched_getscheduler(0)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    os.sched_setscheduler(0, before, os.sched_param(0))
    return True


def be_spared_by_the_kernel(given):
    """The out-of-memory killer takes others then."""
    with open('/proc/self/oom_score_adj', 'r+') as file:
        before = file.read()
        file.seek(0)
        file.write('-999')
        file.flush()
        file.seek(0)
        file.write(before.strip())
    return True
