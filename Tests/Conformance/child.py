"""Work in a child process, whose end, however it comes, is told."""

import contextlib
import multiprocessing
import os
import resource
import signal
import traceback

MEMORY = 16 << 30


class Died(Exception):
    """The child ended before its work did, or took too long. The argument says how."""


@contextlib.contextmanager
def forked(work, seconds):
    """Runs `work(send)` in a fork of this process; gives an iterator over what it sends, which raises Died.

    `seconds` is what the child has for each message. It is killed when the block ends.
    """
    receive, send = multiprocessing.Pipe(duplex=False)
    process = os.fork()
    if process == 0:
        try:
            receive.close()
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            work(send.send)
            os._exit(0)
        except BaseException:  # nothing may return into the parent's code
            traceback.print_exc()
        finally:
            os._exit(1)
    send.close()
    status = None

    def messages():
        nonlocal status
        while True:
            if not receive.poll(seconds):
                raise Died("time-out")
            try:
                message = receive.recv()
            except (EOFError, OSError):
                break
            yield message
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        if status:
            raise Died(signal.Signals(-status).name if status < 0 else f"exit status {status}")

    try:
        yield messages()
    finally:
        if status is None:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        receive.close()
