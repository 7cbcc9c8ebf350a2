# Builds the console from its locked npm packages and embeds it.
#
# npm works in the build directory, on copies: the source tree is never written to. Packages are
# installed again only when package-lock.json changes, so that other builds need no network. No
# package runs a script of its own.

set(WEIR_CONSOLE_BUILD ${PROJECT_BINARY_DIR}/http/console/npm)

# weir_console(OUTPUT): writes OUTPUT, a .cc with the console's files as http/assets.h declares them.
function(weir_console output)
  find_program(WEIR_NODE NAMES node nodejs REQUIRED)
  find_program(WEIR_NPM npm REQUIRED)
  set(source ${CMAKE_CURRENT_FUNCTION_LIST_DIR})
  set(work ${WEIR_CONSOLE_BUILD})
  set(folders src scripts test)
  set(files package.json tsconfig.json)
  list(TRANSFORM files PREPEND ${source}/)
  list(TRANSFORM folders PREPEND ${source}/ OUTPUT_VARIABLE source_folders)
  list(TRANSFORM folders PREPEND ${work}/ OUTPUT_VARIABLE work_folders)
  list(TRANSFORM source_folders APPEND /* OUTPUT_VARIABLE patterns)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${patterns})
  file(MAKE_DIRECTORY ${work})

  add_custom_command(
    OUTPUT ${work}/packages.stamp
    COMMAND ${CMAKE_COMMAND} -E copy ${source}/package.json ${source}/package-lock.json ${work}
    COMMAND ${WEIR_NPM} ci --ignore-scripts --no-audit --no-fund --loglevel=error
    COMMAND ${CMAKE_COMMAND} -E touch ${work}/packages.stamp
    DEPENDS ${source}/package-lock.json
    WORKING_DIRECTORY ${work}
    COMMENT "Installing the console's packages"
    VERBATIM)

  set(copies)
  foreach(folder IN LISTS folders)
    list(APPEND copies COMMAND ${CMAKE_COMMAND} -E copy_directory ${source}/${folder} ${work}/${folder})
  endforeach()
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${work_folders}
    ${copies}
    COMMAND ${CMAKE_COMMAND} -E copy ${files} ${work}
    COMMAND ${WEIR_NODE} scripts/build.mjs
    COMMAND ${WEIR_NODE} scripts/embed.mjs dist ${output}
    DEPENDS ${work}/packages.stamp ${files} ${sources}
    WORKING_DIRECTORY ${work}
    COMMENT "Building the console"
    VERBATIM)
endfunction()

# weir_console_tests(): the console's type check and unit tests, on what weir_console() has built.
# Call it where tests are enabled, after including this file.
function(weir_console_tests)
  foreach(script check test)
    add_test(NAME console.${script} COMMAND ${WEIR_NPM} run ${script} WORKING_DIRECTORY ${WEIR_CONSOLE_BUILD})
    set_tests_properties(console.${script} PROPERTIES TIMEOUT 120 LABELS unit)
  endforeach()
endfunction()
