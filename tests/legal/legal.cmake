# SPDX-License-Identifier: MIT
# The programs of tests/legal, and a test for each deed: all its cells (legal/cells.sh).
#
# Marks and steps are x86's.
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
        return()
endif()
set(legal ${CMAKE_CURRENT_SOURCE_DIR}/legal)
foreach(kind legal legal_plain)
        add_executable(${kind}_program ${legal}/legal.c ${legal}/deeds.c ${legal}/sandbox.c)
        set_target_properties(${kind}_program PROPERTIES OUTPUT_NAME ${kind})
        target_include_directories(${kind}_program PRIVATE ${PROJECT_SOURCE_DIR}/client/include)
endforeach()
target_link_libraries(legal_program PRIVATE spanalloc)
target_compile_definitions(legal_plain_program PRIVATE SPANALLOC_DISABLE)
add_executable(legal_step ${legal}/step.c)
add_executable(legal_shut ${legal}/legal_shut.c)
add_library(legal_plugin SHARED ${legal}/liblegal_plugin.c)
foreach(target legal_program legal_plain_program legal_step legal_shut legal_plugin)
        target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
        target_compile_options(${target} PRIVATE -Wall -Wextra -Wno-unused-parameter $<$<BOOL:${SPANALLOC_WERROR}>:-Werror>)
        target_link_libraries(${target} PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
        # The loader binds all at the start: what is stepped is not the loader.
        target_link_options(${target} PRIVATE -Wl,-z,now)
        set_target_properties(${target} PROPERTIES
                RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/legal
                LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/legal)
endforeach()

# These run in --quick too.
set(quick seccomp siglongjmp)
foreach(deed fork vfork clone handler siglongjmp seccomp strict setuid chroot mlockall rlimit_as rlimit_nofile ucontext
        dlopen thread_exit exec)
        set(labels integration)
        if(NOT deed IN_LIST quick)
                list(APPEND labels slow)
        endif()
        add_test(NAME integration.legal_${deed} COMMAND bash ${legal}/cells.sh ${deed})
        set_tests_properties(integration.legal_${deed} PROPERTIES ENVIRONMENT "SPANALLOC_BUILD=${CMAKE_BINARY_DIR}"
                LABELS "${labels}" TIMEOUT 1200)
endforeach()

file(GLOB scripts CONFIGURE_DEPENDS ${legal}/*.sh)
list(FILTER scripts EXCLUDE REGEX "/cells\\.sh$")
foreach(script IN LISTS scripts)
        get_filename_component(name ${script} NAME_WE)
        add_test(NAME integration.legal_${name} COMMAND bash ${script})
        set_tests_properties(integration.legal_${name} PROPERTIES ENVIRONMENT "SPANALLOC_BUILD=${CMAKE_BINARY_DIR}")
        apply_header(integration.legal_${name} ${script} 600 integration)
endforeach()
