# SPDX-License-Identifier: Apache-2.0
# A real relay beside LMDB and redis-server; left out where there is no redis-server.
find_program(REDIS_SERVER redis-server)
if(REDIS_SERVER AND TARGET petreld)
  add_executable(bench_deposit ${CMAKE_CURRENT_LIST_DIR}/bench_deposit.c
    ${CMAKE_CURRENT_LIST_DIR}/round_petrel.c ${CMAKE_CURRENT_LIST_DIR}/round_others.c
    ${CMAKE_CURRENT_LIST_DIR}/rig.c ${CMAKE_CURRENT_LIST_DIR}/call.c
    ${CMAKE_CURRENT_LIST_DIR}/net.c ${CMAKE_CURRENT_LIST_DIR}/disk.c
    ${CMAKE_CURRENT_LIST_DIR}/queues.c)
  target_link_libraries(bench_deposit PRIVATE petrel_test)
else()
  message(STATUS "bench_deposit is left out: it needs redis-server")
endif()
