# SPDX-License-Identifier: MIT
"""Spans for Python: a context manager over libspanalloc.

    import spanalloc

    with spanalloc.span("load"):
        rows = load()

A `with` block must not hold an await: other tasks would run in the span.  A coroutine is in its span at its own steps only with

    rows = await spanalloc.span("load").around(load())

Without the library, or with no collector, `span` does nothing.  Python takes small objects from pools of its own;
run it with PYTHONMALLOC=malloc to see each of them, and under the counting preload to see any.

Run this file to try it:

    PYTHONMALLOC=malloc spanallocctl run -- python3 spanalloc.py
"""

import ctypes
import os


class _Span(ctypes.Structure):
    _fields_ = [
        ("instance", ctypes.c_uint64),
        ("path", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
    ]


def _load():
    """The copy that is in the process already, else $SPANALLOC_LIBRARY, else the installed one, else None.

    By its soname: ctypes.util.find_library() would start ldconfig, a compiler and a linker.
    """
    for name in (None, os.environ.get("SPANALLOC_LIBRARY", "libspanalloc.so.0"), "libspanalloc.so.0"):
        try:
            library = ctypes.CDLL(name)
            library.spanalloc_open.restype = _Span
            library.spanalloc_open.argtypes = [ctypes.c_void_p]
            library.spanalloc_site_intern.restype = ctypes.c_void_p
            library.spanalloc_site_intern.argtypes = [ctypes.c_char_p]
            for call in ("spanalloc_enter", "spanalloc_exit", "spanalloc_close"):
                getattr(library, call).restype = None
                getattr(library, call).argtypes = [_Span]
            return library
        except (OSError, AttributeError):
            continue
    return None


_library = _load()
_sites = {}


def _site(name):
    if name not in _sites:
        _sites[name] = _library.spanalloc_site_intern(name.encode())
    return _sites[name]


class span:
    """One unit of work: opened and entered by `with`, exited and closed at its end.

    `pause` and `resume` stop it and let it go on, on this thread or another.  `around` is for a coroutine.
    """

    def __init__(self, name):
        self._name = name
        self._span = None

    def __enter__(self):
        if _library:
            self._span = _library.spanalloc_open(_site(self._name))
            _library.spanalloc_enter(self._span)
        return self

    def __exit__(self, *exception):
        if self._span is not None:
            _library.spanalloc_exit(self._span)
            _library.spanalloc_close(self._span)
            self._span = None
        return False

    def around(self, coroutine):
        """An awaitable that is `coroutine`, with each of its steps in the span, and no step of another task."""
        return _Around(self, coroutine)

    def pause(self):
        if self._span is not None:
            _library.spanalloc_exit(self._span)

    def resume(self):
        if self._span is not None:
            _library.spanalloc_enter(self._span)


class _Around:
    def __init__(self, unit, coroutine):
        self._unit = unit
        self._coroutine = coroutine

    def __await__(self):
        step, value = self._coroutine.send, None
        with self._unit as unit:
            while True:
                try:
                    waits_for = step(value)
                except StopIteration as end:
                    return end.value
                unit.pause()
                try:
                    step, value = self._coroutine.send, (yield waits_for)
                except GeneratorExit:
                    unit.resume()
                    self._coroutine.close()
                    raise
                except BaseException as error:
                    step, value = self._coroutine.throw, error
                unit.resume()


def _example():
    with span("example"):
        with span("numbers"):
            squares = [n * n for n in range(100_000, 200_000)]
        with span("text"):
            text = ",".join(map(str, squares))
    print(f"{len(text)} bytes of text; libspanalloc is {'here' if _library else 'not here'}")


if __name__ == "__main__":
    _example()
