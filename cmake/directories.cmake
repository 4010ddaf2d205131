# SPDX-License-Identifier: MIT
# Where files for systemd go: where systemd.pc says when this is installed below /usr, else in the same places below the
# prefix (systemd reads /usr/local too).  Relative wherever it can be, so that `cmake --install --prefix` moves them along.
#
#     SPANALLOC_SYSTEM_UNIT_DIR   SPANALLOC_USER_UNIT_DIR   SPANALLOC_SYSTEM_PRESET_DIR   SPANALLOC_USER_PRESET_DIR
#     SPANALLOC_SYSUSERS_DIR      SPANALLOC_TMPFILES_DIR    SPANALLOC_CATALOG_DIR
pkg_check_modules(SYSTEMD_PC QUIET systemd)

function(systemd_directory name variable usual what)
        set(directory ${usual})
        if(SYSTEMD_PC_FOUND AND CMAKE_INSTALL_PREFIX STREQUAL "/usr")
                pkg_get_variable(told systemd ${variable})
                if(told)
                        string(REGEX REPLACE "^/usr/" "" directory ${told})
                endif()
        endif()
        set(SPANALLOC_${name} ${directory} CACHE STRING "${what}")
        mark_as_advanced(SPANALLOC_${name})
endfunction()

systemd_directory(SYSTEM_UNIT_DIR systemdsystemunitdir lib/systemd/system "Units of the system")
systemd_directory(USER_UNIT_DIR systemduserunitdir lib/systemd/user "Units of users")
systemd_directory(SYSTEM_PRESET_DIR systemdsystempresetdir lib/systemd/system-preset "Presets of the system")
systemd_directory(USER_PRESET_DIR systemduserpresetdir lib/systemd/user-preset "Presets of users")
systemd_directory(SYSUSERS_DIR sysusersdir lib/sysusers.d "Users and groups to make")
systemd_directory(TMPFILES_DIR tmpfilesdir lib/tmpfiles.d "Directories to make at boot")
systemd_directory(CATALOG_DIR catalogdir lib/systemd/catalog "Explanations of journal messages")
