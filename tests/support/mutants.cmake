# SPDX-License-Identifier: MIT
# That a test can fail: the same program with the client or the collector slightly wrong.  Adding a mutant is adding a file
# to step/mutants or model/mutants: a sed script for one source file, and in its comment which one (File), what is compiled
# with the outcome (Sources), and what the program has to be told so that it notices (Script; may be missing).

# A program DIR_mutant_NAME: `objects`, and ahead of the libraries the sources that `path` makes wrong.
function(add_mutant program path objects directory)
        file(STRINGS ${path} lines LIMIT_COUNT 4 REGEX "^# [A-Z][a-z]+: ")
        foreach(line IN LISTS lines)
                string(REGEX MATCH "^# ([A-Z][a-z]+): (.*)$" _ "${line}")
                set(is_${CMAKE_MATCH_1} "${CMAKE_MATCH_2}")
        endforeach()
        set(dir ${CMAKE_CURRENT_BINARY_DIR}/mutants/${program})
        set(original ${PROJECT_SOURCE_DIR}/${is_File})
        get_filename_component(parent ${dir}/${is_File} DIRECTORY)
        file(MAKE_DIRECTORY ${parent})
        # One that changes nothing any more would be caught by nobody.
        add_custom_command(OUTPUT ${dir}/${is_File}
                COMMAND sh -c "sed -f '${path}' '${original}' >'${dir}/${is_File}' && ! cmp -s '${original}' '${dir}/${is_File}'"
                DEPENDS ${original} ${path} VERBATIM)
        add_executable(${program})
        if(is_File MATCHES "\\.c$")
                target_sources(${program} PRIVATE ${dir}/${is_File})
        else()
                add_custom_target(${program}_header DEPENDS ${dir}/${is_File})
                add_dependencies(${program} ${program}_header)
        endif()
        separate_arguments(is_Sources)
        foreach(source IN LISTS is_Sources)
                if(NOT source STREQUAL is_File)
                        target_sources(${program} PRIVATE ${PROJECT_SOURCE_DIR}/${source})
                endif()
        endforeach()
        # Before the libraries, which have the right ones.
        target_include_directories(${program} BEFORE PRIVATE ${dir})
        target_link_libraries(${program} PRIVATE ${objects})
        target_compile_options(${program} PRIVATE -O2 -w)
        set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${directory})
        set(mutant_script "${is_Script}" PARENT_SCOPE)
endfunction()

# All of KIND/mutants, and a test KIND.mutants that runs KIND/mutants.sh with the folder of the programs and NAME=SCRIPT of
# each.
function(add_mutants kind objects directory)
        set(mutants)
        file(GLOB paths CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${kind}/mutants/*.sed)
        foreach(path IN LISTS paths)
                get_filename_component(name ${path} NAME_WE)
                add_mutant(${kind}_mutant_${name} ${path} ${objects} ${directory})
                list(APPEND mutants "${name}=${mutant_script}")
        endforeach()
        add_test(NAME ${kind}.mutants
                COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/${kind}/mutants.sh ${directory} ${mutants})
        set_tests_properties(${kind}.mutants PROPERTIES LABELS ${kind} TIMEOUT 300)
endfunction()
