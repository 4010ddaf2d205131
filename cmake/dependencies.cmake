# SPDX-License-Identifier: MIT
# Each dependency has one imported target here and one home in the tree; tests/layering.sh holds that.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

pkg_check_modules(URING REQUIRED IMPORTED_TARGET liburing>=2.3)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd>=252)
pkg_check_modules(NCURSES REQUIRED IMPORTED_TARGET ncursesw)
pkg_check_modules(SMARTCOLS REQUIRED IMPORTED_TARGET smartcols)
pkg_check_modules(JSON REQUIRED IMPORTED_TARGET json-c)
pkg_check_modules(INIH REQUIRED IMPORTED_TARGET inih)

# msgpack-c has gone by three names.
pkg_search_module(MSGPACK REQUIRED IMPORTED_TARGET msgpack-c msgpackc msgpack)

if(SPANALLOC_TESTS)
        pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()
