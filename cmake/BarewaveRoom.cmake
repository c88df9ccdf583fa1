# A room is a folder with one static library and one test program beside its sources.

# bw_add_room(NAME SOURCES... LIBS libs... [TESTS *_test.cc files] [TEST_LIBS libs])
# makes the library barewave_NAME and, from the tests, NAME_test.
function(bw_add_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;LIBS;TESTS;TEST_LIBS" ${ARGN})
  add_library(barewave_${name} STATIC ${ROOM_SOURCES})
  target_link_libraries(barewave_${name} PUBLIC barewave_options ${ROOM_LIBS})
  if(ROOM_TESTS)
    bw_add_test(${name}_test SOURCES ${ROOM_TESTS} LIBS barewave_${name} ${ROOM_TEST_LIBS})
  endif()
endfunction()

# bw_add_test(NAME SOURCES... LIBS libs... [PREFIX prefix]) makes a GoogleTest program whose cases ctest lists one by one,
# with the prefix before their names.
function(bw_add_test name)
  cmake_parse_arguments(TEST "" "PREFIX" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${TEST_SOURCES})
  target_link_libraries(${name} PRIVATE ${TEST_LIBS} GTest::gmock GTest::gtest GTest::gtest_main)
  gtest_discover_tests(${name} TEST_PREFIX "${TEST_PREFIX}" DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${BAREWAVE_TEST_TIMEOUT})
endfunction()
