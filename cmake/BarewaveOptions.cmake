# Language level, warnings and sanitizers that hold for every target of the project.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

set(BAREWAVE_SANITIZE "" CACHE STRING "Sanitizers to build with, e.g. 'address,undefined' or 'thread'")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

add_library(barewave_options INTERFACE)
target_compile_options(barewave_options INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-qual -Wundef -Werror)
# g++ 12 sees overlaps that are not there in "literal" + std::string (GCC bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(barewave_options INTERFACE -Wno-restrict)
endif()
target_include_directories(barewave_options INTERFACE "${CMAKE_SOURCE_DIR}")

# Seconds that ctest gives each test. The sanitizers' options are in CMakePresets.json.
set(BAREWAVE_TEST_TIMEOUT 300)
if(BAREWAVE_SANITIZE)
  set(BAREWAVE_TEST_TIMEOUT 1500)
  add_compile_options(-fsanitize=${BAREWAVE_SANITIZE} -fno-omit-frame-pointer)
  # What no sanitizer sees: indices beyond a vector or span, empty optionals that are looked into.
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  add_link_options(-fsanitize=${BAREWAVE_SANITIZE})
  if(BAREWAVE_SANITIZE MATCHES "thread")
    # ThreadSanitizer does not know fences; those here only drain write buffers before a doorbell, which it does know.
    add_compile_options(-Wno-tsan)
    # g++ 12 sees moves of byte vectors overflow when it instruments them.
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      add_compile_options(-Wno-stringop-overflow)
    endif()
  endif()
  # g++ 12 takes parts of std::regex for uninitialised when it instruments addresses (GCC bug 105562).
  if(BAREWAVE_SANITIZE MATCHES "address" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
  if(BAREWAVE_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()
