# Attacks on processes: of the host, of the server, of other instances, and on the own first process.
import ctypes
import os
import resource
import subprocess
import time

import kit


def see_host_processes(given):
    return kit.read_text('/proc/%d/cmdline' % given['controlPid']) == given['controlCommand']


def read_environment_of_another(given):
    return given['secret'] in kit.read_text('/proc/%d/environ' % given['victimPid'])


def use_credentials_of_another(given):
    """The token itself, for the test to use."""
    for variable in kit.read_text('/proc/%d/environ' % given['victimPid']).split('\0'):
        if variable.startswith('ALIBABA_CLOUD_SECURITY_TOKEN='):
            return variable.split('=', 1)[1]


def first_mapping(pid):
    return int(kit.read_text('/proc/%d/maps' % pid).split('-', 1)[0], 16)


def read_memory_of_another(given):
    with open('/proc/%d/mem' % given['victimPid'], 'rb', buffering=0) as memory:
        memory.seek(first_mapping(given['victimPid']))
        return len(memory.read(64)) == 64


def read_memory_by_system_call(given):
    class Vector(ctypes.Structure):
        _fields_ = [('base', ctypes.c_void_p), ('length', ctypes.c_size_t)]

    into = ctypes.create_string_buffer(64)
    ours = Vector(ctypes.cast(into, ctypes.c_void_p), 64)
    theirs = Vector(first_mapping(given['victimPid']), 64)
    return kit.syscall((310, 270), given['victimPid'], ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0) == 64


def trace_another(given):
    # The tracer's end lets go of it.
    return kit.in_child(lambda: kit.syscall((101, 117), 0x4206, given['victimPid'], 0, 0) == 0)


def trace_own_child(given):
    """What a debugger needs; within the instance, refused all the same because it weakens the filter of system calls."""
    child = subprocess.Popen(['sleep', '60'])
    try:
        return kit.in_child(lambda: kit.syscall((101, 117), 0, 0, 0, 0) == 0)
    finally:
        child.kill()
        child.wait()


def signal_another(given):
    os.kill(given['victimPid'], 0)
    return True


def signal_server(given):
    os.kill(given['controlPid'], 0)
    return True


def signal_own_first_process(given):
    os.kill(os.getppid(), 0)
    return True


def continue_own_first_process(given):
    """Who may send this may stop it too: then nobody measures memory."""
    os.kill(os.getppid(), 18)
    return True


def limit_own_first_process(given):
    """Who may set its limits may take its descriptors away: then it measures nothing."""
    first = os.getppid()
    soft, hard = resource.prlimit(first, resource.RLIMIT_NOFILE)
    resource.prlimit(first, resource.RLIMIT_NOFILE, (0, hard))
    resource.prlimit(first, resource.RLIMIT_NOFILE, (soft, hard))
    return True


def slow_own_first_process(given):
    """Behind everything else that runs: who measures, and hears that all is to end."""
    first = os.getppid()
    before = os.sched_getscheduler(first)
    os.sched_setscheduler(first, os.SCHED_BATCH, os.sched_param(0))
    os.sched_setscheduler(first, before, os.sched_param(0))
    return True


def slow_all_of_own_user(given):
    """Its first process among them. (To the priority that it has; nothing is lowered.)"""
    os.setpriority(os.PRIO_USER, 0, os.getpriority(os.PRIO_PROCESS, 0))
    return True


def take_descriptor_of_another(given):
    process = kit.syscall((434, 434), given['controlPid'], 0)
    return kit.syscall((438, 438), process, 0, 0) >= 0


def change_limits_of_another(given):
    return bool(resource.prlimit(given['victimPid'], resource.RLIMIT_NOFILE))


def change_priority_of_another(given):
    os.setpriority(os.PRIO_PROCESS, given['victimPid'], os.getpriority(os.PRIO_PROCESS, given['victimPid']))
    return True


def find_shared_memory_of_another(given):
    """System V memory that the victim has made."""
    id = kit.checked(kit.libc.shmget(given['sharedKey'], 0, 0))
    kit.libc.shmctl(id, 0, None)
    return True


def outlive(given):
    """A daemon of its own session whose parents have gone; then the program itself ends."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            null = os.open('/dev/null', os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(null, descriptor)
            os.closerange(3, 256)
            os.execvp('sleep', ['sleep', given['seconds']])
        os._exit(0)
    os.wait()
    time.sleep(0.05)
    os._exit(9)
