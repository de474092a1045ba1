# Entry of a Python instance: reads the start line, connects to the host, says hello, serves until the host goes.
# Started as `python /path/bootstrap.py` by the launcher; the protocol is told in ../PROTOCOL.md.
# Here and in agent/: what Python 2.7 and every Python 3 from 3.6 on can parse, and ASCII only.
import json
import os
import sys


def read_start_line():
    """The first line of fd 0 as bytes; fd 0 is /dev/null afterwards. At most 4 KB."""
    line = b''
    while not line.endswith(b'\n'):
        part = os.read(0, 4096 - len(line))
        if not part:
            raise SystemExit('no start line on standard input')
        line += part
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return line


def main():
    is_spare = 'FC_SPARE' in os.environ
    line = None if is_spare else read_start_line()
    home = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [home] + [entry for entry in sys.path if entry not in ('', home)]
    from agent import serve
    if is_spare:
        from agent import spare
    # Functions see neither this folder nor the modules that it holds.
    sys.path.remove(home)
    # (Kept here: Python 2 empties a module that nobody holds.)
    names = [name for name in sys.modules if name == 'agent' or name.startswith('agent.')]
    modules = [sys.modules.pop(name) for name in names]
    if is_spare:
        spare.rehearse(serve.rehearse)
        instance = serve.prepare(os.environ['FC_SPARE'].split(' ')[0])
        given = json.loads(spare.wait().decode('utf-8'))
        spare.take_environment(given['environment'])
    else:
        given = json.loads(line.decode('utf-8'))
        instance = serve.prepare(given['socket'])
    line = None
    serve.start(instance, given.pop('token'))
    del modules


if __name__ == '__main__':
    main()
