# SPDX-License-Identifier: Apache-2.0
if(TARGET petreld)
  add_executable(bench_forward ${CMAKE_CURRENT_LIST_DIR}/bench_forward.c
    ${CMAKE_CURRENT_LIST_DIR}/rig.c ${CMAKE_CURRENT_LIST_DIR}/call.c
    ${CMAKE_CURRENT_LIST_DIR}/net.c ${CMAKE_CURRENT_LIST_DIR}/queues.c
    ${CMAKE_CURRENT_LIST_DIR}/disk.c)
  target_link_libraries(bench_forward PRIVATE petrel_test)
endif()
