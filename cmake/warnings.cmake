# SPDX-License-Identifier: MIT
# The warnings of every target, as an interface that targets link; nothing is set for a whole directory.
add_library(spanalloc_warnings INTERFACE)
target_compile_options(spanalloc_warnings INTERFACE
        -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef -Wvla
        -Wno-unused-parameter $<$<BOOL:${SPANALLOC_WERROR}>:-Werror>)
# Names of source files, in sites and in debug information, do not depend on where the tree lies.
target_compile_options(spanalloc_warnings INTERFACE -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)
# Headers are included by their path from the top: "shm/layout.h", "daemon/books/books.h".
target_include_directories(spanalloc_warnings INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(spanalloc_warnings INTERFACE _GNU_SOURCE SPANALLOC_VERSION="${PROJECT_VERSION}")
