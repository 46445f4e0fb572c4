# find_package(@NAME@ PATHS <this folder's parent>); target_link_libraries(program @NAME@::@NAME@)
if(NOT TARGET @NAME@::@NAME@)
  get_filename_component(_sinter_package "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)
  add_library(@NAME@::@NAME@ SHARED IMPORTED)
  set_target_properties(@NAME@::@NAME@ PROPERTIES
    IMPORTED_LOCATION "${_sinter_package}/lib@NAME@.so"
    INTERFACE_INCLUDE_DIRECTORIES "${_sinter_package}/include")
  unset(_sinter_package)
endif()
