# Attacks on what all share: processes, memory, disk, descriptors, output. All are bounded, so that they may succeed.
import ctypes
import mmap
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time

import kit


def keep_processes(given):
    """For longer than anybody may take to see it."""
    return bomb_of_processes(given, 1.5)


def bomb_of_processes(given, seconds=0):
    """At most 2,000 that wait. They share this process's memory, so that it is their number alone that counts."""
    pids, stacks = [], ctypes.create_string_buffer(2000 * 8192)
    pause = ctypes.cast(kit.libc.pause, ctypes.c_void_p)
    top = ctypes.addressof(stacks) & ~15
    try:
        for number in range(1, 2000):
            pid = kit.libc.clone(pause, ctypes.c_void_p(top + number * 8192), 0x100 | signal.SIGCHLD, None)
            if pid == -1:
                break
            pids.append(pid)
        time.sleep(seconds)
        return 'made %d' % len(pids) if len(pids) > 1024 else None
    finally:
        kit.end_all(pids)


def hold_memory(megabytes, flags=mmap.MAP_PRIVATE):
    memory = mmap.mmap(-1, megabytes << 20, flags | mmap.MAP_ANONYMOUS)
    for at in range(0, megabytes << 20, 4096):
        memory[at] = 1
    return memory


def bomb_of_memory(given):
    """Three times what the function has, for longer than anybody may take to see it."""
    held = hold_memory(384)
    time.sleep(1)
    return len(held) > 0


def bomb_of_memory_unseen(given):
    """With nobody who could look: its first process may open nothing meanwhile."""
    first = os.getppid()
    soft, hard = resource.prlimit(first, resource.RLIMIT_NOFILE)
    resource.prlimit(first, resource.RLIMIT_NOFILE, (0, hard))
    try:
        return bomb_of_memory(given)
    finally:
        resource.prlimit(first, resource.RLIMIT_NOFILE, (soft, hard))


def bomb_of_shared_mapping(given):
    """Memory that could be shared with children is counted otherwise than the own."""
    held = hold_memory(384, mmap.MAP_SHARED)
    time.sleep(1)
    return len(held) > 0


def bomb_of_nameless_files(given):
    """Files in memory that are mapped nowhere."""
    file = os.memfd_create('bomb')
    for _ in range(300):
        os.write(file, b'x' * (1 << 20))
    time.sleep(1)
    size = os.fstat(file).st_size
    os.close(file)
    return size == 300 << 20


def bomb_of_memory_by_children(given):
    pids = []
    reader, writer = os.pipe()
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            held = hold_memory(96)
            os.write(writer, b'.')
            time.sleep(30)
            os._exit(len(held) and 0)
        pids.append(pid)
    holding, gone = 0, []
    while holding < 4 and not gone:
        if select.select([reader], [], [], 0.1)[0]:
            holding += len(os.read(reader, 4))
        gone = [pid for pid in pids if os.waitpid(pid, os.WNOHANG) != (0, 0)]
    time.sleep(0 if gone else 1.2)
    alive = [pid for pid in pids if pid not in gone and os.waitpid(pid, os.WNOHANG) == (0, 0)]
    kit.end_all(alive)
    os.close(reader)
    os.close(writer)
    return holding == len(alive) == 4


def bomb_of_memory_far_below(given):
    """Where only so many generations are looked at, one of the next may have what it likes."""
    path = tempfile.mktemp(prefix='yunmen-deep-', dir=kit.temporary)
    with open(path, 'w') as script:
        script.write('if [ "$1" -gt 0 ]; then sh "$0" $(($1 - 1)); exit; fi\n"$PYTHON" -c "%s"; exit\n' % HOLDS)
    try:
        said = subprocess.run(['sh', path, '70'], stdout=subprocess.PIPE, env={**os.environ, 'PYTHON': sys.executable})
        return said.stdout.strip()
    finally:
        os.unlink(path)


HOLDS = "import time; held = b'x' * (384 << 20); time.sleep(1.5); print('held')"


def bomb_of_memory_in_tmp(given):
    path = tempfile.mktemp(prefix='yunmen-memory-', dir=kit.temporary)
    try:
        with open(path, 'wb', buffering=0) as file:
            for _ in range(300):
                file.write(b'x' * (1 << 20))
        return os.path.getsize(path) == 300 << 20
    finally:
        os.unlink(path)


def allocate(directory, size):
    path = tempfile.mktemp(prefix='yunmen-disk-', dir=directory)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.posix_fallocate(file, 0, size)
        os.close(file)
        return os.path.getsize(path) == size
    finally:
        os.unlink(path)


def bomb_of_disk(given):
    return allocate(kit.temporary, 600 << 20)


def bomb_of_shared_memory(given):
    return allocate('/dev/shm', 100 << 20)


def bomb_of_files(given):
    directory = tempfile.mkdtemp(prefix='yunmen-files-', dir='/dev/shm')
    made = 0
    try:
        for made in range(20000):
            os.close(os.open('%s/%d' % (directory, made), os.O_WRONLY | os.O_CREAT))
        return made
    finally:
        for name in os.listdir(directory):
            os.unlink(directory + '/' + name)
        os.rmdir(directory)


def bomb_of_descriptors(given):
    """More than an instance's process may have, in a process of its own."""
    def act():
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, 18000), max(hard, 18000)))
        except ValueError:
            pass  # Python's word for not allowed: as many as there are
        for _ in range(17000):
            os.dup(0)
        return True

    return kit.in_child(act)


def lock_memory(given):
    memory = mmap.mmap(-1, 16 << 20)
    place = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    return kit.checked(kit.libc.mlock(ctypes.c_void_p(place), ctypes.c_size_t(16 << 20))) == 0


def raise_priority(given):
    return kit.in_child(lambda: os.nice(-5) < 0)


def flood_log(given):
    """256 MB, more than anybody wants to read."""
    line = b'flooded ' * 8000
    for _ in range(4000):
        os.write(1, line)
    return True
