# One target carries the project's language level, warnings and hardening;
# every other target links it.
add_library(aw_flags INTERFACE)
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

target_include_directories(aw_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(aw_flags INTERFACE _GNU_SOURCE
                           AW_VERSION="${PROJECT_VERSION}")
target_compile_options(aw_flags INTERFACE
  -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes
  -Wmissing-prototypes -Wundef -Wformat=2 -Wvla -Wimplicit-fallthrough
  -Wwrite-strings -fvisibility=hidden)
if(CMAKE_C_COMPILER_ID MATCHES Clang)
  target_compile_options(aw_flags INTERFACE -Wthread-safety)
endif()
if(AWAITD_WERROR)
  target_compile_options(aw_flags INTERFACE -Werror)
endif()

if(AWAITD_SANITIZE)
  target_compile_options(aw_flags INTERFACE -fsanitize=${AWAITD_SANITIZE}
    -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(aw_flags INTERFACE -fsanitize=${AWAITD_SANITIZE})
else()
  target_compile_options(aw_flags INTERFACE -fstack-protector-strong
    $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
  target_link_options(aw_flags INTERFACE -Wl,-z,relro,-z,now)
endif()

# The two programs that count are optimised across files; the objects stay
# ordinary ones besides, for the tests and for those that look into them.
function(aw_link_optimised target)
  if(CMAKE_C_COMPILER_ID STREQUAL GNU AND NOT AWAITD_SANITIZE AND
     NOT CMAKE_BUILD_TYPE STREQUAL Debug)
    target_link_options(${target} PRIVATE -flto=auto)
  endif()
endfunction()
if(CMAKE_C_COMPILER_ID STREQUAL GNU AND NOT AWAITD_SANITIZE AND
   NOT CMAKE_BUILD_TYPE STREQUAL Debug)
  target_compile_options(aw_flags INTERFACE -flto=auto -ffat-lto-objects)
endif()
