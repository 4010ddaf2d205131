# That step.scripts can fail: the same program with the client or the collector slightly wrong.  Adding a mutant is adding a
# file to step/mutants: a sed script for one source file, and in its comment which one (File), what is compiled with the
# outcome (Sources), and the scripts of step/script.c that must notice (Script).
function(step_mutant name path)
        file(STRINGS ${path} lines LIMIT_COUNT 4 REGEX "^# [A-Z][a-z]+: ")
        foreach(line IN LISTS lines)
                string(REGEX MATCH "^# ([A-Z][a-z]+): (.*)$" _ "${line}")
                set(is_${CMAKE_MATCH_1} "${CMAKE_MATCH_2}")
        endforeach()
        set(dir ${CMAKE_CURRENT_BINARY_DIR}/mutants/${name})
        set(original ${PROJECT_SOURCE_DIR}/${is_File})
        get_filename_component(parent ${dir}/${is_File} DIRECTORY)
        file(MAKE_DIRECTORY ${parent})
        add_custom_command(OUTPUT ${dir}/${is_File} COMMAND sed -f ${path} ${original} > ${dir}/${is_File}
                DEPENDS ${original} ${path} VERBATIM)
        add_executable(step_mutant_${name} ${dir}/${is_File})
        separate_arguments(is_Sources)
        foreach(source IN LISTS is_Sources)
                if(NOT source STREQUAL is_File)
                        target_sources(step_mutant_${name} PRIVATE ${PROJECT_SOURCE_DIR}/${source})
                endif()
        endforeach()
        # Before the libraries, which have the right ones.
        target_include_directories(step_mutant_${name} BEFORE PRIVATE ${dir})
        target_link_libraries(step_mutant_${name} PRIVATE step_objects)
        target_compile_options(step_mutant_${name} PRIVATE -O2 -w)
        set_target_properties(step_mutant_${name} PROPERTIES
                RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/unit)
        set(step_mutants ${step_mutants} "${name}=${is_Script}" PARENT_SCOPE)
endfunction()

# Only of what scripts/test steps: the other builds have many times the instructions.
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
        return()
endif()
set(step_mutants)
file(GLOB mutants CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/mutants/*.sed)
foreach(mutant IN LISTS mutants)
        get_filename_component(name ${mutant} NAME_WE)
        step_mutant(${name} ${mutant})
endforeach()
add_test(NAME step.mutants
        COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/mutants.sh ${CMAKE_BINARY_DIR}/tests/unit ${step_mutants})
set_tests_properties(step.mutants PROPERTIES LABELS step TIMEOUT 240)
