# SPDX-License-Identifier: MIT
# After an install to where it is to stay, the commands that a package would run; and the target uninstall, which removes
# what the manifest of the last install names.  This file is included when configuring, and run as that target's script.
if(CMAKE_SCRIPT_MODE_FILE)
        cmake_minimum_required(VERSION 3.25)
        if(NOT EXISTS ${MANIFEST})
                message(FATAL_ERROR "${MANIFEST} is not there: nothing was installed from this tree")
        endif()
        file(STRINGS ${MANIFEST} files)
        # The folders that were there before the install (found_folders.cmake.in).
        string(MD5 name "$ENV{DESTDIR}${PREFIX}")
        cmake_path(REPLACE_FILENAME MANIFEST install_found_${name}.txt OUTPUT_VARIABLE list)
        if(EXISTS ${list})
                file(STRINGS ${list} found)
        else() # installed with another prefix than the configured one
                file(GLOB found LIST_DIRECTORIES true RELATIVE "$ENV{DESTDIR}${PREFIX}"
                        "$ENV{DESTDIR}${PREFIX}/*" "$ENV{DESTDIR}${PREFIX}/share/*")
        endif()
        set(folders "")
        foreach(file IN LISTS files)
                file(REMOVE $ENV{DESTDIR}${file})
                message("removed $ENV{DESTDIR}${file}")
                # Those above it, in the prefix.
                string(REGEX REPLACE "^${PREFIX}/" "" folder ${file})
                get_filename_component(folder ${folder} DIRECTORY)
                while(folder MATCHES "^[^/]" AND NOT folder IN_LIST found)
                        list(APPEND folders ${folder})
                        get_filename_component(folder ${folder} DIRECTORY)
                endwhile()
        endforeach()
        # The deepest first: each is empty once those in it are gone.
        list(REMOVE_DUPLICATES folders)
        list(SORT folders ORDER DESCENDING)
        foreach(folder IN LISTS folders)
                file(GLOB inside LIST_DIRECTORIES true $ENV{DESTDIR}${PREFIX}/${folder}/* $ENV{DESTDIR}${PREFIX}/${folder}/.*)
                if(NOT inside)
                        file(REMOVE_RECURSE $ENV{DESTDIR}${PREFIX}/${folder})
                endif()
        endforeach()
        file(REMOVE ${MANIFEST} ${list})
        return()
endif()

add_custom_target(uninstall
        COMMAND ${CMAKE_COMMAND} -DMANIFEST=${CMAKE_BINARY_DIR}/install_manifest.txt -DPREFIX=${CMAKE_INSTALL_PREFIX}
                -P ${CMAKE_CURRENT_LIST_FILE}
        VERBATIM)

configure_file(cmake/after_install.cmake.in after_install.cmake @ONLY)
install(SCRIPT ${CMAKE_BINARY_DIR}/after_install.cmake)
