# What a loadable driver is built against, installed below include/awaitd: the
# umbrella <awaitd/driver.h> and what it includes. There every header includes
# the others as <awaitd/…>, so that one -I is enough.
set(headers
  driver.h
  device.h
  link_status.h
  options.h
  queue/clock.h
  queue/error.h
  queue/export.h
  queue/filter.h
  queue/frame.h
  queue/key.h
  queue/latency.h
  queue/latest.h
  queue/ledger.h
  queue/log.h
  queue/queue.h
  queue/ring.h
  queue/roles.h
  queue/runs.h
  queue/waker.h)
set(installed ${CMAKE_CURRENT_BINARY_DIR}/include/awaitd)

foreach(header IN LISTS headers)
  file(READ ${header} text)
  string(REGEX REPLACE "#include \"(devices/[a-z_/]+\\.h)\"" "#include <awaitd/\\1>"
         text "${text}")
  if(header STREQUAL driver.h)
    file(CONFIGURE OUTPUT ${installed}/${header} CONTENT "${text}" @ONLY)
  else()
    file(CONFIGURE OUTPUT ${installed}/devices/${header} CONTENT "${text}" @ONLY)
  endif()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
endforeach()

install(DIRECTORY ${installed} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        COMPONENT headers)
