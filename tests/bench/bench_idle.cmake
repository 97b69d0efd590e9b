# SPDX-License-Identifier: Apache-2.0
if(TARGET petreld)
  add_executable(bench_idle ${CMAKE_CURRENT_LIST_DIR}/bench_idle.c
    ${CMAKE_CURRENT_LIST_DIR}/rig.c ${CMAKE_CURRENT_LIST_DIR}/call.c
    ${CMAKE_CURRENT_LIST_DIR}/net.c ${CMAKE_CURRENT_LIST_DIR}/queues.c
    ${CMAKE_CURRENT_LIST_DIR}/filled.c ${CMAKE_CURRENT_LIST_DIR}/person.c)
  target_link_libraries(bench_idle PRIVATE petrel_test)
endif()
