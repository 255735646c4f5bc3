# SPDX-License-Identifier: Apache-2.0
# Every directory declares itself with one call, so that a new source, test or fuzzer needs no edit of a build file:
#   amphora_library(NAME [DIR dir] [DEPS targets…] [UNITS count] [TEST_UNITS count])
# globs *.cpp below DIR. x_test.cpp files become one GoogleTest program NAME_test (label unit); each x_fuzz.cpp becomes a
# fuzzer (label fuzz) whose corpus is fuzz/corpus/x/. All else is the library. UNITS and TEST_UNITS: with AMPHORA_UNITY, into
# how many compilations the library and the tests are put together; without them, each file is one.

add_library(amphora_flags INTERFACE)
target_compile_options(amphora_flags INTERFACE -Wall -Wextra -Wconversion -Werror)
target_include_directories(amphora_flags INTERFACE ${CMAKE_SOURCE_DIR})

# From nothing, most of the time goes into reading the same headers again for each file. Several files in one compilation
# need a third of it, but a change to one then compiles all of them. So this is on where everything is built once
# (tools/configure.sh) and off for who works on it.
option(AMPHORA_UNITY "Compile several sources together" OFF)

# Tests are compiled in half the time without the optimiser's late passes; what they test keeps its own flags. Under
# sanitizers they are not optimised at all.
set(AMPHORA_TEST_FLAGS "")
if(AMPHORA_SANITIZE AND NOT AMPHORA_FUZZ)
  set(AMPHORA_TEST_FLAGS -O0)
elseif(CMAKE_BUILD_TYPE STREQUAL RelWithDebInfo AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  set(AMPHORA_TEST_FLAGS -Og)
endif()

if(AMPHORA_SANITIZE)
  add_compile_options(-fsanitize=${AMPHORA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${AMPHORA_SANITIZE})
endif()
if(AMPHORA_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(BUILD_TESTING)
  find_package(GTest REQUIRED)
  find_library(RAPIDCHECK_LIBRARY rapidcheck REQUIRED)
endif()

# Everything a sanitizer or fuzzing build wants, without naming each library.
add_custom_target(amphora_unit_tests)
add_custom_target(amphora_fuzzers)
set(AMPHORA_FUZZ_SECONDS 30 CACHE STRING "Seconds each libFuzzer target runs in its test")

# amphora_unite(TARGET COUNT FILE...): compiles the files as COUNT units. A file's unit follows from its path alone, so a new
# file moves no other. Two files of one namespace that name something alike in their anonymous namespaces do not compile in one
# unit: what both need goes to one place, or one of the two gets a name that tells more.
function(amphora_unite target count)
  if(NOT AMPHORA_UNITY)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # It warns of anonymous types in a class outside the main file, which here every file is.
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
  foreach(file IN LISTS ARGN)
    file(RELATIVE_PATH path ${CMAKE_SOURCE_DIR} ${file})
    string(MD5 hash ${path})
    string(SUBSTRING ${hash} 0 7 hash)
    math(EXPR unit "0x${hash} % ${count}")
    set_source_files_properties(${file} PROPERTIES UNITY_GROUP ${target}_${unit})
  endforeach()
endfunction()

function(amphora_add_fuzzer file library)
  get_filename_component(stem ${file} NAME_WE)
  string(REGEX REPLACE "_fuzz$" "" name ${stem})
  set(corpus ${CMAKE_SOURCE_DIR}/fuzz/corpus/${name})
  if(AMPHORA_FUZZ)
    add_executable(${name}_fuzz ${file})
    target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
    # The first folder receives what libFuzzer finds, so the repository's corpus is only read.
    set(found ${CMAKE_BINARY_DIR}/found/${name})
    file(MAKE_DIRECTORY ${found} ${CMAKE_BINARY_DIR}/crashes)
    add_test(NAME fuzz.${name} COMMAND ${name}_fuzz -max_total_time=${AMPHORA_FUZZ_SECONDS} -timeout=10
             -artifact_prefix=${CMAKE_BINARY_DIR}/crashes/${name}- ${found} ${corpus})
  else()
    # Without libFuzzer the same entry point replays the corpus and a deterministic set of mutations of it.
    add_executable(${name}_fuzz ${file} ${CMAKE_SOURCE_DIR}/fuzz/replay_main.cpp)
    add_test(NAME fuzz.${name} COMMAND ${name}_fuzz ${corpus})
  endif()
  target_link_libraries(${name}_fuzz PRIVATE ${library} amphora_flags)
  math(EXPR timeout "${AMPHORA_FUZZ_SECONDS} + 300")
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT ${timeout})
  add_dependencies(amphora_fuzzers ${name}_fuzz)
endfunction()

function(amphora_library name)
  cmake_parse_arguments(arg "" "DIR;UNITS;TEST_UNITS" "DEPS;TEST_DEPS" ${ARGN})
  if(NOT arg_DIR)
    set(arg_DIR ${CMAKE_CURRENT_SOURCE_DIR})
  endif()
  file(GLOB_RECURSE all CONFIGURE_DEPENDS ${arg_DIR}/*.cpp)
  set(tests ${all})
  set(fuzzers ${all})
  set(sources ${all})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz|main)\\.cpp$")
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC amphora_flags ${arg_DEPS})
  if(arg_UNITS)
    amphora_unite(${name} ${arg_UNITS} ${sources})
  endif()
  if(NOT BUILD_TESTING)
    return()
  endif()
  if(tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${name} ${arg_TEST_DEPS} GTest::gtest_main GTest::gmock ${RAPIDCHECK_LIBRARY})
    target_compile_options(${name}_test PRIVATE ${AMPHORA_TEST_FLAGS})
    if(arg_TEST_UNITS)
      amphora_unite(${name}_test ${arg_TEST_UNITS} ${tests})
    endif()
    # Some tests read the documents and examples that they keep in step with the code.
    target_compile_definitions(${name}_test PRIVATE AMPHORA_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_test(NAME unit.${name} COMMAND ${name}_test)
    set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT 300)
    add_dependencies(amphora_unit_tests ${name}_test)
  endif()
  foreach(file IN LISTS fuzzers)
    amphora_add_fuzzer(${file} ${name})
  endforeach()
endfunction()
