# find_package(lotse-sdk): the target lotse::sdk, and
#   lotse_plugin(KIND NAME SOURCES ... LINKS ...)   a plugin KIND_NAME.so, built as lotsed wants it
get_filename_component(_lotse_share "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
get_filename_component(_lotse_prefix "${_lotse_share}/.." ABSOLUTE)
set(LOTSE_PLUGIN_MAP ${_lotse_share}/lotse-sdk/plugin.map)
set(LOTSE_PLUGIN_CHECK ${_lotse_prefix}/bin/lotse-plugin-check)
if(NOT TARGET lotse::sdk)
  add_library(lotse::sdk INTERFACE IMPORTED)
  set_target_properties(lotse::sdk PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${_lotse_prefix}/include)
endif()

function(lotse_plugin kind name)
  cmake_parse_arguments(A "" "" "SOURCES;LINKS" ${ARGN})
  set(target ${kind}_${name})
  add_library(${target} MODULE ${A_SOURCES})
  target_link_libraries(${target} PRIVATE lotse::sdk ${A_LINKS})
  target_link_options(${target} PRIVATE -Wl,--version-script=${LOTSE_PLUGIN_MAP} -Wl,--no-undefined)
  set_target_properties(${target} PROPERTIES PREFIX "" NO_SONAME ON CXX_VISIBILITY_PRESET hidden C_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON)
endfunction()
