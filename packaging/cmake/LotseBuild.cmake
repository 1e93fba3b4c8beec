# How everything is compiled, and the three words that the rest of the build is written in:
#   lotse_room(NAME LINKS ... PRIVATE ...)    a room of the core: one static library lotse::NAME
#   lotse_plugin(KIND NAME LINKS ...)         a plugin: lib/lotse/plugins/KIND_NAME.so
#   lotse_unit_tests(NAME LINKS ...)          tests/unit/NAME/*.cc as one ctest program unit_NAME
include_guard()
option(LOTSE_TESTS "Build the tests" ON)
set(LOTSE_SANITIZE "" CACHE STRING "address,undefined | thread")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 99)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(LOTSE_PLUGIN_DIR ${CMAKE_BINARY_DIR}/lib/lotse/plugins)
find_package(Threads REQUIRED)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# -fPIC and one visibility everywhere, so that all of them share one precompiled header.
add_compile_options(-fPIC -fvisibility=hidden -Wall -Wextra -Wno-missing-field-initializers -Werror)
# g++ 12 sees faults in std::string that are not there once it optimizes (GCC bugs 105329, 105651); newer ones are quiet again.
add_compile_options($<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-restrict$<SEMICOLON>-Wno-array-bounds$<SEMICOLON>-Wno-stringop-overflow$<SEMICOLON>-Wno-stringop-overread$<SEMICOLON>-Wno-maybe-uninitialized$<SEMICOLON>-Wno-dangling-pointer>)
# Debug information names files as they lie below the source; a release has none, and its objects are then the same for ccache wherever the clone is.
add_compile_options($<$<CONFIG:Debug>:-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=>)
add_compile_options($<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
add_link_options(-Wl,--as-needed)
if(LOTSE_SANITIZE)
  # What g++ 12 finds uninitialized in std::regex and std::function under a sanitizer is not. A finding ends the program.
  add_compile_options(-fsanitize=${LOTSE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -Wno-maybe-uninitialized)
  if(LOTSE_SANITIZE MATCHES undefined)
    # These double the time to compile, and what they would find ASan mostly sees as well.
    add_compile_options(-fno-sanitize=vptr,null,alignment,object-size)
  endif()
  if(LOTSE_SANITIZE MATCHES thread)
    # ThreadSanitizer does not know fences; what runs on Asio's loops is ordered by Asio's locks without them.
    add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
  add_link_options(-fsanitize=${LOTSE_SANITIZE})
endif()

# The standard library, precompiled once. Heavy headers (Asio, msgpack, grpc) never go in here.
file(WRITE ${CMAKE_BINARY_DIR}/pch/std.h.new
"#include <algorithm>\n#include <array>\n#include <atomic>\n#include <chrono>\n#include <cstdint>\n#include <cstring>\n#include <deque>\n\
#include <functional>\n#include <map>\n#include <memory>\n#include <mutex>\n#include <optional>\n#include <set>\n#include <span>\n#include <string>\n\
#include <string_view>\n#include <thread>\n#include <condition_variable>\n#include <unordered_map>\n#include <unordered_set>\n#include <utility>\n#include <variant>\n#include <vector>\n")
file(COPY_FILE ${CMAKE_BINARY_DIR}/pch/std.h.new ${CMAKE_BINARY_DIR}/pch/std.h ONLY_IF_DIFFERENT)
file(WRITE ${CMAKE_BINARY_DIR}/pch/empty.cc "")
add_library(lotse_pch STATIC ${CMAKE_BINARY_DIR}/pch/empty.cc)
target_precompile_headers(lotse_pch PRIVATE ${CMAKE_BINARY_DIR}/pch/std.h)

# Tests are compiled without optimization, which more than halves their time, and so need a precompiled header of their own.
file(WRITE ${CMAKE_BINARY_DIR}/pch/test.h.new "#include \"std.h\"\n#include <catch2/catch.hpp>\n")
file(COPY_FILE ${CMAKE_BINARY_DIR}/pch/test.h.new ${CMAKE_BINARY_DIR}/pch/test.h ONLY_IF_DIFFERENT)
if(LOTSE_TESTS)
  add_library(lotse_test_pch STATIC ${CMAKE_BINARY_DIR}/pch/empty.cc)
  target_compile_options(lotse_test_pch PRIVATE -O0)
  target_precompile_headers(lotse_test_pch PRIVATE ${CMAKE_BINARY_DIR}/pch/test.h)
endif()

# Asio is compiled once (and once more by each plugin that uses it), not in every file that includes it.
file(WRITE ${CMAKE_BINARY_DIR}/pch/asio.cc.new
"#include <utility>\n#include <boost/asio/impl/src.hpp>\n#include <boost/asio/ssl/impl/src.hpp>\n")
file(COPY_FILE ${CMAKE_BINARY_DIR}/pch/asio.cc.new ${CMAKE_BINARY_DIR}/pch/asio.cc ONLY_IF_DIFFERENT)
add_library(lotse_asio STATIC ${CMAKE_BINARY_DIR}/pch/asio.cc)
target_compile_definitions(lotse_asio PUBLIC BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)
target_link_libraries(lotse_asio PUBLIC Threads::Threads ssl crypto)
add_library(lotse::asio ALIAS lotse_asio)

function(lotse_sources out dir)
  file(GLOB found CONFIGURE_DEPENDS ${dir}/*.cc ${dir}/*.c)
  set(${out} ${found} PARENT_SCOPE)
endfunction()

function(lotse_room name)
  cmake_parse_arguments(A "" "" "LINKS;PRIVATE;SOURCES" ${ARGN})
  lotse_sources(sources ${CMAKE_CURRENT_SOURCE_DIR})
  list(APPEND sources ${A_SOURCES})
  add_library(lotse_${name} STATIC ${sources} ${CMAKE_BINARY_DIR}/pch/empty.cc)
  target_precompile_headers(lotse_${name} REUSE_FROM lotse_pch)
  target_include_directories(lotse_${name} PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
  target_link_libraries(lotse_${name} PUBLIC ${A_LINKS} PRIVATE ${A_PRIVATE})
  add_library(lotse::${name} ALIAS lotse_${name})
endfunction()

# entry.cc holds the door; all else is a static library too, which the plugin's unit tests link.
function(lotse_plugin kind name)
  cmake_parse_arguments(A "" "" "LINKS;SOURCES" ${ARGN})
  set(target ${kind}_${name})
  lotse_sources(sources ${CMAKE_CURRENT_SOURCE_DIR})
  list(FILTER sources EXCLUDE REGEX "/entry\\.cc$")
  add_library(${target}_impl STATIC ${sources} ${A_SOURCES} ${CMAKE_BINARY_DIR}/pch/empty.cc)
  target_precompile_headers(${target}_impl REUSE_FROM lotse_pch)
  target_include_directories(${target}_impl PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${target}_impl PUBLIC lotse::sdk ${A_LINKS})
  add_library(${target} MODULE ${CMAKE_CURRENT_SOURCE_DIR}/entry.cc)
  target_link_libraries(${target} PRIVATE ${target}_impl)
  target_link_options(${target} PRIVATE -Wl,--version-script=${CMAKE_SOURCE_DIR}/sdk/plugin.map -Wl,--no-undefined)
  set_target_properties(${target} PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${LOTSE_PLUGIN_DIR} NO_SONAME ON)
  set_property(GLOBAL APPEND PROPERTY LOTSE_PLUGINS ${target})
endfunction()

# What the lane `unit` runs and nothing else: ninja unit_programs.
add_custom_target(unit_programs)

function(lotse_unit_tests name)
  cmake_parse_arguments(A "" "" "LINKS;SOURCES" ${ARGN})
  lotse_sources(sources ${CMAKE_SOURCE_DIR}/tests/unit/${name})
  if(NOT sources)
    return()
  endif()
  add_executable(unit_${name} ${sources} ${A_SOURCES})
  target_compile_options(unit_${name} PRIVATE -O0)
  target_precompile_headers(unit_${name} REUSE_FROM lotse_test_pch)
  target_include_directories(unit_${name} PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(unit_${name} PRIVATE LOTSE_SOURCE_DIR="${CMAKE_SOURCE_DIR}" LOTSE_PLUGIN_DIR="${LOTSE_PLUGIN_DIR}")
  target_link_libraries(unit_${name} PRIVATE ${A_LINKS} lotse_catch)
  add_dependencies(unit_programs unit_${name})
  add_test(NAME unit_${name} COMMAND unit_${name})
  set_tests_properties(unit_${name} PROPERTIES LABELS unit TIMEOUT 120)
  if(LOTSE_SANITIZE)
    set_tests_properties(unit_${name} PROPERTIES TIMEOUT 600)
  endif()
endfunction()
