# SPDX-License-Identifier: Apache-2.0
if(TARGET petreld)
  add_executable(bench_latency ${CMAKE_CURRENT_LIST_DIR}/bench_latency.c
    ${CMAKE_CURRENT_LIST_DIR}/rig.c ${CMAKE_CURRENT_LIST_DIR}/call.c
    ${CMAKE_CURRENT_LIST_DIR}/person.c ${CMAKE_CURRENT_LIST_DIR}/disk.c)
  target_link_libraries(bench_latency PRIVATE petrel_test)
endif()
