# SPDX-License-Identifier: MIT
# Completions of spanallocctl, where the shells look below any prefix.  Distributions have a directory of their own for
# zsh; Debian's is share/zsh/vendor-completions.
set(SPANALLOC_BASH_COMPLETION_DIR ${CMAKE_INSTALL_DATADIR}/bash-completion/completions CACHE STRING "For bash")
set(SPANALLOC_ZSH_COMPLETION_DIR ${CMAKE_INSTALL_DATADIR}/zsh/site-functions CACHE STRING "For zsh")
set(SPANALLOC_FISH_COMPLETION_DIR ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d CACHE STRING "For fish")
mark_as_advanced(SPANALLOC_BASH_COMPLETION_DIR SPANALLOC_ZSH_COMPLETION_DIR SPANALLOC_FISH_COMPLETION_DIR)

install(FILES ctl/completions/spanallocctl.bash DESTINATION ${SPANALLOC_BASH_COMPLETION_DIR} RENAME spanallocctl)
install(FILES ctl/completions/_spanallocctl DESTINATION ${SPANALLOC_ZSH_COMPLETION_DIR})
install(FILES ctl/completions/spanallocctl.fish DESTINATION ${SPANALLOC_FISH_COMPLETION_DIR})
