# vestibule_bpf_object(NAME SOURCE...): builds the sources for the BPF machine, links them into one object, in which they share
# maps and functions of one name, and generates NAME.skel.h beside it.
# The kernel ignores type information it refuses, quietly; test/checks/btf loads every object and fails on that.

find_program(BPFTOOL bpftool PATHS /usr/sbin REQUIRED)

# The BPF target has no headers of its own: it borrows the native compiler's.
execute_process(
    COMMAND ${CMAKE_CXX_COMPILER} -std=gnu++20 -E -x c++ -v /dev/null
    ERROR_VARIABLE compiler_search OUTPUT_QUIET)
string(REGEX MATCHALL "\n (/[^\n ]+)" search_lines "${compiler_search}")
set(bpf_includes "")
foreach(line IN LISTS search_lines)
    string(STRIP "${line}" directory)
    if(IS_DIRECTORY "${directory}")
        list(APPEND bpf_includes -isystem "${directory}")
    endif()
endforeach()

set(bpf_flags
    -target bpf -mcpu=v3 -std=gnu++20 -O2 -g
    -gsimple-template-names -fstandalone-debug -fno-autolink
    -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-stack-protector
    -Wall -Wextra -Wshadow -Werror -Werror=global-constructors
    "-D__${CMAKE_SYSTEM_PROCESSOR}__"
    -I${PROJECT_SOURCE_DIR} ${bpf_includes})

set(VESTIBULE_BPF_OBJECTS "" CACHE INTERNAL "every BPF object, for the check that the kernel takes its type information")

function(vestibule_bpf_object name)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
    set(skeleton ${CMAKE_CURRENT_BINARY_DIR}/${name}.skel.h)
    set(parts "")
    foreach(source IN LISTS ARGN)
        get_filename_component(source ${source} ABSOLUTE)
        get_filename_component(part ${source} NAME_WE)
        set(part ${CMAKE_CURRENT_BINARY_DIR}/${part}.part.o)
        add_custom_command(
            OUTPUT ${part}
            COMMAND ${CMAKE_CXX_COMPILER} ${bpf_flags} -MD -MF ${part}.d -c ${source} -o ${part}
            DEPENDS ${source} DEPFILE ${part}.d
            COMMENT "BPF ${source}" VERBATIM)
        list(APPEND parts ${part})
    endforeach()
    add_custom_command(
        OUTPUT ${object} ${skeleton}
        COMMAND ${BPFTOOL} gen object ${object} ${parts}
        COMMAND ${BPFTOOL} gen skeleton ${object} name ${name}_bpf > ${skeleton}
        DEPENDS ${parts} COMMENT "skeleton ${name}" VERBATIM)
    add_custom_target(${name}_skeleton DEPENDS ${skeleton})
    add_library(${name}_bpf INTERFACE)
    target_include_directories(${name}_bpf SYSTEM INTERFACE ${CMAKE_CURRENT_BINARY_DIR})
    target_link_libraries(${name}_bpf INTERFACE PkgConfig::libbpf)
    add_dependencies(${name}_bpf ${name}_skeleton)
    set(VESTIBULE_BPF_OBJECTS "${VESTIBULE_BPF_OBJECTS};${object}" CACHE INTERNAL "")
endfunction()
