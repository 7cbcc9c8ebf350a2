# weir_unit_test(NAME SOURCES ... USES ... [LABELS ...]): a Criterion binary whose tests CTest runs one by one.
#
# The tests are listed after the build, because a Criterion filter that matches nothing exits 0: a test that
# is registered by hand and renamed later would pass for ever. Leaks are printed without failing a test, so
# the sanitizer's words fail it here.
function(weir_unit_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;USES;LABELS")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE weir_flags ${arg_USES} PkgConfig::CRITERION)
  set(list ${CMAKE_CURRENT_BINARY_DIR}/${name}_tests.cmake)
  add_custom_command(
    TARGET ${name} POST_BUILD
    COMMAND ${CMAKE_COMMAND} -DBINARY=$<TARGET_FILE:${name}> -DOUTPUT=${list} -DPREFIX=${name}
            "-DLABELS=unit;${arg_LABELS}" -P ${PROJECT_SOURCE_DIR}/cmake/ListUnitTests.cmake
    BYPRODUCTS ${list}
    VERBATIM)
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${list})
endfunction()
