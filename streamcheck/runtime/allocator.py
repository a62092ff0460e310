"""How does the C library hand out memory to threads? From one arena, where it lets itself be told."""

import ctypes
import os

_ARENA_MAX = -8
"""M_ARENA_MAX of glibc's malloc.h."""


def one_arena() -> bool:
    """Let all threads take memory from the same arena; whether they do. To be called before there are any.

    By itself glibc gives each thread an arena, and what is free in one is of no use to the others: 7 MB of a run over
    Kafka. Our threads ask while they hold Python's lock, so that hardly one waits for another. MALLOC_ARENA_MAX in the
    environment comes first; other C libraries are left alone.
    """
    if "MALLOC_ARENA_MAX" in os.environ:
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # no glibc, or no way to ask
        return False
    return bool(set_option(_ARENA_MAX, 1))
