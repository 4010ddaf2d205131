# SPDX-License-Identifier: MIT
"""Spans for Python: a context manager over libspanalloc.

    import spanalloc

    with spanalloc.span("load"):
        rows = load()

Without the library, or with no collector, `span` does nothing.  Python takes small objects from pools of its own;
run it with PYTHONMALLOC=malloc to see each of them, and under the counting preload to see any.

Run this file to try it:

    PYTHONMALLOC=malloc spanallocctl run -- python3 spanalloc.py
"""

import ctypes
import ctypes.util
import os


class _Span(ctypes.Structure):
    _fields_ = [
        ("instance", ctypes.c_uint64),
        ("path", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
    ]


def _load():
    """The copy that is in the process already, else the installed one, else None."""
    for name in (None, os.environ.get("SPANALLOC_LIBRARY"), "libspanalloc.so.0",
                 ctypes.util.find_library("spanalloc")):
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

    `pause` and `resume` stop it and let it go on, on this thread or another.
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

    def pause(self):
        if self._span is not None:
            _library.spanalloc_exit(self._span)

    def resume(self):
        if self._span is not None:
            _library.spanalloc_enter(self._span)


def _example():
    with span("example"):
        with span("numbers"):
            squares = [n * n for n in range(100_000, 200_000)]
        with span("text"):
            text = ",".join(map(str, squares))
    print(f"{len(text)} bytes of text; libspanalloc is {'here' if _library else 'not here'}")


if __name__ == "__main__":
    _example()
