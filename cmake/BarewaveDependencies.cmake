# Libraries from the distribution. Nothing is downloaded.

# Several LLVM versions may stand side by side; take the newest that is 19 or later.
file(GLOB llvm_prefixes "/usr/lib/llvm-*")
list(SORT llvm_prefixes COMPARE NATURAL ORDER DESCENDING)
find_package(LLVM CONFIG REQUIRED HINTS ${llvm_prefixes})
if(LLVM_VERSION_MAJOR LESS 19)
  message(FATAL_ERROR "LLVM ${LLVM_PACKAGE_VERSION} found; barewave needs 19 or newer (Debian: llvm-19-dev)")
endif()
find_package(LLD CONFIG REQUIRED HINTS "${LLVM_INSTALL_PREFIX}")
message(STATUS "LLVM ${LLVM_PACKAGE_VERSION} in ${LLVM_INSTALL_PREFIX}")

add_library(barewave_llvm INTERFACE)
target_include_directories(barewave_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
# Targets with the property BAREWAVE_STATIC_LLVM hold their own copy of what they use of LLVM.
llvm_map_components_to_libnames(barewave_static_llvm_libs native AMDGPU OrcJIT Passes)
target_link_libraries(barewave_llvm INTERFACE
  "$<IF:$<BOOL:$<TARGET_PROPERTY:BAREWAVE_STATIC_LLVM>>,${barewave_static_llvm_libs},LLVM>")

add_library(barewave_lld INTERFACE)
target_include_directories(barewave_lld SYSTEM INTERFACE ${LLD_INCLUDE_DIRS})
target_link_libraries(barewave_lld INTERFACE lldELF lldCommon barewave_llvm)

find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
find_package(Threads REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter)
find_package(PkgConfig REQUIRED)
pkg_check_modules(libdrm REQUIRED IMPORTED_TARGET libdrm)

include(GoogleTest)
