# SPDX-License-Identifier: Apache-2.0
# A first message beside c-toxcore; left out where that is not installed.
pkg_check_modules(BENCH_DHT_TOX IMPORTED_TARGET toxcore)
if(TARGET petreld AND BENCH_DHT_TOX_FOUND)
  add_executable(bench_dht ${CMAKE_CURRENT_LIST_DIR}/bench_dht.c
    ${CMAKE_CURRENT_LIST_DIR}/tox_first.c ${CMAKE_CURRENT_LIST_DIR}/rig.c
    ${CMAKE_CURRENT_LIST_DIR}/call.c ${CMAKE_CURRENT_LIST_DIR}/person.c)
  target_link_libraries(bench_dht PRIVATE petrel_sim PkgConfig::BENCH_DHT_TOX)
elseif(TARGET petreld)
  message(STATUS "bench_dht is left out: it needs libtoxcore-dev")
endif()
