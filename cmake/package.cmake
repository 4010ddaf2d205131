# SPDX-License-Identifier: MIT
# What makes an installed tree usable from outside: `pkg-config spanalloc`, and find_package(spanalloc) with the targets
# spanalloc::spanalloc and spanalloc::static.  All paths are relative, so the tree may be moved; but below /usr nobody
# moves it, and pkg-config leaves out the directories that the compiler knows only if they are written plainly.
include(CMakePackageConfigHelpers)

file(RELATIVE_PATH pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
file(RELATIVE_PATH pc_libdir ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH pc_includedir ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
string(REGEX REPLACE "/$" "" pc_prefix "\${pcfiledir}/${pc_prefix}")
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
        set(pc_prefix /usr)
endif()
configure_file(cmake/spanalloc.pc.in spanalloc.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/spanalloc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/spanalloc)
write_basic_package_version_file(spanallocConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES cmake/spanallocConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/spanallocConfigVersion.cmake
        DESTINATION ${package_dir})
install(EXPORT spanallocTargets NAMESPACE spanalloc:: DESTINATION ${package_dir})
