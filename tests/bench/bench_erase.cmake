# SPDX-License-Identifier: Apache-2.0
if(TARGET petreld)
  add_executable(bench_erase ${CMAKE_CURRENT_LIST_DIR}/bench_erase.c
    ${CMAKE_CURRENT_LIST_DIR}/rig.c ${CMAKE_CURRENT_LIST_DIR}/call.c)
  target_link_libraries(bench_erase PRIVATE petrel_test)
endif()
