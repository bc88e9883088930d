# An extension that the Python tests of the waits from C import. It sees the
# public header alone, as somebody else's does.
Python3_add_library(awaitable_waits MODULE WITH_SOABI
  tests/native/waits_module.c
  tests/native/waits_steps.c
  tests/native/threads_completion.c
  tests/native/threads_pool.c)
target_include_directories(awaitable_waits SYSTEM PRIVATE
  ${Python3_INCLUDE_DIRS})
target_include_directories(awaitable_waits PRIVATE
  ${PROJECT_SOURCE_DIR}/pymod/include)
target_link_libraries(awaitable_waits PRIVATE Threads::Threads)
target_compile_definitions(awaitable_waits PRIVATE _GNU_SOURCE)
target_compile_options(awaitable_waits PRIVATE
  $<TARGET_PROPERTY:aw_flags,INTERFACE_COMPILE_OPTIONS>)
target_link_options(awaitable_waits PRIVATE
  $<TARGET_PROPERTY:aw_flags,INTERFACE_LINK_OPTIONS>)
if(CMAKE_C_COMPILER_ID STREQUAL GNU)
  target_link_options(awaitable_waits PRIVATE -fno-lto)
endif()
set_target_properties(awaitable_waits PROPERTIES
  LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/native)
