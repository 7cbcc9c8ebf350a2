# Writes a CTest file with one test for each test of a Criterion binary. Run with -P; see UnitTest.cmake.
execute_process(COMMAND ${BINARY} --list OUTPUT_VARIABLE listing RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "${BINARY} --list failed: ${failed}")
endif()
string(REPLACE "\n" ";" lines "${listing}")
set(suite "")
set(content "")
set(found 0)
foreach(line IN LISTS lines)
  if(line MATCHES "^([A-Za-z0-9_]+): [0-9]+ tests?")
    set(suite ${CMAKE_MATCH_1})
  elseif(line MATCHES "(──|--) ([A-Za-z0-9_]+)$") # ASCII where the locale has no more
    set(test ${CMAKE_MATCH_2})
    string(APPEND content
      "add_test([=[${PREFIX}.${suite}.${test}]=] \"${BINARY}\" \"--filter=${suite}/${test}\" \"--jobs=1\" \"--color=never\")\n"
      "set_tests_properties([=[${PREFIX}.${suite}.${test}]=] PROPERTIES TIMEOUT 300 LABELS \"${LABELS}\""
      " FAIL_REGULAR_EXPRESSION \"LeakSanitizer|AddressSanitizer|runtime error:\")\n")
    math(EXPR found "${found} + 1")
  endif()
endforeach()
if(found EQUAL 0)
  message(FATAL_ERROR "${BINARY} lists no tests")
endif()
file(WRITE ${OUTPUT} "${content}")
