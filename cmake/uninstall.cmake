# SPDX-License-Identifier: MIT
# After an install to where it is to stay, the commands that a package would run; and the target uninstall, which removes
# what the manifest of the last install names.  This file is included when configuring, and run as that target's script.
if(CMAKE_SCRIPT_MODE_FILE)
        if(NOT EXISTS ${MANIFEST})
                message(FATAL_ERROR "${MANIFEST} is not there: nothing was installed from this tree")
        endif()
        file(STRINGS ${MANIFEST} files)
        set(folders "")
        foreach(file IN LISTS files)
                file(REMOVE $ENV{DESTDIR}${file})
                message("removed $ENV{DESTDIR}${file}")
                # Those above it, but the prefix, its children and share/man, which are shared.
                string(REGEX REPLACE "^${PREFIX}/" "" folder ${file})
                get_filename_component(folder ${folder} DIRECTORY)
                while(folder MATCHES "^[^/].*/" OR folder STREQUAL "libexec")
                        list(APPEND folders ${folder})
                        get_filename_component(folder ${folder} DIRECTORY)
                endwhile()
        endforeach()
        # The deepest first: each is empty once those in it are gone.
        list(REMOVE_DUPLICATES folders)
        list(REMOVE_ITEM folders share/man)
        list(SORT folders ORDER DESCENDING)
        foreach(folder IN LISTS folders)
                file(GLOB inside LIST_DIRECTORIES true $ENV{DESTDIR}${PREFIX}/${folder}/* $ENV{DESTDIR}${PREFIX}/${folder}/.*)
                if(NOT inside)
                        file(REMOVE_RECURSE $ENV{DESTDIR}${PREFIX}/${folder})
                endif()
        endforeach()
        file(REMOVE ${MANIFEST})
        return()
endif()

add_custom_target(uninstall
        COMMAND ${CMAKE_COMMAND} -DMANIFEST=${CMAKE_BINARY_DIR}/install_manifest.txt -DPREFIX=${CMAKE_INSTALL_PREFIX}
                -P ${CMAKE_CURRENT_LIST_FILE}
        VERBATIM)

configure_file(cmake/after_install.cmake.in after_install.cmake @ONLY)
install(SCRIPT ${CMAKE_BINARY_DIR}/after_install.cmake)
