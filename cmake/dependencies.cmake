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

# msgpack-c has gone by three names.  Debian 13's file has a relative includedir, which names nothing.
pkg_search_module(MSGPACK REQUIRED IMPORTED_TARGET msgpack-c msgpackc msgpack)
get_target_property(msgpack_include PkgConfig::MSGPACK INTERFACE_INCLUDE_DIRECTORIES)
if(msgpack_include)
        list(FILTER msgpack_include INCLUDE REGEX "^/")
        set_target_properties(PkgConfig::MSGPACK PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${msgpack_include}")
endif()

if(SPANALLOC_TESTS)
        pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
        pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
endif()
